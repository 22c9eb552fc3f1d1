//! The application's frames of a backtrace.

use std::fmt::Write;

use crate::symbols::OF_THE_HOST;

/// The crates of the simulator, besides those of the host.
const OF_THE_SIMULATOR: [&str; 2] = ["critical_section", "portable_atomic"];

/// A frame: its function, and its place, which is empty if it is not known.
type Frame<'t> = (&'t str, &'t str);

/// The place of the innermost frame of the application in a backtrace.
pub(crate) fn place_in(backtrace: &str) -> Option<String> {
    let mut own = frames(backtrace).into_iter().filter(is_of_application);
    let place = own.find_map(|(_, place)| (!place.is_empty()).then_some(place));
    place.map(str::to_string)
}

/// The place of the innermost frame of the application, its frames, and the number of all others. If none is found,
/// all frames.
#[cfg_attr(not(unix), allow(dead_code))]
pub(super) fn of_application(backtrace: &str) -> String {
    let frames = frames(backtrace);
    let count = frames.len();
    let own: Vec<_> = frames.into_iter().filter(is_of_application).collect();
    let Some((_, place)) = own.first() else {
        return lines(backtrace).fold("\n".into(), |text, line| text + line + "\n");
    };
    let mut text = match *place {
        "" => "\n".to_string(),
        place => format!(", at {place}\n"),
    };
    for (function, place) in &own {
        let _ = match *place {
            "" => writeln!(text, "    in {function}"),
            place => writeln!(text, "    in {function}, at {place}"),
        };
    }
    let _ = writeln!(
        text,
        "    {} frames of libraries are left out",
        count - own.len()
    );
    text
}

/// The lines of a backtrace that the calling context has. Below its fiber's first frame are those of another
/// context, which has resumed the fiber.
fn lines(backtrace: &str) -> impl Iterator<Item = &str> {
    let lines = backtrace.lines();
    lines.take_while(|line| !line.contains("corosensei"))
}

/// The frames of a text of `Backtrace`: a line with the number and the function, and perhaps one with the place.
fn frames(backtrace: &str) -> Vec<Frame<'_>> {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    for line in lines(backtrace).map(str::trim) {
        if let Some(at) = line.strip_prefix("at ") {
            if let Some((_, place)) = frames.last_mut() {
                *place = at.trim_start_matches("./");
            }
        } else if let Some((_, function)) = line.split_once(": ") {
            frames.push((function, ""));
        }
    }
    frames
}

fn is_of_application(&(function, place): &Frame<'_>) -> bool {
    if place.is_empty() {
        let krate = crate_of(function);
        return krate.is_some_and(|krate| {
            !OF_THE_HOST.contains(&krate) && !OF_THE_SIMULATOR.contains(&krate)
        });
    }
    let of_toolchain = ["/rustc/", "/lib/rustlib/", "/registry/src/"];
    let repository = env!("CARGO_MANIFEST_DIR").trim_end_matches("std-adapter/sim");
    let in_repository = place.strip_prefix(repository).unwrap_or_default();
    let of_library = ["core/src/", "std-adapter/"];
    // The C library's are no Rust.
    place.contains(".rs:")
        && !of_toolchain.iter().any(|folder| place.contains(folder))
        && !of_library
            .iter()
            .any(|folder| in_repository.starts_with(folder))
}

/// The crate that a function's path begins with.
fn crate_of(function: &str) -> Option<&str> {
    let (krate, _) = function.trim_start_matches('<').split_once("::")?;
    let is_of_name = |char: char| char.is_alphanumeric() || char == '_';
    krate.chars().all(is_of_name).then_some(krate)
}
