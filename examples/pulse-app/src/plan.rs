//! The plan of the measurement: rate, window and hop, in the units of the frames.

use core::fmt;

use crate::FRAME_POINTS;
use crate::pulse::LOWEST_BPM;

/// How samples become windows.
///
/// Blocks of samples are averaged to *points*, just so many that a window fits a frame. So a frame
/// serves any sample rate, and the average is also what removes noise above the pulse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    rate_mhz: u32,
    block: u32,
    window: usize,
    hop: usize,
}

impl Plan {
    /// The lowest sample rate in millihertz: a beat of the fastest pulse needs a few points.
    pub const MIN_RATE_MHZ: u32 = 20_000;
    /// The highest sample rate in millihertz.
    pub const MAX_RATE_MHZ: u32 = 10_000_000;
    /// The shortest window in milliseconds: three beats of the slowest pulse.
    pub const MIN_WINDOW_MS: u32 = 3 * 60_000 / LOWEST_BPM;
    /// The longest window in milliseconds, whatever the sample rate.
    pub const MAX_WINDOW_MS: u32 =
        (FRAME_POINTS as u64 * 1_000_000 / Self::MIN_RATE_MHZ as u64) as u32;

    /// Plans windows of `window_ms`, a new one every `hop_ms`, for `rate_mhz` samples in 1000 s.
    ///
    /// Window and hop are rounded to whole points.
    pub const fn new(rate_mhz: u32, window_ms: u32, hop_ms: u32) -> Result<Self, PlanError> {
        if rate_mhz < Self::MIN_RATE_MHZ || rate_mhz > Self::MAX_RATE_MHZ {
            return Err(PlanError::Rate);
        }
        let longest_ms = Self::longest_window_ms(rate_mhz);
        if window_ms < Self::MIN_WINDOW_MS || window_ms > longest_ms {
            return Err(PlanError::Window { longest_ms });
        }
        let samples = in_samples(window_ms, rate_mhz);
        let block = samples.div_ceil(FRAME_POINTS as u64);
        let hop = (in_samples(hop_ms, rate_mhz) + block / 2) / block;
        if hop == 0 || hop_ms > window_ms {
            // The shortest time that is rounded to a point, rounded up.
            let half_a_point = block.div_ceil(2) * 1_000_000 - 500_000;
            return Err(PlanError::Hop {
                shortest_ms: half_a_point.div_ceil(rate_mhz as u64) as u32,
                window_ms,
            });
        }
        let window = samples / block;
        // Rounded, a hop can come out a point longer than its window.
        let hop = if hop > window { window } else { hop };
        Ok(Self {
            rate_mhz,
            block: block as u32,
            window: window as usize,
            hop: hop as usize,
        })
    }

    /// The longest window whose points fit a frame, if there are [`Self::MIN_RATE_MHZ`] of them.
    ///
    /// Below [`Self::MAX_WINDOW_MS`] where whole blocks do not divide the rate well.
    const fn longest_window_ms(rate_mhz: u32) -> u32 {
        let largest_block = rate_mhz / Self::MIN_RATE_MHZ;
        let samples = largest_block as u64 * FRAME_POINTS as u64;
        (samples * 1_000_000 / rate_mhz as u64) as u32
    }

    /// Samples averaged to a point.
    pub const fn block(&self) -> u32 {
        self.block
    }

    /// Points in a window.
    pub const fn window(&self) -> usize {
        self.window
    }

    /// Points from the start of a window to the start of the next.
    pub const fn hop(&self) -> usize {
        self.hop
    }

    /// Points in 1000 s.
    pub const fn point_rate_mhz(&self) -> u32 {
        (self.rate_mhz + self.block / 2) / self.block
    }

    /// The time in milliseconds at which window number `window` starts.
    pub const fn start_ms(&self, window: u32) -> u64 {
        self.points_ms(window as u64 * self.hop as u64)
    }

    /// The time in milliseconds at which window number `window` ends.
    pub const fn end_ms(&self, window: u32) -> u64 {
        self.points_ms(window as u64 * self.hop as u64 + self.window as u64)
    }

    /// The milliseconds that so many points take.
    const fn points_ms(&self, points: u64) -> u64 {
        points * self.block as u64 * 1_000_000 / self.rate_mhz as u64
    }

    /// The number of windows in so many samples.
    pub const fn windows_in(&self, samples: usize) -> usize {
        match (samples / self.block as usize).checked_sub(self.window) {
            Some(rest) => rest / self.hop + 1,
            None => 0,
        }
    }
}

/// The samples in so many milliseconds, rounded.
const fn in_samples(ms: u32, rate_mhz: u32) -> u64 {
    (ms as u64 * rate_mhz as u64 + 500_000) / 1_000_000
}

/// Why there is no such plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// The sample rate is too low or too high.
    Rate,
    /// The window is too short for a slow pulse, or too long for a frame at this rate.
    Window {
        /// The longest window for the rate that was asked for.
        longest_ms: u32,
    },
    /// The hop is shorter than half a point or longer than the window.
    Hop {
        /// The shortest hop at this rate and window.
        shortest_ms: u32,
        /// The window that was asked for.
        window_ms: u32,
    },
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate => write!(
                f,
                "the sample rate must be from {} to {} Hz",
                Plan::MIN_RATE_MHZ / 1000,
                Plan::MAX_RATE_MHZ / 1000
            ),
            Self::Window { longest_ms } => write!(
                f,
                "at this sample rate, the window must be from {} to {} s",
                Seconds(Plan::MIN_WINDOW_MS),
                Seconds(*longest_ms)
            ),
            Self::Hop {
                shortest_ms,
                window_ms,
            } => write!(
                f,
                "the hop must be from {} s (one point) to {} s (the window)",
                Seconds(*shortest_ms),
                Seconds(*window_ms)
            ),
        }
    }
}

impl core::error::Error for PlanError {}

/// Milliseconds, shown in seconds.
struct Seconds(u32);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_window_has_as_many_points_as_fit_a_frame() {
        let plan = Plan::new(116_996, 10_000, 2_000).unwrap();
        assert_eq!((plan.block(), plan.window(), plan.hop()), (3, 390, 78));
        assert_eq!(plan.point_rate_mhz(), 38_999);
    }

    #[test]
    fn the_rate_of_the_points_is_rounded_to_the_nearest() {
        for (rate, of_points) in [(250_002, 50_000), (250_003, 50_001)] {
            let plan = Plan::new(rate, 10_000, 2_000).unwrap();
            assert_eq!((plan.block(), plan.point_rate_mhz()), (5, of_points));
        }
    }

    #[test]
    fn the_lowest_rate_allows_the_longest_window_and_no_rate_a_longer_one() {
        let (lowest, longest) = (Plan::MIN_RATE_MHZ, Plan::MAX_WINDOW_MS);
        assert!(Plan::new(lowest, longest, 2_000).is_ok());
        for rate in (lowest..Plan::MAX_RATE_MHZ).step_by(10_000) {
            assert!(Plan::new(rate, longest + 1, 2_000).is_err(), "{rate}");
        }
    }

    #[test]
    fn a_plan_can_be_a_constant() {
        const PLAN: Result<Plan, PlanError> = Plan::new(100_000, 10_000, 2_000);
        assert!(PLAN.is_ok());
    }

    #[test]
    fn every_window_of_every_plan_fits_a_frame() {
        for rate in [
            20_000, 20_001, 39_999, 50_000, 116_996, 1_000_000, 10_000_000,
        ] {
            for window in (Plan::MIN_WINDOW_MS..=Plan::MAX_WINDOW_MS).step_by(100) {
                if let Ok(plan) = Plan::new(rate, window, window) {
                    assert!(
                        plan.window() <= FRAME_POINTS && plan.hop() <= plan.window(),
                        "{plan:?}"
                    );
                    assert!(plan.point_rate_mhz() >= Plan::MIN_RATE_MHZ, "{plan:?}");
                }
            }
        }
    }

    #[test]
    fn windows_are_counted_from_the_samples() {
        let plan = Plan::new(100_000, 10_000, 2_000).unwrap();
        assert_eq!(plan.windows_in(999), 0);
        assert_eq!(plan.windows_in(1000), 1);
        assert_eq!(plan.windows_in(1199), 1);
        assert_eq!(plan.windows_in(1200), 2);
        assert_eq!((plan.start_ms(3), plan.end_ms(3)), (6_000, 16_000));
    }

    #[test]
    fn a_rate_that_cannot_be_is_refused() {
        for rate in [0, 19_999, 10_000_001, u32::MAX] {
            assert_eq!(Plan::new(rate, 10_000, 2_000), Err(PlanError::Rate));
        }
        assert_eq!(
            PlanError::Rate.to_string(),
            "the sample rate must be from 20 to 10000 Hz"
        );
    }

    #[test]
    fn a_window_that_fits_no_frame_is_refused_with_the_bounds() {
        for window in [0, 4_499, 25_601, u32::MAX] {
            let error = Plan::new(100_000, window, 2_000).unwrap_err();
            assert_eq!(
                error.to_string(),
                "at this sample rate, the window must be from 4.500 to 25.600 s"
            );
        }
        assert!(Plan::new(100_000, 25_600, 2_000).is_ok());
    }

    #[test]
    fn a_hop_of_nothing_or_beyond_the_window_is_refused() {
        for hop in [0, 1, 10_001, u32::MAX] {
            let error = Plan::new(100_000, 10_000, hop).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the hop must be from 0.005 s (one point) to 10.000 s (the window)"
            );
        }
        assert!(Plan::new(100_000, 10_000, 10_000).is_ok());
    }

    #[test]
    fn the_shortest_hop_is_the_one_that_the_error_names() {
        for rate_mhz in (20_000..=10_000_000).step_by(99_991) {
            let Err(PlanError::Hop { shortest_ms, .. }) = Plan::new(rate_mhz, 10_000, 0) else {
                panic!("a hop of nothing at {rate_mhz}");
            };
            assert!(Plan::new(rate_mhz, 10_000, shortest_ms).is_ok());
            assert!(Plan::new(rate_mhz, 10_000, shortest_ms - 1).is_err());
        }
    }
}
