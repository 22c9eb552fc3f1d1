//! A pool in lent memory, on threads that park.

corepool_tests::suites!(in_parallel corepool_tests::LentThreads);
