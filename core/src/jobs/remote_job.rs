//! Jobs with a name, which can run in another address space.

use core::{any::TypeId, fmt, task::Poll, time::Duration};

use postcard_schema::Schema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    jobs::job::{Job, JobPlace},
    jobs::token::CancelToken,
    memory::pool::Pool,
    memory::slot::SlotRef,
    memory::travel::Travels,
};

/// A job that can run in another address space. Its fields are its arguments.
///
/// It has a name, since a closure's code has no fixed address in another address space, and may not
/// exist there. The types of its fields and of its result are types that [`serde`] can encode and a
/// [`Schema`] can describe. So they have no references and no pointers.
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
    /// The result of the job.
    type Output: Serialize + DeserializeOwned + Schema + Send + 'static;

    /// The name of the job on both sides. Together with the types of its fields and of its result,
    /// it identifies the job.
    const NAME: &'static str;

    /// Whether the job may run twice without harm. If so, it is sent again when it or its result is
    /// lost on the way. False by default.
    const IDEMPOTENT: bool = false;

    /// The time for the answer, from when the job is sent. `None`, the default, sets no limit.
    const TIMEOUT: Option<Duration> = None;

    /// The most bytes that the encoded arguments take. `None`, the default, if no such number is
    /// known. `postcard`'s `MaxSize` knows it for many types.
    const MAX_ARGUMENTS: Option<usize> = None;

    /// The most bytes that the encoded result takes, as for [`MAX_ARGUMENTS`](Self::MAX_ARGUMENTS).
    const MAX_RESULT: Option<usize> = None;

    /// Runs the job.
    ///
    /// * **Context**: called where the job runs. On the other side that is in
    ///   [`serve`](crate::remote::serve). On this side it is on a worker of the pool, or in a
    ///   caller that waits.
    /// * **Cost**: the job's own. On the other side, the next jobs of the link wait for it.
    fn run(self, context: &mut JobContext<'_>) -> Self::Output;
}

/// The questions that a job can ask while it runs, on either side.
pub struct JobContext<'a>(Place<'a>);

enum Place<'a> {
    /// In the address space of the pool.
    Here(CancelToken<'a>),
    There(&'a mut dyn Asks),
}

/// The other side of a link, as its running job sees it.
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

    /// Whether the job's future was asked to cancel it. A future that was dropped does not count. On
    /// the other side of a link, it is also true if the link has ended or a new session has begun.
    /// The value that the job returns is its result in any case.
    ///
    /// On the other side of a link, the call receives the messages that have arrived, and answers
    /// them. So a long job that calls it from time to time keeps the link alive.
    ///
    /// * **Context**: in the job.
    /// * **Cost**: one atomic load in the pool's address space. On the other side it sends and
    ///   receives, at O(bytes) and without a wait.
    ///
    /// ```
    /// use corepool::remote::{JobContext, RemoteJob};
    /// # use postcard_schema::Schema;
    /// # use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Schema)]
    /// struct CountPrimes(u32);
    ///
    /// impl RemoteJob for CountPrimes {
    ///     type Output = Option<u32>;
    ///     const NAME: &'static str = "count primes";
    ///     fn run(self, context: &mut JobContext<'_>) -> Option<u32> {
    ///         let mut count = 0;
    ///         for n in 2..self.0 {
    ///             if context.is_cancelled() {
    ///                 return None;
    ///             }
    ///             count += u32::from((2..n).all(|divisor| n % divisor != 0));
    ///         }
    ///         Some(count)
    ///     }
    /// }
    /// # static POOL: corepool::StaticPool<4, 32> = corepool::StaticPool::new();
    /// # assert_eq!(POOL.submit_remote(CountPrimes(10)).unwrap().result().unwrap(), Some(4));
    /// ```
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

/// A remote job in a slot.
pub(crate) struct Travelling<J>(pub(crate) J);

impl<J: RemoteJob> Job for Travelling<J> {
    type Output = J::Output;
    const TRAVELS: Option<Travels<Self, Self::Output>> = Some(Travels {
        job: TypeId::of::<J>,
        idempotent: J::IDEMPOTENT,
        timeout: J::TIMEOUT,
        encode: |job, outbox, limit, message| outbox.push(limit, message, &job.0),
        decode: |bytes| postcard::from_bytes(bytes).ok(),
    });

    fn step<'p>(this: JobPlace<'_, Self>, _pool: Pool<'p>, slot: SlotRef<'p>) -> Poll<J::Output> {
        let mut context = JobContext::here(CancelToken::new(slot));
        Poll::Ready(this.take().0.run(&mut context))
    }
}
