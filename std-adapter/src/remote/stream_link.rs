//! A link over any stream of bytes of the host: a serial port, a socket.

use std::{
    collections::VecDeque,
    fmt,
    io::{ErrorKind, Read, Write},
    num::NonZeroUsize,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    thread,
};

use corepool::{LossReason, remote::Link};

use crate::panic::{caught, discard};

/// How many bytes a link holds by default: several of the longest frames that boards send.
const HOLDS: NonZeroUsize = NonZeroUsize::new(64 << 10).unwrap();

/// A [`Link`] over a stream, such as a serial port or a socket. The peer is a board that shares the host's
/// work, or that the host tests.
///
/// A thread reads from the stream, and holds the bytes until the remote worker takes them: up to 64 KiB, or
/// [another number](Self::holding). When it holds that many, the thread waits until there is room. A peer
/// that sends on is held up by the stream, or loses the bytes that the stream drops.
///
/// The thread ends with the stream. If the link is dropped, the thread ends after the read that it has begun.
///
/// A send waits while the stream takes nothing. Meanwhile, the thread of the remote worker does nothing else.
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use corepool::remote::Link;
/// use corepool_std::StreamLink;
///
/// let (ours, mut theirs) = UnixStream::pair().unwrap();
/// let mut link = StreamLink::new(ours.try_clone().unwrap(), ours).unwrap();
/// link.send(b"hello").unwrap();
/// let mut heard = [0; 5];
/// std::io::Read::read_exact(&mut theirs, &mut heard).unwrap();
/// assert_eq!(&heard, b"hello");
/// ```
pub struct StreamLink<W> {
    writer: W,
    shared: Arc<Shared>,
}

struct Shared {
    arrived: Mutex<Arrived>,
    /// Notified when the link takes bytes, or is dropped.
    room: Condvar,
    /// How many bytes the thread holds at most.
    holds: usize,
}

#[derive(Default)]
struct Arrived {
    bytes: VecDeque<u8>,
    /// In an `Arc`, so that a clone under the lock runs no foreign code.
    waker: Option<Arc<Waker>>,
    /// The stream has ended.
    ended: bool,
    /// The link was dropped.
    dropped: bool,
}

const ENDED: LossReason = LossReason("the stream has ended");

impl<W: Write> StreamLink<W> {
    /// A link that receives from `reader` and sends by `writer`. The reads of `reader` wait for bytes.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: starts a thread. Heap for the bytes that the thread holds: up to 64 KiB, as they
    ///   arrive.
    ///
    /// # Errors
    ///
    /// The system's error, if it refuses the thread.
    pub fn new(reader: impl Read + Send + 'static, writer: W) -> std::io::Result<Self> {
        Self::holding(HOLDS, reader, writer)
    }

    /// [`new`](Self::new) with another bound than 64 KiB for the bytes that the thread holds. A frame may
    /// be longer than that.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`new`](Self::new), with up to `bytes` of heap.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    ///
    /// ```
    /// # use std::{num::NonZeroUsize, os::unix::net::UnixStream};
    /// # use corepool_std::StreamLink;
    /// let (ours, _theirs) = UnixStream::pair().unwrap();
    /// let bytes = NonZeroUsize::new(4_096).unwrap();
    /// let link = StreamLink::holding(bytes, ours.try_clone().unwrap(), ours).unwrap();
    /// # drop(link);
    /// ```
    pub fn holding(
        bytes: NonZeroUsize,
        reader: impl Read + Send + 'static,
        writer: W,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            arrived: Mutex::default(),
            room: Condvar::new(),
            holds: bytes.get(),
        });
        let readers = Arc::clone(&shared);
        thread::Builder::new()
            .name(String::from("stream-link"))
            .spawn(move || {
                // A reader may panic: the link ends then as well.
                let _end = End(&readers);
                readers.take_in(reader);
            })?;
        Ok(Self { writer, shared })
    }
}

impl Shared {
    fn arrived(&self) -> MutexGuard<'_, Arrived> {
        // Bytes have no state that a panic could leave broken.
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until the stream or the link has ended.
    fn take_in(&self, mut reader: impl Read) {
        let mut buffer = [0; 1_024];
        while let Some(room) = self.wait_for_room() {
            let most = room.min(buffer.len());
            let count = match reader.read(&mut buffer[..most]) {
                Ok(0) => return,
                Ok(count) => count,
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        continue;
                    }
                    _ => return,
                },
            };
            self.tell(|arrived| arrived.bytes.extend(&buffer[..count]));
        }
    }

    /// Waits until there is room, and returns for how many bytes. `None` if the link was dropped.
    fn wait_for_room(&self) -> Option<usize> {
        let arrived = self.room.wait_while(self.arrived(), |arrived| {
            !arrived.dropped && arrived.bytes.len() >= self.holds
        });
        let arrived = arrived.unwrap_or_else(PoisonError::into_inner);
        (!arrived.dropped).then(|| self.holds - arrived.bytes.len())
    }

    /// Changes what has arrived, and wakes the remote worker. It does so without the lock, since a waker may run any
    /// code.
    fn tell(&self, change: impl FnOnce(&mut Arrived)) {
        let mut arrived = self.arrived();
        change(&mut arrived);
        let waker = arrived.waker.clone();
        drop(arrived);
        if let Some(waker) = waker {
            // The thread reads on even if the waker, its destructor, or that of its panic's payload panics.
            discard(caught(|| waker.wake_by_ref()));
            discard(waker);
        }
    }
}

/// Marks the link as ended when the reading thread ends.
struct End<'s>(&'s Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.tell(|arrived| arrived.ended = true);
    }
}

impl<W> Drop for StreamLink<W> {
    fn drop(&mut self) {
        self.shared.arrived().dropped = true;
        self.shared.room.notify_one();
    }
}

impl<W: Write> Link for StreamLink<W> {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        loop {
            match self.writer.write(bytes) {
                Ok(count) => {
                    self.writer.flush().map_err(|_| ENDED)?;
                    return Ok(count);
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => return Ok(0),
                    _ => return Err(ENDED),
                },
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        let mut arrived = self.shared.arrived();
        if arrived.bytes.is_empty() && arrived.ended && !buffer.is_empty() {
            return Err(ENDED);
        }
        let count = buffer.len().min(arrived.bytes.len());
        for (place, byte) in buffer.iter_mut().zip(arrived.bytes.drain(..count)) {
            *place = byte;
        }
        drop(arrived);
        if count > 0 {
            self.shared.room.notify_one();
        }
        Ok(count)
    }

    fn wake_on_data(&mut self, waker: &Waker) {
        let waker = Arc::new(waker.clone());
        // The old waker is dropped when the lock is free.
        let _old = self.shared.arrived().waker.replace(waker);
    }
}

impl<W> fmt::Debug for StreamLink<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrived = self.shared.arrived();
        let (held, ended) = (arrived.bytes.len(), arrived.ended);
        drop(arrived);
        f.debug_struct("StreamLink")
            .field("held", &held)
            .field("holds", &self.shared.holds)
            .field("ended", &ended)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, sink},
        panic::resume_unwind,
        sync::{
            atomic::{AtomicBool, AtomicUsize, Ordering},
            mpsc,
        },
    };

    use super::*;

    const FEW: NonZeroUsize = NonZeroUsize::new(100).unwrap();

    /// A peer that sends without an end, and counts how many bytes it was asked for.
    #[derive(Default)]
    struct Babble {
        given: AtomicUsize,
        /// How many of them the test has taken, or is about to take.
        taken: AtomicUsize,
        /// Whether it was asked for more bytes than the link may hold.
        too_much: AtomicBool,
    }

    struct Babbler(Arc<Babble>);

    impl Read for Babbler {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let given = self.0.given.fetch_add(buffer.len(), Ordering::SeqCst) + buffer.len();
            if given > self.0.taken.load(Ordering::SeqCst) + FEW.get() {
                self.0.too_much.store(true, Ordering::SeqCst);
            }
            buffer.fill(7);
            Ok(buffer.len())
        }
    }

    fn await_true(mut condition: impl FnMut() -> bool) {
        while !condition() {
            thread::yield_now();
        }
    }

    #[test]
    fn a_peer_that_sends_without_an_end_waits_for_room() {
        let babble = Arc::new(Babble::default());
        let reader = Babbler(Arc::clone(&babble));
        let mut link = StreamLink::holding(FEW, reader, sink()).unwrap();
        for round in 1..=10 {
            let full = round * FEW.get();
            await_true(|| babble.given.load(Ordering::SeqCst) >= full);
            // A thread that does not wait for room would go on now.
            (0..100).for_each(|_| thread::yield_now());
            babble.taken.fetch_add(FEW.get(), Ordering::SeqCst);
            let mut rest = FEW.get();
            while rest > 0 {
                rest -= link.receive(&mut vec![0; rest]).unwrap();
            }
        }
        assert!(!babble.too_much.load(Ordering::SeqCst));
    }

    #[test]
    fn no_more_is_read_than_there_is_room_for() {
        let babble = Arc::new(Babble::default());
        let reader = Babbler(Arc::clone(&babble));
        let mut link = StreamLink::holding(FEW, reader, sink()).unwrap();
        for taken in 0..10 {
            await_true(|| babble.given.load(Ordering::SeqCst) >= FEW.get() + taken);
            babble.taken.fetch_add(1, Ordering::SeqCst);
            // It arrives in a moment.
            await_true(|| link.receive(&mut [0]).unwrap() == 1);
        }
        assert!(!babble.too_much.load(Ordering::SeqCst));
    }

    #[test]
    fn a_reader_that_waits_for_room_ends_with_the_link() {
        let babble = Arc::new(Babble::default());
        let reader = Babbler(Arc::clone(&babble));
        let link = StreamLink::holding(FEW, reader, sink()).unwrap();
        await_true(|| babble.given.load(Ordering::SeqCst) >= FEW.get());
        drop(link);
        // The thread has dropped the reader, which shares `babble`.
        await_true(|| Arc::strong_count(&babble) == 1);
    }

    /// A reader that panics, as a driver may.
    struct Faulty;

    impl Read for Faulty {
        fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            panic!("the driver fails");
        }
    }

    #[test]
    fn a_reader_that_panics_is_the_end_of_the_link() {
        let mut link = StreamLink::new(Faulty, sink()).unwrap();
        let end = loop {
            match link.receive(&mut [0; 8]) {
                Ok(_) => thread::yield_now(),
                Err(reason) => break reason,
            }
        };
        assert_eq!(end, ENDED);
    }

    /// A stream of the bytes that a sender sends. It ends with the sender.
    struct Channel(mpsc::Receiver<u8>);

    impl Read for Channel {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Ok(byte) = self.0.recv() else {
                return Ok(0);
            };
            buffer[0] = byte;
            Ok(1)
        }
    }

    /// A waker that takes the link's lock, as one may that polls a task in place.
    struct Curious(Arc<Shared>, mpsc::Sender<usize>);

    impl std::task::Wake for Curious {
        fn wake(self: Arc<Self>) {
            let _ = self.1.send(self.0.arrived().bytes.len());
        }
    }

    #[test]
    fn a_waker_is_called_without_the_lock() {
        let (bytes, reader) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let mut link = StreamLink::new(Channel(reader), sink()).unwrap();
        let waker = Arc::new(Curious(Arc::clone(&link.shared), tell));
        link.wake_on_data(&waker.into());
        bytes.send(1).unwrap();
        assert_eq!(told.recv(), Ok(1));
    }

    /// A payload of a panic that panics when it is dropped.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("the payload panics"));
        }
    }

    struct PanickingWaker;

    impl std::task::Wake for PanickingWaker {
        fn wake(self: Arc<Self>) {
            resume_unwind(Box::new(Bomb));
        }
    }

    #[test]
    fn a_waker_that_panics_does_not_end_the_link() {
        let (bytes, reader) = mpsc::channel();
        let mut link = StreamLink::new(Channel(reader), sink()).unwrap();
        link.wake_on_data(&Arc::new(PanickingWaker).into());
        for byte in [1, 2] {
            bytes.send(byte).unwrap();
            let mut heard = [0];
            await_true(|| link.receive(&mut heard).unwrap() == 1);
            assert_eq!(heard, [byte]);
        }
    }

    /// A stream that fails with each of these errors, the last one first, and then takes or gives everything.
    struct Scripted(Vec<ErrorKind>);

    impl Scripted {
        fn answer(&mut self) -> io::Result<()> {
            self.0.pop().map_or(Ok(()), |kind| Err(kind.into()))
        }
    }

    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.answer()?;
            buffer.fill(7);
            Ok(buffer.len())
        }
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.answer()?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_read_that_has_given_nothing_yet_is_tried_again() {
        for kind in [
            ErrorKind::Interrupted,
            ErrorKind::WouldBlock,
            ErrorKind::TimedOut,
        ] {
            let mut link = StreamLink::holding(FEW, Scripted(vec![kind]), sink()).unwrap();
            let mut heard = [0];
            await_true(|| link.receive(&mut heard).unwrap() == 1);
            assert_eq!(heard, [7]);
        }
    }

    #[test]
    fn a_read_that_fails_is_the_end_of_the_link() {
        let reader = Scripted(vec![ErrorKind::ConnectionReset]);
        let mut link = StreamLink::holding(FEW, reader, sink()).unwrap();
        await_true(|| link.receive(&mut [0]) == Err(ENDED));
        assert_eq!(link.receive(&mut []), Ok(0), "nothing was asked for");
    }

    #[test]
    fn a_write_is_tried_again_takes_nothing_or_is_the_end_of_the_link() {
        let sent = |kind| {
            let mut link = StreamLink::new(io::empty(), Scripted(vec![kind])).unwrap();
            link.send(b"hello")
        };
        assert_eq!(sent(ErrorKind::Interrupted), Ok(5));
        assert_eq!(sent(ErrorKind::WouldBlock), Ok(0));
        assert_eq!(sent(ErrorKind::TimedOut), Ok(0));
        assert_eq!(sent(ErrorKind::BrokenPipe), Err(ENDED));
    }
}
