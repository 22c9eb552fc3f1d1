//! Interrupts that software pends.

/// An interrupt that software pends, at a priority below those of the handlers that submit.
///
/// `cortex_m::Nvic` and `riscv::Msip` are such interrupts. Another interrupt controller needs an
/// implementation of its own.
///
/// ```
/// use core::sync::atomic::{AtomicBool, Ordering};
/// use corepool::ports::SoftwareInterrupt;
///
/// /// A line of the chip's controller, which software sets.
/// struct Line;
///
/// static IS_UNMASKED: AtomicBool = AtomicBool::new(false);
///
/// impl SoftwareInterrupt for Line {
///     fn pend(&self) {
///         // write the line's pending bit
///     }
///     fn unmask(&self) {
///         // write the line's enable bit
///         IS_UNMASKED.store(true, Ordering::Relaxed);
///     }
///     fn mask(&self) -> bool {
///         // clear it
///         IS_UNMASKED.swap(false, Ordering::Relaxed)
///     }
///     fn serve(&self, f: &mut dyn FnMut()) {
///         // clear the pending bit first
///         f();
///     }
/// }
/// # assert!(!Line.mask());
/// ```
pub trait SoftwareInterrupt: Sync {
    /// Has the handler called as soon as no more urgent context runs.
    ///
    /// * **Context**: called from any that submits a job, wakes a task, or passes a wake-up on.
    /// * **Cost**: on top of each such call that finds no idle worker.
    fn pend(&self);

    /// Lets the handler be called.
    ///
    /// * **Context**: called in that of [`Pended::start`](super::Pended::start), of
    ///   [`Pended::hold`](super::Pended::hold), and in the handler.
    /// * **Cost**: a few instructions.
    fn unmask(&self);

    /// Keeps the handler from being called, until [`unmask`](Self::unmask). The interrupt stays
    /// pended meanwhile, and can be pended. Returns whether the handler could be called before.
    ///
    /// * **Context**: called as [`unmask`](Self::unmask) is.
    /// * **Cost**: a few instructions.
    fn mask(&self) -> bool;

    /// Calls `f` as the body of the handler. The interrupt can be pended again from then on, and more
    /// urgent interrupts are served meanwhile.
    ///
    /// * **Context**: called in the interrupt's handler.
    /// * **Cost**: that of `f`.
    fn serve(&self, f: &mut dyn FnMut());
}
