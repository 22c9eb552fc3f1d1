//! Many jobs at once, in chunks.

use std::{collections::VecDeque, fmt, iter::Fuse, time::Duration, vec};

use corepool::{CodecError, JobError, JobFuture, SubmitError, remote::RemoteJob};

use super::{
    chunk::{Chunk, JobPanic},
    pool::ProcessPool,
};
use crate::{clock::now, panic::from_payload};

/// Options for [`ProcessPool::map_with`]: the size of the chunks, the number of them ahead of the next result, and a
/// timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkOptions {
    /// The number of jobs that travel together: at least 1.
    pub chunk_size: usize,
    /// The number of chunks that the map submits ahead of the next result: at least 1. If `None`, four for each worker.
    pub buffer_size: Option<usize>,
    /// The time for the whole iteration, counted from the call of `map_with`.
    pub timeout: Option<Duration>,
}

impl Default for ChunkOptions {
    /// Chunks of one job, four of them for each worker, and no timeout.
    fn default() -> Self {
        Self {
            chunk_size: 1,
            buffer_size: None,
            timeout: None,
        }
    }
}

/// Why [`ProcessPool::map`] or [`ProcessPool::map_with`] refused its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChunkError {
    /// The chunk size is 0.
    ZeroChunk,
    /// A buffer of 0 allows no chunk at all.
    ZeroBuffer,
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroChunk => "the chunk size must be at least 1",
            Self::ZeroBuffer => "the buffer size must be at least 1",
        })
    }
}

impl std::error::Error for ChunkError {}

/// The iterator over the results of jobs, in the jobs' order, that
/// [`ProcessPool::map`](super::ProcessPool::map) returns.
pub struct Map<'p, I: Iterator<Item: RemoteJob>> {
    pool: &'p ProcessPool,
    jobs: Fuse<I>,
    chunk_size: usize,
    window: usize,
    deadline: Option<Duration>,
    ended: bool,
    /// The chunks in flight, each with the number of its jobs.
    chunks: VecDeque<(usize, Submitted<'p, I::Item>)>,
    /// A chunk for which the pool had no room.
    held_back: Option<Chunk<I::Item>>,
    /// The results of the chunk that `next` hands out now.
    results: Results<<I::Item as RemoteJob>::Output>,
}

/// A chunk's future, or why the pool refused the chunk.
type Submitted<'p, J> = Result<JobFuture<'p, <Chunk<J> as RemoteJob>::Output>, JobError>;

/// The part of a chunk that `next` hands out.
enum Results<T> {
    Ended(vec::IntoIter<Result<T, JobPanic>>),
    /// The error of the chunk, for this many of its jobs.
    Lost(usize, JobError),
}

impl ProcessPool {
    /// Runs jobs in the children, and iterates over the results in the jobs' order. The jobs travel in
    /// chunks of `chunk_size`, which saves time where jobs are short. The pool's table must have a
    /// [`Chunk`] of the job.
    ///
    /// The iterator submits chunks ahead of the result that it yields next, at most four for each worker.
    /// A job that panics yields its error in its place. If a chunk is lost, each of its jobs yields the
    /// error. If the number of a chunk's results is not that of its jobs, each of them yields
    /// [`CodecError::ResultRefused`]. Dropping the iterator cancels the chunks that do not run yet.
    ///
    /// * **Context**: any thread but the pool's own.
    /// * **Cost**: heap for each chunk. A [`submit`](Self::submit) for each, by the call and by
    ///   each `next`. The call waits for room if the pool is full; `next` waits for its result, or
    ///   for room.
    ///
    /// # Errors
    ///
    /// [`ChunkError::ZeroChunk`] if `chunk_size` is 0.
    pub fn map<I>(&self, jobs: I, chunk_size: usize) -> Result<Map<'_, I::IntoIter>, ChunkError>
    where
        I: IntoIterator<Item: RemoteJob>,
    {
        let options = ChunkOptions {
            chunk_size,
            ..ChunkOptions::default()
        };
        self.map_with(options, jobs)
    }

    /// [`map`](Self::map) with a buffer size and a timeout. If the time is over before the next result is there, the
    /// iterator yields [`JobError::TimedOut`], cancels the chunks that do not run yet, and ends.
    ///
    /// * **Context**: as for [`map`](Self::map).
    /// * **Cost**: as for [`map`](Self::map), with `buffer_size` chunks in flight. The call and `next` wait until the
    ///   time is over at most.
    ///
    /// # Errors
    ///
    /// [`ChunkError`] if `chunk_size` or `buffer_size` is 0.
    pub fn map_with<I>(
        &self,
        options: ChunkOptions,
        jobs: I,
    ) -> Result<Map<'_, I::IntoIter>, ChunkError>
    where
        I: IntoIterator<Item: RemoteJob>,
    {
        let window = options.buffer_size.unwrap_or(self.max_workers() * 4);
        if options.chunk_size == 0 {
            return Err(ChunkError::ZeroChunk);
        }
        if window == 0 {
            return Err(ChunkError::ZeroBuffer);
        }
        let deadline = options.timeout.map(|timeout| now().saturating_add(timeout));
        let jobs = jobs.into_iter();
        Ok(Map::new(self, jobs, options.chunk_size, window, deadline))
    }
}

impl<I: Iterator<Item: RemoteJob>> fmt::Debug for Map<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("chunk_size", &self.chunk_size)
            .field("under_way", &self.chunks.len())
            .finish_non_exhaustive()
    }
}

impl<'p, I: Iterator<Item: RemoteJob>> Map<'p, I> {
    fn new(
        pool: &'p ProcessPool,
        jobs: I,
        chunk_size: usize,
        window: usize,
        deadline: Option<Duration>,
    ) -> Self {
        let mut map = Self {
            pool,
            jobs: jobs.fuse(),
            chunk_size,
            window,
            deadline,
            ended: false,
            chunks: VecDeque::new(),
            held_back: None,
            results: Results::Ended(Vec::new().into_iter()),
        };
        // As in Python, the call submits work.
        map.submit_ahead();
        map
    }

    fn time_left(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(deadline.saturating_sub(now()))
    }

    fn submit_ahead(&mut self) {
        while self.chunks.len() < self.window {
            let chunk = self.held_back.take().unwrap_or_else(|| {
                let jobs = self.jobs.by_ref();
                Chunk(jobs.take(self.chunk_size).collect())
            });
            let size = chunk.0.len();
            if size == 0 {
                return;
            }
            // If the map has no chunk in flight whose end would make room, it waits for room.
            let submitted = match (self.chunks.is_empty(), self.time_left()) {
                (false, _) => self.pool.submit(chunk),
                (true, None) => self.pool.submit_blocking(chunk),
                (true, Some(left)) => self.pool.submit_timeout(chunk, left),
            };
            match submitted {
                Ok(future) => self.chunks.push_back((size, Ok(future))),
                // A wait for room that took too long: the next result does, too.
                Err(SubmitError::Full(_)) if self.chunks.is_empty() => {
                    self.chunks.push_back((size, Err(JobError::TimedOut)));
                    return;
                }
                Err(SubmitError::Full(chunk)) => {
                    self.held_back = Some(chunk);
                    return;
                }
                Err(SubmitError::Broken(_, reason)) => {
                    self.chunks.push_back((size, Err(JobError::Broken(reason))));
                }
                Err(SubmitError::NoWorker(_, reason)) => {
                    self.chunks
                        .push_back((size, Err(JobError::NoWorker(reason))));
                }
                Err(SubmitError::TooManyWaiters(_)) => {
                    self.chunks.push_back((size, Err(JobError::TooManyWaiters)));
                }
                Err(SubmitError::WouldDeadlock(_)) => {
                    self.chunks.push_back((size, Err(JobError::WouldDeadlock)));
                }
                Err(_) => self.chunks.push_back((size, Err(JobError::ShutDown))),
            }
        }
    }
}

impl<I: Iterator<Item: RemoteJob>> Iterator for Map<'_, I> {
    type Item = Result<<I::Item as RemoteJob>::Output, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.ended {
                return None;
            }
            match &mut self.results {
                Results::Ended(results) => {
                    if let Some(result) = results.next() {
                        return Some(result.map_err(|panic| JobError::Panicked(panic.into())));
                    }
                }
                Results::Lost(left @ 1.., error) => {
                    *left -= 1;
                    return Some(Err(same(error)));
                }
                Results::Lost(..) => {}
            }
            self.submit_ahead();
            let (size, chunk) = self.chunks.pop_front()?;
            self.results = match chunk.and_then(|chunk| self.wait_for(chunk)) {
                Err(JobError::TimedOut) => {
                    self.end();
                    return Some(Err(JobError::TimedOut));
                }
                Ok(results) if results.len() == size => Results::Ended(results.into_iter()),
                // The results cannot be told apart by their jobs.
                Ok(_) => Results::Lost(size, JobError::Codec(CodecError::ResultRefused)),
                Err(error) => Results::Lost(size, error),
            };
        }
    }
}

impl<I: Iterator<Item: RemoteJob>> Map<'_, I> {
    /// Waits for the results of a chunk, until the time is over. Then the chunk is cancelled, unless it runs.
    fn wait_for<T>(&self, mut chunk: JobFuture<'_, T>) -> Result<T, JobError> {
        let Some(left) = self.time_left() else {
            return chunk.result();
        };
        let result = chunk.result_timeout(left);
        if let Err(JobError::TimedOut) = result {
            chunk.cancel();
        }
        result
    }

    fn end(&mut self) {
        self.ended = true;
        self.cancel_all();
        self.chunks.clear();
        self.held_back = None;
    }

    /// Cancels the chunks that do not run yet.
    fn cancel_all(&self) {
        for (_, chunk) in &self.chunks {
            if let Ok(future) = chunk {
                future.cancel();
            }
        }
    }
}

impl<I: Iterator<Item: RemoteJob>> Drop for Map<'_, I> {
    fn drop(&mut self) {
        self.cancel_all();
    }
}

/// The error of a chunk, for another of its jobs.
fn same(error: &JobError) -> JobError {
    match error {
        JobError::WorkerLost(reason) => JobError::WorkerLost(*reason),
        JobError::Broken(reason) => JobError::Broken(*reason),
        JobError::Codec(error) => JobError::Codec(*error),
        JobError::ShutDown => JobError::ShutDown,
        JobError::NoWorker(reason) => JobError::NoWorker(*reason),
        JobError::TooManyWaiters => JobError::TooManyWaiters,
        JobError::WouldDeadlock => JobError::WouldDeadlock,
        JobError::Panicked(_) => JobError::Panicked(from_payload(Box::new(
            "encoding or decoding the chunk panicked",
        ))),
        _ => JobError::Cancelled,
    }
}
