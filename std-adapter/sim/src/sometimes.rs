//! Conditions that have to hold in at least one run.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use linkme::distributed_slice;

/// One use of [`sometimes!`](crate::sometimes).
#[derive(Debug)]
pub struct Sometimes {
    text: &'static str,
    place: &'static str,
    /// The path of the function that it is in.
    path: fn() -> &'static str,
    was_reached: AtomicBool,
    has_held: AtomicBool,
}

/// All uses in the program.
#[distributed_slice]
pub static SOMETIMES: [Sometimes];

impl Sometimes {
    #[doc(hidden)]
    pub const fn new(text: &'static str, place: &'static str, path: fn() -> &'static str) -> Self {
        Self {
            text,
            place,
            path,
            was_reached: AtomicBool::new(false),
            has_held: AtomicBool::new(false),
        }
    }

    #[doc(hidden)]
    pub fn note(&self, holds: bool) {
        // One thread at a time simulates, and reads this after the runs.
        self.was_reached.store(true, Relaxed);
        self.has_held.fetch_or(holds, Relaxed);
    }
}

/// Forgets what held in earlier simulations.
pub(crate) fn begin() {
    for site in SOMETIMES {
        site.was_reached.store(false, Relaxed);
        site.has_held.store(false, Relaxed);
    }
}

/// For each use whether it was reached, in bit 0, and whether it has held, in bit 1.
pub(crate) fn seen() -> Vec<u64> {
    let bits = |site: &Sometimes| {
        u64::from(site.was_reached.load(Relaxed)) | u64::from(site.has_held.load(Relaxed)) << 1
    };
    SOMETIMES.iter().map(bits).collect()
}

/// Notes what another process of this program has seen.
pub(crate) fn note_seen(seen: &[u64]) {
    for (site, bits) in SOMETIMES.iter().zip(seen) {
        site.was_reached.fetch_or(bits & 1 != 0, Relaxed);
        site.has_held.fetch_or(bits & 2 != 0, Relaxed);
    }
}

/// The conditions that were reached, or that stand in the scenario itself, and never held.
pub(crate) fn never_held(scenario: &str) -> Vec<String> {
    let sites = SOMETIMES.iter().filter(|site| {
        let is_of_scenario = (site.path)().starts_with(scenario);
        !site.has_held.load(Relaxed) && (site.was_reached.load(Relaxed) || is_of_scenario)
    });
    sites
        .map(|site| match site.was_reached.load(Relaxed) {
            true => format!("`{}` ({}) held in no run", site.text, site.place),
            false => format!("`{}` ({}) was reached in no run", site.text, site.place),
        })
        .collect()
}

/// States that a condition holds in at least one run. If it holds in none, the simulation fails: its
/// runs do not reach the situation that the test is about.
///
/// ```
/// # let dropped = 1;
/// corepool_sim::sometimes!(dropped > 0, "a window found no frame");
/// ```
#[macro_export]
macro_rules! sometimes {
    ($holds:expr, $text:literal $(,)?) => {{
        fn here() {}
        #[$crate::__private::distributed_slice($crate::__private::SOMETIMES)]
        #[linkme(crate = $crate::__private::linkme)]
        static SITE: $crate::__private::Sometimes =
            $crate::__private::Sometimes::new($text, concat!(file!(), ":", line!()), || {
                ::core::any::type_name_of_val(&here)
            });
        SITE.note($holds);
    }};
}
