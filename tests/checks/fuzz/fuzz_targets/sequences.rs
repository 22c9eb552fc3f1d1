//! Sequences of a pool's calls, as `corepool_sequences` describes and checks them.
#![no_main]

use corepool_sequences::{Sequence, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|sequence: Sequence| run(&sequence));
