//! An index and a tag in one word.
//!
//! Every list in the pool links its members by index, and every word that is compared and swapped
//! carries, beside the index, a tag that each swap increments. A thread that slept between reading
//! a word and swapping it finds the tag changed even when the index is the same again (the ABA
//! problem; R. K. Treiber, IBM RJ 5118, 1986, has the remedy).
//!
//! The index takes as few bits as the pool's size needs and the tag all the others, so that a pool
//! of 16 slots has 27 bits of tag on a 32-bit target: the tag repeats after 134 million swaps of
//! the same word. Only a thread that stops for exactly a multiple of that, and finds the same
//! index, could be fooled.

/// How many low bits of a word hold the index; the others hold the tag.
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

    /// The word that follows `word`: the given index, and the tag incremented.
    #[inline(always)]
    pub(crate) fn successor(self, word: usize, index: usize) -> usize {
        (word | self.mask).wrapping_add(1) | index
    }
}
