//! A host: the ports compile here, for their documentation and for programs that are built for chips, too. A call
//! panics. It has no name for the calling thread, and a wrong name would break the contract of
//! [`Port`](crate::Port).

pub(in crate::ports) const CONTEXTS: usize = 1;

pub(in crate::ports) fn context() -> usize {
    no_chip()
}

pub(in crate::ports) fn sleep_unless(_woken: impl FnOnce() -> bool) {
    no_chip()
}

fn no_chip() -> ! {
    panic!("the ports of `corepool` are for chips: on a host, use `corepool-std`")
}
