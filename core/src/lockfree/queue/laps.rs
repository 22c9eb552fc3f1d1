//! The laps of the lock-free queue, and pushers that stop between their two steps.

use super::{
    tests::{CELLS, Fixture, check_find, check_len, pop, pop_all},
    *,
};

/// A queue in its last lap but one: the tags wrap after two laps.
fn before_the_last_lap() -> Fixture {
    let fixture = Fixture::new();
    let words = Queue::words(CELLS);
    let last_index = words.index(usize::MAX);
    let lap = usize::MAX - 2 * last_index - 1;
    assert_eq!(words.successor(words.successor(lap, 0), 0), 0);
    for word in fixture.cells.iter().map(|cell| &cell.0) {
        word.store(lap, Ordering::Relaxed);
    }
    fixture.lane.head.store(lap, Ordering::Relaxed);
    fixture.lane.tail.store(lap, Ordering::Relaxed);
    fixture
}

#[test]
fn after_the_last_lap_comes_the_first() {
    let fixture = before_the_last_lap();
    let queue = fixture.queue();
    for _ in 0..3 * CELLS {
        queue.push(2);
        queue.push(1);
        assert_eq!(pop_all(queue), [2, 1]);
    }
}

#[test]
fn find_sees_an_item_behind_a_tail_that_lags() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    queue.push(0);
    let tail = fixture.lane.tail.load(Ordering::Relaxed);
    queue.push(1);
    fixture.lane.tail.store(tail, Ordering::Relaxed);
    assert_eq!(queue.find(|item| item == 1), Some(1));
}

/// A queue with these items, whose last pusher has stopped before it moved the tail.
fn stopped_after(items: &[u16]) -> Fixture {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    for &item in items {
        let before = fixture.lane.tail.load(Ordering::Relaxed);
        queue.push(item);
        if Some(&item) == items.last() {
            fixture.lane.tail.store(before, Ordering::Relaxed);
        }
    }
    fixture
}

#[test]
fn a_popper_goes_past_a_pusher_that_stopped_before_it_moved_the_tail() {
    let fixture = stopped_after(&[0]);
    let queue = fixture.queue();
    assert!(!queue.is_empty());
    assert_eq!(pop_all(queue), [0]);
    queue.push(1);
    assert_eq!(pop_all(queue), [1]);
}

#[test]
fn a_pusher_goes_past_a_pusher_that_stopped_before_it_moved_the_tail() {
    let fixture = stopped_after(&[2, 0]);
    let queue = fixture.queue();
    queue.push(1);
    assert_eq!(pop_all(queue), [2, 0, 1]);
}

#[test]
fn a_pusher_goes_past_one_that_stopped_at_the_end_of_a_lap() {
    let fixture = stopped_after(&[2, 0, 1]);
    let queue = fixture.queue();
    assert_eq!(pop(queue), Some(2));
    queue.push(2);
    assert_eq!(pop_all(queue), [0, 1, 2]);
}

#[test]
fn find_and_len_work_across_the_last_laps_end() {
    check_find(&before_the_last_lap());
    check_len(&before_the_last_lap());
}
