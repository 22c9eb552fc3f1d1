//! Why a run failed.

use std::{fmt, time::Duration};

/// Stands for the context of a failure that is no context's own.
pub(crate) const CHIP: &str = "chip";

/// The cause of a failed run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An assertion of the test, or other code outside a job, panicked.
    Panic {
        /// The panic's text.
        text: String,
        /// The file and the line.
        place: String,
    },
    /// A detached job or a callback panicked, with this text, and no party observes it.
    Unobserved(String),
    /// The test waits, and nothing can end the wait: what each context does, and the pools with unfinished jobs.
    Deadlock(Vec<String>),
    /// The run took this many points and did not end: what each context does, and the pools with unfinished jobs.
    NoEnd(u64, Vec<String>),
    /// The run went on for longer than the limit after `heal`: what each context does, and the pools with
    /// unfinished jobs.
    NotHealed(Duration, Vec<String>),
    /// An interrupt handler called a function that has to wait.
    HandlerBlocks(&'static str),
    /// A context waited, or ended, inside a critical section: the call.
    SectionHeld(&'static str),
    /// At the end, a pool has fewer free slots than it should.
    SlotsLost {
        /// The path of the pool's static. Where it is not known, the pool's number in the order of the calls of
        /// `pool`.
        pool: String,
        /// The slots that are free.
        free: usize,
        /// The slots that were to be free.
        expected: usize,
    },
    /// Two runs of one schedule differ.
    Nondeterminism {
        /// The first difference.
        difference: String,
        /// The paths of the application's statics that no call names, and that have changed since the
        /// simulation began: on Linux.
        statics: Vec<String>,
    },
}

impl Cause {
    /// The waits of each context at a standstill, or in a run that does not end.
    pub(crate) fn lines(&mut self) -> Option<&mut Vec<String>> {
        match self {
            Self::Deadlock(lines) | Self::NoEnd(_, lines) | Self::NotHealed(_, lines) => {
                Some(lines)
            }
            _ => None,
        }
    }

    /// Whether another run failed in the same way. Numbers in texts may differ.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Panic { place: one, .. }, Self::Panic { place: other, .. }) => one == other,
            (Self::Unobserved(one), Self::Unobserved(other)) => {
                without_digits(one) == without_digits(other)
            }
            (Self::HandlerBlocks(one), Self::HandlerBlocks(other))
            | (Self::SectionHeld(one), Self::SectionHeld(other)) => one == other,
            (Self::SlotsLost { pool: one, .. }, Self::SlotsLost { pool: other, .. }) => {
                one == other
            }
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// The most statics that a report names.
const MOST_STATICS: usize = 8;

fn without_digits(text: &str) -> String {
    text.chars().filter(|char| !char.is_ascii_digit()).collect()
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contexts = |f: &mut fmt::Formatter<'_>, lines: &[String]| {
            lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
        };
        match self {
            Self::Panic { text, place } => write!(f, "panicked at {place}: {text}"),
            Self::Unobserved(text) => write!(
                f,
                "a job without a handle, or a callback, panicked: {text}. Keep the job's future and look at its result, or call `allow_unobserved_panics`"
            ),
            Self::Deadlock(lines) => {
                f.write_str("the test waits, and nothing can end the wait:")?;
                contexts(f, lines)
            }
            Self::NoEnd(points, lines) => {
                write!(
                    f,
                    "the run did not end within {points} points: the scenario is endless, or a loop waits for what no context does:"
                )?;
                contexts(f, lines)
            }
            Self::NotHealed(limit, lines) => {
                write!(
                    f,
                    "the test did not end within {limit:?} after the last fault:"
                )?;
                contexts(f, lines)
            }
            Self::HandlerBlocks(call) => write!(
                f,
                "an interrupt handler has to wait in `{call}`, and a handler may not wait. Let the main loop wait, or use `try_result` or a callback"
            ),
            Self::SectionHeld(call) => write!(
                f,
                "a critical section is held at `{call}`. End the section before the context waits or ends"
            ),
            Self::SlotsLost {
                pool,
                free,
                expected,
            } => write!(
                f,
                "at the end, the pool `{pool}` has {free} slots free instead of {expected}. A future, a promise or a job was leaked, or kept for the next run: in a static that is not reset, or in a variable of the test"
            ),
            Self::Nondeterminism {
                difference,
                statics,
            } => {
                write!(f, "two runs of one schedule differ: {difference}. ")?;
                if statics.is_empty() {
                    f.write_str(
                        "Usual causes are a static that is not reset, which `reset` names, ",
                    )?;
                } else {
                    let (shown, more) = statics.split_at(statics.len().min(MOST_STATICS));
                    write!(
                        f,
                        "These statics keep their values from run to run, since no `reset` names them: `{}`",
                        shown.join("`, `")
                    )?;
                    if !more.is_empty() {
                        write!(f, " and {} more", more.len())?;
                    }
                    f.write_str(
                        ". `reset_crates` takes such a path, too. Other usual causes are ",
                    )?;
                }
                f.write_str("the order of a `HashMap`, `Instant`, `thread_local!`, and an address")
            }
        }
    }
}
