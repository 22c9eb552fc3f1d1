//! The jobs of the example `primes`, and the table that both sides of a link know them by.
#![no_std]

use corepool::remote::{JobContext, JobEntry, JobTable, RemoteJob};
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// Which of these are prime?
pub const NUMBERS: [u64; 8] = [
    112_272_535_095_293,
    112_582_705_942_171,
    112_272_535_095_297,
    115_280_095_190_773,
    115_797_848_077_099,
    1_099_726_899_285_419,
    67_280_421_310_721,
    67_280_421_310_723,
];

/// How many jobs there are: each number is asked for four times, so that there is something to share
/// out.
pub const COUNT: usize = 4 * NUMBERS.len();

/// The numbers of all jobs, in order.
pub fn numbers() -> impl Iterator<Item = u64> {
    NUMBERS.into_iter().cycle().take(COUNT)
}

/// Whether the number is prime, by division.
pub fn is_prime(number: u64) -> bool {
    if number < 4 || number.is_multiple_of(2) {
        return number == 2 || number == 3;
    }
    (3..=number.isqrt())
        .step_by(2)
        .all(|divisor| !number.is_multiple_of(divisor))
}

/// [`is_prime`], as a job that can run in another address space.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Schema)]
pub struct IsPrime(pub u64);

impl RemoteJob for IsPrime {
    type Output = bool;
    const NAME: &'static str = "is_prime";
    const IDEMPOTENT: bool = true;
    // The sizes of a `u64` and of a `bool`, as `postcard` has them.
    const MAX_ARGUMENTS: Option<usize> = Some(10);
    const MAX_RESULT: Option<usize> = Some(1);

    fn run(self, _context: &mut JobContext<'_>) -> bool {
        is_prime(self.0)
    }
}

const TABLE: JobTable = JobTable::new(&[JobEntry::of::<IsPrime>()]);

/// The table that both sides are built with.
pub static JOBS: JobTable = TABLE;

/// How many bytes a frame has at most.
pub const FRAME: usize = TABLE.frame_bytes().unwrap();
