use super::*;
use crate::{ContextId, Parker, SpinWorker, StaticPool};

/// A port whose clock is near its end.
struct Old;

// SAFETY: one thread alone uses the pool.
unsafe impl Port for Old {
    fn context(&self) -> ContextId {
        ContextId::MIN
    }

    fn now(&self) -> Option<Duration> {
        Some(Duration::MAX - Duration::from_secs(1))
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&SpinWorker);
    }
}

#[test]
fn a_limit_past_the_clocks_range_is_the_end_of_that_range() {
    static POOL: StaticPool<1, 8> = StaticPool::new();
    assert!(POOL.install(&Old));
    let pool = POOL.pool_ref().erased;
    for timeout in [
        Duration::from_secs(1),
        Duration::from_secs(2),
        Duration::MAX,
    ] {
        let limit = Limit::after(pool, Some(timeout));
        assert!(matches!(limit, Ok(Limit::At(Duration::MAX))));
    }
    assert!(matches!(Limit::after(pool, None), Ok(Limit::Never(_))));
}
