//! The simulating thread, as the watchdog sees it: its processor time, and whether it sleeps.

use std::time::Duration;
#[cfg(target_os = "linux")]
use std::{fs::File, mem::MaybeUninit, os::unix::fs::FileExt};

use super::signals;

pub(super) struct Watched {
    thread: libc::pthread_t,
    #[cfg(target_os = "linux")]
    clock: libc::clockid_t,
    /// The state of the thread, and the system call that it is in.
    #[cfg(target_os = "linux")]
    files: Option<(File, File)>,
}

// SAFETY: any thread may use a thread's name and its clock.
unsafe impl Send for Watched {}

impl Watched {
    pub(super) fn this() -> Self {
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
            #[cfg(target_os = "linux")]
            files: File::open("/proc/thread-self/stat")
                .ok()
                .zip(File::open("/proc/thread-self/syscall").ok()),
        }
    }

    /// The processor time of the thread.
    #[cfg(target_os = "linux")]
    pub(super) fn time(&self) -> Duration {
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
    pub(super) fn time(&self) -> Duration {
        static START: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        START.elapsed() / 10
    }

    /// Whether the thread sleeps in the host. A thread that waits for the processor or for a disk, or that a
    /// debugger has stopped, does not. Nor does one whose output nobody reads.
    ///
    /// It takes no memory: the thread may sleep in the allocator.
    #[cfg(target_os = "linux")]
    pub(super) fn sleeps(&self) -> bool {
        let Some((stat, syscall)) = &self.files else {
            return false;
        };
        let mut line = [0; 256];
        let count = stat.read_at(&mut line, 0).unwrap_or(0);
        // The name of the thread, in parentheses, comes before its state.
        let name_ends = line[..count].iter().rposition(|byte| *byte == b')');
        let is_asleep = name_ends.is_some_and(|end| line[end..count].starts_with(b") S"));
        let count = syscall.read_at(&mut line, 0).unwrap_or(0);
        is_asleep && !is_a_write(&line[..count])
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn sleeps(&self) -> bool {
        false
    }

    /// Makes the thread call `handler`.
    pub(super) fn interrupt(&self, handler: extern "C" fn(i32)) {
        // On the stack of the loop: a backtrace takes more than the stack for signals has.
        signals::handle(libc::SIGUSR2, handler, 0);
        // SAFETY: the thread lives, as above.
        unsafe { libc::pthread_kill(self.thread, libc::SIGUSR2) };
    }
}

/// Whether a line of `/proc/thread-self/syscall` is that of a write.
#[cfg(target_os = "linux")]
fn is_a_write(line: &[u8]) -> bool {
    let number = line.split(|byte| *byte == b' ').next();
    let number = number.and_then(|number| std::str::from_utf8(number).ok());
    let number = number.and_then(|number| number.parse().ok());
    matches!(number, Some(libc::SYS_write | libc::SYS_writev))
}
