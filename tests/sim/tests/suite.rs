//! The conformance suite on a simulated chip: each test under a hundred schedules.

corepool_tests::suites!(in_parallel corepool_sim_tests::OnAChip);
