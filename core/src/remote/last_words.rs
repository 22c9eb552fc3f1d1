//! The last words of a program that a panic ends: the panic's text and place, for the client of the job
//! that runs.

use core::{
    fmt::{self, Write},
    task::Waker,
};

use heapless::String;

use crate::{
    error::{LossReason, PanicLocation},
    lockfree::sync::{AtomicU32, Ordering, const_unless_loom},
    machine::link::Link,
    wire::{
        frame::body_bytes,
        message::{Fault, PanicSaid, ToClient, cut_off},
        outbox::Outbox,
    },
};

/// The most bytes of a text.
const TEXT: usize = 160;

/// The most bytes of the frame, without the delimiter before it.
const FRAME: usize = 255;

/// The number of the job that a server runs, for a panic handler.
///
/// Where a panic does not unwind, no server can catch it. Instead the panic handler sends the panic's
/// text and place to the client, and then ends the program. The job ends as
/// [`Panicked`](crate::JobError::Panicked). The other jobs of the session end as lost, when the program
/// starts anew or when the client hears nothing for too long.
///
/// ```no_run
/// # use corepool::{LossReason, PanicLocation, SpinWorker};
/// # use corepool::remote::{Buffers, JobTable, LastWords, Link, serve_with_last_words};
/// static LAST_WORDS: LastWords = LastWords::new();
///
/// # fn core_1(mut uart: impl Link, jobs: &'static JobTable, buffers: Buffers<'_>) {
/// let _ = serve_with_last_words(&mut uart, jobs, buffers, &SpinWorker, &LAST_WORDS);
/// # }
///
/// # fn write_to_uart(_bytes: &[u8]) {}
/// # fn reset() -> ! { loop {} }
/// // #[panic_handler]
/// fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
///     let place = info.location().map(PanicLocation::from);
///     LAST_WORDS.say(info.message(), place, |bytes| write_to_uart(bytes));
///     reset()
/// }
/// ```
pub struct LastWords {
    /// The number plus one of the job that runs. 0 if none does.
    running: AtomicU32,
    /// The most bytes of a frame to the client.
    limit: AtomicU32,
}

impl fmt::Debug for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastWords").finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for LastWords {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "LastWords");
    }
}

impl LastWords {
    const_unless_loom! {
        /// No job runs yet.
        pub fn new() -> Self {
            Self {
                running: AtomicU32::new(0),
                limit: AtomicU32::new(0),
            }
        }
    }

    /// A job begins.
    pub(super) fn begin(&self, id: u16, limit: usize) {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        // Relaxed, here and below: the panic handler runs on this core. It interrupts the server, or the
        // server itself has panicked.
        self.limit.store(limit, Ordering::Relaxed);
        self.running.store(u32::from(id) + 1, Ordering::Relaxed);
    }

    /// No job runs, or the client does not wait for it any more.
    pub(super) fn end(&self) {
        self.running.store(0, Ordering::Relaxed);
    }

    /// Ends the running job as panicked: sends one frame by `send`, which writes all bytes and waits for
    /// the wire. If no job runs, the call sends nothing and returns false. Nor does a second call send
    /// anything, so a panic handler that panics itself comes to its end.
    ///
    /// The text is cut off after 160 bytes. If the client's buffer is small, the text and the place's file
    /// are cut off sooner.
    ///
    /// If the server has begun another frame, this one damages it. On a [lossless](Link::is_lossless)
    /// link the client ends the session then, without the words. The server has begun a frame if the link
    /// took only a part of it, before the job began or while the job asked
    /// [`is_cancelled`](super::JobContext::is_cancelled).
    ///
    /// * **Context**: the panic handler, on the server's core.
    /// * **Cost**: O(bytes), and 600 bytes of stack. `send` waits for the wire.
    pub fn say(
        &self,
        text: impl fmt::Display,
        place: Option<PanicLocation<'_>>,
        send: impl FnMut(&[u8]),
    ) -> bool {
        let Some(id) = self.running.load(Ordering::Relaxed).checked_sub(1) else {
            return false;
        };
        self.end();
        let id = id as u16;
        let limit = usize::try_from(self.limit.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let limit = limit.min(FRAME);
        let mut said = Text(String::new());
        // An error means that the text was cut off.
        let _ = write!(said, "{text}");
        let body = PanicSaid::of_parts(Some(&said.0), place, body_bytes(limit));
        let mut frame = [0; FRAME + 1];
        let mut outbox = Outbox::new(&mut frame);
        outbox.push_delimiter();
        let fault = Fault::Panicked;
        if outbox
            .push(limit, ToClient::Fault { id, fault }, &body)
            .is_err()
        {
            // The client's buffer has no room for a body at all.
            let _ = outbox.push(FRAME, ToClient::Fault { id, fault }, &());
        }
        // `Sent` never fails.
        let _ = outbox.flush(&mut Sent(send));
        true
    }
}

impl Default for LastWords {
    fn default() -> Self {
        Self::new()
    }
}

/// The beginning of a text, as much of it as there is room for.
struct Text(String<TEXT>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let part = cut_off(text, TEXT - self.0.len());
        self.0.push_str(part).map_err(|_| fmt::Error)?;
        if part.len() < text.len() {
            return Err(fmt::Error);
        }
        Ok(())
    }
}

/// The link for [`LastWords::say`]: the function sends all bytes at once.
struct Sent<F>(F);

impl<F: FnMut(&[u8])> Link for Sent<F> {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        (self.0)(bytes);
        Ok(bytes.len())
    }

    fn receive(&mut self, _buffer: &mut [u8]) -> Result<usize, LossReason> {
        Ok(0)
    }

    fn wake_on_data(&mut self, _waker: &Waker) {}
}
