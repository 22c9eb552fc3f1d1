//! Recordings: from a text file to samples and their rate.

use std::fmt;
use std::io::{self, Read as _};
use std::mem;
use std::path::Path;
use std::time::Duration;

use pulse_app::{Plan, PlanError};

/// The recording that is built in; see `data/README.md`.
const SHIPPED: &[u8] = include_bytes!("../../data/pulse.csv");

/// The sample rate of a file without a time column, unless another is asked for.
const DEFAULT_RATE_MHZ: u32 = 100_000;

/// A recording, fit for the ADC-like input of the application.
#[derive(Debug, PartialEq)]
pub struct Recording {
    pub name: String,
    pub rate_mhz: u32,
    /// Neither the file nor the user has given the rate.
    rate_is_assumed: bool,
    pub samples: Vec<u16>,
    last_line: u64,
}

/// A fault of a recording, and its place.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{name}: {problem}")]
    Read { name: String, problem: io::Error },
    #[error("{name}:{line}: {problem}")]
    Line {
        name: String,
        line: u64,
        problem: Problem,
    },
}

/// A fault of a line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    #[error("{0:?} is not a number")]
    NotANumber(String),
    #[error("{0:?} is not a number: a comma separates the columns, and a point the decimals")]
    OtherSeparator(String),
    #[error("{0:?} is not a finite number")]
    NotFinite(String),
    #[error("not UTF-8 text: it is packed or a spreadsheet; unpack it, or export it as CSV")]
    Packed,
    #[error("not UTF-8 text: it looks like UTF-16; save it as UTF-8")]
    Utf16,
    #[error("not UTF-8 text")]
    NotText,
    #[error("{0} columns; there must be 1 (value) or 2 (time in ms, value)")]
    Columns(usize),
    #[error("columns: {found} here, {expected} in the lines before")]
    Ragged { found: usize, expected: usize },
    #[error("the time does not rise")]
    TimeStandsStill,
    #[error("no samples")]
    Empty,
    #[error("a single sample is no recording")]
    OneSample,
    #[error("the time column gives {hertz:.3} Hz: {bounds}")]
    Rate { hertz: f64, bounds: PlanError },
    #[error("the time column gives {hertz:.3} Hz: the time must be in ms, and seems to be in s")]
    TimeInSeconds { hertz: f64 },
    #[error(
        "the recording is {seconds:.1} s long, and a window takes {window:.1} s: record more, or \
         shorten --window, to {least:.1} s at the least"
    )]
    TooShort {
        seconds: f64,
        window: f64,
        least: f64,
    },
}

impl Recording {
    /// The recording that is built in.
    pub fn shipped(rate_mhz: Option<u32>) -> Result<Self, Error> {
        Self::parse("pulse.csv (built in)".into(), SHIPPED, rate_mhz)
    }

    /// Reads a recording from a file, or from standard input if the file is `-`. `rate_mhz` goes before what the time
    /// column says.
    pub fn read(file: &Path, rate_mhz: Option<u32>) -> Result<Self, Error> {
        let (name, text) = if file.as_os_str() == "-" {
            let mut text = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut text);
            ("standard input".into(), read.map(|_| text))
        } else {
            (file.display().to_string(), std::fs::read(file))
        };
        match text {
            Ok(text) => Self::parse(name, &text, rate_mhz),
            Err(problem) => Err(Error::Read { name, problem }),
        }
    }

    fn parse(name: String, text: &[u8], rate_mhz: Option<u32>) -> Result<Self, Error> {
        let mut table = Table::default();
        let mut line = 1;
        match table
            .read(text, &mut line)
            .and_then(|()| table.rate_mhz(rate_mhz))
        {
            Ok((rate_mhz, rate_is_assumed)) => Ok(Self {
                name,
                rate_mhz,
                rate_is_assumed,
                samples: to_samples(&table.values),
                last_line: line,
            }),
            Err(problem) => Err(Error::Line {
                name,
                line,
                problem,
            }),
        }
    }

    /// The error of having no window.
    pub fn too_short(&self, window_ms: u32) -> Error {
        let problem = Problem::TooShort {
            seconds: self.seconds(),
            window: f64::from(window_ms) / 1000.0,
            least: f64::from(Plan::MIN_WINDOW_MS) / 1000.0,
        };
        Error::Line {
            name: self.name.clone(),
            line: self.last_line,
            problem,
        }
    }

    /// The time between samples, replayed at a multiple of their rate.
    pub fn period(&self, speed: f64) -> Duration {
        Duration::from_secs_f64(1000.0 / (f64::from(self.rate_mhz) * speed))
    }

    fn hertz(&self) -> f64 {
        f64::from(self.rate_mhz) / 1000.0
    }

    fn seconds(&self) -> f64 {
        self.samples.len() as f64 / self.hertz()
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, hertz) = (self.seconds(), self.hertz());
        write!(
            f,
            "{}: {} samples, {seconds:.1} s at {hertz:.3} Hz",
            self.name,
            self.samples.len()
        )?;
        if self.rate_is_assumed {
            f.write_str(" (assumed: there is no time column; --rate gives another)")?;
        }
        Ok(())
    }
}

/// The numbers of a file.
#[derive(Default)]
struct Table {
    first_time: f64,
    last_time: f64,
    columns: usize,
    values: Vec<f64>,
}

impl Table {
    /// Reads all lines; `line` follows, so that it tells where a problem is.
    ///
    /// Not with the crate `csv`, which takes a record to start at the blank lines before it, so
    /// that its line numbers would be wrong. Fields that are numbers need no more than this.
    fn read(&mut self, text: &[u8], line: &mut u64) -> Result<(), Problem> {
        if let Some(problem) = other_format(text) {
            return Err(problem);
        }
        let mut may_be_header = true;
        // Old Macintosh programs end a line by a carriage return alone.
        let end = if text.contains(&b'\n') { b'\n' } else { b'\r' };
        for (number, text) in (1..).zip(text.split(|&byte| byte == end)) {
            let text = str::from_utf8(text).map(|text| text.trim_start_matches('\u{feff}').trim());
            if text == Ok("") {
                continue;
            }
            *line = number;
            let text = text.map_err(|_| Problem::NotText)?;
            if text.starts_with('#') {
                continue;
            }
            let row: Vec<_> = text
                .split(',')
                .map(|field| field.trim().trim_matches('"'))
                .collect();
            let is_header = mem::take(&mut may_be_header)
                && row.iter().all(|field| field.parse::<f64>().is_err());
            if !is_header {
                self.row(&row)?;
            }
        }
        match self.values.len() {
            0 => Err(Problem::Empty),
            1 => Err(Problem::OneSample),
            _ => Ok(()),
        }
    }

    fn row(&mut self, row: &[&str]) -> Result<(), Problem> {
        let (time, value) = match *row {
            [value] => (None, value),
            [time, value] => (Some(time), value),
            _ => return Err(Problem::Columns(row.len())),
        };
        if self.values.is_empty() {
            self.columns = row.len();
        } else if row.len() != self.columns {
            return Err(Problem::Ragged {
                found: row.len(),
                expected: self.columns,
            });
        }
        if let Some(time) = time {
            let time = number(time)?;
            if self.values.is_empty() {
                self.first_time = time;
            } else if time <= self.last_time {
                return Err(Problem::TimeStandsStill);
            }
            self.last_time = time;
        }
        self.values.push(number(value)?);
        Ok(())
    }

    /// The rate that was asked for, or else that of the time column, or else the default; and whether it is the default.
    fn rate_mhz(&self, asked: Option<u32>) -> Result<(u32, bool), Problem> {
        if let Some(rate_mhz) = asked {
            return Ok((rate_mhz, false));
        }
        if self.columns == 1 {
            return Ok((DEFAULT_RATE_MHZ, true));
        }
        let hertz = (self.values.len() - 1) as f64 * 1000.0 / (self.last_time - self.first_time);
        let rate_mhz = (hertz * 1000.0).round();
        let bounds = f64::from(Plan::MIN_RATE_MHZ)..=f64::from(Plan::MAX_RATE_MHZ);
        if !bounds.contains(&rate_mhz) {
            if bounds.contains(&hertz) {
                return Err(Problem::TimeInSeconds { hertz });
            }
            return Err(Problem::Rate {
                hertz,
                bounds: PlanError::Rate,
            });
        }
        Ok((rate_mhz as u32, false))
    }
}

/// The problem of a file that is no text in UTF-8, by its first bytes.
fn other_format(text: &[u8]) -> Option<Problem> {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    const ZIP: &[u8] = b"PK\x03\x04";
    let begins = |bytes| text.starts_with(bytes);
    if begins(GZIP) || begins(ZIP) {
        return Some(Problem::Packed);
    }
    // With its mark, or with every second byte of a digit 0.
    let first = text.get(..2)?;
    let is_utf16 = begins(&[0xff, 0xfe]) || begins(&[0xfe, 0xff]) || first.contains(&0);
    is_utf16.then_some(Problem::Utf16)
}

/// Reads a finite number.
fn number(field: &str) -> Result<f64, Problem> {
    // Enough to recognise it; the line may be the whole of a binary file.
    let shown = || field.chars().take(20).collect();
    let number: f64 = field.parse().map_err(|_| {
        let mut parts = field.split([';', '\t', ' ']);
        if parts.clone().count() > 1 && parts.all(|part| part.parse::<f64>().is_ok()) {
            Problem::OtherSeparator(shown())
        } else {
            Problem::NotANumber(shown())
        }
    })?;
    if number.is_finite() {
        Ok(number)
    } else {
        Err(Problem::NotFinite(shown()))
    }
}

/// Values of an ADC stay as they are; others are stretched to its 16 bits.
fn to_samples(values: &[f64]) -> Vec<u16> {
    let range = 0.0..=f64::from(u16::MAX);
    if values
        .iter()
        .all(|value| value.fract() == 0.0 && range.contains(value))
    {
        return values.iter().map(|&value| value as u16).collect();
    }
    // Halves, because the difference of two finite numbers need not be finite.
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min) / 2.0;
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) / 2.0;
    let scale = |value: f64| (value / 2.0 - lowest) / (highest - lowest) * f64::from(u16::MAX);
    // Where all values are equal, this is NaN, and a conversion of NaN is 0.
    values
        .iter()
        .map(|&value| scale(value).round() as u16)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Recording, String> {
        Recording::parse("file".into(), text.as_bytes(), None).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn assert_error(text: &str, message: &str) {
        assert_eq!(parse(text).unwrap_err(), message);
    }

    #[track_caller]
    fn assert_samples(text: &str, samples: &[u16]) {
        assert_eq!(parse(text).unwrap().samples, samples);
    }

    #[test]
    fn one_column_has_the_rate_that_is_asked_for_or_100_hz() {
        let recording = parse("515\n514\n512\n").unwrap();
        assert_eq!(
            (recording.rate_mhz, recording.samples.as_slice()),
            (100_000, &[515, 514, 512][..])
        );
        let recording = Recording::parse("file".into(), b"515\n514\n", Some(50_000)).unwrap();
        assert_eq!(recording.rate_mhz, 50_000);
    }

    #[test]
    fn a_rate_that_was_assumed_is_said_to_be() {
        let said = |text, rate| {
            let recording = Recording::parse("file".into(), text, rate);
            recording.unwrap().to_string()
        };
        let assumed = said(b"515\n514\n", None);
        assert_eq!(
            assumed,
            "file: 2 samples, 0.0 s at 100.000 Hz (assumed: there is no time column; --rate gives another)"
        );
        assert!(!said(b"515\n514\n", Some(100_000)).contains("assumed"));
        assert!(!said(b"0,515\n10,514\n", None).contains("assumed"));
    }

    #[test]
    fn columns_that_no_comma_separates_are_named() {
        for (line, field) in [
            ("0;515", "0;515"),
            ("0\t515", "0\t515"),
            ("0 515", "0 515"),
            ("0,0;515", "0;515"),
        ] {
            assert_error(
                &format!("hr\n{line}\n"),
                &format!("file:2: {}", Problem::OtherSeparator(field.to_owned())),
            );
        }
    }

    #[test]
    fn a_file_in_another_format_is_named() {
        let problem = |text| {
            Recording::parse("file".into(), text, None)
                .unwrap_err()
                .to_string()
        };
        for packed in [&b"\x1f\x8b\x08\0"[..], b"PK\x03\x04\n"] {
            assert_eq!(problem(packed), format!("file:1: {}", Problem::Packed));
        }
        for utf16 in [
            &b"\xff\xfe1\0\n\0"[..],
            b"\xfe\xff\x001",
            b"1\x002\0",
            b"\x001\x002",
        ] {
            assert_eq!(problem(utf16), format!("file:1: {}", Problem::Utf16));
        }
    }

    #[test]
    fn a_time_in_seconds_is_guessed() {
        assert_error(
            "0,1\n0.01,2\n",
            &format!("file:2: {}", Problem::TimeInSeconds { hertz: 100_000.0 }),
        );
    }

    #[test]
    fn the_time_column_tells_the_rate() {
        let recording = parse("timer,hr\n1000,515\n1020,514\n1040,512\n").unwrap();
        assert_eq!(
            (recording.rate_mhz, recording.samples.as_slice()),
            (50_000, &[515, 514, 512][..])
        );
    }

    #[test]
    fn the_shipped_recording_is_complete() {
        let recording = Recording::shipped(None).unwrap();
        assert_eq!(
            (recording.samples.len(), recording.rate_mhz),
            (15_000, 116_988)
        );
        assert_eq!(
            (recording.samples[0], recording.samples[14_999]),
            (515, 496)
        );
        assert_eq!(recording.last_line, 15_001);
    }

    #[test]
    fn headers_comments_blank_lines_spaces_quotes_and_any_line_end_are_accepted() {
        assert_samples(
            "hr\r\n# finger\r\n1\r\n 2 \r\n\r\n\"3\"\r\n\r\n",
            &[1, 2, 3],
        );
        assert_samples("\u{feff}hr\n1\n2", &[1, 2]);
        assert_samples("hr\r1\r2\r", &[1, 2]);
    }

    #[test]
    fn values_of_an_adc_stay_and_others_are_stretched() {
        assert_samples("0\n65535\n7.0\n", &[0, 65_535, 7]);
        assert_samples("-1\n1\n0\n", &[0, 65_535, 32_768]);
        assert_samples("0.5\n0.25\n0.75\n", &[32_768, 0, 65_535]);
        assert_samples("65536\n0\n", &[65_535, 0]);
        assert_samples("-1.7e308\n1.7e308\n", &[0, 65_535]);
        assert_samples("0.5\n0.5\n", &[0, 0]);
    }

    #[test]
    fn text_in_the_place_of_a_number_is_named_with_its_line() {
        assert_error("hr\n515\nfive\n", "file:3: \"five\" is not a number");
        assert_error(
            "timer,hr\n0,515\nsoon,514\n",
            "file:3: \"soon\" is not a number",
        );
        assert_error("0,five\n10,514\n", "file:1: \"five\" is not a number");
        assert_error(
            "hr\n\n\n515\n\n\nfive\n",
            "file:7: \"five\" is not a number",
        );
        assert_error(
            "hr\r\n515\r\n# note\r\n\r\nfive\r\n",
            "file:5: \"five\" is not a number",
        );
        assert_error("1\n2\n\"\"\n", "file:3: \"\" is not a number");
        assert_error("0,1\n10,\n", "file:2: \"\" is not a number");
        assert_error(
            "1\nthis is a whole sentence\n",
            "file:2: \"this is a whole sent\" is not a number",
        );
    }

    #[test]
    fn a_number_that_is_not_finite_is_named_with_its_line() {
        assert_error("hr\n515\nNaN\n", "file:3: \"NaN\" is not a finite number");
        assert_error("NaN\n515\n", "file:1: \"NaN\" is not a finite number");
        assert_error("0,1\n10,-inf\n", "file:2: \"-inf\" is not a finite number");
        assert_error("inf,1\n10,2\n", "file:1: \"inf\" is not a finite number");
        assert_error("1\n1e999\n", "file:2: \"1e999\" is not a finite number");
    }

    #[test]
    fn a_recording_without_samples_is_refused() {
        assert_error("", "file:1: no samples");
        assert_error("\n\n", "file:1: no samples");
        assert_error("timer,hr\n", "file:1: no samples");
    }

    #[test]
    fn one_sample_is_refused() {
        assert_error("515\n", "file:1: a single sample is no recording");
        assert_error(
            "timer,hr\n0,515\n",
            "file:2: a single sample is no recording",
        );
    }

    #[test]
    fn columns_that_mean_nothing_are_refused() {
        assert_error(
            "1,2,3\n",
            "file:1: 3 columns; there must be 1 (value) or 2 (time in ms, value)",
        );
        assert_error("1,2\n3\n", "file:2: columns: 1 here, 2 in the lines before");
    }

    #[test]
    fn time_that_does_not_rise_is_refused() {
        assert_error("0,1\n10,2\n10,3\n", "file:3: the time does not rise");
        assert_error("0,1\n10,2\n5,3\n", "file:3: the time does not rise");
    }

    #[test]
    fn a_rate_that_cannot_be_is_refused() {
        let bounds = "the sample rate must be from 20 to 10000 Hz";
        assert_error(
            "0,1\n1000,2\n",
            &format!("file:2: the time column gives 1.000 Hz: {bounds}"),
        );
        assert_error(
            "0,1\n0.00001,2\n",
            &format!("file:2: the time column gives 100000000.000 Hz: {bounds}"),
        );
        assert_error(
            "-1.7e308,1\n1.7e308,2\n",
            &format!("file:2: the time column gives 0.000 Hz: {bounds}"),
        );
        assert_error(
            "0,1\n5e-324,2\n",
            &format!("file:2: the time column gives inf Hz: {bounds}"),
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let error = Recording::parse("file".into(), b"1\n2\n\xff\xfe\n", None).unwrap_err();
        assert_eq!(error.to_string(), "file:3: not UTF-8 text");
    }
}
