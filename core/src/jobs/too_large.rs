//! The texts of the build errors about size. The compiler of the user's crate puts them together.

use core::str::from_utf8;

use crate::memory::payload::{PAYLOAD_ALIGN, capacity};

/// Room for the longest text.
const ROOM: usize = 192;

/// A text with numbers, for a panic while constants are evaluated.
pub(crate) struct Text {
    bytes: [u8; ROOM],
    len: usize,
}

impl Text {
    const fn begin(text: &str) -> Self {
        let empty = Self {
            bytes: [0; ROOM],
            len: 0,
        };
        empty.and(text)
    }

    const fn and(mut self, text: &str) -> Self {
        let mut rest = text.as_bytes();
        while let [first, others @ ..] = rest {
            self.bytes[self.len] = *first;
            self.len += 1;
            rest = others;
        }
        self
    }

    const fn and_number(mut self, number: usize) -> Self {
        let mut unit = 1;
        while number / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            self.bytes[self.len] = b'0' + (number / unit % 10) as u8;
            self.len += 1;
            unit /= 10;
        }
        self
    }

    pub(crate) const fn as_str(&self) -> &str {
        match from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}

/// A `thing`, such as "the job", takes `size` bytes, which a payload for `bytes` bytes does not have. Its last `kept`
/// bytes are the scope's. `other` is what the user can do instead of larger slots.
#[cold]
pub(crate) const fn does_not_fit(
    thing: &str,
    size: usize,
    bytes: usize,
    kept: usize,
    other: &str,
) -> Text {
    let text = Text::begin(thing)
        .and(" takes ")
        .and_number(size)
        .and(" bytes, and a slot of the pool has ")
        .and_number(capacity(bytes).saturating_sub(kept));
    let text = if kept > 0 {
        text.and(" beside the ").and_number(kept).and(" of a scope")
    } else {
        text
    };
    text.and(": raise the pool's BYTES to ")
        .and_number(size.saturating_add(kept).next_multiple_of(PAYLOAD_ALIGN))
        .and(other)
}

/// A `thing` asks for more alignment than a payload has.
#[cold]
pub(crate) const fn is_over_aligned(thing: &str, align: usize, other: &str) -> Text {
    Text::begin(thing)
        .and(" asks for an alignment of ")
        .and_number(align)
        .and(", and a slot has one of ")
        .and_number(PAYLOAD_ALIGN)
        .and(other)
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn the_longest_texts_have_room() {
        let longest = "the job's result";
        let other = ", or capture a reference";
        let text = does_not_fit(longest, usize::MAX / 2, usize::MAX / 4, 8, other);
        assert!(text.as_str().ends_with(other), "{}", text.as_str());
        let text = is_over_aligned(longest, 1 << 29, other);
        assert!(text.as_str().contains("536870912"), "{}", text.as_str());
    }

    #[test]
    fn the_bytes_that_a_text_asks_for_suffice() {
        for (size, bytes, kept) in [(33, 32, 0), (40, 32, 0), (25, 32, 8), (100, 0, 8)] {
            let text = does_not_fit("the job", size, bytes, kept, "");
            let asked = text.as_str().rsplit(' ').next();
            let asked: usize = asked.and_then(|asked| asked.parse().ok()).unwrap();
            assert!(size > capacity(bytes) - kept && size <= capacity(asked) - kept);
            assert!(asked - size - kept < PAYLOAD_ALIGN, "{}", text.as_str());
        }
    }
}
