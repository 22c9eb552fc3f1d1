//! Both sides of a link in one process: a wire that a test can cut, damage and fill, and what becomes
//! of panics on its way.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    task::Waker,
};

use corepool::{LossReason, Panic, PanicLocation, PanicPayload, remote::Link};

/// One direction.
#[derive(Debug, Default)]
pub struct Pipe {
    bytes: VecDeque<u8>,
    waker: Option<Waker>,
    ended: Option<LossReason>,
    /// The wire loses all bytes.
    pub cut: bool,
    /// So many frames from now on are damaged.
    pub damages: u32,
    /// How many bytes it holds at most; 0 is without limit.
    pub room: usize,
}

impl Pipe {
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

/// The sides of a pipe share it.
type Shared = Arc<Mutex<Pipe>>;

/// One end of the wire.
#[derive(Clone, Debug)]
pub struct End {
    /// The bytes that it sends.
    pub out: Shared,
    into: Shared,
    lossless: bool,
}

impl Link for End {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        let mut pipe = self.out.lock().unwrap();
        if let Some(reason) = pipe.ended {
            return Err(reason);
        }
        if pipe.cut {
            return Ok(bytes.len());
        }
        let room = match pipe.room {
            0 => bytes.len(),
            room => (room - pipe.bytes.len()).min(bytes.len()),
        };
        for &byte in &bytes[..room] {
            let damaged = pipe.damages > 0 && byte == 0;
            if damaged {
                pipe.damages -= 1;
                // Something in the frame that ends here.
                if let Some(last) = pipe.bytes.back_mut() {
                    *last ^= 0x80;
                }
            }
            pipe.bytes.push_back(byte);
        }
        pipe.wake();
        Ok(room)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        let mut pipe = self.into.lock().unwrap();
        let count = buffer.len().min(pipe.bytes.len());
        for (to, from) in buffer.iter_mut().zip(pipe.bytes.drain(..count)) {
            *to = from;
        }
        drop(pipe);
        if count > 0 {
            // There is room now.
            if let Some(waker) = &self.out.lock().unwrap().waker {
                waker.wake_by_ref();
            }
            return Ok(count);
        }
        match self.into.lock().unwrap().ended {
            Some(reason) if !buffer.is_empty() => Err(reason),
            _ => Ok(0),
        }
    }

    fn wake_on_data(&mut self, waker: &Waker) {
        self.into.lock().unwrap().waker = Some(waker.clone());
    }

    fn is_lossless(&self) -> bool {
        self.lossless
    }
}

/// Two pipes, one in each direction.
#[derive(Debug)]
pub struct Wire {
    /// The end of the pool.
    pub client: End,
    /// The end where jobs run.
    pub server: End,
}

impl Wire {
    /// A wire, whose ends say whether it is lossless.
    pub fn new(lossless: bool) -> Self {
        let (to, from) = (Shared::default(), Shared::default());
        Self {
            client: End {
                out: to.clone(),
                into: from.clone(),
                lossless,
            },
            server: End {
                out: from,
                into: to,
                lossless,
            },
        }
    }

    /// Ends it, for both sides.
    pub fn end(&self, reason: LossReason) {
        for pipe in [&self.client.out, &self.client.into] {
            let mut pipe = pipe.lock().unwrap();
            pipe.ended = Some(reason);
            pipe.wake();
        }
    }

    /// Whether what is sent is lost, in both directions.
    pub fn cut(&self, cut: bool) {
        self.client.out.lock().unwrap().cut = cut;
        self.client.into.lock().unwrap().cut = cut;
    }
}

/// The words of the side where jobs run about a panic: its text, and a place that stands for any.
pub fn catch_panic(f: &mut dyn FnMut()) -> Result<(), Panic> {
    /// The text.
    struct Said(Box<str>);

    impl PanicPayload for Said {
        fn text(&self) -> Option<&str> {
            Some(&self.0)
        }

        fn location(&self) -> Option<PanicLocation<'_>> {
            Some(PLACE)
        }

        fn share(&self) -> Self {
            Self(self.0.clone())
        }
    }

    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let text = payload.downcast::<String>().unwrap_or_default();
        Panic::shared(Said(text.into_boxed_str()))
    })
}

/// The place of any panic on the side where jobs run.
pub const PLACE: PanicLocation<'static> = PanicLocation {
    file: "there.rs",
    line: 65,
    column: 4,
};
