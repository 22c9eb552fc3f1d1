//! The table of jobs that both sides of a link know.

use core::{any::TypeId, fmt};

use postcard_schema::key::Key;

use super::server::{RunJob, run_job};
use crate::{
    jobs::remote_job::RemoteJob,
    wire::frame::{SMALL_FRAME, frame_bytes},
};

/// One kind of job in a [`JobTable`].
pub struct JobEntry {
    name: &'static str,
    job: fn() -> TypeId,
    key: u64,
    /// The most bytes of the frames of arguments and result, if that is known.
    frame: Option<usize>,
    pub(crate) run: RunJob,
}

impl JobEntry {
    /// The entry of a `J`.
    ///
    /// ```
    /// # use corepool::remote::{JobContext, RemoteJob};
    /// # use postcard_schema::Schema;
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Schema)]
    /// # struct Square(u32);
    /// # impl RemoteJob for Square {
    /// #     type Output = u32;
    /// #     const NAME: &'static str = "square";
    /// #     fn run(self, _context: &mut JobContext<'_>) -> u32 {
    /// #         self.0 * self.0
    /// #     }
    /// # }
    /// use corepool::remote::{JobEntry, JobTable};
    ///
    /// static JOBS: JobTable = JobTable::new(&[JobEntry::of::<Square>()]);
    /// assert_eq!(format!("{JOBS:?}").matches("square").count(), 1);
    /// ```
    pub const fn of<J: RemoteJob>() -> Self {
        let arguments = Key::for_path::<J>(J::NAME).to_bytes();
        let result = Key::for_path::<J::Output>(J::NAME).to_bytes();
        Self {
            name: J::NAME,
            job: TypeId::of::<J>,
            // `mix` treats the two differently. So a job whose arguments and result are exchanged has
            // another key.
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

/// The jobs that both sides of a link know. It is declared once, in code that both are built from.
///
/// The table has a key, made from its jobs' names, their order, and the types of their arguments
/// and results down to the last field. Two sides with different keys refuse each other when they
/// meet, so that neither decodes bytes as the wrong type.
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
    /// A table of these jobs, whose order counts. If a job is in it twice, or if it has more than
    /// 65,535 jobs, a constant or a static fails the build.
    ///
    /// # Panics
    ///
    /// In the same cases, if it is called at run time.
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

    /// The number of jobs in the table.
    pub const fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether the table has no job.
    pub const fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The length in bytes of the longest frame with a job's arguments or result. Each buffer of
    /// both sides must be at least this long. `None` if the size of a job is not known.
    pub const fn frame_bytes(&self) -> Option<usize> {
        let mut most = SMALL_FRAME;
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

    /// The number of the job of this type.
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
    use serde::{Deserialize, Serialize};

    use postcard_schema::Schema;

    use super::*;
    use crate::remote::JobContext;

    /// Jobs with these names, and with these limits on their arguments and results.
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
