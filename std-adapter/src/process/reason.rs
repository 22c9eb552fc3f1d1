//! Why a worker process was lost, as a text that lives as long as the program.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use corepool::LossReason;

/// How many bytes of reasons are kept, at most.
const MOST: usize = 1 << 20;

/// A reason with this text. Equal texts are kept once. When there are very many, `details` are left
/// out: what is left of the texts are few then.
pub(super) fn loss_reason(text: &str, details: &str) -> LossReason {
    static KEPT: Mutex<(usize, Option<HashSet<&'static str>>)> = Mutex::new((0, None));
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let (bytes, texts) = &mut *kept;
    let texts = texts.get_or_insert_default();
    let text = if *bytes < MOST && !details.is_empty() {
        format!("{text}: {details}")
    } else {
        text.to_owned()
    };
    if let Some(kept) = texts.get(text.as_str()) {
        return LossReason(kept);
    }
    *bytes += text.len();
    let text: &'static str = Box::leak(text.into_boxed_str());
    texts.insert(text);
    LossReason(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_reasons_are_kept_once() {
        let first = loss_reason("exit status: 1", "no paper");
        let second = loss_reason("exit status: 1", "no paper");
        assert_eq!(first.0, "exit status: 1: no paper");
        assert!(std::ptr::eq(first.0, second.0));
    }
}
