//! The alarm of the board's clock, whose interrupt comes by the PLIC.

use firmware_freertos::Timer;

/// The number of its interrupt.
const INTERRUPT: usize = 11;

/// The clock's registers, under their names in the documentation of Goldfish.
const TIME_LOW: *mut u32 = 0x10_1000 as *mut u32;
const TIME_HIGH: *mut u32 = 0x10_1004 as *mut u32;
const ALARM_LOW: *mut u32 = 0x10_1008 as *mut u32;
const ALARM_HIGH: *mut u32 = 0x10_100C as *mut u32;
const IRQ_ENABLED: *mut u32 = 0x10_1010 as *mut u32;
const CLEAR_ALARM: *mut u32 = 0x10_1014 as *mut u32;
const CLEAR_INTERRUPT: *mut u32 = 0x10_101C as *mut u32;

/// Those of the PLIC, for machine mode of hart 0.
const PRIORITY: *mut u32 = (0x0C00_0000 + 4 * INTERRUPT) as *mut u32;
const ENABLE: *mut u32 = 0x0C00_2000 as *mut u32;
const THRESHOLD: *mut u32 = 0x0C20_0000 as *mut u32;
const CLAIM_COMPLETE: *mut u32 = 0x0C20_0004 as *mut u32;

/// Lets the handler be called; the alarm is still off.
pub fn unmask() {
    // SAFETY: the registers of the PLIC and the clock, which nothing else uses.
    unsafe {
        PRIORITY.write_volatile(1);
        ENABLE.write_volatile(1 << INTERRUPT);
        THRESHOLD.write_volatile(0);
        IRQ_ENABLED.write_volatile(1);
    }
}

/// The handler calls this, with its body.
pub fn serve(f: impl FnOnce()) {
    // SAFETY: as above.
    let interrupt = unsafe { CLAIM_COMPLETE.read_volatile() };
    assert!(interrupt as usize == INTERRUPT, "interrupt {interrupt}");
    // SAFETY: as above.
    unsafe { CLEAR_INTERRUPT.write_volatile(1) };
    f();
    // SAFETY: as above. An alarm that has come meanwhile interrupts again after this.
    unsafe { CLAIM_COMPLETE.write_volatile(interrupt) };
}

/// The alarm; the clock counts nanoseconds.
pub enum Alarm {}

impl Timer for Alarm {
    fn start(nanoseconds: u32) {
        // SAFETY: the clock's registers, which nothing else uses. The lower half is read first, and
        // written last, as the documentation has it.
        unsafe {
            let low = TIME_LOW.read_volatile();
            let time = u64::from(TIME_HIGH.read_volatile()) << 32 | u64::from(low);
            let alarm = time + u64::from(nanoseconds);
            ALARM_HIGH.write_volatile((alarm >> 32) as u32);
            ALARM_LOW.write_volatile(alarm as u32);
        }
    }

    fn stop() {
        // SAFETY: as above.
        unsafe { CLEAR_ALARM.write_volatile(1) };
    }
}
