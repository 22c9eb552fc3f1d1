//! The sequences that fuzzing has kept, replayed: each reaches code that the others do not, or showed
//! a bug.

use std::{
    fs,
    panic::{catch_unwind, resume_unwind},
    path::Path,
};

use arbitrary::{Arbitrary, Unstructured};
use corepool_sequences::{Sequence, run};

#[test]
fn the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/sequences");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is in the repository") {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let sequence = Sequence::arbitrary_take_rest(Unstructured::new(&bytes)).unwrap();
        if let Err(failure) = catch_unwind(|| run(&sequence)) {
            eprintln!("in {}:\n{sequence:#?}", path.display());
            resume_unwind(failure);
        }
        count += 1;
    }
    assert!(count >= 90, "{count} sequences are no corpus");
}
