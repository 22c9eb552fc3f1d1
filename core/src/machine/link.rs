//! The link: how bytes get to the other side.

use core::task::Waker;

use crate::error::LossReason;

/// A way to exchange bytes with one peer: a UART, a mailbox in shared memory, a socket.
///
/// Neither method waits. A link may lose or damage bytes. That costs the frames that they belong
/// to, which is noticed. One that is [lossless](Self::is_lossless) says so and saves the looking.
///
/// An error is the end of the link, with the reason that the jobs in flight end with. A link that
/// may come back by itself, such as a UART whose cable was pulled, has no errors and is silent.
///
/// ```
/// use core::task::Waker;
/// use corepool::{LossReason, remote::Link};
///
/// /// A UART with a FIFO, of which the receive interrupt wakes the waker.
/// struct Uart {
/// #   fifo: std::collections::VecDeque<u8>, waker: Option<Waker>,
///     // registers
/// }
///
/// impl Link for Uart {
///     fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
///         let mut count = 0;
///         for &byte in bytes {
///             // if the FIFO is full: break
/// #           self.fifo.push_back(byte);
///             count += 1;
///         }
///         Ok(count)
///     }
///
///     fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
///         let mut count = 0;
///         while count < buffer.len()
///             && let Some(byte) = self.fifo.pop_front()
///         {
///             buffer[count] = byte;
///             count += 1;
///         }
///         Ok(count)
///     }
///
///     fn wake_on_data(&mut self, waker: &Waker) {
///         self.waker = Some(waker.clone()); // where the interrupt handler finds it
///     }
/// }
/// # let mut uart = Uart { fifo: Default::default(), waker: None };
/// # assert_eq!(uart.send(b"ab"), Ok(2));
/// # assert_eq!(uart.receive(&mut [0; 4]), Ok(2));
/// ```
pub trait Link {
    /// Takes as many of `bytes`, from the first on, as it can without waiting, and says how many; 0
    /// if none.
    ///
    /// * **Context**: called by [`serve`](crate::remote::serve) and
    ///   [`RemoteWorker::run`](crate::remote::RemoteWorker::run), in their caller's.
    /// * **Cost**: O(bytes), and no wait: all jobs of the link would wait, too.
    ///
    /// # Errors
    ///
    /// The link has ended, for this reason.
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason>;

    /// Puts what has arrived into `buffer`, as much as fits, and says how much; 0 if nothing has.
    ///
    /// * **Context**: called by [`serve`](crate::remote::serve) and
    ///   [`RemoteWorker::run`](crate::remote::RemoteWorker::run), in their caller's.
    /// * **Cost**: O(bytes), and no wait.
    ///
    /// # Errors
    ///
    /// The link has ended, for this reason. What arrived before was handed out before.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason>;

    /// Has `waker` woken from now on whenever something arrives, the link ends, or a
    /// [`send`](Self::send) that took less than it was given may take more. Called again, the new
    /// waker takes the place of the old.
    ///
    /// * **Context**: called as [`send`](Self::send) is. The waker may be woken from any, interrupt
    ///   handlers included.
    /// * **Cost**: once for each session.
    fn wake_on_data(&mut self, waker: &Waker);

    /// Whether all bytes arrive, in order and unharmed, as long as the link has not ended. Then a
    /// frame that is damaged means a peer that is broken, and ends the link. False by default.
    ///
    /// * **Context**: called as [`send`](Self::send) is.
    /// * **Cost**: once for each look at the clock, and for each damaged frame.
    fn is_lossless(&self) -> bool {
        false
    }
}

impl<L: Link + ?Sized> Link for &mut L {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        (**self).send(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        (**self).receive(buffer)
    }

    fn wake_on_data(&mut self, waker: &Waker) {
        (**self).wake_on_data(waker);
    }

    fn is_lossless(&self) -> bool {
        (**self).is_lossless()
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// Says what it is asked for.
    #[derive(Default)]
    struct Told {
        sent: Vec<u8>,
        wakers: usize,
    }

    impl Link for Told {
        fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
            self.sent.extend(bytes);
            Ok(bytes.len())
        }

        fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
            buffer.fill(7);
            Ok(buffer.len())
        }

        fn wake_on_data(&mut self, _waker: &Waker) {
            self.wakers += 1;
        }
    }

    #[test]
    fn a_link_may_lose_bytes_unless_it_says_otherwise() {
        assert!(!Told::default().is_lossless());
    }

    #[test]
    fn a_borrowed_link_is_one() {
        fn exchange(mut link: impl Link) -> [u8; 3] {
            link.wake_on_data(Waker::noop());
            assert_eq!(link.send(b"abc"), Ok(3));
            let mut buffer = [0; 3];
            assert_eq!(link.receive(&mut buffer), Ok(3));
            buffer
        }
        let mut link = Told::default();
        assert_eq!(exchange(&mut link), [7; 3]);
        assert_eq!((link.sent.as_slice(), link.wakers), (&b"abc"[..], 1));
    }
}
