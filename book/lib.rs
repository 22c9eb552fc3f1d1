//! The chapters of the book in `src`, and the README. `cargo test` compiles and runs each of their code blocks, as a doctest.
//!
//! A block that is `ignore`d is a whole file: an example that `cargo test` runs as well, or a board's program. A
//! test sees to that (`tests/chapters.rs`).

macro_rules! chapters {
    ($($name:ident: $file:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($file)]
            struct $name;
        )*
    };
}

chapters! {
    Readme: "../README.md",
    Introduction: "src/introduction.md",
    StartHost: "src/start-host.md",
    StartBoard: "src/start-board.md",
    OneApplication: "src/one-application.md",
    Patterns: "src/patterns.md",
    PatternInterrupt: "src/pattern-interrupt.md",
    PatternSplit: "src/pattern-split.md",
    PatternSlowWork: "src/pattern-slow-work.md",
    PatternPeriodic: "src/pattern-periodic.md",
    PatternPipeline: "src/pattern-pipeline.md",
    Slots: "src/slots.md",
    Waiting: "src/waiting.md",
    Contexts: "src/contexts.md",
    Async: "src/async.md",
    Priorities: "src/priorities.md",
    Cancellation: "src/cancellation.md",
    Lost: "src/lost.md",
    Testing: "src/testing.md",
    Looking: "src/looking.md",
    Sizing: "src/sizing.md",
    Porting: "src/porting.md",
    Remote: "src/remote.md",
    FromPython: "src/from-python.md",
    ComingFrom: "src/coming-from.md",
    Troubleshooting: "src/troubleshooting.md",
    Safety: "src/safety.md",
    Limits: "src/limits.md",
    Glossary: "src/glossary.md",
}
