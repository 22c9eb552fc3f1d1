//! Two Cortex-M33, of Arm's SSE-200 on the board MPS2+ with image AN521: core 0 submits, core 1 runs
//! jobs. Built for ARMv6-M, which is part of its instruction set, it has no compare-and-swap.
//!
//! | core | context | does |
//! |---|---|---|
//! | 0 | `SysTick` | takes a sample, submits windows, collects results; watchdog |
//! | 0 | `main` | submits and waits |
//! | 1 | `core_1` | runs jobs, sleeps in `WFE`; no interrupt is enabled |
//! | 1 | its fault handler | declares core 1 lost, which breaks the pool: nobody else would run jobs |
#![no_std]
#![no_main]

use core::{cell::UnsafeCell, mem::MaybeUninit, time::Duration};

use corepool::OnLoss;
use cortex_m::Peripherals;
use cortex_m_rt::{entry, exception};
use firmware_support::{
    port::{AllCores, Cores, Event},
    pulse::InHandler,
    several_cores::{self, Chip},
    tick,
};
use pulse_app::Pool;

/// The clock of both cores.
const CORE_HZ: u32 = 20_000_000;

/// What each core reads its own number from.
const CPU_IDENTITY: *const u32 = 0x5001_F000 as *const u32;
/// Where core 1 looks for its vector table when it starts.
const INITSVTOR1: *mut u32 = 0x5002_1114 as *mut u32;
/// A bit for each core that waits to be started.
const CPUWAIT: *mut u32 = 0x5002_1118 as *mut u32;

/// The SSE-200's cores. The event that one sends goes to both.
struct Sse200;

static EVENTS: [Event; Sse200::CORES] = [const { Event::new() }; Sse200::CORES];

// SAFETY: the register has a number of its own for each core.
unsafe impl Cores for Sse200 {
    fn current() -> usize {
        // SAFETY: the register is there, and reading it has no effect.
        unsafe { CPU_IDENTITY.read_volatile() as usize }
    }

    fn sleep(deadline: Option<Duration>) {
        EVENTS[Self::current()].wait(deadline);
    }

    fn wake(core: usize) {
        EVENTS[core].send();
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

static POOL: Pool = Pool::new();

/// Core 1's, whose frames nothing here looks at.
#[repr(align(8))]
#[expect(dead_code)]
struct Stack(UnsafeCell<MaybeUninit<[u8; 8 * 1024]>>);

// SAFETY: only core 1 uses it.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new(MaybeUninit::uninit()));

/// What core 1 starts from.
#[repr(C, align(128))]
struct Vectors {
    stack: *const Stack,
    reset: extern "C" fn() -> !,
    exceptions: [extern "C" fn() -> !; 14],
}

// SAFETY: never written, and the pointer is for core 1 alone.
unsafe impl Sync for Vectors {}

static VECTORS: Vectors = Vectors {
    stack: (&raw const STACK).wrapping_add(1),
    reset: core_1,
    exceptions: [core_1_fault; 14],
};

extern "C" fn core_1() -> ! {
    several_cores::work::<Sse200>()
}

/// Any exception: no interrupt is enabled on core 1.
extern "C" fn core_1_fault() -> ! {
    several_cores::crashed::<Sse200>()
}

fn start_core_1() {
    // SAFETY: as the manual says; the statics are initialized, and nobody else uses the registers.
    unsafe {
        INITSVTOR1.write_volatile((&raw const VECTORS).addr() as u32);
        CPUWAIT.write_volatile(0);
    }
}

#[exception]
fn SysTick() {
    static mut REPLAY: InHandler = InHandler::new();
    tick::on_tick();
    REPLAY.on_tick();
    several_cores::watchdog::<Sse200>();
}

#[entry]
fn main() -> ! {
    let mut core = Peripherals::take().expect("taken once");
    tick::start(&mut core.SYST, CORE_HZ);
    start_core_1();
    several_cores::run::<Sse200>(&POOL)
}
