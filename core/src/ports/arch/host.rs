//! A host: the ports compile here, and do not work.

pub(in crate::ports) const CONTEXTS: usize = 1;

pub(in crate::ports) fn context() -> usize {
    no_chip()
}

pub(in crate::ports) fn sleep_unless(_woken: impl FnOnce() -> bool) {
    no_chip()
}

fn no_chip() -> ! {
    unimplemented!("the ports of `corepool` are for chips: on a host, use `corepool-std`")
}
