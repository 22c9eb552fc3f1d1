//! The conformance suite: what `concurrent.futures` promises, as tests, run on every executor.
//!
//! A test is a function that is generic over a [`Fixture`]: an executor to be tested. It is named as
//! in CPython's `test_concurrent_futures` where it answers a test of that suite, and says so. The
//! macro [`suite!`] makes test functions of all of them, for one fixture.
//!
//! Tests do not sleep. A job that must not go on yet waits at a [`Gate`], or behind
//! [`Fixture::hold_workers`]. A result that never comes is a promise that no party keeps. Each test
//! runs under [`run`], which fails it instead of hanging for ever.

mod allocations;
mod child;
mod fixture;
mod list;
mod methods;
mod port;
pub mod suite;
mod tools;
pub mod travelling;
pub mod wire;

#[cfg(target_os = "linux")]
pub use crate::child::limit_address_space;
pub use crate::{
    allocations::{CountingAllocator, allocations_of, blocks_left_by},
    child::{generation, is_child, must_pass_in_child, run_in_child},
    fixture::{
        BYTES, EndsWhenDropped, Fixture, Hold, HostThreads, Init, Lent, LentThreads, Memory,
        OfItsOwn, OwnedThreads, ParkingThreads, Pool, SLOTS, SMALL, Simulated, Static, StaticSpin,
        StaticThreads, finish, hold_threads, keep,
    },
    methods::{Methods, View},
    port::{Clock, TellsOfParking, TestPort},
    tools::{
        CountingWaker, Drops, Gate, LONG, PATIENCE, Recorder, Token, Waits, all_slots_come_back,
        block_on, cancelled_future, done_future, drain, failed_future, gates_wait_by,
        passed_future, run, run_for, text_of, undefine_next_slot, while_running, yield_now,
    },
};
