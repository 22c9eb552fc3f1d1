//! Work for jobs, of which one can have as much as one likes and know what comes of it.

use core::hint::black_box;

/// How many prime numbers are below `limit`, by division.
pub fn primes_below(limit: u32) -> u32 {
    let is_prime = |number: &u32| {
        (2..)
            .take_while(|divisor| divisor * divisor <= *number)
            .all(|divisor| !number.is_multiple_of(divisor))
    };
    (2..black_box(limit)).filter(is_prime).count() as u32
}
