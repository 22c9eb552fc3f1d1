//! A scheduler that stops one thread for good.
//!
//! Every shared-memory access of the threads begins and ends with a question to the scheduler: who
//! goes on? The victim's own accesses are counted from the moment when it says so, and at the k-th
//! question it is not let on any more, while the others are, in an order that the seed determines.
//!
//! When the others have shown that they need it for nothing, the victim is released and ends
//! normally, so that the accounts can be seen to balance after a thread that was only late. It is
//! also released when the others are stuck, which is the verdict then.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use shuttle::{
    Config, FailurePersistence, MaxSteps, Runner,
    current::me,
    scheduler::{Schedule, Scheduler, Task, TaskId},
};

use crate::machine::{self, Gate};

/// Questions without any progress after which the threads count as stuck. Each of them takes some
/// hundreds for a job.
const PATIENCE: usize = 50_000;

/// How often all are woken for no reason, if that is what they need to come to the end of an execution.
const MOST_TIMES: usize = 50;

/// The knowledge of scheduler and threads of each other.
#[derive(Default)]
pub struct Control {
    victim: AtomicUsize,
    /// The victim is in the operation whose steps count.
    counting: AtomicBool,
    /// The victim is through with it.
    ended: AtomicBool,
    steps: AtomicUsize,
    stopped: AtomicBool,
    released: AtomicBool,
    idle_questions: AtomicUsize,
    stuck: Mutex<Option<String>>,
    given_up: AtomicUsize,
    delayed: AtomicBool,
    /// Open from the moment when the steps count. Until then only the main thread goes on, and, when
    /// that is at this gate, the victim.
    begun: Gate,
    /// Whether anybody waits for that.
    prepares: AtomicBool,
}

impl Control {
    /// Runs `operation`, whose steps are the ones that count.
    pub fn counted<T>(&self, operation: impl FnOnce() -> T) -> T {
        self.victim.store(me().into(), SeqCst);
        self.counting.store(true, SeqCst);
        self.prepares.store(false, SeqCst);
        self.begun.open();
        let result = operation();
        self.counting.store(false, SeqCst);
        self.ended.store(true, SeqCst);
        result
    }

    /// From now on nobody goes on but the main thread: what it prepares, the victim finds.
    pub fn prepare(&self) {
        self.prepares.store(true, SeqCst);
    }

    /// The victim is the thread that was started last. It begins, and after that anybody goes on.
    pub fn let_it_begin(&self) {
        self.begun.pass();
    }

    /// Says that something was achieved.
    pub fn progress(&self) {
        self.idle_questions.store(0, SeqCst);
    }

    /// Whether the victim has been stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    /// Whether the victim has neither ended the operation nor been stopped yet.
    pub fn is_ahead(&self) -> bool {
        !self.ended.load(SeqCst) && !self.is_stopped()
    }

    fn is_counting(&self) -> bool {
        self.counting.load(SeqCst) && !self.is_stopped()
    }

    /// Lets the victim go on.
    pub fn release(&self) {
        self.released.store(true, SeqCst);
    }

    /// Why the others could not go on without the victim, if they could not.
    pub fn stuck(&self) -> Option<String> {
        self.stuck.lock().unwrap().clone()
    }

    /// Notes why the others need the victim; the first reason counts. Lets it go on.
    pub fn find(&self, why: impl Into<String>) {
        self.stuck.lock().unwrap().get_or_insert(why.into());
        self.progress();
        self.release();
    }

    /// Notes that a job was late because the victim owed a look.
    pub fn note_delay(&self) {
        self.delayed.store(true, SeqCst);
    }

    /// Whether that was so.
    pub fn is_delayed(&self) -> bool {
        self.delayed.load(SeqCst)
    }

    /// Nobody goes on, or all do and get nowhere.
    fn give_up(&self, why: &'static str) {
        let times = self.given_up.fetch_add(1, SeqCst);
        assert!(times < MOST_TIMES, "{why}, after {:?}", self.stuck());
        if self.is_released() {
            self.find(format!("even with the victim {why}"));
        } else {
            self.find(format!("the others need the stopped thread: {why}"));
        }
        machine::wake_all();
    }

    fn is_released(&self) -> bool {
        self.released.load(SeqCst)
    }

    /// Whether the victim was stopped after its waker had been woken, and has not come back from its
    /// park.
    pub fn is_victim_woken(&self) -> bool {
        self.is_stopped() && machine::is_woken(self.victim.load(SeqCst))
    }

    fn holds_back(&self, task: TaskId) -> bool {
        self.is_stopped() && !self.is_released() && self.victim.load(SeqCst) == task.into()
    }
}

/// The threads that go on while the victim is in its operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// The victim alone, until it is stopped or has to wait.
    Alone,
    /// Anybody.
    Mixed,
}

struct StopAt {
    control: Arc<Control>,
    stop_before: usize,
    company: Company,
    random: fastrand::Rng,
    done: bool,
}

impl StopAt {
    /// The victim asks for its next step: is it the one before which it stops?
    fn count(&self, current: Option<TaskId>) {
        let control = &self.control;
        if control.is_counting()
            && current.map(usize::from) == Some(control.victim.load(SeqCst))
            && control.steps.fetch_add(1, SeqCst) + 1 == self.stop_before
        {
            control.stopped.store(true, SeqCst);
            control.progress();
        }
    }
}

impl Scheduler for StopAt {
    fn new_execution(&mut self) -> Option<Schedule> {
        machine::start();
        (!std::mem::replace(&mut self.done, true)).then(|| Schedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        _is_yielding: bool,
    ) -> Option<TaskId> {
        self.count(current);
        let control = &self.control;
        if control.idle_questions.fetch_add(1, SeqCst) > PATIENCE {
            control.give_up("they go round in circles");
        }
        let victim = control.victim.load(SeqCst);
        let alone = self.company == Company::Alone && control.is_counting();
        if control.prepares.load(SeqCst) {
            let tasks = || runnable.iter().map(|task| task.id());
            let awake = |task: &TaskId| !machine::sleeps((*task).into());
            // The main thread is the first.
            return tasks()
                .find(awake)
                .filter(|&task| task == 0.into())
                .or(tasks().rfind(awake));
        }
        let awake = || {
            let tasks = runnable.iter().map(|task| task.id());
            let awake = tasks.filter(|&task| !machine::sleeps(task.into()));
            awake.filter(|&task| !control.holds_back(task))
        };
        while awake().next().is_none() {
            if !machine::pass_time() {
                control.give_up("they all sleep");
            }
        }
        let candidates: Vec<TaskId> = awake().collect();
        if alone && let Some(&task) = candidates.iter().find(|&&task| victim == task.into()) {
            return Some(task);
        }
        self.random.choice(candidates)
    }

    fn next_u64(&mut self) -> u64 {
        self.random.u64(..)
    }
}

/// Runs `body` once, with the victim stopped before its `stop_before`-th step.
pub fn run(
    stop_before: usize,
    company: Company,
    seed: u64,
    body: impl Fn(&Arc<Control>) + Send + Sync + 'static,
) -> Arc<Control> {
    let control = Arc::new(Control::default());
    let scheduler = StopAt {
        control: control.clone(),
        stop_before,
        company,
        random: fastrand::Rng::with_seed(seed),
        done: false,
    };
    let mut config = Config::new();
    config.max_steps = MaxSteps::None;
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    let inner = control.clone();
    Runner::new(scheduler, config).run(move || body(&inner));
    control
}
