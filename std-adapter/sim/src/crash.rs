//! Ends that no test survives: a loop without a point, an abort, a stack overflow. They print the run.
//!
//! On Unix. The watchdog counts the processor time of the simulating thread, so a machine under load
//! makes no false alarm.

#[cfg(unix)]
pub(crate) use self::unix::{Watch, beat, run_begins};

/// Where a simulation is: a context, and the label of its last point.
pub(crate) type Place = (&'static str, &'static str);

#[cfg(not(unix))]
pub(crate) fn beat() {}

#[cfg(not(unix))]
pub(crate) fn run_begins(_seed: Option<u64>) {}

/// Does nothing.
#[cfg(not(unix))]
pub(crate) struct Watch;

#[cfg(not(unix))]
impl Watch {
    pub(crate) fn begin(_test: Option<&str>, _place: fn() -> Option<Place>) -> Self {
        Self
    }
}

#[cfg(unix)]
mod unix {
    use std::{
        backtrace::Backtrace,
        mem::MaybeUninit,
        ptr,
        sync::{
            Arc, Barrier, Once, OnceLock,
            atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed},
        },
        thread::{self, JoinHandle},
        time::{Duration, Instant},
    };

    use super::Place;

    /// The processor time after which a loop without a point is reported.
    const PATIENCE: Duration = Duration::from_secs(1);
    const LOOK_EVERY: Duration = Duration::from_millis(200);
    /// The processor time that the loop's backtrace may take.
    const FOR_BACKTRACE: Duration = Duration::from_secs(2);
    /// The time of the wall that it may take, if the thread does not compute.
    const AT_MOST: Duration = Duration::from_secs(30);
    /// No seed: the plain order, a run of `everywhere`, or a given schedule.
    const NO_SEED: u64 = u64::MAX;

    /// Counts signs of life.
    static BEATS: AtomicU64 = AtomicU64::new(0);
    static SEED: AtomicU64 = AtomicU64::new(NO_SEED);
    static IS_UNDER_WAY: AtomicBool = AtomicBool::new(false);
    /// Says where the calling thread's simulation is. It is called in a signal's handler.
    static PLACE: OnceLock<fn() -> Option<Place>> = OnceLock::new();

    /// The simulation goes on.
    #[inline]
    pub(crate) fn beat() {
        // Only the simulating thread writes it.
        BEATS.store(BEATS.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// A run begins.
    pub(crate) fn run_begins(seed: Option<u64>) {
        SEED.store(seed.unwrap_or(NO_SEED), Relaxed);
        beat();
    }

    /// The watchdog of one simulation.
    pub(crate) struct Watch {
        is_over: Arc<AtomicBool>,
        thread: Option<JoinHandle<()>>,
    }

    impl Watch {
        /// Watches the calling thread. `place` says, on that thread, where the simulation is. It takes no lock
        /// and no memory.
        pub(crate) fn begin(test: Option<&str>, place: fn() -> Option<Place>) -> Self {
            listen();
            PLACE.get_or_init(|| place);
            let test = test.unwrap_or("NAME").to_string();
            // The last seed is that of an earlier simulation.
            run_begins(None);
            IS_UNDER_WAY.store(true, Relaxed);
            let is_over = Arc::new(AtomicBool::new(false));
            let over = is_over.clone();
            let clock = ThreadClock::of_this_thread();
            let watch = thread::Builder::new().name("corepool-sim watchdog".into());
            let begun = Arc::new(Barrier::new(2));
            let begins = begun.clone();
            // Without a watchdog the simulation is as good.
            let thread = watch.spawn(move || {
                begins.wait();
                watch_over(&clock, &over, &test);
            });
            let thread = thread.ok();
            if thread.is_some() {
                // A thread that begins takes memory, and the first run may never give the allocator back.
                begun.wait();
            }
            Self { is_over, thread }
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            IS_UNDER_WAY.store(false, Relaxed);
            self.is_over.store(true, Relaxed);
            if let Some(thread) = self.thread.take() {
                thread.thread().unpark();
                // It holds the clock of this thread, which must not end before.
                let _ = thread.join();
            }
        }
    }

    fn watch_over(clock: &ThreadClock, is_over: &AtomicBool, test: &str) {
        let (mut beats, mut since) = (BEATS.load(Relaxed), clock.now());
        while !is_over.load(Relaxed) {
            thread::park_timeout(LOOK_EVERY);
            let now = BEATS.load(Relaxed);
            if now != beats {
                (beats, since) = (now, clock.now());
            } else if clock.now().saturating_sub(since) > PATIENCE && !is_over.load(Relaxed) {
                report_loop(clock, test);
            }
        }
    }

    /// Reports a loop without a point, and ends the process.
    ///
    /// The loop may be inside the allocator, or hold another lock. So the report takes no memory and no lock,
    /// but for the backtrace, which the loop's thread takes last. If it does not come, the process ends without.
    fn report_loop(clock: &ThreadClock, test: &str) -> ! {
        write(
            "\ncorepool-sim: a loop without a point. Put `corepool::spin_loop()` or `point!()` into it.\n",
        );
        match SEED.load(Relaxed) {
            NO_SEED => write("  in a run without a seed of the test "),
            seed => {
                write("  the same run: COREPOOL_SIM_SEED=");
                write_number(seed);
                write(" cargo test ");
            }
        }
        write(test);
        write("\n");
        let (computed, began) = (clock.now(), Instant::now());
        clock.interrupt();
        while clock.now().saturating_sub(computed) < FOR_BACKTRACE && began.elapsed() < AT_MOST {
            thread::sleep(LOOK_EVERY);
        }
        write(
            "  no backtrace in time: the loop may be in the allocator, or hold a lock that a backtrace needs\n",
        );
        // SAFETY: the call has no precondition.
        unsafe { libc::_exit(101) }
    }

    /// The processor time of a thread.
    struct ThreadClock {
        thread: libc::pthread_t,
        #[cfg(target_os = "linux")]
        clock: libc::clockid_t,
    }

    // SAFETY: any thread may use a thread's name and its clock.
    unsafe impl Send for ThreadClock {}

    impl ThreadClock {
        fn of_this_thread() -> Self {
            // SAFETY: the call has no precondition.
            let thread = unsafe { libc::pthread_self() };
            Self {
                thread,
                #[cfg(target_os = "linux")]
                clock: {
                    let mut clock = libc::CLOCK_MONOTONIC;
                    // SAFETY: the thread is the calling one, and `clock` is valid for a write. If the
                    // call fails, the clock stays the wall's.
                    unsafe { libc::pthread_getcpuclockid(thread, &raw mut clock) };
                    clock
                },
            }
        }

        #[cfg(target_os = "linux")]
        fn now(&self) -> Duration {
            let mut time = MaybeUninit::<libc::timespec>::zeroed();
            // SAFETY: `time` is valid for a write. The thread lives: `Watch::drop` waits for the
            // watchdog on that thread.
            let time = unsafe {
                libc::clock_gettime(self.clock, time.as_mut_ptr());
                time.assume_init()
            };
            Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
        }

        /// The wall's clock, a tenth as fast: other threads may take the processor.
        #[cfg(not(target_os = "linux"))]
        fn now(&self) -> Duration {
            static START: std::sync::LazyLock<std::time::Instant> =
                std::sync::LazyLock::new(std::time::Instant::now);
            START.elapsed() / 10
        }

        /// Makes the thread say where it is, and end the process.
        fn interrupt(&self) {
            // On the stack of the loop: a backtrace takes more than the stack for signals has.
            handle(libc::SIGUSR2, report_place, 0);
            // SAFETY: the thread lives, as above.
            unsafe { libc::pthread_kill(self.thread, libc::SIGUSR2) };
        }
    }

    fn handle(signal: i32, handler: extern "C" fn(i32), flags: i32) {
        // SAFETY: an action of zeros is valid, with an empty mask. `handler` is a function that
        // takes a signal's number, as the flags say.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = flags;
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
    }

    /// The loop's own thread says where it is. The process ends, so what the loop was in the midst of does not
    /// matter.
    extern "C" fn report_place(_signal: i32) {
        if let Some((context, label)) = PLACE.get().and_then(|place| place()) {
            for part in ["  ", context, ", after the point `", label, "`\n"] {
                write(part);
            }
        }
        // The allocator, or another lock, may stop this thread here for ever.
        let trace = Backtrace::force_capture().to_string();
        // Below the fiber's first frame are those of another context, which has resumed the fiber.
        for line in trace
            .lines()
            .take_while(|line| !line.contains("corosensei"))
        {
            write(line);
            write("\n");
        }
        // SAFETY: the call has no precondition.
        unsafe { libc::_exit(101) };
    }

    /// Makes crashes print the run.
    fn listen() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            for (place, signal) in CRASHES.into_iter().enumerate() {
                let mut before = MaybeUninit::<libc::sigaction>::zeroed();
                // SAFETY: `before` is valid for a write, and no action is set.
                unsafe { libc::sigaction(signal, ptr::null(), before.as_mut_ptr()) };
                // SAFETY: the call above wrote it, and zeros are valid, too.
                let before = unsafe { before.assume_init() };
                BEFORE[place].0.store(before.sa_sigaction, Relaxed);
                BEFORE[place].1.store(before.sa_flags, Relaxed);
                // A stack that has overflowed has no room for a handler.
                handle(signal, report_crash, libc::SA_ONSTACK);
            }
        });
    }

    const CRASHES: [i32; 6] = [
        libc::SIGABRT,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGFPE,
    ];
    /// The actions of before.
    static BEFORE: [(AtomicUsize, AtomicI32); CRASHES.len()] =
        [const { (AtomicUsize::new(libc::SIG_DFL), AtomicI32::new(0)) }; _];

    /// Prints the seed, and leaves the signal to the action of before. It calls functions only that
    /// POSIX allows in a handler.
    extern "C" fn report_crash(signal: i32) {
        if IS_UNDER_WAY.swap(false, Relaxed) {
            write(
                "\ncorepool-sim: the process crashes in a simulation. The same run: COREPOOL_SIM_SEED=",
            );
            match SEED.load(Relaxed) {
                NO_SEED => write("(no seed: the plain order, or a run of everywhere)"),
                seed => write_number(seed),
            }
            write(
                "\n  A fiber's stack has 512 KiB. A panic in a destructor that runs in a panic aborts.\n",
            );
        }
        let place = CRASHES
            .iter()
            .position(|crash| *crash == signal)
            .unwrap_or(0);
        // SAFETY: the action is the one that `listen` found. The signal comes again: a faulting access is
        // repeated, and the other signals are raised here. A raised one waits until this function returns.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = BEFORE[place].0.load(Relaxed);
            action.sa_flags = BEFORE[place].1.load(Relaxed);
            libc::sigaction(signal, &raw const action, ptr::null_mut());
            if matches!(signal, libc::SIGABRT | libc::SIGTRAP) {
                libc::raise(signal);
            }
        }
    }

    fn write(text: &str) {
        // SAFETY: the bytes are valid for reads.
        let _ = unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }

    fn write_number(number: u64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        let mut rest = number;
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let digits = &digits[first..];
        // SAFETY: the bytes are valid for reads.
        let _ = unsafe { libc::write(libc::STDERR_FILENO, digits.as_ptr().cast(), digits.len()) };
    }
}
