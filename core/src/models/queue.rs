//! The queue: each item comes out once, and in order.

use loom::sync::Arc;

use super::{explore, spawn};
use crate::lockfree::queue::{Lane, Queue, QueueCell};

/// A queue with room for the items below `N`.
struct Fixture<const N: usize> {
    lane: Lane,
    cells: [QueueCell; N],
}

impl<const N: usize> Fixture<N> {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lane: Lane::new(),
            cells: std::array::from_fn(|_| QueueCell::new()),
        })
    }

    fn queue(&self) -> Queue<'_> {
        Queue::new(&self.lane, &self.cells, Queue::words(N))
    }

    fn push(&self, item: u16) {
        self.queue().push(item);
    }

    fn pop(&self) -> Option<u16> {
        self.queue().pop_if(|_| true)
    }

    fn pop_all(&self) -> Vec<u16> {
        std::iter::from_fn(|| self.pop()).collect()
    }
}

fn sorted(items: impl IntoIterator<Item = u16>) -> Vec<u16> {
    let mut items: Vec<u16> = items.into_iter().collect();
    items.sort();
    items
}

#[test]
fn two_producers_two_consumers() {
    explore("queue: 2 producers, 2 consumers", Some(2), || {
        let queue = Fixture::<2>::new();
        let producers = [0, 1].map(|item| {
            let queue = queue.clone();
            spawn(move || queue.push(item))
        });
        let consumer = {
            let queue = queue.clone();
            spawn(move || queue.pop())
        };
        let mut popped: Vec<u16> = queue.pop().into_iter().collect();
        popped.extend(consumer.join().unwrap());
        for producer in producers {
            producer.join().unwrap();
        }
        popped.extend(queue.pop_all());
        assert_eq!(sorted(popped), [0, 1]);
    });
}

/// A popped item goes into the queue again, a lap later, while others still look at its cell.
#[test]
fn cells_are_used_again() {
    explore("queue: cells used again", Some(3), || {
        let queue = Fixture::<2>::new();
        let again = |item: u16| {
            let queue = queue.clone();
            move || {
                queue.push(item);
                // This thread pushed two, or pushed one of which the other has popped none.
                let popped = queue.pop().expect("the queue is not empty");
                queue.push(popped);
            }
        };
        let other = spawn(again(0));
        again(1)();
        other.join().unwrap();
        assert_eq!(sorted(queue.pop_all()), [0, 1]);
    });
}

/// A slow popper does not take the item that is in the cell a lap later for the first one.
#[test]
fn a_cell_at_the_head_again() {
    explore("queue: a cell at the head again", Some(3), || {
        let queue = Fixture::<2>::new();
        let other = {
            let queue = queue.clone();
            spawn(move || {
                queue.push(0);
                let first = queue.pop();
                queue.push(1);
                let second = queue.pop();
                if let Some(item) = first {
                    queue.push(item);
                }
                second
            })
        };
        let mine = queue.pop();
        let theirs = other.join().unwrap();
        let popped = mine.into_iter().chain(theirs).chain(queue.pop_all());
        assert_eq!(sorted(popped), [0, 1]);
    });
}

/// A slow pusher neither pushes into the cell's next lap nor over its item.
#[test]
fn a_cell_at_the_tail_again() {
    explore("queue: a cell at the tail again", Some(2), || {
        let queue = Fixture::<2>::new();
        let other = {
            let queue = queue.clone();
            spawn(move || {
                let mut popped = vec![];
                for _ in 0..2 {
                    queue.push(0);
                    let item = queue.pop().expect("one of both");
                    popped.push(item);
                    if item == 1 {
                        break;
                    }
                }
                popped
            })
        };
        queue.push(1);
        let popped = other.join().unwrap();
        let mut items = popped.clone();
        items.extend(queue.pop_all());
        let zeros = items.iter().filter(|&&item| item == 0).count();
        assert_eq!(items.iter().filter(|&&item| item == 1).count(), 1);
        assert_eq!(zeros, popped.len(), "each was pushed once for each pop");
    });
}

/// Three pushers. One of them finds the tail where another has left it.
#[test]
fn behind_a_pusher_that_stopped() {
    explore("queue: push past a pusher that stopped", Some(2), || {
        let queue = Fixture::<3>::new();
        let others = [0, 1].map(|item| {
            let queue = queue.clone();
            spawn(move || queue.push(item))
        });
        queue.push(2);
        let mine = queue.pop();
        assert!(mine.is_some());
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(sorted(mine.into_iter().chain(queue.pop_all())), [0, 1, 2]);
    });
}

/// Two threads hand on the one item of a ring of one cell.
#[test]
fn one_cell() {
    explore("queue: one cell, pop and push", Some(3), || {
        let queue = Fixture::<1>::new();
        queue.push(0);
        let hand_on = |queue: Arc<Fixture<1>>| {
            if let Some(item) = queue.pop() {
                queue.push(item);
            }
        };
        let other = {
            let queue = queue.clone();
            spawn(move || hand_on(queue))
        };
        hand_on(queue.clone());
        other.join().unwrap();
        assert_eq!(queue.pop_all(), [0]);
    });
}

/// Pushes and pops of two at the end of a lap, and past it.
#[test]
fn at_the_end_of_a_lap() {
    explore("queue: at the end of a lap", Some(2), || {
        let queue = Fixture::<3>::new();
        queue.push(0);
        queue.push(1);
        let other = {
            let queue = queue.clone();
            spawn(move || {
                queue.push(2);
                let popped = queue.pop().expect("one is there all the time");
                queue.push(popped);
            })
        };
        let popped = queue.pop().expect("one is there all the time");
        queue.push(popped);
        other.join().unwrap();
        assert_eq!(sorted(queue.pop_all()), [0, 1, 2]);
    });
}

/// A queue with an item is never taken for an empty one, even if other items come and go.
#[test]
fn never_empty() {
    explore("queue: pop, push, is it empty", None, || {
        let queue = Fixture::<2>::new();
        queue.push(0);
        queue.push(1);
        let other = {
            let queue = queue.clone();
            spawn(move || {
                let popped = queue.pop().unwrap();
                queue.push(popped);
                let popped = queue.pop().unwrap();
                queue.push(popped);
            })
        };
        assert!(!queue.queue().is_empty());
        other.join().unwrap();
    });
}

/// A popper finds an item if one was there all the time, even if that item has moved a lap on.
#[test]
fn never_nothing() {
    explore("queue: pop, push, pop", None, || {
        let queue = Fixture::<2>::new();
        queue.push(0);
        queue.push(1);
        let other = {
            let queue = queue.clone();
            spawn(move || {
                let popped = queue.pop().unwrap();
                queue.push(popped);
            })
        };
        let mine = queue.pop().expect("one is there all the time");
        other.join().unwrap();
        assert_eq!(sorted([mine].into_iter().chain(queue.pop_all())), [0, 1]);
    });
}

#[test]
fn one_producer_is_first_in_first_out() {
    explore("queue: first in, first out", None, || {
        let queue = Fixture::<2>::new();
        let producer = {
            let queue = queue.clone();
            spawn(move || {
                queue.push(1);
                queue.push(0);
            })
        };
        let mut items: Vec<u16> = [queue.pop(), queue.pop()].into_iter().flatten().collect();
        producer.join().unwrap();
        items.extend(queue.pop_all());
        assert_eq!(items, [1, 0]);
    });
}

/// A thread that takes cancelled items off the head takes no other item.
#[test]
fn reaping_takes_what_it_wants_only() {
    explore("queue: reap and pop", None, || {
        let queue = Fixture::<4>::new();
        queue.push(1);
        queue.push(2);
        let other = {
            let queue = queue.clone();
            spawn(move || {
                let popped = queue.pop();
                queue.push(3);
                popped
            })
        };
        let reaped = queue.queue().pop_if(|item| item % 2 == 1);
        let popped = other.join().unwrap();
        let left = sorted(queue.pop_all());
        match (reaped, popped) {
            (None, Some(1)) => assert_eq!(left, [2, 3]),
            (Some(1), Some(2)) => assert_eq!(left, [3]),
            // If both others are gone, the last one is reaped.
            (Some(1 | 3), _) | (None, None) => panic!("{reaped:?} {popped:?} {left:?}"),
            other => panic!("{other:?} {left:?}"),
        }
    });
}

/// A reaper does not give up because another item is in its cell a lap later.
#[test]
fn reaping_finds_what_is_first() {
    explore("queue: reap, pop, push", Some(2), || {
        let queue = Fixture::<3>::new();
        queue.push(0);
        queue.push(1);
        let other = {
            let queue = queue.clone();
            spawn(move || {
                let first = queue.pop();
                if let Some(item) = first {
                    queue.push(item);
                }
                let second = queue.pop();
                queue.push(2);
                second
            })
        };
        // The unwanted item is never first: there is always another before it.
        let reaped = queue.queue().pop_if(|item| item != 2);
        assert!(reaped.is_some());
        let popped = reaped.into_iter().chain(other.join().unwrap());
        assert_eq!(sorted(popped.chain(queue.pop_all())), [0, 1, 2]);
    });
}

/// The same race, if a popper has stopped in its next push before it moved the tail, and another
/// pushed past it.
#[test]
fn reaping_behind_a_pusher_that_stopped() {
    explore("queue: reap, pop and push, push", Some(2), || {
        let queue = Fixture::<3>::new();
        queue.push(0);
        queue.push(1);
        let others = [true, false].map(|hands_on| {
            let queue = queue.clone();
            spawn(move || {
                if !hands_on {
                    queue.push(2);
                } else if let Some(item) = queue.pop() {
                    queue.push(item);
                }
            })
        });
        let reaped = queue.queue().pop_if(|item| item != 2);
        assert!(reaped.is_some());
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(sorted(reaped.into_iter().chain(queue.pop_all())), [0, 1, 2]);
    });
}
