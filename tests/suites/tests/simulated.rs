//! A static pool without threads, on many schedules.

corepool_tests::suites!(everywhere corepool_tests::Simulated);
