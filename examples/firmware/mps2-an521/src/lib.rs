//! Two Cortex-M33, of Arm's SSE-200 on the board MPS2+ with image AN521: the chip, for programs that
//! run on it.
#![no_std]

use core::{cell::UnsafeCell, mem::MaybeUninit, time::Duration};

use corepool::{
    OnLoss,
    ports::{AllCores, Cores, cortex_m::Event},
};
use firmware_support::{several_cores::Chip, tick};

/// The clock of both cores.
pub const CORE_HZ: u32 = 20_000_000;

/// The register from which each core reads its own number.
const CPU_IDENTITY: *const u32 = 0x5001_F000 as *const u32;
/// Where core 1 looks for its vector table when it starts.
const INITSVTOR1: *mut u32 = 0x5002_1114 as *mut u32;
/// A bit for each core that waits to be started.
const CPUWAIT: *mut u32 = 0x5002_1118 as *mut u32;

/// The SSE-200's cores. The event that one sends goes to both.
#[derive(Debug)]
pub struct Sse200;

static EVENTS: [Event; Sse200::CORES] = [const { Event::new() }; Sse200::CORES];

// SAFETY: the register has a number of its own for each core.
unsafe impl Cores for Sse200 {
    fn current() -> usize {
        // SAFETY: the register is there, and reading it has no effect.
        unsafe { CPU_IDENTITY.read_volatile() as usize }
    }

    fn sleep(deadline: Option<Duration>) {
        EVENTS[Self::current()].wait(deadline, Self::now);
    }

    fn wake(core: usize) {
        EVENTS[core].send();
    }

    fn now() -> Option<Duration> {
        Some(tick::now())
    }
}

impl Chip for Sse200 {
    const CORES: usize = 2;
    const ON_LOSS: OnLoss = OnLoss::Break;

    fn crash() -> ! {
        cortex_m::asm::udf()
    }
}

critical_section::set_impl!(AllCores<Sse200>);

/// Core 1's, whose frames nothing here looks at.
#[repr(align(8))]
#[expect(dead_code)]
struct Stack(UnsafeCell<MaybeUninit<[u8; 8 * 1024]>>);

// SAFETY: only core 1 uses it.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new(MaybeUninit::uninit()));

/// The vectors from which core 1 starts.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Vectors {
    stack: *const (),
    reset: extern "C" fn() -> !,
    exceptions: [extern "C" fn() -> !; 14],
}

// SAFETY: never written, and the pointer is for core 1 alone.
unsafe impl Sync for Vectors {}

impl Vectors {
    /// Core 1 begins in `reset`, and goes to `fault` with any exception: no interrupt is enabled there.
    pub const fn new(reset: extern "C" fn() -> !, fault: extern "C" fn() -> !) -> Self {
        Self {
            stack: (&raw const STACK).wrapping_add(1).cast(),
            reset,
            exceptions: [fault; 14],
        }
    }
}

/// Starts core 1, once.
pub fn start_core_1(vectors: &'static Vectors) {
    // SAFETY: as the manual says; the statics are initialized, and nobody else uses the registers.
    unsafe {
        INITSVTOR1.write_volatile((&raw const *vectors).addr() as u32);
        CPUWAIT.write_volatile(0);
    }
}
