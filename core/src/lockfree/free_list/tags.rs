//! The tags of the lock-free free list.

use super::{tests::Slots, *};

#[test]
fn without_a_mark_there_is_nothing_to_take_away() {
    let slots = Slots::with(&[3]);
    let before = slots.free.head.load(Ordering::Relaxed);
    slots.unmark(true);
    assert_eq!(slots.free.head.load(Ordering::Relaxed), before);
}

/// The numbers of bits that the crate's documentation promises.
#[test]
fn tags_are_as_large_as_the_documentation_says() {
    let (_, section) = include_str!("../../lib.rs")
        .split_once("//! # Tags")
        .unwrap();
    let (section, _) = section.split_once("//! # RAM").unwrap();
    let mut rows = 0;
    for line in section.lines().filter(|line| line.starts_with("//! | ")) {
        let cells: Vec<&str> = line.split('|').skip(1).map(str::trim).collect();
        let Ok(slots) = cells[0].replace(',', "").parse() else {
            continue;
        };
        let index_bits = |words: Tagged| words.index(usize::MAX).count_ones();
        let of_list = index_bits(FreeWords::for_slots(slots).tagged);
        let of_queue = index_bits(super::super::queue::Queue::words(slots));
        for (width, cells) in [16_u32, 32, 64].into_iter().zip(cells[1..7].chunks(2)) {
            let tag = |bits| width.checked_sub(bits).filter(|&tag| tag > 0);
            let said = |tag: Option<u32>| tag.map_or("-".into(), |tag| tag.to_string());
            let fits = tag(of_list).is_some();
            assert_eq!(cells[0], said(tag(of_list)), "{slots} slots, {width} bits");
            let of_queue = if fits { tag(of_queue) } else { None };
            assert_eq!(cells[1], said(of_queue), "{slots} slots, {width} bits");
        }
        rows += 1;
    }
    assert_eq!(rows, 7);
}
