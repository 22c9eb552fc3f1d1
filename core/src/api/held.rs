//! The text that says what a future holds.

use core::{any::type_name, fmt};

use crate::{
    api::future::JobFuture,
    api::job_state::JobState,
    engine::outcome::{self, Shown},
};

/// The content of a future.
enum Held {
    /// The job has no result or error yet, or it was cancelled.
    Nothing,
    Result,
    /// The result was moved out.
    Taken,
    Error(Shown),
}

impl<T> JobFuture<'_, T> {
    /// The state, and what the future holds, both of one moment.
    fn held(&self) -> (JobState, Held) {
        let word = self.slot().state.load();
        let state = JobState::of(word);
        if state != JobState::Finished {
            return (state, Held::Nothing);
        }
        // SAFETY: the job is ready, and this is its outcome. Only methods that borrow the handle
        // exclusively write the payload.
        let error = unsafe { outcome::shown_error(self.pool(), self.slot(), word.outcome()) };
        let held = match error {
            Some(error) => Held::Error(error),
            None if self.is_taken() => Held::Taken,
            None => Held::Result,
        };
        (state, held)
    }
}

/// The text has the state. If the job has ended, it also has the type of the result, or the kind of
/// the error.
///
/// The call neither waits nor calls foreign code. So it shows neither the result, nor a panic's
/// text, nor the application's error of a promise.
impl<T> fmt::Debug for JobFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, held) = self.held();
        let mut text = f.debug_struct("JobFuture");
        text.field("slot", &self.slot().index());
        text.field("state", &state);
        match held {
            Held::Nothing => &mut text,
            Held::Result => text.field("returned", &format_args!("{}", type_name::<T>())),
            Held::Taken => text.field("taken", &format_args!("{}", type_name::<T>())),
            Held::Error(error) => text.field("error", &error),
        };
        text.finish()
    }
}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for JobFuture<'_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let (state, held) = self.held();
        let slot = self.slot().index();
        match held {
            Held::Nothing => defmt::write!(f, "JobFuture({=u16}, {})", slot, state),
            Held::Result => {
                defmt::write!(
                    f,
                    "JobFuture({=u16}, returned {=str})",
                    slot,
                    type_name::<T>()
                );
            }
            Held::Taken => {
                defmt::write!(f, "JobFuture({=u16}, taken {=str})", slot, type_name::<T>());
            }
            Held::Error(error) => defmt::write!(f, "JobFuture({=u16}, {})", slot, error),
        }
    }
}
