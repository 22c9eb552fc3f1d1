//! Histories of overlapping calls, and the search for an order that explains them.
//!
//! Threads of shuttle take turns at random, between any two accesses to shared memory; a seed
//! determines the turns and the calls. Each thread records its calls and their answers, and the
//! checker looks for an order of the calls that agrees with their overlaps and that a sequential
//! specification admits (J. M. Wing and C. Gong, "Testing and Verifying Concurrent Objects", 1993,
//! with the improvements of G. Lowe, 2017).

use std::{collections::HashMap, sync::Mutex};

use shuttle::{Config, FailurePersistence, MaxSteps, Runner, scheduler::RandomScheduler};
use todc_utils::{
    linearizability::{WGLChecker, history::Action, history::History},
    specifications::Specification,
};

/// A call under way.
pub struct Interval(usize);

enum Event<O> {
    Call(usize),
    /// With what took effect meanwhile: usually one operation, at times two, or none.
    Return(usize, Vec<O>),
}

/// The calls and their answers, in the order in which they happened.
pub struct Recorder<O>(Mutex<Vec<Event<O>>>);

impl<O: Clone + std::fmt::Debug> Recorder<O> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// A call begins.
    pub fn begin(&self) -> Interval {
        let mut events = self.0.lock().unwrap();
        let interval = events.len();
        events.push(Event::Call(interval));
        Interval(interval)
    }

    /// A call has returned, and did this.
    pub fn end(&self, interval: Interval, operations: impl Into<Vec<O>>) {
        let event = Event::Return(interval.0, operations.into());
        self.0.lock().unwrap().push(event);
    }

    /// Records `call`, which did what `operation` makes of its result.
    pub fn record<T>(&self, call: impl FnOnce() -> T, operation: impl FnOnce(&T) -> O) -> T {
        let interval = self.begin();
        let result = call();
        self.end(interval, [operation(&result)]);
        result
    }

    /// As the checker wants it. Operations of one interval overlap, so each is a process of its own.
    fn into_actions(self) -> Vec<(usize, Action<O>)> {
        let events = self.0.into_inner().unwrap();
        let mut processes = 0..;
        let mut did: HashMap<usize, Vec<(usize, O)>> = HashMap::new();
        for event in &events {
            if let Event::Return(interval, operations) = event {
                let operations = processes.by_ref().zip(operations.iter().cloned());
                did.insert(*interval, operations.collect());
            }
        }
        let actions = events.iter().flat_map(|event| {
            let (interval, kind): (_, fn(O) -> Action<O>) = match event {
                Event::Call(interval) => (interval, Action::Call),
                Event::Return(interval, _) => (interval, Action::Response),
            };
            let operations = did.get(interval).cloned().unwrap_or_default();
            operations
                .into_iter()
                .map(move |(process, operation)| (process, kind(operation)))
        });
        actions.collect()
    }

    /// Whether the specification explains it. If not, and if `show` says so, prints it.
    pub fn linearizes<S: Specification<Operation = O>>(self, show: bool) -> bool {
        let actions = self.into_actions();
        let holds = WGLChecker::<S>::is_linearizable(History::from_actions(actions.clone()));
        if show && !holds {
            for (process, action) in actions {
                println!("{process:>4} {action:?}");
            }
        }
        holds
    }
}

/// Runs `body` once, with turns that the seed determines.
pub fn run(seed: u64, body: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(1_000_000);
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    Runner::new(RandomScheduler::new_from_seed(seed, 1), config).run(body);
}
