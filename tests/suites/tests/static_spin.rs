//! A static pool, on threads that spin.

corepool_tests::suites!(in_parallel corepool_tests::StaticSpin);
