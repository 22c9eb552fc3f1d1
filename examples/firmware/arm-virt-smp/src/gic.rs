//! The interrupt controller, a GICv2: what core 0 needs of it, for the interrupt of its generic timer.

/// The distributor, which all cores share; some of its registers are each core's own.
const DISTRIBUTOR: usize = 0x0800_0000;
const GICD_CTLR: *mut u32 = DISTRIBUTOR as *mut u32;
const GICD_ISENABLER0: *mut u32 = (DISTRIBUTOR + 0x100) as *mut u32;

/// The interface of the core that uses it.
const CPU_INTERFACE: usize = 0x0801_0000;
const GICC_CTLR: *mut u32 = CPU_INTERFACE as *mut u32;
const GICC_PMR: *mut u32 = (CPU_INTERFACE + 0x4) as *mut u32;
const GICC_IAR: *mut u32 = (CPU_INTERFACE + 0xC) as *mut u32;
const GICC_EOIR: *mut u32 = (CPU_INTERFACE + 0x10) as *mut u32;

/// The number of the virtual generic timer's interrupt, on each core.
const TIMER: u32 = 27;

/// Lets the timer's interrupt come to the core that calls.
pub fn enable_timer() {
    // SAFETY: the registers are there, and only core 0 uses them.
    unsafe {
        GICD_ISENABLER0.write_volatile(1 << TIMER);
        // Of every priority.
        GICC_PMR.write_volatile(0xff);
        GICC_CTLR.write_volatile(1);
        GICD_CTLR.write_volatile(1);
    }
}

/// The handler calls this first. The interrupt is not pending any more.
pub fn begin() -> u32 {
    // SAFETY: as above.
    unsafe { GICC_IAR.read_volatile() }
}

/// The handler calls this last, with what [`begin`] returned.
pub fn end(interrupt: u32) {
    // SAFETY: as above.
    unsafe { GICC_EOIR.write_volatile(interrupt) };
}
