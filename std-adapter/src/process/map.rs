//! Many jobs at once, in chunks.

use std::{collections::VecDeque, fmt, iter::Fuse, vec};

use corepool::{CodecError, JobError, JobFuture, SubmitError, remote::RemoteJob};

use super::{
    chunk::{Chunk, JobPanic},
    pool::ProcessPool,
};
use crate::panic::from_payload;

/// The chunk size is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroChunk;

impl fmt::Display for ZeroChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the chunk size must be at least 1")
    }
}

impl std::error::Error for ZeroChunk {}

/// The iterator over the results of jobs, in the jobs' order, that
/// [`ProcessPool::map`](super::ProcessPool::map) returns.
pub struct Map<'p, I: Iterator<Item: RemoteJob>> {
    pool: &'p ProcessPool,
    jobs: Fuse<I>,
    chunk_size: usize,
    window: usize,
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
        // As in Python, the call submits work.
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
                // The map has no chunk in flight whose end would make room.
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
            self.results = match chunk.and_then(JobFuture::result) {
                Ok(results) if results.len() == size => Results::Ended(results.into_iter()),
                // The results cannot be told apart by their jobs.
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
