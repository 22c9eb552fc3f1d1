//! The control loop: takes samples at the tick, hands windows to the pool, takes results back.

use core::{fmt, mem};

use corepool::{JobError, JobFuture, SubmitError};
use heapless::Vec;

use crate::pulse::{self, Pulse};
use crate::{FRAME_COUNT, FRAME_POINTS, Frame, Frames, Plan, Pool};

/// The services that the application asks of the machine.
pub trait Platform {
    /// The number of the worker that calls this; asked inside the jobs.
    fn worker() -> u8;

    /// Returns when the next sample is due. At once, if nothing is said: a replay.
    fn tick(&mut self) {}

    /// Takes note of what became of a window. Windows are reported as they end, in any order.
    fn report(&mut self, window: u32, outcome: Outcome);
}

/// The result of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The pulse, if there is one.
    pub pulse: Option<Pulse>,
    /// The worker that ran the job, see [`Platform::worker`].
    pub worker: u8,
}

/// The fate of a window.
#[derive(Debug)]
pub enum Outcome {
    /// A worker has measured it.
    Measured(Reading),
    /// It was never submitted.
    Dropped(Dropped),
    /// Its job ended without a result.
    Failed(JobError),
}

/// Why a window was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// All frames are with jobs: the workers do not keep up.
    NoFrame,
    /// The pool is full of other jobs.
    PoolFull,
    /// The pool takes no jobs any more.
    PoolClosed,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFrame => "jobs hold all frames",
            Self::PoolFull => "the pool is full",
            Self::PoolClosed => "the pool is closed",
        })
    }
}

/// The treatment of a window for which there is no frame, or no room in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenBusy {
    /// Drop the window and keep the tick: for a live sensor.
    DropWindow,
    /// Wait, and make the samples wait: for a recording.
    Wait,
}

/// A window whose job is queued or under way.
struct Outstanding {
    window: u32,
    frame: usize,
    future: JobFuture<'static, Reading>,
}

/// The state of the control loop.
pub struct Monitor {
    pool: &'static Pool,
    frames: &'static Frames,
    plan: Plan,
    when_busy: WhenBusy,
    /// The samples of the block that is not complete yet.
    block_sum: u64,
    block_len: u32,
    /// The points of the next window.
    points: Vec<i16, FRAME_POINTS>,
    next_window: u32,
    /// Oldest first.
    outstanding: Vec<Outstanding, FRAME_COUNT>,
}

impl Monitor {
    /// A monitor that has seen no sample.
    ///
    /// Frames serve one monitor at a time: let it [`finish`](Self::finish) before the next begins.
    pub const fn new(
        pool: &'static Pool,
        frames: &'static Frames,
        plan: Plan,
        when_busy: WhenBusy,
    ) -> Self {
        Self {
            pool,
            frames,
            plan,
            when_busy,
            block_sum: 0,
            block_len: 0,
            points: Vec::new(),
            next_window: 0,
            outstanding: Vec::new(),
        }
    }

    /// Takes a sample: one tick of the control loop.
    ///
    /// With [`WhenBusy::DropWindow`] it never waits, so that it may also run in an interrupt.
    pub fn step(&mut self, sample: u16, platform: &mut impl Platform) {
        self.block_sum += u64::from(sample);
        self.block_len += 1;
        if self.block_len == self.plan.block() {
            let mean = mem::take(&mut self.block_sum) / u64::from(mem::take(&mut self.block_len));
            self.point(mean as u16, platform);
        }
        self.collect(platform);
    }

    /// Reports the jobs that have ended. Never waits.
    pub fn collect(&mut self, platform: &mut impl Platform) {
        let mut next = 0;
        while let Some(job) = self.outstanding.get_mut(next) {
            let Some(result) = job.future.try_result() else {
                next += 1;
                continue;
            };
            let window = self.outstanding.remove(next).window;
            platform.report(
                window,
                result.map_or_else(Outcome::Failed, Outcome::Measured),
            );
        }
    }

    /// Waits for all jobs and reports them. A pool without workers runs them here.
    pub fn finish(&mut self, platform: &mut impl Platform) {
        while !self.outstanding.is_empty() {
            self.wait(platform);
        }
    }

    /// Takes a point; with it, a window may be complete.
    fn point(&mut self, point: u16, platform: &mut impl Platform) {
        // Slopes are all that counts, so the middle of the range may as well be zero. There is room
        // for the point, because complete windows are cut off below.
        let _ = self.points.push(point.wrapping_sub(0x8000).cast_signed());
        if self.points.len() < self.plan.window() {
            return;
        }
        let window = self.next_window;
        self.next_window += 1;
        if let Err(why) = self.submit(window, platform) {
            platform.report(window, Outcome::Dropped(why));
        }
        let kept = self.points.len() - self.plan.hop();
        self.points.copy_within(self.plan.hop().., 0);
        self.points.truncate(kept);
    }

    /// Copies the points to a free frame and submits it as a job.
    fn submit(&mut self, window: u32, platform: &mut impl Platform) -> Result<(), Dropped> {
        self.collect(platform);
        while self.when_busy == WhenBusy::Wait && self.outstanding.is_full() {
            self.wait(platform);
        }
        let frame = self.fill_frame().ok_or(Dropped::NoFrame)?;
        let job = job(
            &self.frames[frame],
            self.plan.point_rate_mhz(),
            worker_of(platform),
        );
        let submitted = match self.when_busy {
            WhenBusy::DropWindow => self.pool.submit(job),
            WhenBusy::Wait => self.pool.submit_blocking(job),
        };
        let future = submitted.map_err(|error| match error {
            SubmitError::Full(_) => Dropped::PoolFull,
            _ => Dropped::PoolClosed,
        })?;
        // There is room: each outstanding job has one of as many frames.
        let _ = self.outstanding.push(Outstanding {
            window,
            frame,
            future,
        });
        Ok(())
    }

    /// Copies the points to a frame that no job has and returns its number.
    fn fill_frame(&self) -> Option<usize> {
        let (number, mut points) = (0..FRAME_COUNT)
            .filter(|&number| self.outstanding.iter().all(|job| job.frame != number))
            .find_map(|number| {
                // A worker that is lost in a job keeps the frame locked for ever: take another.
                Some((number, self.frames[number].0.try_lock()?))
            })?;
        // Not `clone_from`, which takes the way over the stack.
        points.clear();
        points.extend_from_slice(&self.points).ok()?;
        Some(number)
    }

    /// Waits for the oldest job and reports what has ended.
    fn wait(&mut self, platform: &mut impl Platform) {
        if let Some(oldest) = self.outstanding.first_mut() {
            // Whatever the outcome is, it is collected next.
            let _ = oldest.future.error();
        }
        self.collect(platform);
    }
}

/// [`Platform::worker`] of a platform at hand.
fn worker_of<P: Platform>(_: &P) -> fn() -> u8 {
    P::worker
}

/// The job that measures the window in a frame.
///
/// A function of its own, and not generic, so that the closure borrows nothing from the platform.
fn job(
    frame: &'static Frame,
    point_rate_mhz: u32,
    worker: fn() -> u8,
) -> impl FnOnce() -> Reading + Send + 'static {
    move || Reading {
        pulse: pulse::measure(&mut frame.0.lock(), point_rate_mhz),
        worker: worker(),
    }
}

/// Takes all samples, one a tick, and waits for the last results.
pub fn control_loop(
    monitor: &mut Monitor,
    samples: impl IntoIterator<Item = u16>,
    platform: &mut impl Platform,
) {
    for sample in samples {
        platform.tick();
        monitor.step(sample, platform);
    }
    monitor.finish(platform);
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;
    use std::vec::Vec;

    use super::*;

    /// Samples at 100 Hz of a pulse of 75 bpm.
    fn samples(seconds: u32) -> impl Iterator<Item = u16> {
        (0..seconds * 100)
            .map(|i| (500.0 + 100.0 * (TAU * 1.25 * f64::from(i) / 100.0).sin()) as u16)
    }

    fn plan() -> Plan {
        Plan::new(100_000, 10_000, 2_000).unwrap()
    }

    /// A pool and frames for a test of its own.
    macro_rules! memory {
        () => {{
            static POOL: Pool = Pool::new();
            static FRAMES: Frames = [const { Frame::new() }; FRAME_COUNT];
            (&POOL, &FRAMES)
        }};
    }

    /// A machine without workers: jobs run where the monitor waits, or where a test says.
    #[derive(Default)]
    struct Bench {
        outcomes: Vec<(u32, Outcome)>,
    }

    impl Bench {
        fn windows(&self, is: impl Fn(&Outcome) -> bool) -> Vec<u32> {
            self.outcomes
                .iter()
                .filter(|(_, outcome)| is(outcome))
                .map(|&(window, _)| window)
                .collect()
        }

        fn measured(&self) -> Vec<u32> {
            self.windows(|outcome| matches!(outcome, Outcome::Measured(_)))
        }

        fn dropped(&self, why: Dropped) -> Vec<u32> {
            self.windows(|outcome| matches!(outcome, Outcome::Dropped(dropped) if *dropped == why))
        }
    }

    impl Platform for Bench {
        fn worker() -> u8 {
            7
        }

        fn report(&mut self, window: u32, outcome: Outcome) {
            self.outcomes.push((window, outcome));
        }
    }

    #[test]
    fn a_window_is_submitted_every_hop_and_measured() {
        let (pool, frames) = memory!();
        let mut bench = Bench::default();
        let mut monitor = Monitor::new(pool, frames, plan(), WhenBusy::DropWindow);
        for sample in samples(30) {
            monitor.step(sample, &mut bench);
            pool.run_pending(1);
        }
        monitor.finish(&mut bench);
        assert_eq!(bench.measured(), Vec::from_iter(0..11));
        for (window, outcome) in &bench.outcomes {
            let Outcome::Measured(Reading {
                pulse: Some(pulse),
                worker: 7,
            }) = outcome
            else {
                panic!("window {window}: {outcome:?}");
            };
            assert!(
                pulse.is_good() && pulse.milli_bpm.abs_diff(75_000) < 500,
                "{pulse:?}"
            );
        }
    }

    #[test]
    fn without_workers_windows_are_dropped_and_the_rest_is_measured_at_the_end() {
        let (pool, frames) = memory!();
        let mut bench = Bench::default();
        let mut monitor = Monitor::new(pool, frames, plan(), WhenBusy::DropWindow);
        control_loop(&mut monitor, samples(30), &mut bench);
        assert_eq!(bench.measured(), Vec::from_iter(0..FRAME_COUNT as u32));
        assert_eq!(
            bench.dropped(Dropped::NoFrame),
            Vec::from_iter(FRAME_COUNT as u32..11)
        );
    }

    #[test]
    fn a_replay_waits_and_drops_nothing() {
        let (pool, frames) = memory!();
        let mut bench = Bench::default();
        let mut monitor = Monitor::new(pool, frames, plan(), WhenBusy::Wait);
        control_loop(&mut monitor, samples(60), &mut bench);
        assert_eq!(bench.measured(), Vec::from_iter(0..26));
    }

    #[test]
    fn a_pool_full_of_other_jobs_drops_windows_until_there_is_room() {
        let (pool, frames) = memory!();
        let mut bench = Bench::default();
        let mut monitor = Monitor::new(pool, frames, plan(), WhenBusy::DropWindow);
        let others: Vec<_> = core::iter::from_fn(|| pool.submit(|| ()).ok()).collect();
        samples(12).for_each(|sample| monitor.step(sample, &mut bench));
        assert_eq!(bench.dropped(Dropped::PoolFull), [0, 1]);

        pool.run_pending(others.len());
        drop(others);
        samples(2).for_each(|sample| monitor.step(sample, &mut bench));
        monitor.finish(&mut bench);
        assert_eq!(bench.measured(), [2]);
    }

    #[test]
    fn a_frame_that_a_lost_worker_keeps_is_passed_over() {
        let (pool, frames) = memory!();
        let mut bench = Bench::default();
        let mut monitor = Monitor::new(pool, frames, plan(), WhenBusy::DropWindow);
        let kept = frames[0].0.lock();
        control_loop(&mut monitor, samples(30), &mut bench);
        drop(kept);
        assert_eq!(bench.measured(), Vec::from_iter(0..FRAME_COUNT as u32 - 1));
    }
}
