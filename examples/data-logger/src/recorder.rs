//! The main loop's part: it submits the jobs, stores their records, and gives the blocks back.

use core::time::Duration;

use corepool::JobFuture;

use crate::{BUFFER, POOL, Record};

/// The time that a block may wait for its job's end.
pub const LATE: Duration = Duration::from_millis(2);

/// The board, for the main loop.
pub trait Board {
    /// The time since power-on.
    fn now(&self) -> Duration;
    /// Writes a record to the flash, or a note that one is missing.
    fn store(&mut self, record: Option<Record>);
}

/// A bug of the main loop, for the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    /// The main loop clears the flags of all blocks after it has submitted some.
    LostEdge,
    /// The main loop gives a late block back although its job still runs.
    EarlyReuse,
}

struct Job {
    future: JobFuture<'static, u16>,
    since: Duration,
    late: bool,
}

/// The main loop's state.
pub struct Recorder {
    jobs: [Option<Job>; 2],
    /// The block whose record is the next in the flash.
    oldest: usize,
    bug: Bug,
}

impl Recorder {
    /// No block has a job.
    pub const fn new() -> Self {
        Self::with(Bug::None)
    }

    /// A recorder that loses the edge of a block which becomes full during a submit.
    #[cfg(test)]
    pub(crate) const fn with_a_lost_edge() -> Self {
        Self::with(Bug::LostEdge)
    }

    /// A recorder that gives a late block back while its job runs.
    #[cfg(test)]
    pub(crate) const fn with_an_early_reuse() -> Self {
        Self::with(Bug::EarlyReuse)
    }

    const fn with(bug: Bug) -> Self {
        Self {
            jobs: [None, None],
            oldest: 0,
            bug,
        }
    }

    /// One turn of the main loop. It never waits for a job.
    pub fn poll(&mut self, board: &mut impl Board) {
        self.submit(board.now());
        while self.collect(board) {
            self.oldest = 1 - self.oldest;
        }
    }

    /// Whether no block is full or has a job.
    pub fn is_idle(&self) -> bool {
        BUFFER.full() == 0 && self.jobs.iter().all(Option::is_none)
    }

    fn submit(&mut self, now: Duration) {
        let full = BUFFER.full();
        for (block, job) in self.jobs.iter_mut().enumerate() {
            if full & (1 << block) == 0 {
                continue;
            }
            // If the pool is full, the flag stays, and the next turn submits the job.
            let Ok(future) = POOL.submit(move || BUFFER.compress(block)) else {
                continue;
            };
            *job = Some(Job {
                future,
                since: now,
                late: false,
            });
            if self.bug != Bug::LostEdge {
                BUFFER.clear(1 << block);
            }
        }
        if self.bug == Bug::LostEdge && full != 0 {
            BUFFER.clear(u32::MAX);
        }
    }

    /// Stores the oldest block, if its job has ended. Gives it up if it is late.
    fn collect(&mut self, board: &mut impl Board) -> bool {
        let block = self.oldest;
        let Some(job) = &mut self.jobs[block] else {
            return false;
        };
        let record = match job.future.try_result() {
            Some(Ok(checksum)) => Some(BUFFER.record(block, checksum)),
            Some(Err(_)) => None,
            None if job.late || board.now() - job.since < LATE => return false,
            None => {
                job.late = true;
                // A job that runs goes on. The block is the job's until the job has ended.
                if !job.future.cancel() && self.bug != Bug::EarlyReuse {
                    return false;
                }
                None
            }
        };
        self.jobs[block] = None;
        BUFFER.give_back(block);
        // The flash is slow: the handler has the block back by now.
        board.store(record);
        true
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}
