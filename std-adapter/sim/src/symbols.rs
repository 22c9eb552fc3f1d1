//! The writable statics of the program, as the symbols of its file name them.
//!
//! On Linux, in a program that was not stripped. Elsewhere no static is known.

#[cfg(target_os = "linux")]
mod mangled;

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    sync::OnceLock,
};

use crate::{image::image, sometimes::SOMETIMES};

/// A static of the program.
#[derive(Debug)]
pub(crate) struct Symbol {
    pub(crate) start: usize,
    /// The address behind the last byte.
    pub(crate) end: usize,
    /// The path, such as `app::ring::RING`. A static with `#[no_mangle]` or `#[export_name]` has its name there.
    pub(crate) path: String,
    /// The crate that has the static. None: its name does not say it.
    krate: Option<String>,
}

/// The writable statics of the program, in the order of their addresses.
fn statics() -> &'static [Symbol] {
    static STATICS: OnceLock<Vec<Symbol>> = OnceLock::new();
    STATICS.get_or_init(|| {
        let own = of_the_simulator();
        let is_wanted = |range: (usize, usize)| {
            image().is_writable(range) && !(own.0 <= range.0 && range.1 <= own.1)
        };
        let mut statics = symbols(is_wanted).unwrap_or_default();
        statics.sort_by_key(|symbol| symbol.start);
        statics
    })
}

/// The statics that `sometimes!` makes in the crates of the application.
fn of_the_simulator() -> (usize, usize) {
    let range = SOMETIMES.as_ptr_range();
    (range.start.addr(), range.end.addr())
}

#[cfg(not(target_os = "linux"))]
fn symbols(_is_wanted: impl Fn((usize, usize)) -> bool) -> Option<Vec<Symbol>> {
    None
}

/// The statics of the program whose addresses, from the first to the one behind the last, are wanted.
#[cfg(target_os = "linux")]
fn symbols(is_wanted: impl Fn((usize, usize)) -> bool) -> Option<Vec<Symbol>> {
    use object::{Object, ObjectSymbol, ReadCache, SymbolKind};

    let cache = ReadCache::new(File::open("/proc/self/exe").ok()?);
    let file = object::File::parse(&cache).ok()?;
    let symbols = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Data && symbol.size() > 0);
    let wanted = symbols.filter_map(|symbol| {
        let start = image()
            .offset
            .wrapping_add(usize::try_from(symbol.address()).ok()?);
        let end = start.checked_add(usize::try_from(symbol.size()).ok()?)?;
        let name = symbol.name().ok().filter(|_| is_wanted((start, end)))?;
        let demangled = rustc_demangle::try_demangle(name).ok();
        let path = demangled.map(|path| format!("{path:#}"));
        Some(Symbol {
            start,
            end,
            krate: path
                .as_ref()
                .and_then(|path| mangled::crate_of(name, path, OF_THE_HOST)),
            path: path.unwrap_or_else(|| name.to_string()),
        })
    });
    Some(wanted.collect())
}

/// The first address and the one behind the last of all that the program's statics have.
pub(crate) fn extent() -> (usize, usize) {
    let start = image().writable().map(|(start, _)| start).min();
    let end = image().writable().map(|(_, end)| end).max();
    start.zip(end).unwrap_or_default()
}

/// The path of the static that has this address, be it a constant.
pub(crate) fn path_at(address: usize) -> Option<String> {
    let has_address = |(start, end): (usize, usize)| (start..end).contains(&address);
    let symbol = symbols(has_address)?.pop()?;
    Some(symbol.path)
}

/// The static that has this address.
pub(crate) fn static_at(address: usize) -> Option<&'static Symbol> {
    let statics = statics();
    let next = statics.partition_point(|symbol| symbol.start <= address);
    let symbol = statics.get(next.checked_sub(1)?)?;
    (address < symbol.end).then_some(symbol)
}

/// The writable statics of the crate of this name, or the one static of this path.
pub(crate) fn named(name: &str) -> impl Iterator<Item = &'static Symbol> {
    // A package's name may have hyphens.
    let krate = name.replace('-', "_");
    let statics = statics().iter();
    statics.filter(move |symbol| symbol.krate.as_ref() == Some(&krate) || symbol.path == name)
}

/// The bytes of all statics of the program at one time.
pub(crate) struct Snapshot(Vec<Vec<u8>>);

/// A program with more bytes of statics has no snapshots.
const MOST: usize = 16 << 20;

/// Crates whose statics are no part of an application.
pub(crate) const OF_THE_HOST: &[&str] = &[
    "addr2line",
    "alloc",
    "core",
    "corepool",
    "corepool_sim",
    "corepool_std",
    "gimli",
    "memchr",
    "object",
    "std",
    "std_detect",
    "test",
];

impl Snapshot {
    pub(crate) fn take() -> Option<Self> {
        let size: usize = image().writable().map(|(start, end)| end - start).sum();
        if size == 0 || size > MOST {
            return None;
        }
        // The kernel copies the bytes. Threads of the host may write to theirs meanwhile.
        let mut memory = File::open("/proc/self/mem").ok()?;
        let copies = image().writable().map(|(start, end)| {
            let mut bytes = vec![0; end - start];
            memory.seek(SeekFrom::Start(start as u64)).ok()?;
            memory.read_exact(&mut bytes).ok()?;
            Some(bytes)
        });
        copies.collect::<Option<_>>().map(Self)
    }

    /// The paths of the application's statics whose bytes have changed, in order, but those whose addresses
    /// are known: from the first to the one behind the last.
    pub(crate) fn changed(&self, is_known: impl Fn((usize, usize)) -> bool) -> Vec<String> {
        let Some(now) = Self::take() else {
            return Vec::new();
        };
        let is_of_the_host = |symbol: &Symbol| {
            let krate = symbol.krate.as_deref();
            krate.is_some_and(|krate| OF_THE_HOST.contains(&krate))
        };
        let changed = statics().iter().filter(|symbol| {
            !is_of_the_host(symbol)
                && !is_known((symbol.start, symbol.end))
                && self.bytes(symbol) != now.bytes(symbol)
        });
        let mut paths: Vec<_> = changed.map(|symbol| symbol.path.clone()).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    fn bytes(&self, symbol: &Symbol) -> Option<&[u8]> {
        let mut parts = image().writable().zip(&self.0);
        parts.find_map(|((start, _), bytes)| {
            bytes.get(symbol.start.checked_sub(start)?..symbol.end.checked_sub(start)?)
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    static OF_BSS: AtomicU32 = AtomicU32::new(0);
    static OF_DATA: [AtomicU32; 2] = [AtomicU32::new(1), AtomicU32::new(2)];
    static OF_NO_SECTION: u32 = 7;

    #[test]
    fn an_address_has_the_path_of_its_static() {
        let path = |address: *const u32| {
            let symbol = static_at(address.addr());
            symbol.map(|symbol| symbol.path.as_str())
        };
        assert_eq!(
            path(OF_BSS.as_ptr()),
            Some("corepool_sim::symbols::tests::OF_BSS")
        );
        assert_eq!(
            path(OF_DATA[1].as_ptr()),
            Some("corepool_sim::symbols::tests::OF_DATA")
        );
        assert_eq!(path(&raw const OF_NO_SECTION), None);
        assert_eq!(path(&0), None);
    }

    #[test]
    fn all_statics_are_in_the_extent() {
        let (start, end) = extent();
        let is_in = |address: *const u32| (start..end).contains(&address.addr());
        assert!(is_in(OF_BSS.as_ptr()) && is_in(OF_DATA[0].as_ptr()));
        assert!(!is_in(&0));
    }

    #[test]
    fn a_static_belongs_to_its_crate_also_if_a_method_has_it() {
        struct Counts;
        impl Drop for Counts {
            fn drop(&mut self) {
                static DROPPED: AtomicU32 = AtomicU32::new(0);
                DROPPED.fetch_add(1, Relaxed);
            }
        }
        drop(Counts);
        let paths: Vec<_> = named("corepool-sim").map(|symbol| &symbol.path).collect();
        let has = |name: &str| paths.iter().any(|path| path.ends_with(name));
        assert!(["::OF_BSS", "::OF_DATA", "::DROPPED"].into_iter().all(has));
        let mut of_the_core = named("corepool");
        assert!(!of_the_core.any(|symbol| symbol.path.starts_with("corepool_sim::")));
    }

    #[test]
    fn a_static_without_a_crate_is_named_by_its_symbol() {
        #[unsafe(no_mangle)]
        static COREPOOL_SIM_EXPORTED: AtomicU32 = AtomicU32::new(1);
        let exported: Vec<_> = named("COREPOOL_SIM_EXPORTED").collect();
        assert_eq!(exported.len(), 1);
        assert_eq!(exported[0].start, COREPOOL_SIM_EXPORTED.as_ptr().addr());
    }
}
