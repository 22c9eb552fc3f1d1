//! Several jobs of a kind that travel together.

use corepool::{
    Panic, PanicLocation,
    remote::{JobContext, RemoteJob},
};
use postcard_schema::{
    Schema,
    schema::{DataModelType, NamedType},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::panic_place::catch;
use crate::panic::{discard, remote_panic, text_of};

/// Several jobs of one kind that travel together and run one after the other.
/// [`ProcessPool::map`](super::ProcessPool::map) sends them. The job table needs it beside the job.
///
/// ```
/// # use corepool::remote::{JobContext, JobEntry, JobTable, RemoteJob};
/// # use postcard_schema::Schema;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, Schema)]
/// # struct Square(u64);
/// # impl RemoteJob for Square {
/// #     type Output = u64;
/// #     const NAME: &'static str = "square";
/// #     fn run(self, _context: &mut JobContext<'_>) -> u64 { self.0 * self.0 }
/// # }
/// use corepool_std::process::Chunk;
///
/// static JOBS: JobTable =
///     JobTable::new(&[JobEntry::of::<Square>(), JobEntry::of::<Chunk<Square>>()]);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "J: Serialize", deserialize = "J: DeserializeOwned"))]
pub struct Chunk<J>(pub(super) Vec<J>);

impl<J: Schema> Schema for Chunk<J> {
    const SCHEMA: &'static NamedType = &NamedType {
        name: "Chunk",
        ty: &DataModelType::NewtypeStruct(&NamedType {
            name: "Vec<T>",
            ty: &DataModelType::Seq(J::SCHEMA),
        }),
    };
}

impl<J: RemoteJob> RemoteJob for Chunk<J> {
    /// The result of each job, or its panic.
    type Output = Vec<Result<J::Output, JobPanic>>;
    const NAME: &'static str = J::NAME;
    const IDEMPOTENT: bool = J::IDEMPOTENT;

    fn run(self, context: &mut JobContext<'_>) -> Self::Output {
        let jobs = self.0.into_iter();
        jobs.map(|job| {
            catch(|| job.run(context)).map_err(|(payload, place)| {
                let text = text_of(&payload).map(str::to_owned);
                discard(payload);
                let location = place.map(|place| {
                    let at = place.location();
                    (at.file.to_owned(), at.line, at.column)
                });
                JobPanic((text, location))
            })
        })
        .collect()
    }
}

/// The known facts of the panic of a chunk's job: its text, and its file, line and column.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobPanic(Said);

type Said = (Option<String>, Option<(String, u32, u32)>);

impl Schema for JobPanic {
    const SCHEMA: &'static NamedType = &NamedType {
        name: "JobPanic",
        ty: &DataModelType::NewtypeStruct(Said::SCHEMA),
    };
}

impl From<JobPanic> for Panic {
    fn from(JobPanic((text, location)): JobPanic) -> Self {
        let location = location.as_ref();
        remote_panic(
            text.as_deref(),
            location.map(|&(ref file, line, column)| PanicLocation { file, line, column }),
        )
    }
}
