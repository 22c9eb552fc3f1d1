//! A static pool, on threads that park.

corepool_tests::suites!(in_parallel corepool_tests::StaticThreads);
