//! The input of a link's client, as `corepool_fuzz::client` describes and checks it.
#![no_main]

use corepool_fuzz::client::{Input, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: Input| run(input));
