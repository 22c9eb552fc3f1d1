//! Texts that are made while the program runs and live as long as it does, for errors that are plain data.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// How many bytes of texts are kept, at most, before details are left out.
const MOST: usize = 1 << 20;

/// This text, kept for ever. Equal texts are kept once. When there are very many, `details` are left
/// out: the texts that remain are few then.
pub(crate) fn kept(text: &str, details: &str) -> &'static str {
    static KEPT: Mutex<(usize, Option<HashSet<&'static str>>)> = Mutex::new((0, None));
    // Before the lock: nothing is done under it but to look and to add.
    let detailed = format!("{text}: {details}");
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let (bytes, texts) = &mut *kept;
    let texts = texts.get_or_insert_default();
    let text = if *bytes < MOST && !details.is_empty() {
        detailed.as_str()
    } else {
        text
    };
    if let Some(kept) = texts.get(text) {
        return kept;
    }
    *bytes += text.len();
    let text: &'static str = Box::leak(Box::from(text));
    texts.insert(text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_kept_once() {
        let first = kept("exit status: 1", "no paper");
        let second = kept("exit status: 1", "no paper");
        assert_eq!(first, "exit status: 1: no paper");
        assert!(std::ptr::eq(first, second));
    }

    #[test]
    fn a_text_without_details_is_kept_as_it_is() {
        assert_eq!(kept("no paper", ""), "no paper");
    }
}
