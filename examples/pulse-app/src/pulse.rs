//! From a window of points to beats per minute: what a job computes.
//!
//! 1. *Slopes.* Each point is replaced by the sum of the second quarter of a second from there on
//!    minus the sum of the first. That removes the level, turns a linear trend into a constant (which
//!    goes with the mean of the slopes) and damps both slow wander and fast noise: what repeats 90
//!    times a minute passes best, what repeats 240 times does not pass at all.
//! 2. *Limiting.* Slopes are cut off at twice their mean size, so that one jerk of the hand does not
//!    outweigh all the beats beside it, and scaled to ±1023.
//! 3. *Autocorrelation*, normalised to ±1 at every lag (the "normalised square difference" of
//!    McLeod and Wyvill, "A smarter way to find pitch", 2005). The first high peak is the period of
//!    the pulse, refined by a parabola through its neighbours; its height is the quality.
//!
//! So scaled, the sums over a frame fit 32 bits.

/// A pulse found in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Thousandths of a beat per minute.
    pub milli_bpm: u32,
    /// How alike the beats are, in thousandths: the normalised autocorrelation of the window one
    /// period apart. 1000 is a signal that repeats exactly, 0 one that does not repeat.
    pub quality: u16,
}

/// The quality from which on a window counts as good.
///
/// At 0.6, signal that repeats itself with the beat has at least one and a half times the power of
/// whatever does not.
pub const GOOD_QUALITY: u16 = 600;

impl Pulse {
    /// Whether the quality is at least [`GOOD_QUALITY`].
    pub const fn is_good(&self) -> bool {
        self.quality >= GOOD_QUALITY
    }
}

/// The slowest pulse that is looked for.
pub const LOWEST_BPM: u32 = 40;
/// The fastest pulse that is looked for.
pub const HIGHEST_BPM: u32 = 180;

/// The largest size of a slope after scaling.
///
/// The square has 20 bits; the sum over a frame of 512 has 29, and twice that still fits an `i32`.
const FULL_SCALE: i32 = 1023;
const _: () = assert!(
    2 * FULL_SCALE as i64 * FULL_SCALE as i64 * (crate::FRAME_POINTS as i64) < i32::MAX as i64
);

/// The autocorrelation of a signal that repeats exactly.
const ONE: i32 = 1 << 15;

/// Finds the pulse in a window, which it uses up.
///
/// `None` if nothing in it repeats at a rate from [`LOWEST_BPM`] to [`HIGHEST_BPM`], as in a flat line.
pub fn measure(points: &mut [i16], point_rate_mhz: u32) -> Option<Pulse> {
    let longest = (u64::from(point_rate_mhz) * 60 / u64::from(LOWEST_BPM * 1000)) as usize;
    let slopes = slopes_in_place(points, (point_rate_mhz / 4000) as usize)?;
    let peak = Peak::find(slopes, longest)?;
    let milli_bpm = u64::from(point_rate_mhz) * 60_000 / u64::from(peak.milli_lag());
    let milli_bpm = u32::try_from(milli_bpm).ok()?;
    if !(LOWEST_BPM * 1000..=HIGHEST_BPM * 1000).contains(&milli_bpm) {
        return None;
    }
    let quality = (peak.here * 1000 / ONE) as u16;
    Some(Pulse { milli_bpm, quality })
}

/// Replaces the points by their limited and scaled slopes; `None` if there are none.
///
/// `span` is the number of points on either side of a slope.
fn slopes_in_place(points: &mut [i16], span: usize) -> Option<&mut [i16]> {
    let count = points
        .len()
        .checked_sub(2 * span)
        .filter(|&count| count > 0)?;
    // A slope at `i` reads no point before `i`, so slopes may overwrite points from the front.
    let slope = |points: &[i16], i: usize| -> i32 {
        let sum = |part: &[i16]| part.iter().map(|&point| i32::from(point)).sum::<i32>();
        sum(&points[i + span..i + 2 * span]) - sum(&points[i..i + span])
    };
    let mean = |sum: i64| (sum / count as i64) as i32;

    let offset = mean((0..count).map(|i| i64::from(slope(points, i))).sum());
    let size = |i: usize| i64::from((slope(points, i) - offset).abs());
    let limit = 2 * mean((0..count).map(size).sum());
    if limit == 0 {
        return None;
    }
    for i in 0..count {
        let slope = (slope(points, i) - offset).clamp(-limit, limit);
        points[i] = (i64::from(slope) * i64::from(FULL_SCALE) / i64::from(limit)) as i16;
    }
    Some(&mut points[..count])
}

/// A peak of the autocorrelation and the values on either side of it.
struct Peak {
    lag: usize,
    before: i32,
    here: i32,
    after: i32,
}

impl Peak {
    /// The first peak, up to the lag `longest`, than which no later one is clearly higher.
    ///
    /// A signal that repeats after one period does so after two: the period is the *first* high
    /// peak. Noise makes less than a tenth of that.
    fn find(slopes: &[i16], longest: usize) -> Option<Self> {
        let mut found: Option<Self> = None;
        let mut left_origin = false;
        let (mut before, mut here) = (ONE, ONE);
        for (lag, after) in autocorrelation(slopes).enumerate().take(longest + 2) {
            // `after` is at `lag`, `here` one before it. Neighbours of lag 0 are alike in any
            // signal: a peak counts only after the first valley.
            left_origin |= here <= 0;
            let is_peak = left_origin && here > 0 && here >= before && here > after;
            if is_peak
                && found
                    .as_ref()
                    .is_none_or(|found| found.here < here - here / 10)
            {
                found = Some(Self {
                    lag: lag - 1,
                    before,
                    here,
                    after,
                });
            }
            (before, here) = (here, after);
        }
        found
    }

    /// The lag of the top of the parabola through the three values, in thousandths of a point.
    fn milli_lag(&self) -> u32 {
        // Positive, because `here` is above `after` and not below `before`.
        let bend = 2 * self.here - self.before - self.after;
        let shift = (self.after - self.before) * 500 / bend;
        (self.lag as i32 * 1000 + shift) as u32
    }
}

/// The autocorrelation at lag 0, 1, 2 and so on, each from -[`ONE`] to [`ONE`].
///
/// At each lag it is the sum of products over the mean power of the two parts that overlap.
fn autocorrelation(slopes: &[i16]) -> impl Iterator<Item = i32> {
    let square = |slope: i16| i32::from(slope) * i32::from(slope);
    let mut power = 2 * slopes.iter().map(|&slope| square(slope)).sum::<i32>();
    (0..slopes.len()).map(move |lag| {
        if lag > 0 {
            power -= square(slopes[lag - 1]) + square(slopes[slopes.len() - lag]);
        }
        let pairs = slopes.iter().zip(&slopes[lag..]);
        let products = pairs
            .map(|(&a, &b)| i32::from(a) * i32::from(b))
            .sum::<i32>();
        match power {
            0 => 0,
            _ => (2 * i64::from(products) * i64::from(ONE) / i64::from(power)) as i32,
        }
    })
}

/// The median, which sorts the readings; of an even number, the mean of the middle two.
pub fn median_milli_bpm(readings: &mut [u32]) -> Option<u32> {
    readings.sort_unstable();
    let middle = readings.len() / 2;
    match readings.len() {
        0 => None,
        even if even % 2 == 0 => Some(readings[middle - 1].midpoint(readings[middle])),
        _ => Some(readings[middle]),
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;
    use std::vec::Vec;

    use super::*;

    const RATE_MHZ: u32 = 39_000;
    const SECONDS: f64 = 10.0;

    /// Points of a signal, a function of the time in seconds; clipped to the range, as by an ADC.
    fn points(signal: impl Fn(f64) -> f64) -> Vec<i16> {
        let rate = f64::from(RATE_MHZ) / 1000.0;
        (0..(SECONDS * rate) as u32)
            .map(|i| signal(f64::from(i) / rate) as i16)
            .collect()
    }

    fn sine(bpm: f64, seconds: f64) -> f64 {
        (TAU * bpm / 60.0 * seconds).sin()
    }

    /// A beat with a steep rise and a second, smaller wave, as a finger sensor sees it.
    fn beat(bpm: f64, seconds: f64) -> f64 {
        sine(bpm, seconds) + 0.5 * sine(2.0 * bpm, seconds) + 0.2 * sine(3.0 * bpm, seconds)
    }

    /// Noise from -1 to 1 that is the same in every run.
    fn noise(seconds: f64) -> f64 {
        let mut bits = seconds.to_bits();
        for _ in 0..3 {
            bits = (bits ^ bits >> 31).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn measured(signal: impl Fn(f64) -> f64) -> Option<Pulse> {
        measure(&mut points(signal), RATE_MHZ)
    }

    #[track_caller]
    fn assert_pulse(signal: impl Fn(f64) -> f64, bpm: f64, least_quality: u16) {
        let pulse = measured(signal).unwrap_or_else(|| panic!("no pulse, expected {bpm}"));
        let off = f64::from(pulse.milli_bpm) / 1000.0 - bpm;
        assert!(
            off.abs() < 0.01 * bpm && pulse.quality >= least_quality,
            "{bpm}: {pulse:?}"
        );
    }

    #[test]
    fn a_sine_is_measured_to_a_hundredth_at_any_rate() {
        for bpm in 41..=179 {
            assert_pulse(|t| 1000.0 * sine(bpm.into(), t), bpm.into(), 950);
        }
    }

    #[test]
    fn a_beat_with_overtones_is_counted_once() {
        for bpm in 41..=179 {
            assert_pulse(|t| 1000.0 * beat(bpm.into(), t), bpm.into(), 950);
        }
    }

    #[test]
    fn a_trend_does_not_matter() {
        for bpm in [45, 60, 90, 150] {
            assert_pulse(
                |t| 300.0 * beat(bpm.into(), t) + 3000.0 * t - 15_000.0,
                bpm.into(),
                950,
            );
        }
    }

    #[test]
    fn breath_does_not_hide_the_pulse() {
        for bpm in [50, 60, 90, 150] {
            let breath = |t| 600.0 * sine(15.0, t);
            assert_pulse(
                |t| 600.0 * beat(bpm.into(), t) + breath(t),
                bpm.into(),
                GOOD_QUALITY,
            );
        }
    }

    #[test]
    fn noise_lowers_the_quality_but_not_the_rate() {
        for bpm in [45, 60, 90, 150] {
            let clean = measured(|t| 500.0 * beat(bpm.into(), t)).unwrap();
            let noisy = |t| 500.0 * (beat(bpm.into(), t) + noise(t));
            assert_pulse(noisy, bpm.into(), GOOD_QUALITY);
            assert!(measured(noisy).unwrap().quality < clean.quality);
        }
    }

    #[test]
    fn one_jerk_does_not_outweigh_the_beats() {
        let jerk = |t: f64| {
            if (4.0..4.2).contains(&t) {
                10_000.0
            } else {
                0.0
            }
        };
        assert_pulse(|t| 1000.0 * beat(72.0, t) + jerk(t), 72.0, 500);
    }

    #[test]
    fn a_saturated_pulse_is_measured() {
        assert_pulse(|t| 1e6 * beat(72.0, t), 72.0, 900);
    }

    #[test]
    fn a_weak_pulse_is_measured() {
        assert_pulse(|t| 5.0 * beat(72.0, t), 72.0, 900);
    }

    #[test]
    fn noise_alone_is_not_good() {
        for seed in 0..200 {
            let pulse = measured(|t| 1000.0 * noise(t + f64::from(seed)));
            assert!(pulse.is_none_or(|pulse| !pulse.is_good()), "{pulse:?}");
        }
    }

    #[test]
    fn a_line_has_no_pulse() {
        assert_eq!(measured(|_| 0.0), None);
        assert_eq!(measured(|_| f64::from(i16::MIN)), None);
        assert_eq!(measured(|_| f64::from(i16::MAX)), None);
        assert_eq!(measured(|t| 3276.0 * t), None);
    }

    #[test]
    fn a_rhythm_out_of_range_has_no_pulse() {
        for bpm in [10.0, 20.0, 30.0, 200.0, 230.0] {
            assert_eq!(measured(|t| 1000.0 * sine(bpm, t)), None, "{bpm}");
        }
    }

    /// At a rate at which a peak at the longest lag can be of a rhythm that is too slow.
    #[test]
    fn a_rhythm_just_out_of_range_has_no_pulse() {
        let points = |bpm| {
            (0..400)
                .map(|i| (1000.0 * sine(bpm, f64::from(i) / 40.0)) as i16)
                .collect::<Vec<_>>()
        };
        assert!(measure(&mut points(40.2), 40_000).is_some());
        assert_eq!(measure(&mut points(39.8), 40_000), None);
    }

    /// At which lag the peak of these slopes is.
    fn lag_of_peak(slopes: &[i16]) -> Option<usize> {
        Peak::find(slopes, slopes.len()).map(|peak| peak.lag)
    }

    #[test]
    fn slopes_that_are_nowhere_like_themselves_have_no_peak() {
        // Their autocorrelation is 1, 0, 0, -1.
        assert_eq!(lag_of_peak(&[1, 0, 0, -1]), None);
    }

    #[test]
    fn a_step_on_the_way_up_is_no_peak() {
        // From lag 9 on: 0, 0, 1/3, 1/3, 1/2, 2/3, 1.
        let slopes = [1, 1, 0, -1, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 1];
        assert_eq!(lag_of_peak(&slopes), None);
    }

    #[test]
    fn a_later_peak_that_is_higher_by_a_tenth_does_not_count() {
        // 13107 at lag 2, and 14563 at lag 4.
        assert_eq!(lag_of_peak(&[-2, 0, -1, 0, 0, 0, -2]), Some(2));
    }

    #[test]
    fn any_points_at_any_rate_are_survived() {
        for len in 0..=crate::FRAME_POINTS {
            let extreme = |i: usize| if i % 7 < 3 { i16::MIN } else { i16::MAX };
            for rate_mhz in [20_000, 39_000, 114_000] {
                let mut points: Vec<i16> = (0..len).map(extreme).collect();
                let pulse = measure(&mut points, rate_mhz);
                assert!(pulse.is_none_or(|pulse| pulse.quality <= 1000), "{pulse:?}");
            }
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median_milli_bpm(&mut []), None);
        assert_eq!(median_milli_bpm(&mut [60_000]), Some(60_000));
        assert_eq!(
            median_milli_bpm(&mut [70_000, 60_000, 61_000]),
            Some(61_000)
        );
        assert_eq!(
            median_milli_bpm(&mut [70_000, 60_000, 61_000, 62_000]),
            Some(61_500)
        );
    }
}
