//! The writable statics of the program, as the symbols of its file name them.
//!
//! On Linux, in a program that was not stripped. Elsewhere no static is known.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    sync::OnceLock,
};

/// A writable static of the program.
#[derive(Debug)]
pub(crate) struct Symbol {
    pub(crate) start: usize,
    /// The address behind the last byte.
    pub(crate) end: usize,
    /// The path, such as `app::ring::RING`.
    pub(crate) path: String,
}

impl Symbol {
    /// The crate that has the static.
    fn krate(&self) -> &str {
        // A static in a function of an implementation: `<app::Ring as core::ops::Drop>::drop::COUNT`.
        let path = self.path.trim_start_matches(['<', '&', '[', '(', '*']);
        path.split("::").next().unwrap_or_default()
    }

    /// The last part of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or_default()
    }
}

/// The statics of the program.
#[derive(Default)]
struct Program {
    /// In the order of their addresses.
    statics: Vec<Symbol>,
    /// The first address and the one behind the last of each section that has some.
    sections: Vec<(usize, usize)>,
}

fn program() -> &'static Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| of_this_process().unwrap_or_default())
}

#[cfg(not(target_os = "linux"))]
fn of_this_process() -> Option<Program> {
    None
}

#[cfg(target_os = "linux")]
fn of_this_process() -> Option<Program> {
    use std::sync::atomic::AtomicU8;

    use object::{Object, ObjectSection, ObjectSymbol, ReadCache, SymbolKind};

    /// The static whose address says where the program's file is loaded.
    #[used]
    static ANCHOR: AtomicU8 = AtomicU8::new(1);

    let cache = ReadCache::new(File::open("/proc/self/exe").ok()?);
    let file = object::File::parse(&cache).ok()?;
    let mut statics: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Data && symbol.size() > 0)
        .filter_map(|symbol| {
            let start = usize::try_from(symbol.address()).ok()?;
            let end = start.checked_add(usize::try_from(symbol.size()).ok()?)?;
            let path = format!(
                "{:#}",
                rustc_demangle::try_demangle(symbol.name().ok()?).ok()?
            );
            Some(Symbol { start, end, path })
        })
        .collect();
    let anchor = statics.iter().find(|symbol| {
        symbol.path.starts_with(concat!(module_path!(), "::")) && symbol.name() == "ANCHOR"
    })?;
    let offset = (&raw const ANCHOR).addr().wrapping_sub(anchor.start);
    let sections: Vec<_> = file
        .sections()
        .filter(|section| matches!(section.name(), Ok(".data" | ".bss")))
        .filter_map(|section| {
            let start = usize::try_from(section.address())
                .ok()?
                .wrapping_add(offset);
            Some((
                start,
                start.checked_add(usize::try_from(section.size()).ok()?)?,
            ))
        })
        .collect();
    for symbol in &mut statics {
        symbol.start = symbol.start.wrapping_add(offset);
        symbol.end = symbol.end.wrapping_add(offset);
    }
    statics.retain(|symbol| {
        let mut sections = sections.iter();
        sections.any(|&(start, end)| start <= symbol.start && symbol.end <= end)
    });
    statics.sort_by_key(|symbol| symbol.start);
    Some(Program { statics, sections })
}

/// The first address and the one behind the last of all that the program's statics have.
pub(crate) fn image() -> (usize, usize) {
    let sections = &program().sections;
    let start = sections.iter().map(|(start, _)| *start).min();
    let end = sections.iter().map(|(_, end)| *end).max();
    start.zip(end).unwrap_or_default()
}

/// The static that has this address.
pub(crate) fn static_at(address: usize) -> Option<&'static Symbol> {
    let statics = &program().statics;
    let next = statics.partition_point(|symbol| symbol.start <= address);
    let symbol = statics.get(next.checked_sub(1)?)?;
    (address < symbol.end).then_some(symbol)
}

/// The writable statics of a crate.
pub(crate) fn of_crate(name: &str) -> impl Iterator<Item = &'static Symbol> {
    // A package's name may have hyphens.
    let name = name.replace('-', "_");
    let statics = program().statics.iter();
    statics.filter(move |symbol| symbol.krate() == name)
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
        let sections = &program().sections;
        let size: usize = sections.iter().map(|(start, end)| end - start).sum();
        if sections.is_empty() || size > MOST {
            return None;
        }
        // The kernel copies the bytes. Threads of the host may write to theirs meanwhile.
        let mut memory = File::open("/proc/self/mem").ok()?;
        let copies = sections.iter().map(|&(start, end)| {
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
        let statics = program().statics.iter();
        let changed = statics.filter(|symbol| {
            !OF_THE_HOST.contains(&symbol.krate())
                && !is_known((symbol.start, symbol.end))
                && self.bytes(symbol) != now.bytes(symbol)
        });
        let mut paths: Vec<_> = changed.map(|symbol| symbol.path.clone()).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    fn bytes(&self, symbol: &Symbol) -> Option<&[u8]> {
        let mut sections = program().sections.iter().zip(&self.0);
        sections.find_map(|(&(start, _), bytes)| {
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
    fn all_statics_are_in_the_image() {
        let (start, end) = image();
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
        let names: Vec<_> = of_crate("corepool-sim").map(Symbol::name).collect();
        assert!(
            ["OF_BSS", "OF_DATA", "DROPPED"]
                .iter()
                .all(|name| names.contains(name))
        );
        assert!(of_crate("corepool").all(|symbol| symbol.path.starts_with("corepool::")));
    }
}
