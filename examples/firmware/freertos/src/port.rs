//! The pool's port for FreeRTOS: tasks sleep until they are notified.

use core::{
    num::NonZeroUsize,
    ptr,
    task::{RawWaker, RawWakerVTable, Waker},
    time::Duration,
};

use corepool::{ContextId, Parker, Port, Worker, ports::context};
use freertos_in_rust::{
    kernel::tasks::{
        TimeOut_t, taskSCHEDULER_RUNNING, ulTaskNotifyTake, vTaskInternalSetTimeOutState,
        vTaskNotifyGiveFromISR, xTaskGetCurrentTaskHandle, xTaskGetSchedulerState, xTaskNotifyGive,
    },
    pdFALSE, pdTRUE,
    port::{
        portCLEAR_INTERRUPT_MASK_FROM_ISR, portSET_INTERRUPT_MASK_FROM_ISR, portYIELD_FROM_ISR,
        xPortIsInsideInterrupt,
    },
    portMAX_DELAY,
    types::TaskHandle_t,
};

/// Whether a handler calls, as the kernel knows.
fn in_handler() -> bool {
    xPortIsInsideInterrupt() != pdFALSE
}

/// Gives `task` the notification that it sleeps on, or will sleep on. From tasks, and from handlers
/// that may call the kernel.
///
/// # Safety
///
/// `task` has been created, and is never deleted.
pub unsafe fn notify(task: TaskHandle_t) {
    if in_handler() {
        let mut woken = pdFALSE;
        // SAFETY: the task is there, as the caller promises, and this is a handler.
        unsafe { vTaskNotifyGiveFromISR(task, &mut woken) };
        portYIELD_FROM_ISR(woken);
    } else {
        // SAFETY: the task is there, as the caller promises, and this is no handler.
        unsafe { xTaskNotifyGive(task) };
    }
}

/// The task that calls, as a parker and as a worker. Its notification is the pool's alone. Tasks
/// that use a pool are never deleted.
#[derive(Clone, Copy, Debug)]
pub struct Task;

impl Parker for Task {
    fn waker(&self) -> Waker {
        const VTABLE: &RawWakerVTable =
            &RawWakerVTable::new(|task| RawWaker::new(task, VTABLE), wake, wake, |_| ());
        fn wake(task: *const ()) {
            // SAFETY: this is a handle from `waker`, of a task that is never deleted.
            unsafe { notify(task.cast_mut().cast()) };
        }
        let task = xTaskGetCurrentTaskHandle();
        // SAFETY: the functions copy the handle and notify the task, in any context.
        unsafe { Waker::new(task.cast_const().cast(), VTABLE) }
    }

    /// A notification that was given before is kept, and ends this at once.
    fn park(&self, deadline: Option<Duration>) {
        let ticks = deadline.map_or(portMAX_DELAY, |deadline| {
            let left = deadline.saturating_sub(now());
            // Up to the first tick that is not before the deadline.
            u32::try_from(left.as_millis() + 1).unwrap_or(portMAX_DELAY)
        });
        // SAFETY: a task calls, with the scheduler running: `with_parker` and the workers see to it.
        unsafe { ulTaskNotifyTake(pdTRUE, ticks) };
    }
}

impl Worker for Task {}

/// The kernel's time; a tick is a millisecond.
///
/// It never goes back: the kernel's 32 bits of ticks wrap after 49 days, but it counts the wraps too.
/// Both counts change in one step of the tick's handler, which is masked while they are read; so they
/// belong together, and a later call reads no less.
fn now() -> Duration {
    let mut time = TimeOut_t::new();
    // This mask is right in tasks as well, and before the scheduler starts: it is put back as it was.
    let mask = portSET_INTERRUPT_MASK_FROM_ISR();
    // SAFETY: the kernel's interrupts are masked, so nothing changes the counts.
    unsafe { vTaskInternalSetTimeOutState(&mut time) };
    portCLEAR_INTERRUPT_MASK_FROM_ISR(mask);
    let wraps = u64::from(time.xOverflowCount.cast_unsigned());
    Duration::from_millis(wraps << 32 | u64::from(time.xTimeOnEntering))
}

/// FreeRTOS on one core.
#[derive(Clone, Copy, Debug)]
pub struct FreeRtos;

// SAFETY: contexts that can be under way at the same time are tasks and handlers. A task is named by
// its handle, an address, and a handler by a small number: on a Cortex-M its exception's, and on RISC-V,
// where the kernel lets no handler interrupt another, one for all. The default `catch_panic` calls once.
unsafe impl Port for FreeRtos {
    fn context(&self) -> ContextId {
        let task = if in_handler() {
            ptr::null_mut()
        } else {
            xTaskGetCurrentTaskHandle()
        };
        // In a handler, and before the first is created, there is no task.
        NonZeroUsize::new(task.addr()).unwrap_or_else(context)
    }

    fn now(&self) -> Option<Duration> {
        Some(now())
    }

    /// Tasks block, while the scheduler runs; handlers may not, nor may `main`.
    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        if !in_handler() && xTaskGetSchedulerState() == taskSCHEDULER_RUNNING {
            f(&Task);
        }
    }

    /// Tasks are sure to come as workers.
    fn blocked_callers_run_jobs(&self) -> bool {
        false
    }
}
