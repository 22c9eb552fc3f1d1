//! Tables of times as a drawing: a panel for each workload, and a row for each contender. A dot is the time with one
//! worker, and a ring that with two, on a logarithmic scale.
//!
//! Pools of this repository are bold in the tables, and references italic. A panel has the fastest peers and Python's
//! threads. It has the references that take less time than the fastest pool of this repository: the others are no bound.

use std::fmt::Write as _;

/// The workloads that are drawn, by the titles of their tables.
const PANELS: [&str; 6] = [
    "Round trip of one job, warm",
    "Round trip of one job, after 200 µs without any",
    "Burst of 1,024 jobs, then their results",
    "64 jobs under way all the time",
    "Two threads, each with bursts of 512 jobs",
    "64 tasks of an event loop, each awaits job after job",
];

/// The number of peers in a panel, and the one that is there in any case.
const PEERS: usize = 6;
const WELL_KNOWN: &str = "Python ThreadPoolExecutor";

const WIDTH: f64 = 800.0;
/// The scale of a panel begins and ends there. Before it are the names, and behind it the times.
const SCALE: [f64; 2] = [276.0, 600.0];
/// The right ends of the times, with one worker and with two.
const TIMES: [f64; 2] = [708.0, 782.0];
const ROW: f64 = 22.0;
/// Room for the legend, and for a panel's title and scale.
const LEGEND: f64 = 96.0;
const HEAD: f64 = 56.0;
const FOOT: f64 = 26.0;

const STYLE: &str = r#"<style>
.bench { max-width: 100%; height: auto; --page: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --own: #bc4c00; --reference: #1a7f37; }
@media (prefers-color-scheme: dark) { .bench { --page: #0d1117; --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; --own: #f0883e; --reference: #3fb950; } }
:is(.coal, .navy, .ayu, [data-theme="dark"], [data-theme="ayu"]) .bench { --page: #0d1117; --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; --own: #f0883e; --reference: #3fb950; }
:is(.light, .rust, [data-theme="light"]) .bench { --page: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --own: #bc4c00; --reference: #1a7f37; }
.bench text { font: 14px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: var(--ink); }
.bench .title { font-size: 16px; font-weight: bold; }
.bench .soft { font-size: 13px; fill: var(--soft); }
.bench .end { text-anchor: end; }
.bench .middle { text-anchor: middle; }
.bench .page { fill: var(--page); }
.bench .scale { stroke: var(--line); }
.bench text.own { fill: var(--own); font-weight: bold; }
.bench text.reference { fill: var(--reference); font-style: italic; }
.bench circle, .bench .way { stroke-width: 2; }
.bench .peer { stroke: var(--soft); fill: var(--soft); }
.bench .own { stroke: var(--own); fill: var(--own); }
.bench .reference { stroke: var(--reference); fill: var(--reference); }
.bench text.own, .bench text.peer, .bench text.reference { stroke: none; }
.bench text.peer { fill: var(--ink); }
.bench .ring { fill: var(--page); }
</style>"#;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    Peer,
    Reference,
}

impl Kind {
    /// As the drawing's style calls it.
    fn class(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Peer => "peer",
            Self::Reference => "reference",
        }
    }
}

#[derive(Clone)]
struct Row {
    name: String,
    kind: Kind,
    /// The cells with one worker and with two, as printed and in nanoseconds.
    times: [Option<(String, f64)>; 2],
}

impl Row {
    fn nanoseconds(&self) -> impl Iterator<Item = f64> {
        self.times.iter().flatten().map(|&(_, time)| time)
    }

    fn least(&self) -> f64 {
        self.nanoseconds().fold(f64::INFINITY, f64::min)
    }
}

/// The rows of the table below this title, in its order.
fn rows(tables: &str, title: &str) -> Result<Vec<Row>, String> {
    let heading = format!("\n## {title}\n");
    let (_, section) = tables
        .split_once(&heading)
        .ok_or_else(|| format!("there is no table {title:?}"))?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let lines = section.lines().filter(|line| line.starts_with('|'));
    let rows: Vec<Row> = lines.skip(2).filter_map(row).collect();
    match rows.is_empty() {
        true => Err(format!("the table {title:?} has no rows")),
        false => Ok(rows),
    }
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let (name, kind) = match cells.first()? {
        name if name.starts_with("**") => (name, Kind::Own),
        name if name.starts_with('*') => (name, Kind::Reference),
        name => (name, Kind::Peer),
    };
    // Each time has its ratio behind it.
    let time = |column: usize| {
        let cell = *cells.get(column)?;
        Some((cell.to_owned(), nanoseconds(cell)?))
    };
    Some(Row {
        name: name.trim_matches('*').to_owned(),
        kind,
        times: [time(1), time(3)],
    })
}

fn nanoseconds(cell: &str) -> Option<f64> {
    let (number, unit) = cell.split_once(' ')?;
    let unit = match unit {
        "ns" => 1.0,
        "µs" => 1e3,
        "ms" => 1e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * unit)
}

/// The rows that a panel shows.
fn shown(rows: Vec<Row>) -> Vec<Row> {
    let own = rows.iter().filter(|row| row.kind == Kind::Own);
    let fastest = own.map(Row::least).fold(f64::INFINITY, f64::min);
    let mut peers = 0;
    let is_shown = |row: &Row| match row.kind {
        Kind::Own => true,
        Kind::Reference => row.least() < fastest,
        Kind::Peer => {
            peers += 1;
            peers <= PEERS || row.name == WELL_KNOWN
        }
    };
    rows.into_iter().filter(is_shown).collect()
}

/// An SVG of these tables, without an empty line: Markdown takes it as one element.
pub fn svg(tables: &str) -> Result<String, String> {
    let mut body = String::new();
    let mut top = LEGEND;
    for title in PANELS {
        let panel = Panel::new(title, shown(rows(tables, title)?));
        writeln!(body, r#"<g transform="translate(0 {top})">"#).expect("a string grows");
        panel.draw(&mut body);
        body += "</g>\n";
        top += panel.height();
    }
    let about = "The time of a job in the pools of this repository and in others, by workload";
    Ok(format!(
        r#"<svg class="bench" xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}" role="img" aria-label="{about}">
<title>{about}</title>
{STYLE}
<rect class="page" width="{WIDTH}" height="{top}" rx="12"/>
<text class="title" x="24" y="36">Time of a job, median. Each axis is logarithmic; to the left is better.</text>
<circle class="peer" cx="32" cy="64" r="5"/><text x="46" y="69">1 worker</text>
<circle class="peer ring" cx="132" cy="64" r="5"/><text x="146" y="69">2 workers</text>
<text class="own" x="244" y="69">this repository</text>
<text x="368" y="69">the {PEERS} fastest peers, and Python</text>
<text class="reference" x="602" y="69">references</text>
{body}</svg>
"#
    ))
}

struct Panel {
    title: &'static str,
    rows: Vec<Row>,
    /// The powers of ten between which all times are.
    decades: [i32; 2],
}

impl Panel {
    fn new(title: &'static str, rows: Vec<Row>) -> Self {
        let times = || rows.iter().flat_map(Row::nanoseconds).map(f64::log10);
        let least = times().fold(f64::INFINITY, f64::min).floor() as i32;
        let most = times().fold(f64::NEG_INFINITY, f64::max).ceil() as i32;
        Self {
            title,
            rows,
            decades: [least, most],
        }
    }

    fn height(&self) -> f64 {
        HEAD + ROW * self.rows.len() as f64 + FOOT
    }

    /// How far from the left a time is.
    fn x(&self, time: f64) -> f64 {
        let [least, most] = self.decades.map(f64::from);
        SCALE[0] + (SCALE[1] - SCALE[0]) * (time.log10() - least) / (most - least)
    }

    fn draw(&self, svg: &mut String) {
        let [least, most] = self.decades;
        let bottom = self.height() - FOOT;
        let mut element = |text: String| {
            svg.push_str(&text);
            svg.push('\n');
        };
        let title = self.title;
        element(format!(
            r#"<text x="24" y="24" class="title">{title}</text>"#
        ));
        for decade in least..=most {
            let (x, label) = (self.x(10f64.powi(decade)), scale(decade));
            element(format!(
                r#"<line class="scale" x1="{x:.1}" y1="{HEAD}" x2="{x:.1}" y2="{bottom}"/>"#
            ));
            element(format!(
                r#"<text class="soft middle" x="{x:.1}" y="{:.1}">{label}</text>"#,
                HEAD - 7.0
            ));
        }
        for (head, right) in ["1 worker", "2 workers"].into_iter().zip(TIMES) {
            element(format!(
                r#"<text class="soft end" x="{right:.1}" y="{:.1}">{head}</text>"#,
                HEAD - 7.0
            ));
        }
        for (number, row) in self.rows.iter().enumerate() {
            let y = HEAD + ROW * (number as f64 + 0.5);
            let (class, text) = (row.kind.class(), y + 5.0);
            element(format!(
                r#"<text class="{class} end" x="{:.1}" y="{text:.1}">{}</text>"#,
                SCALE[0] - 12.0,
                row.name
            ));
            if let [Some((_, one)), Some((_, two))] = row.times {
                let (from, to) = (self.x(one), self.x(two));
                element(format!(
                    r#"<line class="{class} way" x1="{from:.1}" y1="{y:.1}" x2="{to:.1}" y2="{y:.1}"/>"#
                ));
            }
            for (time, ring) in row.times.iter().zip(["", " ring"]).rev() {
                if let Some((_, time)) = time {
                    let x = self.x(*time);
                    element(format!(
                        r#"<circle class="{class}{ring}" cx="{x:.1}" cy="{y:.1}" r="5"/>"#
                    ));
                }
            }
            for (time, right) in row.times.iter().zip(TIMES) {
                if let Some((time, _)) = time {
                    element(format!(
                        r#"<text class="soft end" x="{right:.1}" y="{text:.1}">{time}</text>"#
                    ));
                }
            }
        }
    }
}

/// The label of a power of ten.
fn scale(decade: i32) -> String {
    let (unit, decade) = match decade {
        ..3 => ("ns", decade),
        3..6 => ("µs", decade - 3),
        _ => ("ms", decade - 6),
    };
    format!("{} {unit}", 10f64.powi(decade))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "\
# A page

## One

|         | 1 worker | ratio | 2 workers | ratio |
|---------|---------:|------:|----------:|------:|
| *floor* |  48.1 ns | 0.280 |           |       |
| **own** |   1.5 µs |  1.00 |      2 ms |  1.00 |
| *above* |     2 µs | 0.280 |      3 ms |       |
| peer    |          |       |   4264 ns |  23.9 |

## Other

|  | figure |
";

    #[test]
    fn a_row_has_the_times_of_its_table() {
        let rows = rows(TABLES, "One").unwrap();
        let times: Vec<Vec<_>> = rows.iter().map(|row| row.nanoseconds().collect()).collect();
        assert_eq!(times[..2], [vec![48.1], vec![1_500.0, 2e6]]);
        assert_eq!(times[3], [4_264.0]);
    }

    #[test]
    fn a_reference_that_is_no_bound_is_left_out() {
        let rows = shown(rows(TABLES, "One").unwrap());
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["floor", "own", "peer"]);
    }

    #[test]
    fn a_table_that_is_not_there_is_an_error() {
        assert!(rows(TABLES, "Two").is_err());
        assert!(rows(TABLES, "Other").is_err());
    }
}
