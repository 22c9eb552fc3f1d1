//! The generic tests, grouped as CPython groups them.

pub mod ambient_tests;
pub mod as_completed_tests;
pub mod bridge_tests;
pub mod context_tests;
pub mod deadlock_tests;
pub mod drop_tests;
pub mod executor_tests;
pub mod future_tests;
pub mod initializer_tests;
pub mod python_goes_wrong;
pub mod shared_tests;
pub mod shutdown_tests;
pub mod time_tests;
pub mod wait_shared_tests;
pub mod wait_tests;
