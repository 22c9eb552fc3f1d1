//! The input of a link's server, as `corepool_fuzz::server` describes and checks it.
#![no_main]

use corepool_fuzz::server::{Input, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: Input| run(input));
