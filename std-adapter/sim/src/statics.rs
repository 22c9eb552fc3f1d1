//! Power-on reset: named statics begin each run with the bytes that they had at first.

use std::{
    any::type_name,
    collections::BTreeMap,
    mem::MaybeUninit,
    ptr,
    sync::{Arc, Mutex},
};

use crate::{
    image::{AtStart, image},
    symbols::{self, Symbol},
};

type Bytes = Arc<[MaybeUninit<u8>]>;

/// The bytes of memory that is not in the program's file, as they were when a simulation named it first.
static WHEN_NAMED: Mutex<BTreeMap<(usize, usize), Bytes>> = Mutex::new(BTreeMap::new());

/// A static, and its bytes at power-on.
pub struct Static {
    place: *mut MaybeUninit<u8>,
    bytes: Bytes,
}

impl Static {
    /// Each [`reset`](Self::reset) restores what `place` was when the process started. If the program's file
    /// does not say it, it restores what `place` was when a simulation named it first.
    ///
    /// # Errors
    ///
    /// The static is in read-only memory, and no run can change it. The text has its name.
    pub(crate) fn new<T>(place: &'static T) -> Result<Self, String> {
        let place = ptr::from_ref(place).cast_mut();
        // SAFETY: `place` is a `T`, of `size_of::<T>()` bytes, and lives for ever.
        let named = unsafe { Self::at(place.cast(), size_of::<T>()) };
        named.ok_or_else(|| match symbols::path_at(place.addr()) {
            Some(path) => format!("`{path}`"),
            None => format!("a static of the type `{}`", type_name::<T>()),
        })
    }

    /// Whether the program's file has the bytes of the static at power-on.
    pub(crate) fn is_in_the_file<T>(place: &'static T) -> bool {
        let address = ptr::from_ref(place).addr();
        !matches!(image().at_start(address, size_of::<T>()), AtStart::Unknown)
    }

    /// As [`new`](Self::new), of a writable static that the program's symbols name.
    pub(crate) fn of_symbol(symbol: &Symbol) -> Option<Self> {
        let place = ptr::with_exposed_provenance_mut(symbol.start);
        // SAFETY: the program has a static at these addresses, which lives for ever.
        unsafe { Self::at(place, symbol.end - symbol.start) }
    }

    /// Nothing if the place is in read-only memory.
    ///
    /// # Safety
    ///
    /// `place` is valid for reads of `size` bytes, for ever, and no other context writes to it now.
    unsafe fn at(place: *mut MaybeUninit<u8>, size: usize) -> Option<Self> {
        let bytes = match image().at_start(place.addr(), size) {
            AtStart::Bytes(bytes) => bytes.into(),
            AtStart::Constant => return None,
            // SAFETY: the caller's promise.
            AtStart::Unknown => unsafe { when_named(place, size) },
        };
        Some(Self { place, bytes })
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

    /// Restores the bytes. The value that the static holds is forgotten, and not dropped. Padding is copied as it
    /// is.
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

/// The bytes of a place as they were when a simulation of this process named it first.
///
/// # Safety
///
/// `place` is valid for reads of `size` bytes, and no other context writes to it now.
unsafe fn when_named(place: *mut MaybeUninit<u8>, size: usize) -> Bytes {
    let copy = || {
        let mut bytes = Box::new_uninit_slice(size);
        // SAFETY: `place` has `size` bytes (the caller's promise), and `bytes` is as long. A
        // `MaybeUninit<u8>` may hold any byte, padding included.
        unsafe { ptr::copy_nonoverlapping(place, bytes.as_mut_ptr(), size) };
        bytes.into()
    };
    let mut known = WHEN_NAMED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    known
        .entry((place.addr(), size))
        .or_insert_with(copy)
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    fn reset(named: &Result<Static, String>) {
        let named = named.as_ref().unwrap();
        // SAFETY: only the test that calls uses the static.
        unsafe { named.reset() };
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_static_is_as_at_the_start_of_the_process() {
        static COUNT: AtomicU32 = AtomicU32::new(7);
        COUNT.store(9, Relaxed);
        reset(&Static::new(&COUNT));
        assert_eq!(COUNT.load(Relaxed), 7);
    }

    #[test]
    fn memory_of_the_heap_is_as_when_it_was_named_first() {
        let count: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(7)));
        let first = Static::new(count);
        count.store(9, Relaxed);
        let later = Static::new(count);
        for named in [first, later] {
            count.store(9, Relaxed);
            reset(&named);
            assert_eq!(count.load(Relaxed), 7);
        }
    }
}
