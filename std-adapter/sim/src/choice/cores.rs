//! Sets of cores.

use fastrand::Rng;

/// A set of cores, of at most 32.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cores(u32);

impl Cores {
    /// The cores of a chip of `count` for which `is_in` holds.
    pub(crate) fn that(count: usize, is_in: impl Fn(usize) -> bool) -> Self {
        let bits = (0..count).filter(|&core| is_in(core));
        Self(bits.fold(0, |set, core| set | 1 << core))
    }

    pub(crate) fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(crate) fn has(self, core: usize) -> bool {
        self.0 & 1 << core != 0
    }

    pub(crate) fn without(self, core: usize) -> Self {
        Self(self.0 & !(1 << core))
    }

    /// The cores in their order.
    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let core = rest.trailing_zeros() as usize;
            (rest != 0).then(|| {
                rest &= rest - 1;
                core
            })
        })
    }

    /// One of them at random.
    pub(crate) fn random(self, rng: &mut Rng) -> Option<usize> {
        match self.count() {
            0 => None,
            1 => self.iter().next(),
            count => self.iter().nth(rng.usize(0..count)),
        }
    }
}
