//! The queue: each item comes out once, in order, and each node has one owner.

use loom::sync::Arc;

use super::{explore, spawn};
use crate::{
    queue::{Lane, Node, Popped, Queue},
    tagged::Tagged,
};

/// A queue with room for `N - 1` items.
struct Fixture<const N: usize> {
    lane: Lane,
    nodes: [Node; N],
}

impl<const N: usize> Fixture<N> {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lane: Lane::new(),
            nodes: std::array::from_fn(|_| Node::new()),
        })
    }

    fn queue(&self) -> Queue<'_> {
        Queue::new(&self.lane, 0, &self.nodes, Tagged::for_indices_to(N))
    }

    fn push(&self, item: u16, node: u16) {
        // SAFETY: each test gives each node to one pusher.
        unsafe { self.queue().push(item, node) };
    }

    fn pop(&self) -> Option<Popped> {
        self.queue().pop_if(|_| true)
    }
}

fn sorted<T: Ord>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort();
    values
}

#[test]
fn two_producers_two_consumers() {
    explore("queue: 2 producers, 2 consumers", Some(2), || {
        let queue = Fixture::<3>::new();
        let producers = [1, 2].map(|node| {
            let queue = queue.clone();
            spawn(move || queue.push(node * 10, node))
        });
        let consumer = {
            let queue = queue.clone();
            spawn(move || queue.pop())
        };
        let mut popped: Vec<Popped> = queue.pop().into_iter().collect();
        popped.extend(consumer.join().unwrap());
        for producer in producers {
            producer.join().unwrap();
        }
        popped.extend(std::iter::from_fn(|| queue.pop()));
        assert_eq!(sorted(popped.iter().map(|p| p.item)), [10, 20]);
        let nodes = sorted(popped.iter().map(|p| p.node));
        assert!(nodes == [0, 1] || nodes == [0, 2], "{nodes:?}");
    });
}

/// A popped node goes into the queue again while others still look at it.
#[test]
fn nodes_are_used_again() {
    explore("queue: nodes used again", Some(3), || {
        let queue = Fixture::<3>::new();
        let again = |node: u16| {
            let queue = queue.clone();
            move || {
                queue.push(node * 10, node);
                // Two pushed, or one pushed and none popped by the other.
                let popped = queue.pop().expect("the queue is not empty");
                queue.push(popped.item + 1, popped.node);
            }
        };
        let other = spawn(again(1));
        again(2)();
        other.join().unwrap();
        let popped: Vec<Popped> = std::iter::from_fn(|| queue.pop()).collect();
        let items = sorted(popped.iter().map(|p| p.item));
        assert!(
            items == [11, 21] || items == [10, 22] || items == [12, 20],
            "{items:?}"
        );
        assert_ne!(popped[0].node, popped[1].node);
    });
}

/// A node that comes to the head again has the successor that it has now.
#[test]
fn a_node_at_the_head_again() {
    explore("queue: a node at the head again", Some(2), || {
        let queue = Fixture::<3>::new();
        let other = {
            let queue = queue.clone();
            spawn(move || {
                queue.push(1, 1);
                let first = queue.pop();
                queue.push(2, first.map_or(2, |popped| popped.node));
                [first, queue.pop()]
            })
        };
        let mine = queue.pop();
        let theirs = other.join().unwrap().into_iter().flatten();
        let popped = theirs.chain(mine).chain(std::iter::from_fn(|| queue.pop()));
        assert_eq!(sorted(popped.map(|popped| popped.item)), [1, 2]);
    });
}

/// Who pops helps no tail forward that has come to its old dummy in another turn.
#[test]
fn a_node_at_the_tail_again() {
    explore("queue: a node at the tail again", Some(2), || {
        let queue = Fixture::<3>::new();
        queue.push(1, 1);
        let other = {
            let queue = queue.clone();
            spawn(move || {
                let first = queue.pop();
                queue.push(2, first.map_or(2, |popped| popped.node));
                let second = queue.pop();
                queue.push(3, second.map_or(2, |popped| popped.node));
                [first, second]
            })
        };
        let mine = queue.pop();
        let theirs = other.join().unwrap().into_iter().flatten();
        let popped = theirs.chain(mine).chain(std::iter::from_fn(|| queue.pop()));
        assert_eq!(sorted(popped.map(|popped| popped.item)), [1, 2, 3]);
    });
}

/// Who pushes behind a node that is in use again pushes to its present place in the queue.
#[test]
fn behind_a_node_used_again() {
    explore("queue: push behind a node used again", Some(2), || {
        let queue = Fixture::<4>::new();
        queue.push(1, 1);
        let other = {
            let queue = queue.clone();
            spawn(move || {
                let first = queue.pop().unwrap();
                queue.push(2, first.node);
                let second = queue.pop().unwrap();
                queue.push(3, second.node);
                [first, second]
            })
        };
        queue.push(4, 3);
        let mine = queue.pop().expect("the other leaves one");
        let theirs = other.join().unwrap();
        let left: Vec<Popped> = std::iter::from_fn(|| queue.pop()).collect();
        let popped = theirs.iter().chain([&mine]).chain(&left);
        assert_eq!(sorted(popped.map(|popped| popped.item)), [1, 2, 3, 4]);
    });
}

/// A queue with an item in it is never taken for an empty one, whatever else comes and goes.
#[test]
fn never_empty() {
    explore("queue: pop, push, is it empty", None, || {
        let queue = Fixture::<3>::new();
        queue.push(1, 1);
        queue.push(2, 2);
        let other = {
            let queue = queue.clone();
            spawn(move || {
                let popped = queue.pop().unwrap();
                queue.push(3, popped.node);
            })
        };
        assert!(!queue.queue().is_empty());
        other.join().unwrap();
    });
}

#[test]
fn one_producer_is_first_in_first_out() {
    explore("queue: first in, first out", None, || {
        let queue = Fixture::<3>::new();
        let producer = {
            let queue = queue.clone();
            spawn(move || {
                queue.push(1, 1);
                queue.push(2, 2);
            })
        };
        let mut items: Vec<u16> = [queue.pop(), queue.pop()]
            .into_iter()
            .flatten()
            .map(|popped| popped.item)
            .collect();
        producer.join().unwrap();
        items.extend(std::iter::from_fn(|| queue.pop()).map(|popped| popped.item));
        assert_eq!(items, [1, 2]);
    });
}

/// Who takes cancelled items off the head takes no other.
#[test]
fn reaping_takes_what_it_wants_only() {
    explore("queue: reap and pop", None, || {
        let queue = Fixture::<4>::new();
        queue.push(1, 1);
        queue.push(2, 2);
        let other = {
            let queue = queue.clone();
            spawn(move || {
                let popped = queue.pop();
                queue.push(3, 3);
                popped
            })
        };
        let reaped = queue.queue().pop_if(|item| item % 2 == 1);
        let popped = other.join().unwrap();
        let left = sorted(std::iter::from_fn(|| queue.pop()).map(|popped| popped.item));
        match (reaped.map(|p| p.item), popped.map(|p| p.item)) {
            (None, Some(1)) => assert_eq!(left, [2, 3]),
            (Some(1), Some(2)) => assert_eq!(left, [3]),
            // Both others gone, the last one is reaped.
            (Some(1 | 3), _) | (None, None) => panic!("{reaped:?} {popped:?} {left:?}"),
            other => panic!("{other:?} {left:?}"),
        }
    });
}
