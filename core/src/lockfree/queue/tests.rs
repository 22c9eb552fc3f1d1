//! The tests of both variants of the queue.

use super::*;

pub(super) const CELLS: usize = 3;

/// A queue of `CELLS` cells.
pub(super) struct Fixture {
    pub(super) lane: Lane,
    pub(super) cells: [QueueCell; CELLS],
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self {
            lane: Lane::new(),
            cells: [const { QueueCell::new() }; CELLS],
        }
    }

    /// A queue whose oldest item is in its last cell.
    fn at_the_end_of_a_lap() -> Self {
        let fixture = Self::new();
        for item in [0, 1] {
            fixture.queue().push(item);
            fixture.queue().pop_if(|_| true);
        }
        fixture
    }

    pub(super) fn queue(&self) -> Queue<'_> {
        Queue::new(&self.lane, &self.cells, Queue::words(CELLS))
    }
}

pub(super) fn pop(queue: Queue<'_>) -> Option<u16> {
    queue.pop_if(|_| true)
}

pub(super) fn pop_all(queue: Queue<'_>) -> Vec<u16> {
    std::iter::from_fn(|| pop(queue)).collect()
}

#[test]
fn what_was_queued_first_comes_first() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    assert_eq!(pop(queue), None);
    for item in [2, 0, 1] {
        queue.push(item);
    }
    assert_eq!(pop_all(queue), [2, 0, 1]);
}

#[test]
fn lap_after_lap_is_in_order() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    queue.push(0);
    for round in 0..10 * CELLS {
        queue.push(((round + 1) % CELLS) as u16);
        assert_eq!(pop(queue), Some((round % CELLS) as u16));
    }
}

#[test]
fn a_queue_of_one_cell_works() {
    let (lane, cells) = (Lane::new(), [QueueCell::new()]);
    let queue = Queue::new(&lane, &cells, Queue::words(1));
    for _ in 0..3 {
        assert!(queue.is_empty());
        queue.push(0);
        assert!(!queue.is_empty());
        assert_eq!(pop_all(queue), [0]);
    }
}

#[test]
fn an_unwanted_item_stays_first() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    queue.push(0);
    queue.push(1);
    assert_eq!(queue.pop_if(|item| item == 1), None);
    assert_eq!(queue.pop_if(|item| item == 0), Some(0));
    assert_eq!(queue.pop_if(|item| item == 1), Some(1));
}

/// `find` asks about each item in order, on any lap.
pub(super) fn check_find(fixture: &Fixture) {
    let queue = fixture.queue();
    for _ in 0..3 * CELLS {
        queue.push(2);
        queue.push(0);
        let asked = std::cell::RefCell::new(Vec::new());
        let never = |item| {
            asked.borrow_mut().push(item);
            false
        };
        assert_eq!(queue.find(never), None);
        assert_eq!(asked.into_inner(), [2, 0]);
        assert_eq!(queue.find(|item| item == 0), Some(0));
        assert_eq!(pop_all(queue), [2, 0]);
    }
}

#[test]
fn find_asks_about_each_item_in_order_across_the_laps_end() {
    check_find(&Fixture::new());
    check_find(&Fixture::at_the_end_of_a_lap());
}

#[test]
fn find_sees_all_that_stays_while_the_head_moves() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    for item in [0, 1, 2] {
        queue.push(item);
    }
    let popping = |item| item == 2 || pop(queue).is_none();
    assert_eq!(queue.find(popping), Some(2));
}

/// `len` counts what is queued, on any lap.
pub(super) fn check_len(fixture: &Fixture) {
    let queue = fixture.queue();
    for _ in 0..3 {
        assert_eq!(queue.len(), 0);
        for item in 0..3 {
            queue.push(item);
        }
        assert_eq!(queue.len(), 3);
        for left in [2, 1] {
            queue.pop_if(|_| true);
            assert_eq!(queue.len(), left);
        }
        queue.push(0);
        assert_eq!(queue.len(), 2);
        for _ in 0..2 {
            queue.pop_if(|_| true);
        }
    }
}

#[test]
fn len_counts_what_is_queued_across_the_laps_end() {
    check_len(&Fixture::new());
    check_len(&Fixture::at_the_end_of_a_lap());
}

#[test]
fn a_queue_is_empty_when_all_items_left() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    assert!(queue.is_empty());
    queue.push(0);
    queue.push(1);
    assert!(!queue.is_empty());
    pop(queue);
    assert!(!queue.is_empty());
    pop(queue);
    assert!(queue.is_empty());
}
