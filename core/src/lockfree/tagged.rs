//! An index and a tag in one word.
//!
//! The pool's lists name their members by index. Each word that is compared and swapped carries a
//! tag beside the index. The tag changes before the index can be the same again: with each swap in
//! the free list, and with each lap in the queue. A party that is stopped between reading a word
//! and swapping it then finds another tag, even if the index is the same again. That is the remedy
//! for the ABA problem (R. K. Treiber, IBM RJ 5118, 1986).
//!
//! The index takes as few bits as the pool's size needs, and the tag takes the others. On a 32-bit
//! target with 16 slots, the free list has 26 bits of tag, which repeats after 67 million swaps.
//! The queue has 28 bits, which repeat after four thousand million jobs. Only a party that is
//! stopped for exactly a multiple of that number, and finds the same index, mistakes the word for
//! the old one.

/// The number of low bits of a word that hold the index. The others hold the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tagged {
    mask: usize,
}

impl Tagged {
    /// The format for indices from 0 to `largest`.
    pub(crate) const fn for_indices_to(largest: usize) -> Self {
        let bits = usize::BITS - largest.leading_zeros();
        Self {
            mask: (1 << bits) - 1,
        }
    }

    /// The index in `word`.
    #[inline(always)]
    pub(crate) fn index(self, word: usize) -> usize {
        word & self.mask
    }

    /// Whether two words have the same tag. Their indices do not matter.
    #[inline(always)]
    pub(crate) fn have_same_tag(self, one: usize, other: usize) -> bool {
        (one ^ other) & !self.mask == 0
    }

    /// The word that follows `word`: it has the given index, and the next tag.
    #[inline(always)]
    pub(crate) fn successor(self, word: usize, index: usize) -> usize {
        (word | self.mask).wrapping_add(1) | index
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn the_index_takes_as_few_bits_as_the_largest_needs() {
        for (largest, bits) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 2),
            (4, 3),
            (255, 8),
            (256, 9),
            (4096, 13),
        ] {
            let tagged = Tagged::for_indices_to(largest);
            assert_eq!(tagged.index(usize::MAX), (1 << bits) - 1, "{largest}");
        }
    }

    #[test]
    fn each_successor_has_the_index_that_it_was_given_and_the_next_tag() {
        let tagged = Tagged::for_indices_to(7);
        let word = (5 << 3) | 6;
        assert_eq!(tagged.index(word), 6);
        assert_eq!(tagged.successor(word, 0), 6 << 3);
        assert_eq!(tagged.successor(word, 6), (6 << 3) | 6);
        assert_eq!(tagged.successor(6 << 3, 7), (7 << 3) | 7);
    }

    #[test]
    fn words_have_the_same_tag_whatever_their_indices_are() {
        let tagged = Tagged::for_indices_to(7);
        assert!(tagged.have_same_tag((5 << 3) | 6, 5 << 3));
        assert!(!tagged.have_same_tag((5 << 3) | 6, (4 << 3) | 6));
    }

    #[test]
    fn after_the_last_tag_comes_the_first() {
        let tagged = Tagged::for_indices_to(7);
        assert_eq!(tagged.successor(usize::MAX, 3), 3);
    }
}
