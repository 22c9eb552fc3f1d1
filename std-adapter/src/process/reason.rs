//! Why a worker process was lost, as a text that lives as long as the program.

use corepool::LossReason;

use crate::intern::intern;

/// A reason with this text. When there are very many, `details` are left out.
pub(super) fn loss_reason(text: &str, details: &str) -> LossReason {
    LossReason(intern(text, details))
}
