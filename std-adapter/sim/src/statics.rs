//! Power-on reset: named statics begin each run with the bytes that they had at first.

use std::{
    collections::BTreeMap,
    mem::MaybeUninit,
    ptr,
    sync::{Arc, Mutex},
};

use crate::symbols::Symbol;

type Bytes = Arc<[MaybeUninit<u8>]>;

/// The bytes of each static that a simulation of this process has named: those before the first run.
static AT_POWER_ON: Mutex<BTreeMap<(usize, usize), Bytes>> = Mutex::new(BTreeMap::new());

/// A static, and its bytes at power-on.
pub struct Static {
    place: *mut MaybeUninit<u8>,
    bytes: Bytes,
}

impl Static {
    /// Each [`reset`](Self::reset) restores what `place` was when a simulation named it first.
    pub(crate) fn new<T>(place: &'static T) -> Self {
        let place = ptr::from_ref(place).cast_mut();
        // SAFETY: `place` is a `T`, of `size_of::<T>()` bytes, and lives for ever.
        unsafe { Self::at(place.cast(), size_of::<T>()) }
    }

    /// As [`new`](Self::new), of a static that the program's symbols name.
    pub(crate) fn of_symbol(symbol: &Symbol) -> Self {
        let place = ptr::with_exposed_provenance_mut(symbol.start);
        // SAFETY: the program has a static at these addresses, which lives for ever.
        unsafe { Self::at(place, symbol.end - symbol.start) }
    }

    /// # Safety
    ///
    /// `place` is valid for reads and writes of `size` bytes, for ever.
    unsafe fn at(place: *mut MaybeUninit<u8>, size: usize) -> Self {
        let copy = || {
            let mut bytes = Arc::new_uninit_slice(size);
            if let Some(bytes) = Arc::get_mut(&mut bytes) {
                // SAFETY: `place` has `size` bytes (the caller's promise), and `bytes` is as long. A
                // `MaybeUninit<u8>` may hold any byte, padding included.
                unsafe { ptr::copy_nonoverlapping(place, bytes.as_mut_ptr().cast(), size) };
            }
            // SAFETY: a `MaybeUninit<u8>` is initialized whatever its byte is.
            unsafe { bytes.assume_init() }
        };
        let mut known = AT_POWER_ON
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let bytes = known.entry((place.addr(), size)).or_insert_with(copy);
        Self {
            place,
            bytes: bytes.clone(),
        }
    }

    /// A static that is zero at power-on, whatever it is now.
    pub(crate) fn of_zeros<T>(place: &'static T) -> Self {
        Self {
            place: ptr::from_ref(place).cast_mut().cast(),
            bytes: vec![MaybeUninit::new(0); size_of::<T>()].into(),
        }
    }

    /// The addresses, from the first to the one behind the last.
    pub(crate) fn range(&self) -> (usize, usize) {
        let start = self.place.addr();
        (start, start + self.bytes.len())
    }

    /// Whether it has an address of this range, from the first to the one behind the last.
    pub(crate) fn overlaps(&self, (first, last): (usize, usize)) -> bool {
        let (start, end) = self.range();
        start < last && first < end
    }

    /// Restores the bytes.
    ///
    /// # Safety
    ///
    /// No context uses the static, and nothing refers to what it holds.
    pub(crate) unsafe fn reset(&self) {
        // SAFETY: the place is as long as `bytes`. It is a static that only the simulated contexts
        // use, and none of them is alive (the caller's promise).
        unsafe { ptr::copy_nonoverlapping(self.bytes.as_ptr(), self.place, self.bytes.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    #[test]
    fn a_static_is_as_when_it_was_named_first() {
        static COUNT: AtomicU32 = AtomicU32::new(7);
        let first = Static::new(&COUNT);
        COUNT.store(9, Relaxed);
        let later = Static::new(&COUNT);
        for named in [first, later] {
            COUNT.store(9, Relaxed);
            // SAFETY: only this test uses the static.
            unsafe { named.reset() };
            assert_eq!(COUNT.load(Relaxed), 7);
        }
    }
}
