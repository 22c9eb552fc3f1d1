//! The functions of `corepool::ports::rtos` for this translation of the kernel, as `core/shims/freertos.c` has them for the
//! kernel in C. The translation has one notification for each task, so the pool uses that with index 0.

use core::{ffi::c_void, ptr};

use corepool::ports::context;
use freertos_in_rust::{
    kernel::tasks::{
        TimeOut_t, taskSCHEDULER_RUNNING, ulTaskNotifyTake, uxTaskPriorityGet,
        vTaskInternalSetTimeOutState, vTaskNotifyGiveFromISR, xTaskGetCurrentTaskHandle,
        xTaskGetSchedulerState, xTaskNotifyGive,
    },
    pdFALSE, pdTRUE,
    port::{
        portCLEAR_INTERRUPT_MASK_FROM_ISR, portSET_INTERRUPT_MASK_FROM_ISR, portYIELD_FROM_ISR,
        xPortIsInsideInterrupt,
    },
    portMAX_DELAY,
};

/// Microseconds from one tick to the next.
const TICK: u64 = 1_000;

/// Whether a handler calls, as the kernel knows.
fn in_handler() -> bool {
    xPortIsInsideInterrupt() != pdFALSE
}

/// A task is named by its handle, an address, and a handler by a small number: on a Cortex-M its exception's, and on RISC-V,
/// where the kernel lets no handler interrupt another, one for all.
#[unsafe(no_mangle)]
extern "C" fn corepool_port_context(task: *mut *mut c_void) -> usize {
    let current = if in_handler() {
        ptr::null_mut()
    } else {
        xTaskGetCurrentTaskHandle()
    };
    let may_block = xTaskGetSchedulerState() == taskSCHEDULER_RUNNING;
    let blocks = if may_block { current } else { ptr::null_mut() };
    // SAFETY: the port gives a place for it.
    unsafe { *task = blocks.cast() };
    // In a handler, and before the first is created, there is no task.
    match current.addr() {
        0 => context().get(),
        address => address,
    }
}

#[unsafe(no_mangle)]
extern "C" fn corepool_port_notify(task: *mut c_void) {
    if in_handler() {
        let mut woken = pdFALSE;
        // SAFETY: the task is there, as the port promises, and this is a handler.
        unsafe { vTaskNotifyGiveFromISR(task.cast(), &mut woken) };
        portYIELD_FROM_ISR(woken);
    } else {
        // SAFETY: the task is there, as the port promises, and this is no handler.
        unsafe { xTaskNotifyGive(task.cast()) };
    }
}

/// A notification that was given before is kept, and ends this at once.
#[unsafe(no_mangle)]
extern "C" fn corepool_port_wait(microseconds: u64) {
    // For the kernel, `portMAX_DELAY` may be no limit at all.
    let longest = portMAX_DELAY - 1;
    let ticks = match microseconds {
        u64::MAX => portMAX_DELAY,
        // Up to the first tick that is not before the end. A longer wait returns early.
        limit => u32::try_from(limit / TICK + 1).map_or(longest, |ticks| ticks.min(longest)),
    };
    // SAFETY: a task calls, with the scheduler running, as the port promises.
    unsafe { ulTaskNotifyTake(pdTRUE, ticks) };
}

#[unsafe(no_mangle)]
extern "C" fn corepool_port_urgency() -> u8 {
    // SAFETY: a task calls, and asks for its own.
    let priority = unsafe { uxTaskPriorityGet(ptr::null_mut()) };
    u8::try_from(priority).unwrap_or(u8::MAX)
}

/// It never goes back: the kernel's 32 bits of ticks wrap after 49 days, but it counts the wraps too. Both counts change in
/// one step of the tick's handler, which is masked while they are read.
#[unsafe(no_mangle)]
extern "C" fn corepool_port_now() -> u64 {
    let mut time = TimeOut_t::new();
    // On one core this mask is right in tasks as well, and before the scheduler starts: it is put back as it was.
    let mask = portSET_INTERRUPT_MASK_FROM_ISR();
    // SAFETY: the kernel's interrupts are masked, so nothing changes the counts.
    unsafe { vTaskInternalSetTimeOutState(&mut time) };
    portCLEAR_INTERRUPT_MASK_FROM_ISR(mask);
    let wraps = u64::from(time.xOverflowCount.cast_unsigned());
    (wraps << 32 | u64::from(time.xTimeOnEntering)) * TICK
}
