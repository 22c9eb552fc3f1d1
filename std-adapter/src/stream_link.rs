//! A link over any stream of bytes of the host: a serial port, a socket.

use std::{
    collections::VecDeque,
    fmt,
    io::{ErrorKind, Read, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    thread,
};

use corepool::{LossReason, remote::Link};

/// A [`Link`] over a stream: to a board at a serial port, with which a host shares work or tests it.
///
/// A thread reads what arrives, as long as the stream lasts: also after the link is gone, until the
/// next byte. Sending waits for a stream that takes nothing; give the pool's threads something else
/// to do than to be remote workers, if that matters.
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
    arrived: Arc<Mutex<Arrived>>,
}

#[derive(Default)]
struct Arrived {
    bytes: VecDeque<u8>,
    waker: Option<Waker>,
    ended: bool,
}

const ENDED: LossReason = LossReason("the stream has ended");

impl<W: Write> StreamLink<W> {
    /// A link that receives from `reader`, whose reads wait, and sends by `writer`.
    ///
    /// # Errors
    ///
    /// No thread can be started.
    pub fn new(reader: impl Read + Send + 'static, writer: W) -> std::io::Result<Self> {
        let arrived = Arc::<Mutex<Arrived>>::default();
        let shared = Arc::clone(&arrived);
        thread::Builder::new()
            .name(String::from("stream-link"))
            .spawn(move || read_all(reader, &shared))?;
        Ok(Self { writer, arrived })
    }
}

fn lock(arrived: &Mutex<Arrived>) -> MutexGuard<'_, Arrived> {
    // Bytes have no state that a panic could leave broken.
    arrived.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_all(mut reader: impl Read, arrived: &Arc<Mutex<Arrived>>) {
    let mut buffer = [0; 1_024];
    while Arc::strong_count(arrived) > 1 {
        let count = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => match error.kind() {
                ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => continue,
                _ => break,
            },
        };
        let mut arrived = lock(arrived);
        arrived.bytes.extend(&buffer[..count]);
        if let Some(waker) = &arrived.waker {
            waker.wake_by_ref();
        }
    }
    let mut arrived = lock(arrived);
    arrived.ended = true;
    if let Some(waker) = &arrived.waker {
        waker.wake_by_ref();
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
        let mut arrived = lock(&self.arrived);
        if arrived.bytes.is_empty() && arrived.ended && !buffer.is_empty() {
            return Err(ENDED);
        }
        let count = buffer.len().min(arrived.bytes.len());
        for (place, byte) in buffer.iter_mut().zip(arrived.bytes.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    fn wake_on_data(&mut self, waker: &Waker) {
        lock(&self.arrived).waker = Some(waker.clone());
    }
}

impl<W> fmt::Debug for StreamLink<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamLink")
            .field("ended", &lock(&self.arrived).ended)
            .finish_non_exhaustive()
    }
}
