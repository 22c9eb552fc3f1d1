//! Texts that the program makes and never frees: the errors that have them are plain data.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// The bytes of kept texts from which on a new text has no details.
const MOST: usize = 1 << 20;

/// The texts that are kept, each once.
#[derive(Default)]
struct Texts {
    bytes: usize,
    texts: HashSet<&'static str>,
}

impl Texts {
    /// Keeps the detailed text, if there is one and fewer than [`MOST`] bytes are kept. Else keeps `text`.
    fn keep(&mut self, text: &str, detailed: Option<&str>) -> &'static str {
        let text = detailed.filter(|_| self.bytes < MOST).unwrap_or(text);
        if let Some(kept) = self.texts.get(text) {
            return kept;
        }
        self.bytes += text.len();
        let text: &'static str = Box::leak(Box::from(text));
        self.texts.insert(text);
        text
    }
}

/// Keeps a text for ever, with details if they are not empty. Equal texts are kept once. When [`MOST`] bytes are
/// kept, a new text gets no details. Without details, few texts differ, so the memory stays bounded.
pub(crate) fn intern(text: &str, details: &str) -> &'static str {
    static KEPT: Mutex<Option<Texts>> = Mutex::new(None);
    // Formatted before the lock is taken: under it, the text is only looked up and added.
    let detailed = (!details.is_empty()).then(|| format!("{text}: {details}"));
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.get_or_insert_default().keep(text, detailed.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_kept_once() {
        let first = intern("exit status: 1", "no paper");
        let second = intern("exit status: 1", "no paper");
        assert_eq!(first, "exit status: 1: no paper");
        assert!(std::ptr::eq(first, second));
    }

    #[test]
    fn a_text_without_details_is_kept_as_it_is() {
        assert_eq!(intern("no paper", ""), "no paper");
    }

    #[test]
    fn details_are_left_out_when_many_bytes_are_kept() {
        let mut texts = Texts::default();
        assert_eq!(texts.keep("short", None), "short");
        let long = "x".repeat(MOST - "short".len());
        assert_eq!(texts.keep("long", Some(&long)), long);
        assert_eq!(
            texts.keep("no paper", Some("no paper: in tray 2")),
            "no paper"
        );
        // A text that is kept costs nothing more.
        assert_eq!((texts.bytes, texts.texts.len()), (MOST + 8, 3));
        assert_eq!(texts.keep("no paper", None), "no paper");
        assert_eq!((texts.bytes, texts.texts.len()), (MOST + 8, 3));
    }
}
