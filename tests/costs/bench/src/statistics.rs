//! Slices of time, and what is made of them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

use crate::workloads::Workload;

/// The work of a contender in one slice.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// Nanoseconds a job, of the median batch; with several submitters, of all batches.
    pub time: f64,
    /// Nanoseconds of CPU a job, of the whole process. `None` where it says nothing.
    pub cpu: Option<f64>,
}

/// Repeats a batch of `jobs` jobs for as long as a slice lasts, and at least five times. The median batch
/// counts, so that it does not matter if others have the core for a while.
pub fn slice(length: Duration, jobs: usize, batch: impl FnMut()) -> Slice {
    let (times, cpu) = batches(length, batch);
    Slice {
        time: median(times).expect("at least five") / jobs as f64,
        cpu: Some(cpu / jobs as f64),
    }
}

/// The same, where it does matter: nanoseconds a job, of all batches together.
pub fn mean_of_slice(length: Duration, jobs: usize, batch: impl FnMut()) -> f64 {
    let (times, _) = batches(length, batch);
    times.iter().sum::<f64>() / (times.len() * jobs) as f64
}

/// Repeats a batch. Returns the time of each, and the CPU time of one, in nanoseconds.
fn batches(length: Duration, mut batch: impl FnMut()) -> (Vec<f64>, f64) {
    batch();
    let cpu = process_cpu();
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 5 || start.elapsed() < length {
        let start = Instant::now();
        batch();
        times.push(start.elapsed().as_nanos() as f64);
    }
    let cpu = (process_cpu() - cpu).as_nanos() as f64 / times.len() as f64;
    (times, cpu)
}

/// The CPU time of the process.
pub fn process_cpu() -> Duration {
    duration(ClockId::ProcessCPUTime)
}

/// The CPU time of the thread.
pub fn thread_cpu() -> Duration {
    duration(ClockId::ThreadCPUTime)
}

fn duration(clock: ClockId) -> Duration {
    // CPU time is not negative.
    clock_gettime(clock).try_into().unwrap_or_default()
}

/// The median; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) {
        (values[middle - 1] + upper) / 2.0
    } else {
        upper
    })
}

/// One measurement of a contender: a workload, at one of its sizes.
pub type Key = (Workload, usize);

/// All slices of a run, by contender; those of a round have the same position.
#[derive(Default)]
pub struct Results(HashMap<(Key, &'static str), Vec<Slice>>);

impl Results {
    /// Adds the slice of the next round.
    pub fn push(&mut self, key: Key, contender: &'static str, slice: Slice) {
        self.0.entry((key, contender)).or_default().push(slice);
    }

    fn slices(&self, key: Key, contender: &'static str) -> &[Slice] {
        self.0.get(&(key, contender)).map_or(&[], Vec::as_slice)
    }

    /// Nanoseconds a job.
    pub fn time(&self, key: Key, contender: &'static str) -> Option<f64> {
        let slices = self.slices(key, contender).iter();
        median(slices.map(|slice| slice.time).collect())
    }

    /// Nanoseconds of CPU a job.
    pub fn cpu(&self, key: Key, contender: &'static str) -> Option<f64> {
        let slices = self.slices(key, contender).iter();
        median(slices.filter_map(|slice| slice.cpu).collect())
    }

    /// How much longer the first takes than the second.
    pub fn ratio(&self, first: (Key, &'static str), second: (Key, &'static str)) -> Option<f64> {
        self.ratio_of(first, second, |slice| Some(slice.time))
    }

    /// How much more CPU the first takes than the second.
    pub fn cpu_ratio(
        &self,
        first: (Key, &'static str),
        second: (Key, &'static str),
    ) -> Option<f64> {
        self.ratio_of(first, second, |slice| slice.cpu)
    }

    fn ratio_of(
        &self,
        first: (Key, &'static str),
        second: (Key, &'static str),
        figure: impl Fn(&Slice) -> Option<f64>,
    ) -> Option<f64> {
        let rounds = self.slices(first.0, first.1).iter();
        let rounds = rounds.zip(self.slices(second.0, second.1));
        let ratio = |(one, other)| Some(figure(one)? / figure(other)?);
        median(rounds.filter_map(ratio).collect())
    }

    /// The fastest of these.
    pub fn best<'a>(
        &self,
        key: Key,
        contenders: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'static str> {
        let contenders: Vec<&str> = contenders.into_iter().collect();
        self.0
            .keys()
            .filter(|(of, name)| *of == key && contenders.contains(name))
            .filter_map(|(_, name)| Some((self.time(key, name)?, *name)))
            .min_by(|one, other| one.0.total_cmp(&other.0))
            .map(|(_, name)| name)
    }
}
