//! The phase of a pool: a thread that sees a bit sees what the bit stands for.

use loom::sync::Arc;

use super::{MACHINE, explore, spawn};
use crate::StaticPool;

type Pool = StaticPool<1, 32, 1, 1, 1>;

#[test]
fn the_port() {
    explore("phase: install, use the port", None, || {
        let pool = Arc::new(Pool::new());
        let other = {
            let pool = pool.clone();
            spawn(move || pool.install(&MACHINE))
        };
        // Uses the port if it finds one.
        pool.pool_ref().erased.port();
        let mine = pool.install(&MACHINE);
        assert_ne!(mine, other.join().unwrap(), "one port is installed");
    });
}

#[test]
fn the_reason() {
    explore("phase: break, ask why", None, || {
        let pool = Arc::new(Pool::new());
        let other = {
            let pool = pool.clone();
            spawn(move || pool.break_pool("other"))
        };
        pool.broken_reason();
        pool.break_pool("mine");
        other.join().unwrap();
        assert!(pool.broken_reason().is_some());
    });
}
