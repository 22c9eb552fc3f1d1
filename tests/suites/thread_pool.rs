//! The thread pool of the host.

corepool_tests::suites!(in_parallel corepool_tests::HostThreads);
