//! The program as its file has it: the bytes of the writable statics when the process starts.
//!
//! On Linux. A constructor copies them when the process starts. The loader has applied the relocations by
//! then, so a pointer in a static is right, whichever kind of relocation the machine has. The file itself
//! has no such pointers. The statics that are all zero at first are not copied.

use std::{mem::MaybeUninit, sync::OnceLock};

/// The writable statics of the program, and its constants.
#[derive(Default)]
pub(crate) struct Image {
    /// The distance from the addresses in the program's file to those in memory.
    pub(crate) offset: usize,
    parts: Vec<Part>,
    /// The first address and the one behind the last of each range of constants.
    constants: Vec<(usize, usize)>,
}

/// A range of writable statics.
struct Part {
    start: usize,
    /// The address behind the last.
    end: usize,
    /// The bytes that the file has. All behind them are zero.
    bytes: Box<[MaybeUninit<u8>]>,
}

/// The answer of the program's file about a range of addresses.
pub(crate) enum AtStart {
    /// The range is writable, and had these bytes.
    Bytes(Vec<MaybeUninit<u8>>),
    /// The range is read-only.
    Constant,
    /// The range is not in the file, such as memory of the heap.
    Unknown,
}

static IMAGE: OnceLock<Image> = OnceLock::new();

/// The image of this program. It is empty where no constructor has copied it.
pub(crate) fn image() -> &'static Image {
    IMAGE.get_or_init(Image::default)
}

impl Image {
    /// The writable ranges, each from its first address to the one behind the last.
    pub(crate) fn writable(&self) -> impl Iterator<Item = (usize, usize)> {
        self.parts.iter().map(|part| (part.start, part.end))
    }

    /// Whether all of these addresses are writable, from the first to the one behind the last.
    pub(crate) fn is_writable(&self, (start, end): (usize, usize)) -> bool {
        self.part_with(start, end).is_some()
    }

    fn part_with(&self, start: usize, end: usize) -> Option<&Part> {
        let mut parts = self.parts.iter();
        parts.find(|part| part.start <= start && end <= part.end)
    }

    /// A range of `size` bytes, as it was when the process started.
    pub(crate) fn at_start(&self, start: usize, size: usize) -> AtStart {
        let end = start.saturating_add(size);
        if let Some(part) = self.part_with(start, end) {
            let rest = part.bytes.get(start - part.start..).unwrap_or_default();
            let mut bytes = rest[..size.min(rest.len())].to_vec();
            bytes.resize(size, MaybeUninit::new(0));
            return AtStart::Bytes(bytes);
        }
        let mut constants = self.constants.iter();
        let is_constant = size > 0 && constants.any(|&(first, last)| first < end && start < last);
        match is_constant {
            true => AtStart::Constant,
            false => AtStart::Unknown,
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{mem::MaybeUninit, ptr, slice};

    use super::{IMAGE, Image, Part};

    /// The loader calls it before `main`. The number lets it run before constructors without one.
    #[used]
    #[unsafe(link_section = ".init_array.00098")]
    static AT_START: extern "C" fn() = at_start;

    extern "C" fn at_start() {
        let mut image = Image::default();
        // SAFETY: `of_program` gets `image` as its data, which outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(of_program), (&raw mut image).cast()) };
        // The constructor runs once, so the cell is empty.
        let _ = IMAGE.set(image);
    }

    /// Reads the segments of the first object, which is the program.
    ///
    /// # Safety
    ///
    /// `info` is the loader's, and `data` is an `Image` that no other code uses.
    unsafe extern "C" fn of_program(
        info: *mut libc::dl_phdr_info,
        _size: libc::size_t,
        data: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: the caller's promise.
        let (info, image) = unsafe { (&*info, &mut *data.cast::<Image>()) };
        // SAFETY: the loader's table has this number of segments.
        let segments =
            unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        image.offset = info.dlpi_addr as usize;
        let start_of = |segment: &Segment| image.offset.wrapping_add(segment.p_vaddr as usize);
        let range = |segment: &Segment| {
            let start = start_of(segment);
            (start, start + segment.p_memsz as usize)
        };
        // The loader makes these read-only when it has written to them.
        let relocated = segments
            .iter()
            .find(|segment| segment.p_type == libc::PT_GNU_RELRO)
            .map(range);
        let loaded = segments
            .iter()
            .filter(|segment| segment.p_type == libc::PT_LOAD);
        let (writable, constant): (Vec<_>, Vec<_>) =
            loaded.partition(|segment| segment.p_flags & libc::PF_W != 0);
        let parts = writable.into_iter().filter_map(|segment| {
            let (mut start, end) = range(segment);
            let file_end = start + segment.p_filesz as usize;
            if let Some((first, last)) = relocated
                && first <= start
            {
                start = start.max(last.min(end));
            }
            (start < end).then(|| Part {
                start,
                end,
                // SAFETY: the loader has mapped the segment, and its pages behind `start` are statics,
                // which no other thread uses yet.
                bytes: unsafe { copy(start, file_end.saturating_sub(start)) },
            })
        });
        image.parts = parts.collect();
        image.constants = constant.into_iter().map(range).chain(relocated).collect();
        1
    }

    #[cfg(target_pointer_width = "64")]
    type Segment = libc::Elf64_Phdr;
    #[cfg(target_pointer_width = "32")]
    type Segment = libc::Elf32_Phdr;

    /// # Safety
    ///
    /// The addresses are valid for reads.
    unsafe fn copy(start: usize, size: usize) -> Box<[MaybeUninit<u8>]> {
        let mut bytes = Box::new_uninit_slice(size);
        // SAFETY: the caller's promise, and the box is as long.
        unsafe {
            ptr::copy_nonoverlapping(
                ptr::with_exposed_provenance::<MaybeUninit<u8>>(start),
                bytes.as_mut_ptr(),
                size,
            );
        }
        bytes
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicPtr, AtomicU32};

    static OF_DATA: AtomicU32 = AtomicU32::new(7);
    static OF_BSS: AtomicU32 = AtomicU32::new(0);
    static POINTER: AtomicPtr<u32> = AtomicPtr::new(OF_DATA.as_ptr());
    static NUMBER: u32 = 7;
    static TEXTS: [&str; 2] = ["one", "two"];

    fn at_start<T>(place: &'static T) -> AtStart {
        image().at_start(std::ptr::from_ref(place).addr(), size_of::<T>())
    }

    fn number_at_start(place: &'static AtomicU32) -> u32 {
        let AtStart::Bytes(bytes) = at_start(place) else {
            panic!("a writable static is not in the image");
        };
        // SAFETY: these bytes are of the file, which has no byte that is not initialized.
        u32::from_ne_bytes(std::array::from_fn(|at| unsafe { bytes[at].assume_init() }))
    }

    #[test]
    fn a_static_is_as_in_the_file_whatever_it_is_now() {
        OF_DATA.store(1, std::sync::atomic::Ordering::Relaxed);
        OF_BSS.store(1, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(number_at_start(&OF_DATA), 7);
        assert_eq!(number_at_start(&OF_BSS), 0);
    }

    #[test]
    fn a_pointer_is_relocated() {
        let AtStart::Bytes(bytes) = at_start(&POINTER) else {
            panic!("a writable static is not in the image");
        };
        // SAFETY: `bytes` is as long as a pointer.
        let pointer = unsafe { bytes.as_ptr().cast::<*mut u32>().read_unaligned() };
        assert_eq!(pointer, OF_DATA.as_ptr());
    }

    #[test]
    fn constants_are_read_only_also_if_they_were_relocated() {
        assert!(matches!(at_start(&NUMBER), AtStart::Constant));
        assert!(matches!(at_start(&TEXTS), AtStart::Constant));
    }

    #[test]
    fn memory_of_the_heap_is_in_no_file() {
        let leaked: &'static u32 = Box::leak(Box::new(7));
        assert!(matches!(at_start(leaked), AtStart::Unknown));
    }
}
