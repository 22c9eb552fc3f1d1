//! Fibers: the stacks of the simulated tasks.

use corosensei::{Coroutine, stack::DefaultStack};

/// Gives the thread back, with the number of the task whose fiber is to run next.
pub(crate) type Yielder = corosensei::Yielder<(), usize>;

/// A task's stack, with the code that runs on it. The default has none.
#[derive(Default)]
pub(crate) struct Fiber(Option<Coroutine<(), usize, (), DefaultStack>>);

/// The bytes of address space that a stack takes. Memory it takes only for the part that is used.
const STACK: usize = 512 * 1024;

/// Stacks that are used again.
#[derive(Default)]
pub(crate) struct Stacks(Vec<DefaultStack>);

impl Stacks {
    fn take(&mut self) -> DefaultStack {
        self.0.pop().unwrap_or_else(|| {
            DefaultStack::new(STACK)
                .unwrap_or_else(|error| panic!("no memory for a stack of {STACK} bytes: {error}"))
        })
    }

    /// A fiber that calls `code` when it is resumed first.
    ///
    /// # Safety
    ///
    /// `code` is valid until the fiber is discarded. It never returns.
    pub(crate) unsafe fn fiber(&mut self, code: impl FnOnce(&Yielder)) -> Fiber {
        // SAFETY: the code and what it borrows live as long as the fiber (the caller's promise).
        let coroutine = unsafe {
            Coroutine::with_stack_unchecked(self.take(), move |yielder: &Yielder, ()| code(yielder))
        };
        Fiber(Some(coroutine))
    }

    /// Takes the stack back. Whatever lives on it is forgotten, not dropped.
    pub(crate) fn discard(&mut self, mut fiber: Fiber) {
        if let Some(mut coroutine) = fiber.0.take() {
            // SAFETY: the run has ended, and no code refers to the stack any more. The statics that may
            // do so are reset before they are used again. The simulation's own wakers are numbers.
            unsafe { coroutine.force_reset() };
            self.0.push(coroutine.into_stack());
        }
    }
}

impl Fiber {
    /// Runs the fiber until it gives the thread back. Returns the number that it gives with it.
    #[inline]
    pub(crate) fn resume(&mut self) -> Option<usize> {
        self.0.as_mut()?.resume(()).as_yield()
    }
}

impl Drop for Fiber {
    /// Only a run that unwinds leaves a fiber undiscarded. Its stack is leaked, since the code on it
    /// may refer to the run.
    fn drop(&mut self) {
        if let Some(mut coroutine) = self.0.take() {
            // SAFETY: as in `Stacks::discard`.
            unsafe { coroutine.force_reset() };
        }
    }
}
