//! The link: a way to exchange bytes with the other side.

use core::task::Waker;

use crate::error::LossReason;

/// A way to exchange bytes with one peer: a UART, a mailbox in shared memory, a socket.
///
/// No method waits. A link may lose or damage bytes. The frame that the bytes belong to is
/// lost then, and both sides notice that. A [lossless](Self::is_lossless) link saves them the
/// checks.
///
/// An error ends the link, and its reason is the reason with which the jobs in flight end. A link
/// that may come back by itself, such as a UART whose cable was pulled, returns no error and is
/// silent.
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
///
///     fn is_lossless(&self) -> bool {
///         false // the default: a wire can damage bytes
///     }
/// }
/// # let mut uart = Uart { fifo: Default::default(), waker: None };
/// # assert_eq!(uart.send(b"ab"), Ok(2));
/// # assert_eq!(uart.receive(&mut [0; 4]), Ok(2));
/// ```
pub trait Link {
    /// Takes as many of `bytes` as it can without waiting, from the first on, and returns their
    /// number.
    ///
    /// * **Context**: called by [`serve`](crate::remote::serve) and
    ///   [`RemoteWorker::run`](crate::remote::RemoteWorker::run), in their caller's.
    /// * **Cost**: O(bytes). It must not wait, since all jobs of the link would wait, too.
    ///
    /// # Errors
    ///
    /// The link has ended, for this reason.
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason>;

    /// Puts received bytes into `buffer`, as many as fit, and returns their number.
    ///
    /// * **Context**: called by [`serve`](crate::remote::serve) and
    ///   [`RemoteWorker::run`](crate::remote::RemoteWorker::run), in their caller's.
    /// * **Cost**: O(bytes). It must not wait.
    ///
    /// # Errors
    ///
    /// The link has ended, for this reason. Earlier calls have returned all bytes that arrived
    /// before the end.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason>;

    /// Registers `waker`, which replaces the one registered before. The link wakes it when bytes
    /// arrive, and when the link ends. It also wakes it when a [`send`](Self::send) that took only
    /// a part can take more.
    ///
    /// * **Context**: called as [`send`](Self::send) is. The waker may be woken from any, interrupt
    ///   handlers included.
    /// * **Cost**: once for each session.
    fn wake_on_data(&mut self, waker: &Waker);

    /// Whether all bytes arrive, in order and undamaged, until the link ends. If so, a damaged
    /// frame means a broken peer, and ends the link. False by default.
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
