//! Panics of foreign code: how they are caught, reported, and handed out.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use corepool::{InitError, Panic, PanicLocation, PanicPayload};

use crate::intern::intern;

/// The payload of a panic, as `std::panic::catch_unwind` returns it.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Calls foreign code, whose panic ends here.
pub(crate) fn caught<R>(f: impl FnOnce() -> R) -> Result<R, Payload> {
    // Foreign code that panics may leave its own state broken. The pool's state does not depend on that.
    catch_unwind(AssertUnwindSafe(f))
}

/// Drops a foreign value. A panic in its destructor ends here.
pub(crate) fn discard<T>(value: T) {
    if let Err(payload) = caught(|| drop(value)) {
        // The payload's destructor may panic as well, and so may that panic's payload. So the payload is leaked.
        mem::forget(payload);
    }
}

/// Calls a worker's start hook. If the hook panics, the error has its `name` and the text of the panic.
pub(crate) fn call_hook(
    name: &str,
    hook: impl FnOnce() -> Result<(), InitError>,
) -> Result<(), InitError> {
    caught(hook).unwrap_or_else(|payload| {
        let text = intern(&format!("{name} panicked"), message(&payload));
        discard(payload);
        Err(InitError(text))
    })
}

/// The panic of a job. Each asker gets its text. The first asker that wants the payload gets that.
struct Caught(Arc<Shared>);

struct Shared {
    text: Option<Box<str>>,
    place: Option<Place>,
    payload: Mutex<Option<Payload>>,
}

/// The place in the source of a panic.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    file: Box<str>,
    line: u32,
    column: u32,
}

impl Place {
    pub(crate) fn location(&self) -> PanicLocation<'_> {
        PanicLocation {
            file: &self.file,
            line: self.line,
            column: self.column,
        }
    }
}

impl From<PanicLocation<'_>> for Place {
    fn from(location: PanicLocation<'_>) -> Self {
        Self {
            file: Box::from(location.file),
            line: location.line,
            column: location.column,
        }
    }
}

impl Caught {
    fn take(&self) -> Option<Payload> {
        // No code that may panic runs under this lock.
        let mut payload = self
            .0
            .payload
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        payload.take()
    }
}

impl PanicPayload for Caught {
    fn text(&self) -> Option<&str> {
        self.0.text.as_deref()
    }

    fn location(&self) -> Option<PanicLocation<'_>> {
        self.0.place.as_ref().map(Place::location)
    }

    fn share(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The panic of a job that was caught with this payload.
pub(crate) fn from_payload(payload: Payload) -> Panic {
    from_payload_at(payload, None)
}

/// The panic of a job that was caught with this payload, and began in this place.
pub(crate) fn from_payload_at(payload: Payload, place: Option<Place>) -> Panic {
    Panic::shared(Caught(Arc::new(Shared {
        text: text_of(&payload).map(Box::from),
        place,
        payload: Mutex::new(Some(payload)),
    })))
}

/// A panic of a job that ran in another address space, for
/// [`RemoteConfig::panic`](corepool::remote::RemoteConfig::panic). Its payload is the text as a
/// `String`. Without a text it is a `&str` that says so.
///
/// * **Context**: any thread.
/// * **Cost**: heap for the text and the file's path.
///
/// ```
/// use corepool::remote::RemoteConfig;
/// use corepool_std::remote_panic;
///
/// let config = RemoteConfig { panic: remote_panic, ..RemoteConfig::default() };
/// let panic = (config.panic)(Some("out of paper"), None);
/// assert_eq!(panic.text(), Some("out of paper"));
/// ```
#[cfg(feature = "remote")]
pub fn remote_panic(text: Option<&str>, location: Option<PanicLocation<'_>>) -> Panic {
    let payload: Payload = match text {
        Some(text) => Box::new(text.to_owned()),
        None => Box::new(NO_TEXT),
    };
    Panic::shared(Caught(Arc::new(Shared {
        text: text.map(Box::from),
        place: location.map(Place::from),
        payload: Mutex::new(Some(payload)),
    })))
}

/// Calls `f` and catches its panic, as a port does.
pub(crate) fn catch_panic(f: &mut dyn FnMut()) -> Result<(), Panic> {
    caught(f).map_err(from_payload)
}

/// Reports the panic of a job or callback whose outcome no party looks at. The payload and the logger are foreign
/// code: their panics end here.
pub(crate) fn report(panic: Panic) {
    let said = match panic.into_payload::<Payload>() {
        Ok(payload) => {
            let said = caught(|| say(message(&payload)));
            discard(payload);
            said
        }
        Err(panic) => {
            let said = caught(|| say(panic.text().unwrap_or(NO_TEXT)));
            discard(panic);
            said
        }
    };
    if let Err(payload) = said {
        discard(payload);
    }
}

fn say(message: &str) {
    #[cfg(feature = "log")]
    log::error!("a job or callback panicked, and nobody asked: {message}");
    #[cfg(not(feature = "log"))]
    {
        use std::io::Write as _;
        // Not `eprintln!`, which panics where standard error is full or closed. Then the report is lost.
        let _ = writeln!(
            std::io::stderr(),
            "corepool: a job or callback panicked, and nobody asked: {message}"
        );
    }
}

/// Access to the payload of a job's panic.
///
/// ```
/// use corepool::JobError;
/// use corepool_std::{PanicExt, ThreadPool};
///
/// let pool = ThreadPool::new();
/// let job = pool.submit(|| panic!("out of paper")).unwrap();
/// let Err(JobError::Panicked(panic)) = job.result() else { unreachable!() };
/// let payload = panic.payload().unwrap();
/// assert_eq!(*payload.downcast::<&str>().unwrap(), "out of paper");
/// ```
pub trait PanicExt {
    /// The payload that the job panicked with. `None` if it was handed out before, or if the pool
    /// had no [`HostPort`](crate::HostPort) when the job panicked. The panic's text stays:
    /// [`Panic::text`].
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    fn payload(self) -> Option<Payload>;

    /// Panics in the calling thread with the job's payload.
    ///
    /// * **Context**: any thread that may unwind.
    /// * **Cost**: it never returns.
    ///
    /// # Panics
    ///
    /// Always: that is its purpose. The payload is the job's, or a text that says that a job panicked.
    ///
    /// ```should_panic
    /// use corepool::JobError;
    /// use corepool_std::{PanicExt, ThreadPool};
    ///
    /// let pool = ThreadPool::new();
    /// let job = pool.submit(|| panic!("out of paper")).unwrap();
    /// if let Err(JobError::Panicked(panic)) = job.result() {
    ///     panic.resume(); // as if the caller had panicked itself
    /// }
    /// ```
    fn resume(self) -> !;
}

impl PanicExt for Panic {
    fn payload(self) -> Option<Payload> {
        match self.into_payload::<Caught>() {
            Ok(caught) => caught.take(),
            Err(panic) => panic.into_payload::<Payload>().ok(),
        }
    }

    fn resume(self) -> ! {
        let text = self.text().map(str::to_owned);
        let payload = self.payload().unwrap_or_else(|| match text {
            Some(text) => Box::new(text),
            None => Box::new("a job panicked"),
        });
        std::panic::resume_unwind(payload)
    }
}

/// The text that stands for a payload that is no text.
const NO_TEXT: &str = "a payload that is no text";

/// The text of a payload, if it is one.
pub(crate) fn text_of(payload: &Payload) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// The text of a payload, or a text that says that the payload is none.
pub(crate) fn message(payload: &Payload) -> &str {
    text_of(payload).unwrap_or(NO_TEXT)
}

#[cfg(test)]
mod tests {
    use std::panic::{panic_any, resume_unwind};

    use super::*;

    /// Panics when it is dropped, with another of its kind.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new(Bomb));
        }
    }

    #[test]
    fn a_destructor_that_panics_with_a_payload_that_does_too_ends_in_discard() {
        discard(Bomb);
        discard::<Payload>(Box::new(Bomb));
    }

    #[test]
    fn a_hook_that_panics_fails_with_the_text_of_its_panic() {
        let error = call_hook("the hook", || resume_unwind(Box::new("no paper")));
        assert_eq!(error, Err(InitError("the hook panicked: no paper")));
        let error = call_hook("the hook", || panic_any(Bomb));
        assert_eq!(
            error,
            Err(InitError("the hook panicked: a payload that is no text"))
        );
    }

    #[test]
    fn a_hook_that_returns_is_taken_at_its_word() {
        assert_eq!(call_hook("the hook", || Ok(())), Ok(()));
        let refusal = Err(InitError("no ink"));
        assert_eq!(call_hook("the hook", || refusal), refusal);
    }
}
