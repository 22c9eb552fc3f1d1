//! A hint about the speed of the build.

use std::{io::Write, sync::Once};

/// Says once in a process that the build is slow, if it is.
pub(crate) fn hint() {
    static ONCE: Once = Once::new();
    if let Some(text) = text_for(env!("COREPOOL_SIM_OPT_LEVEL")) {
        // The test's output is captured, and shown only if the test fails.
        ONCE.call_once(|| drop(std::io::stderr().write_all(text.as_bytes())));
    }
}

fn text_for(level: &str) -> Option<&'static str> {
    (level == "0").then_some(
        "corepool-sim: at `opt-level = 0`, runs take about ten times as long. Set `opt-level = 1` in the workspace's `[profile.dev]`\n",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_build_without_optimisation_is_slow() {
        assert!(text_for("0").is_some_and(|text| text.contains("opt-level = 1")));
        assert!(
            ["1", "2", "3", "s", "z"]
                .map(text_for)
                .iter()
                .all(Option::is_none)
        );
    }
}
