//! Jobs that travel, and the table that both sides know them by.

use core::{any::TypeId, fmt, time::Duration};

use postcard_schema::{Schema, key::Key};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    serve::{Request, Server, run_job},
    wire::frame_bytes,
};
use crate::{error::LossReason, jobs::token::CancelToken};

/// A job that can run in another address space: its fields are the arguments.
///
/// It is named, since a closure's code is at another address there, if it is there at all. Its
/// fields and its result are of types that [`serde`] can encode and a
/// [`Schema`](postcard_schema::Schema) can describe. No references, then, and no pointers.
///
/// ```
/// use corepool::remote::{JobContext, RemoteJob};
/// use postcard_schema::Schema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Schema)]
/// struct IsPrime {
///     number: u64,
/// }
///
/// impl RemoteJob for IsPrime {
///     type Output = bool;
///     const NAME: &'static str = "is_prime";
///     const IDEMPOTENT: bool = true;
///
///     fn run(self, _context: &mut JobContext<'_>) -> bool {
///         self.number > 1 && (2..=self.number.isqrt()).all(|n| self.number % n > 0)
///     }
/// }
/// ```
pub trait RemoteJob: Serialize + DeserializeOwned + Schema + Send + 'static {
    /// What the job results in.
    type Output: Serialize + DeserializeOwned + Schema + Send + 'static;

    /// What the two sides call the job: part of its identity, beside the types of its fields and of
    /// its result.
    const NAME: &'static str;

    /// Whether it does no harm to run the job twice. Then it is sent again when it, or its result,
    /// got lost on the way. False by default.
    const IDEMPOTENT: bool = false;

    /// How long the answer may take, from when the job is sent. `None`, the default, is as long as it
    /// takes.
    const TIMEOUT: Option<Duration> = None;

    /// The most bytes that the arguments take when encoded; `None`, the default, if there is no such
    /// number. `postcard`'s `MaxSize` knows it for many types.
    const MAX_ARGUMENTS: Option<usize> = None;

    /// The same for the result.
    const MAX_RESULT: Option<usize> = None;

    /// Does the job.
    ///
    /// * **Context**: called where the job runs. On the other side that is in
    ///   [`serve`](super::serve), else on a worker of the pool or in a caller that waits.
    /// * **Cost**: the job's own. On the other side, the next jobs of the link wait for it.
    fn run(self, context: &mut JobContext<'_>) -> Self::Output;
}

/// The questions that a job can ask while it runs, wherever that is.
pub struct JobContext<'a>(Place<'a>);

enum Place<'a> {
    /// In the address space of the pool.
    Here(CancelToken<'a>),
    There(&'a mut dyn Asks),
}

/// The side of a link that a job runs on.
pub(crate) trait Asks {
    fn is_cancelled(&mut self) -> bool;
}

impl<'a> JobContext<'a> {
    pub(crate) fn here(token: CancelToken<'a>) -> Self {
        Self(Place::Here(token))
    }

    pub(crate) fn there(side: &'a mut dyn Asks) -> Self {
        Self(Place::There(side))
    }

    /// Whether the job's future was asked to cancel, or nobody is left to take the result. Whatever
    /// the job returns is its result.
    ///
    /// On the other side of a link the call takes in the messages that have arrived, and answers
    /// them. So a job that takes long and asks from time to time keeps the link alive.
    ///
    /// * **Context**: in the job.
    /// * **Cost**: one atomic load in the pool's address space. On the other side it sends and
    ///   receives, at O(bytes) and without a wait.
    pub fn is_cancelled(&mut self) -> bool {
        match &mut self.0 {
            Place::Here(token) => token.is_cancelled(),
            Place::There(side) => side.is_cancelled(),
        }
    }
}

impl fmt::Debug for JobContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Place::Here(_) => "JobContext(here)",
            Place::There(_) => "JobContext(there)",
        })
    }
}

/// One kind of job in a [`JobTable`].
pub struct JobEntry {
    name: &'static str,
    job: fn() -> TypeId,
    key: u64,
    /// How many bytes the frames of arguments and result have at most, if that is known.
    frame: Option<usize>,
    pub(crate) run: fn(&mut Server<'_>, Request) -> Result<(), LossReason>,
}

impl JobEntry {
    /// The entry of a `J`.
    pub const fn of<J: RemoteJob>() -> Self {
        let arguments = Key::for_path::<J>(J::NAME).to_bytes();
        let result = Key::for_path::<J::Output>(J::NAME).to_bytes();
        Self {
            name: J::NAME,
            job: TypeId::of::<J>,
            // The result's in other places, so that a job with the two exchanged has another key.
            key: mix(u64::from_le_bytes(arguments), u64::from_le_bytes(result)),
            frame: match (J::MAX_ARGUMENTS, J::MAX_RESULT) {
                (Some(arguments), Some(result)) => {
                    let most = if arguments > result {
                        arguments
                    } else {
                        result
                    };
                    Some(frame_bytes(most))
                }
                _ => None,
            },
            run: run_job::<J>,
        }
    }
}

/// A hash of two hashes: the step of FNV-1a, on words.
const fn mix(hash: u64, next: u64) -> u64 {
    (hash ^ next.rotate_left(32)).wrapping_mul(0x0100_0000_01b3)
}

impl fmt::Debug for JobEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The jobs that both sides of a link know, declared once, in code that both are built from.
///
/// The table has a key, made of its jobs' names, their order, and the types of their arguments and
/// results down to the last field. Two sides with different keys refuse to work together when they
/// meet, so that none takes the bytes of one thing for another.
///
/// ```
/// use corepool::remote::{JobContext, JobEntry, JobTable, RemoteJob};
/// use postcard_schema::Schema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Schema)]
/// struct Add(u32, u32);
///
/// impl RemoteJob for Add {
///     type Output = u32;
///     const NAME: &'static str = "add";
///     const MAX_ARGUMENTS: Option<usize> = Some(10);
///     const MAX_RESULT: Option<usize> = Some(5);
///
///     fn run(self, _context: &mut JobContext<'_>) -> u32 {
///         self.0.wrapping_add(self.1)
///     }
/// }
///
/// const TABLE: JobTable = JobTable::new(&[JobEntry::of::<Add>()]);
/// static JOBS: JobTable = TABLE; // what both sides are given
///
/// // Large enough for any of the jobs, or the build fails.
/// let buffer = [0_u8; TABLE.frame_bytes().unwrap()];
/// assert_eq!(buffer.len(), 40);
/// assert_eq!(JOBS.len(), 1);
/// ```
#[derive(Debug)]
pub struct JobTable {
    jobs: &'static [JobEntry],
    key: u64,
}

impl JobTable {
    /// A table of these jobs. Their order counts. A job that is there twice, or more than 65,535
    /// jobs, are a build error where the table is a constant or a static.
    ///
    /// # Panics
    ///
    /// In those cases, if it is called while the program runs.
    pub const fn new(jobs: &'static [JobEntry]) -> Self {
        assert!(
            jobs.len() <= u16::MAX as usize,
            "a job table has at most 65,535 jobs"
        );
        let mut key = 0xcbf2_9ce4_8422_2325;
        let mut at = 0;
        while at < jobs.len() {
            let mut other = 0;
            while other < at {
                assert!(
                    jobs[other].key != jobs[at].key,
                    "a job is in the table twice"
                );
                other += 1;
            }
            key = mix(key, jobs[at].key);
            at += 1;
        }
        Self { jobs, key }
    }

    /// How many jobs the table has.
    pub const fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// How many bytes the longest frame has in which a job's arguments or its result travel: so large
    /// must the buffers of both sides be. `None` if a job does not say how large it can be.
    pub const fn frame_bytes(&self) -> Option<usize> {
        let mut most = super::wire::SMALL_FRAME;
        let mut at = 0;
        while at < self.jobs.len() {
            match self.jobs[at].frame {
                Some(frame) if frame > most => most = frame,
                Some(_) => {}
                None => return None,
            }
            at += 1;
        }
        Some(most)
    }

    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// The number of the jobs of this type.
    pub(crate) fn number_of(&self, job: TypeId) -> Option<u16> {
        let at = self.jobs.iter().position(|entry| (entry.job)() == job)?;
        u16::try_from(at).ok()
    }

    pub(crate) fn get(&self, number: u16) -> Option<&'static JobEntry> {
        self.jobs.get(usize::from(number))
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use serde::Deserialize;

    use super::{super::wire::SMALL_FRAME, *};

    /// Jobs of these names, and of at most so many bytes.
    macro_rules! jobs {
        ($($job:ident $name:literal $arguments:expr, $result:expr;)*) => {$(
            #[derive(Serialize, Deserialize, Schema)]
            struct $job;

            impl RemoteJob for $job {
                type Output = ();
                const NAME: &'static str = $name;
                const MAX_ARGUMENTS: Option<usize> = $arguments;
                const MAX_RESULT: Option<usize> = $result;

                fn run(self, _context: &mut JobContext<'_>) {}
            }
        )*};
    }

    jobs! {
        Short "short" Some(1), Some(0);
        LongArguments "long arguments" Some(300), Some(5);
        LongResult "long result" Some(5), Some(400);
        OfAnyArguments "of any arguments" None, Some(1);
        OfAnyResult "of any result" Some(1), None;
    }

    const SHORT: JobEntry = JobEntry::of::<Short>();
    const LONG_ARGUMENTS: JobEntry = JobEntry::of::<LongArguments>();
    const LONG_RESULT: JobEntry = JobEntry::of::<LongResult>();

    #[test]
    fn a_table_has_as_many_jobs_as_it_was_made_of() {
        let (none, one, two) = (
            JobTable::new(&[]),
            JobTable::new(&[SHORT]),
            JobTable::new(&[SHORT, LONG_RESULT]),
        );
        assert_eq!([none.len(), one.len(), two.len()], [0, 1, 2]);
        assert_eq!([none.is_empty(), one.is_empty()], [true, false]);
    }

    #[test]
    fn a_buffer_is_as_long_as_the_longest_frame() {
        let frame = |table: JobTable| table.frame_bytes();
        assert_eq!(frame(JobTable::new(&[])), Some(SMALL_FRAME));
        assert_eq!(frame(JobTable::new(&[SHORT])), Some(SMALL_FRAME));
        assert_eq!(
            frame(JobTable::new(&[SHORT, LONG_ARGUMENTS])),
            Some(frame_bytes(300))
        );
        assert_eq!(
            frame(JobTable::new(&[LONG_RESULT, SHORT, LONG_ARGUMENTS])),
            Some(frame_bytes(400))
        );
    }

    #[test]
    fn a_buffer_is_of_no_certain_length_if_a_job_does_not_say_its_own() {
        const OF_ANY_ARGUMENTS: JobEntry = JobEntry::of::<OfAnyArguments>();
        const OF_ANY_RESULT: JobEntry = JobEntry::of::<OfAnyResult>();
        assert_eq!(
            JobTable::new(&[SHORT, OF_ANY_ARGUMENTS]).frame_bytes(),
            None
        );
        assert_eq!(JobTable::new(&[OF_ANY_RESULT, SHORT]).frame_bytes(), None);
    }

    #[test]
    fn each_bit_of_both_hashes_is_in_the_key() {
        let (hash, next) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_0f1e_2d3c);
        for bit in 0..64 {
            assert_ne!(mix(hash ^ 1 << bit, next), mix(hash, next));
            assert_ne!(mix(hash, next ^ 1 << bit), mix(hash, next));
        }
    }

    #[test]
    fn the_order_of_the_jobs_is_in_the_key() {
        let one = JobTable::new(&[SHORT, LONG_RESULT]);
        let other = JobTable::new(&[LONG_RESULT, SHORT]);
        assert_ne!(one.key(), other.key());
    }

    #[test]
    fn a_job_is_found_by_its_type() {
        let table = JobTable::new(&[SHORT, LONG_RESULT]);
        assert_eq!(table.number_of(TypeId::of::<Short>()), Some(0));
        assert_eq!(table.number_of(TypeId::of::<LongResult>()), Some(1));
        assert_eq!(table.number_of(TypeId::of::<LongArguments>()), None);
    }
}
