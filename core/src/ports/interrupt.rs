//! Interrupts that software pends.

/// An interrupt that software pends, at a priority below those of the handlers that submit.
///
/// `cortex_m::Nvic` and `riscv::Msip` are such interrupts. Another interrupt controller needs an
/// implementation of its own.
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
