//! Ambient values, which jobs carry from their submitter to the place where they run.
//!
//! A view's policy has a `Policy::Carried`: the job that the view puts into a slot for the job
//! that it is given. For a view that carries nothing, the two are the same. So such a view has no
//! code for ambient values, and no bytes in its slots.

use core::{marker::PhantomData, mem::MaybeUninit, task::Poll};

use crate::{
    jobs::job::{Job, JobPlace},
    memory::payload::{NoSpill, Spill},
    memory::pool::Pool,
    memory::slot::{SlotRef, Suspend},
};

/// An ambient value: one that code finds without an argument, such as the current tracing span, a
/// locale, or the id of a request. It is bound to a thread, a core or a task. So a job does not find
/// the value of its submitter, unless it carries it along.
///
/// A view by [`carrying`](crate::StaticPool::carrying) captures the value at each submit, and runs
/// each job with it. The implementor is a name for the value, and has no value of its own. A pair of
/// ambient values is one, too.
///
/// ```
/// use std::cell::RefCell;
/// use corepool::{Ambient, StaticPool};
///
/// thread_local! {
///     static LOCALE: RefCell<&'static str> = const { RefCell::new("en") };
/// }
///
/// fn locale() -> &'static str {
///     LOCALE.with(|locale| *locale.borrow())
/// }
///
/// struct Locale;
///
/// impl Ambient for Locale {
///     type Captured = &'static str;
///
///     fn capture() -> &'static str {
///         locale()
///     }
///
///     fn enter<R>(captured: &mut &'static str, work: impl FnOnce() -> R) -> R {
///         struct Restore(&'static str);
///         impl Drop for Restore {
///             fn drop(&mut self) {
///                 LOCALE.set(self.0);
///             }
///         }
///         let _restored = Restore(LOCALE.replace(captured)); // even if the job panics
///         work()
///     }
/// }
///
/// static POOL: StaticPool<4, 64> = StaticPool::new();
///
/// LOCALE.set("fr");
/// let job = POOL.carrying::<Locale>().submit(locale).unwrap();
/// LOCALE.set("en");
/// assert_eq!(job.result().unwrap(), "fr");
/// assert_eq!(locale(), "en");
/// ```
pub trait Ambient: 'static {
    /// The value that a job carries. It takes room in the job's slot.
    type Captured: Send + 'static;

    /// Captures the submitter's value.
    ///
    /// * **Context**: called where the job is submitted.
    /// * **Cost**: on top of each submit of a view that carries the value.
    fn capture() -> Self::Captured;

    /// Calls `work` with the captured value as the current one, and restores the former value. A
    /// task keeps its captured value between its polls, with the changes that this call has made.
    ///
    /// * **Context**: called where the job runs: by a worker, or by a caller that waits for the job.
    /// * **Cost**: on top of each job, and of each poll of a task.
    fn enter<R>(captured: &mut Self::Captured, work: impl FnOnce() -> R) -> R;
}

impl<A: Ambient, B: Ambient> Ambient for (A, B) {
    type Captured = (A::Captured, B::Captured);

    fn capture() -> Self::Captured {
        (A::capture(), B::capture())
    }

    fn enter<R>((first, second): &mut Self::Captured, work: impl FnOnce() -> R) -> R {
        A::enter(first, || B::enter(second, work))
    }
}

/// The policy of a [`PoolRef`](crate::PoolRef) for its jobs: the store of those that do not fit a
/// slot, and the ambient value that each carries. Each [`Spill`] is a policy that carries nothing.
pub trait Policy: sealed::Policy {}

/// The policy of a view that carries the ambient value `A`, and stores jobs as `S` does.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Carrying<A, S = NoSpill>(PhantomData<fn() -> (A, S)>);

pub(crate) mod sealed {
    use crate::{jobs::job::Job, memory::payload::Spill};

    pub trait Policy {
        #[doc(hidden)]
        type Spill: Spill;

        /// The job that carries the ambient value beside a `J`.
        #[doc(hidden)]
        type Carried<J: Job>: Job<Output = J::Output>;

        #[doc(hidden)]
        fn carry<J: Job>(job: J) -> Self::Carried<J>;

        #[doc(hidden)]
        fn uncarry<J: Job>(carried: Self::Carried<J>) -> J;
    }
}

impl<S: Spill> Policy for S {}

impl<S: Spill> sealed::Policy for S {
    type Spill = S;
    type Carried<J: Job> = J;

    #[inline(always)]
    fn carry<J: Job>(job: J) -> J {
        job
    }

    #[inline(always)]
    fn uncarry<J: Job>(carried: J) -> J {
        carried
    }
}

impl<A: Ambient, S: Spill> Policy for Carrying<A, S> {}

impl<A: Ambient, S: Spill> sealed::Policy for Carrying<A, S> {
    type Spill = S;
    type Carried<J: Job> = Carried<J, A>;

    fn carry<J: Job>(job: J) -> Carried<J, A> {
        let captured = A::capture();
        Carried { job, captured }
    }

    fn uncarry<J: Job>(carried: Carried<J, A>) -> J {
        carried.job
    }
}

/// A job with the ambient value of its submitter.
// `pub`, as `Job` is.
pub struct Carried<J, A: Ambient> {
    job: J,
    captured: A::Captured,
}

#[allow(private_interfaces)]
impl<J: Job, A: Ambient> Job for Carried<J, A> {
    type Output = J::Output;
    const SUSPEND: Option<Suspend> = J::SUSPEND;

    fn step<'p>(this: JobPlace<'_, Self>, pool: Pool<'p>, slot: SlotRef<'p>) -> Poll<J::Output> {
        if J::SUSPEND.is_some() {
            // A task stays in its place, with the captured value beside it.
            // SAFETY: the job is there, as `JobPlace` promises.
            let Self { job, captured } = unsafe { this.place.assume_init_mut() };
            // SAFETY: a job is a job that may be uninitialized. A task does not take itself out.
            let place = unsafe { &mut *core::ptr::from_mut(job).cast::<MaybeUninit<J>>() };
            let there = &mut true;
            return A::enter(captured, || J::step(JobPlace { place, there }, pool, slot));
        }
        let Self { job, mut captured } = this.take();
        let mut taken = Taken {
            place: MaybeUninit::new(job),
            there: true,
        };
        let Taken { place, there } = &mut taken;
        A::enter(&mut captured, || {
            J::step(JobPlace { place, there }, pool, slot)
        })
    }
}

/// A job outside its slot, until it takes itself out to run.
struct Taken<J> {
    place: MaybeUninit<J>,
    there: bool,
}

impl<J> Drop for Taken<J> {
    fn drop(&mut self) {
        if self.there {
            // SAFETY: the job is there, and nobody else has it.
            unsafe { self.place.assume_init_drop() };
        }
    }
}
