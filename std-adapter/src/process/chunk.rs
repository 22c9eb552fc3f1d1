//! Several jobs of a kind that travel together.

use std::panic::{AssertUnwindSafe, catch_unwind};

use corepool::remote::{JobContext, RemoteJob};
use postcard_schema::{
    Schema,
    schema::{DataModelType, NamedType},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::panic::message;

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
    /// The result of each job, or the text of its panic.
    type Output = Vec<Result<J::Output, String>>;
    const NAME: &'static str = J::NAME;
    const IDEMPOTENT: bool = J::IDEMPOTENT;

    fn run(self, context: &mut JobContext<'_>) -> Self::Output {
        let jobs = self.0.into_iter();
        jobs.map(|job| {
            catch_unwind(AssertUnwindSafe(|| job.run(context)))
                .map_err(|payload| message(&payload).to_owned())
        })
        .collect()
    }
}
