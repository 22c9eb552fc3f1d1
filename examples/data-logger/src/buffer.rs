//! Two blocks of samples, which change hands.

use core::sync::atomic::{
    AtomicBool, AtomicU16, AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// The samples of a block.
pub const SAMPLES: usize = 8;

/// A block as the flash takes it: the first sample, and the differences of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The first sample, then each sample's difference to the one before.
    pub words: [u16; SAMPLES],
    /// The checksum of the words, from the job.
    pub checksum: u16,
}

impl Record {
    /// The samples, or None if the words do not have the checksum.
    pub fn samples(&self) -> Option<[u16; SAMPLES]> {
        let mut samples = self.words;
        for at in 1..SAMPLES {
            samples[at] = samples[at].wrapping_add(samples[at - 1]);
        }
        (checksum(&self.words) == self.checksum).then_some(samples)
    }
}

fn checksum(words: &[u16; SAMPLES]) -> u16 {
    let rotated = |sum: u16, word: &u16| sum.rotate_left(1) ^ word;
    words.iter().fold(0xffff, rotated)
}

/// Two blocks that an interrupt fills by turns.
pub struct DoubleBuffer {
    blocks: [[AtomicU16; SAMPLES]; 2],
    /// A bit for each block that waits for its job. The handler sets it, the main loop clears it.
    full: AtomicU32,
    /// For each block, whether the handler has handed it over, and has not got it back.
    given: [AtomicBool; 2],
    /// The block that the handler fills. Only the handler writes it.
    filling: AtomicUsize,
    /// The samples in that block. Only the handler writes it.
    filled: AtomicUsize,
    /// The samples that found no block. Only the handler writes it.
    lost: AtomicU32,
}

impl DoubleBuffer {
    /// Two empty blocks.
    pub const fn new() -> Self {
        Self {
            blocks: [const { [const { AtomicU16::new(0) }; SAMPLES] }; 2],
            full: AtomicU32::new(0),
            given: [const { AtomicBool::new(false) }; 2],
            filling: AtomicUsize::new(0),
            filled: AtomicUsize::new(0),
            lost: AtomicU32::new(0),
        }
    }

    /// Takes a sample, in the handler.
    pub(crate) fn push(&self, sample: u16) {
        let block = self.filling.load(Relaxed);
        // Pairs with the Release in `give_back`: the main loop has read the block.
        if self.given[block].load(Acquire) {
            self.lost.store(self.lost.load(Relaxed) + 1, Relaxed);
            return;
        }
        let filled = self.filled.load(Relaxed);
        self.blocks[block][filled].store(sample, Relaxed);
        if filled + 1 < SAMPLES {
            self.filled.store(filled + 1, Relaxed);
            return;
        }
        self.filled.store(0, Relaxed);
        self.filling.store(1 - block, Relaxed);
        self.given[block].store(true, Relaxed);
        // Pairs with the Acquire in `full`: the main loop sees the samples.
        self.full.fetch_or(1 << block, Release);
    }

    /// A bit for each block that waits for its job.
    pub(crate) fn full(&self) -> u32 {
        // Pairs with the Release in `push`.
        self.full.load(Acquire)
    }

    /// These blocks have their jobs.
    pub(crate) fn clear(&self, blocks: u32) {
        self.full.fetch_and(!blocks, Relaxed);
    }

    /// Replaces the samples of a block by their differences, in a job. Returns the checksum.
    pub(crate) fn compress(&self, block: usize) -> u16 {
        let words = &self.blocks[block];
        for at in (1..SAMPLES).rev() {
            let difference = words[at]
                .load(Relaxed)
                .wrapping_sub(words[at - 1].load(Relaxed));
            words[at].store(difference, Relaxed);
            #[cfg(test)]
            corepool_sim::point!("a word is compressed");
        }
        checksum(&self.words(block))
    }

    fn words(&self, block: usize) -> [u16; SAMPLES] {
        core::array::from_fn(|at| self.blocks[block][at].load(Relaxed))
    }

    /// The words that the job has left in a block.
    pub(crate) fn record(&self, block: usize, checksum: u16) -> Record {
        Record {
            words: self.words(block),
            checksum,
        }
    }

    /// Gives a block back to the handler.
    pub(crate) fn give_back(&self, block: usize) {
        #[cfg(test)]
        corepool_sim::point!("a block is given back");
        // Pairs with the Acquire in `push`.
        self.given[block].store(false, Release);
    }

    /// The samples in the block that is not full yet.
    pub fn filled(&self) -> usize {
        self.filled.load(Relaxed)
    }

    /// The samples that found no block.
    pub fn lost(&self) -> u32 {
        self.lost.load(Relaxed)
    }
}

impl Default for DoubleBuffer {
    fn default() -> Self {
        Self::new()
    }
}
