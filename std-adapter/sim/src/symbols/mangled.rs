//! The crate of a static, from its symbol.

/// The crate of a static: by its symbol in the `v0` mangling, else by its path. If a path begins with a type or
/// a trait of an implementation, it is the first crate there that is not the host's.
///
/// The older mangling does not say in which crate an implementation is, if its trait and its type are of
/// two crates. It is taken to be the type's.
pub(super) fn crate_of(symbol: &str, path: &str, of_the_host: &[&str]) -> Option<String> {
    if let Some(mangled) = symbol.strip_prefix("_R") {
        return first_crate(mangled).map(str::to_string);
    }
    let mut crates = heads(path).peekable();
    let first = crates.peek().copied();
    let own = crates.find(|krate| !path.starts_with('<') || !of_the_host.contains(krate));
    own.or(first).map(str::to_string)
}

/// The crate that a path of the `v0` mangling begins with. The path of an implementation begins with its
/// crate, which the demangled path leaves out.
///
/// See "Symbol grammar summary" in the rustc book.
fn first_crate(mangled: &str) -> Option<&str> {
    let mut rest = mangled;
    loop {
        rest = match rest.split_at_checked(1)? {
            // A crate root.
            ("C", rest) => break identifier(after_disambiguator(rest)),
            // A nested path has a namespace.
            ("N", rest) => rest.get(1..)?,
            // An implementation.
            ("M" | "X", rest) => after_disambiguator(rest),
            // Generic arguments come behind the path.
            ("I", rest) => rest,
            _ => return None,
        };
    }
}

fn after_disambiguator(text: &str) -> &str {
    let number = text.strip_prefix('s').and_then(|text| text.split_once('_'));
    number.map_or(text, |(_, rest)| rest)
}

fn identifier(text: &str) -> Option<&str> {
    let digits = text.find(|char: char| !char.is_ascii_digit())?;
    let (length, rest) = text.split_at(digits);
    let rest = rest.strip_prefix('_').unwrap_or(rest);
    rest.get(..length.parse().ok()?)
}

/// The first part of each path in a text.
fn heads(text: &str) -> impl Iterator<Item = &str> {
    let is_of_name = |char: char| char.is_alphanumeric() || char == '_';
    text.match_indices("::").filter_map(move |(end, _)| {
        let before = &text[..end];
        let name = before.rsplit(|char| !is_of_name(char)).next()?;
        let is_first = !before[..before.len() - name.len()].ends_with("::");
        (is_first && !name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_THE_HOST: &[&str] = &["alloc", "core", "std"];

    fn of_v0(symbol: &str) -> Option<String> {
        crate_of(symbol, "", OF_THE_HOST)
    }

    /// In the older mangling, a symbol is a path.
    fn of_path(path: &str) -> Option<String> {
        crate_of("_ZN", path, OF_THE_HOST)
    }

    #[test]
    fn a_static_in_a_module_is_of_its_crate() {
        assert_eq!(of_path("app::driver::SENT").as_deref(), Some("app"));
        let krate = of_v0("_RNvNtCs1234_3app6driver4SENT");
        assert_eq!(krate.as_deref(), Some("app"));
    }

    #[test]
    fn a_static_in_an_implementation_for_a_type_of_the_host_is_of_the_traits_crate() {
        for path in [
            "<u32 as app::Encode>::encode::COUNT",
            "<alloc::vec::Vec<u8> as app::Encode>::encode::COUNT",
            "<alloc::vec::Vec<u8> as core::convert::From<app::Frame>>::from::COUNT",
        ] {
            assert_eq!(of_path(path).as_deref(), Some("app"), "{path}");
        }
    }

    #[test]
    fn a_v0_symbol_says_the_crate_of_an_implementation() {
        // <heapless::Queue as app::Encode>::encode::COUNT
        let symbol = "_RNvNvXs_Cs1234_3appNtCs5678_8heapless5QueueNtB4_6Encode6encode5COUNT";
        assert_eq!(of_v0(symbol).as_deref(), Some("app"));
    }

    #[test]
    fn a_static_in_an_implementation_by_the_test_is_of_the_tests_crate() {
        let path = "<board_test::Board as app::Platform>::tick::CALLS";
        assert_eq!(of_path(path).as_deref(), Some("board_test"));
    }
}
