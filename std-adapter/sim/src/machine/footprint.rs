//! The order of a run's accesses, up to steps that commute.

use std::collections::HashMap;

/// The accesses of a run, as a number that does not depend on the order of accesses to different
/// places by different contexts.
///
/// The number of an access depends on two others: the last one of the same context, and the last one to
/// the same place. The run's number is the sum of all. So two runs with one trace, in
/// the sense of Mazurkiewicz ("Concurrent Program Schemes and their Interpretations", 1977), have one
/// number. Reads count as writes, so runs that differ in the order of two reads differ.
#[derive(Debug, Default)]
pub(crate) struct Footprint {
    contexts: HashMap<usize, u64>,
    places: HashMap<usize, u64>,
    sum: u64,
}

impl Footprint {
    /// A context accesses a place. The address itself does not count: it differs from process to
    /// process.
    pub(super) fn access(&mut self, context: usize, address: usize) {
        let earlier = self.contexts.entry(context).or_default();
        let last = self.places.entry(address).or_default();
        let number = mixed(mixed(*earlier, context as u64 + 1), *last);
        *earlier = number;
        *last = number;
        self.sum = self.sum.wrapping_add(number);
    }

    pub(crate) fn number(&self) -> u64 {
        self.sum
    }
}

/// A finalizer of `MurmurHash3` over both.
fn mixed(one: u64, other: u64) -> u64 {
    let mut mixed = one.rotate_left(23) ^ other.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number_of(accesses: &[(usize, usize)]) -> u64 {
        let mut footprint = Footprint::default();
        for &(context, address) in accesses {
            footprint.access(context, address);
        }
        footprint.number()
    }

    #[test]
    fn accesses_to_different_places_commute() {
        assert_eq!(
            number_of(&[(0, 1), (0, 2), (1, 3)]),
            number_of(&[(1, 3), (0, 1), (0, 2)])
        );
    }

    #[test]
    fn accesses_to_one_place_have_an_order() {
        assert_ne!(number_of(&[(0, 1), (1, 1)]), number_of(&[(1, 1), (0, 1)]));
    }

    #[test]
    fn the_accesses_of_one_context_have_an_order() {
        assert_ne!(
            number_of(&[(0, 1), (0, 2), (1, 2)]),
            number_of(&[(0, 2), (0, 1), (1, 2)])
        );
    }
}
