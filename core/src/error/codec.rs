//! Errors of jobs that travel to another address space.

use core::fmt;

/// Why a job could not travel to another address space, or its result could not come back.
#[cfg(feature = "remote")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
// A whole word, so that a result with an error in it moves in whole words.
#[repr(usize)]
pub enum CodecError {
    /// The arguments could not be encoded, or the job is not in the worker's table.
    Arguments,
    /// The arguments do not fit a buffer of the two sides.
    ArgumentsTooLarge,
    /// The other side could not decode the arguments.
    ArgumentsRefused,
    /// The other side has no such job.
    UnknownJob,
    /// The other side could not encode the result.
    Result,
    /// The result does not fit a buffer of the two sides.
    ResultTooLarge,
    /// This side could not decode the result.
    ResultRefused,
}

#[cfg(feature = "remote")]
impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arguments => {
                "the arguments could not be encoded, or the job is not in the worker's job table"
            }
            Self::ArgumentsTooLarge => {
                "the arguments are too large: make the link's buffers larger, or the job smaller"
            }
            Self::ArgumentsRefused => "the other side could not decode the arguments",
            Self::UnknownJob => "the other side has no such job",
            Self::Result => "the other side could not encode the result",
            Self::ResultTooLarge => {
                "the result is too large: make the link's buffers larger, or the result smaller"
            }
            Self::ResultRefused => "the result could not be decoded",
        })
    }
}

#[cfg(feature = "remote")]
impl core::error::Error for CodecError {}
