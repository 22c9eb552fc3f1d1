//! Many jobs at once, in chunks.

use std::{collections::VecDeque, fmt, iter::Fuse, vec};

use corepool::{CodecError, JobError, JobFuture, SubmitError, remote::RemoteJob};

use super::{chunk::Chunk, pool::ProcessPool};
use crate::panic::from_payload;

/// A chunk of no jobs was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroChunk;

impl fmt::Display for ZeroChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the chunk size must be at least 1")
    }
}

impl std::error::Error for ZeroChunk {}

/// The results of jobs, in the jobs' order: what [`ProcessPool::map`](super::ProcessPool::map)
/// returns.
pub struct Map<'p, I: Iterator<Item: RemoteJob>> {
    pool: &'p ProcessPool,
    jobs: Fuse<I>,
    chunk_size: usize,
    window: usize,
    /// The chunks that are under way, each with how many jobs it has.
    chunks: VecDeque<(usize, Submitted<'p, I::Item>)>,
    /// For which there was no room.
    held_back: Option<Chunk<I::Item>>,
    /// Of the chunk that is handed out now.
    results: Results<<I::Item as RemoteJob>::Output>,
}

/// A chunk's future, or why it was refused.
type Submitted<'p, J> = Result<JobFuture<'p, <Chunk<J> as RemoteJob>::Output>, JobError>;

/// What a chunk has come to.
enum Results<T> {
    Ended(vec::IntoIter<Result<T, String>>),
    /// So many of its jobs are still to be told.
    Lost(usize, JobError),
}

impl ProcessPool {
    /// Has all jobs done, and iterates over their results in the jobs' order. They travel in chunks
    /// of `chunk_size`, which saves time where jobs are short; the pool's table must have a
    /// [`Chunk`] of the job.
    ///
    /// Chunks are submitted ahead of the result that is asked for, at most four for each worker. A
    /// job that panics gives its error in its place. If a chunk is lost, each of its jobs gives the
    /// error. So it is if a chunk comes back with another number of results than it has jobs
    /// ([`CodecError::ResultRefused`]). Dropping the iterator
    /// cancels the chunks that do not run yet.
    ///
    /// * **Context**: any thread but the pool's own.
    /// * **Cost**: heap for each chunk. A [`submit`](Self::submit) for each, by the call and by
    ///   each `next`. The call waits for room if the pool is full; `next` waits for its result, or
    ///   for room.
    ///
    /// # Errors
    ///
    /// [`ZeroChunk`] if `chunk_size` is 0.
    pub fn map<I>(&self, jobs: I, chunk_size: usize) -> Result<Map<'_, I::IntoIter>, ZeroChunk>
    where
        I: IntoIterator<Item: RemoteJob>,
    {
        let window = self.max_workers() * 4;
        Map::new(self, jobs.into_iter(), chunk_size, window)
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
    ) -> Result<Self, ZeroChunk> {
        if chunk_size == 0 {
            return Err(ZeroChunk);
        }
        let mut map = Self {
            pool,
            jobs: jobs.fuse(),
            chunk_size,
            window,
            chunks: VecDeque::new(),
            held_back: None,
            results: Results::Ended(Vec::new().into_iter()),
        };
        // As in Python, work begins with the call.
        map.submit_ahead();
        Ok(map)
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
            let submitted = match self.chunks.is_empty() {
                // Nothing of its own would make room.
                true => self.pool.submit_blocking(chunk),
                false => self.pool.submit(chunk),
            };
            match submitted {
                Ok(future) => self.chunks.push_back((size, Ok(future))),
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
                Err(_) => self.chunks.push_back((size, Err(JobError::ShutDown))),
            }
        }
    }
}

impl<I: Iterator<Item: RemoteJob>> Iterator for Map<'_, I> {
    type Item = Result<<I::Item as RemoteJob>::Output, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match &mut self.results {
                Results::Ended(results) => {
                    if let Some(result) = results.next() {
                        return Some(
                            result.map_err(|text| JobError::Panicked(from_payload(Box::new(text)))),
                        );
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
            self.results = match chunk.and_then(JobFuture::result) {
                Ok(results) if results.len() == size => Results::Ended(results.into_iter()),
                // Nobody knows which of them are of which job.
                Ok(_) => Results::Lost(size, JobError::Codec(CodecError::ResultRefused)),
                Err(error) => Results::Lost(size, error),
            };
        }
    }
}

impl<I: Iterator<Item: RemoteJob>> Drop for Map<'_, I> {
    fn drop(&mut self) {
        for (_, chunk) in &self.chunks {
            if let Ok(future) = chunk {
                future.cancel();
            }
        }
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
        JobError::Panicked(_) => JobError::Panicked(from_payload(Box::new(
            "encoding or decoding the chunk panicked",
        ))),
        _ => JobError::Cancelled,
    }
}
