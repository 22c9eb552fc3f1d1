//! The tables of times as a drawing: for each workload a row for each contender, on a logarithmic
//! scale, with a dot for one worker and a ring for two.

use std::fmt::Write as _;

use crate::{
    report::{figure, kind_of, rows_of},
    statistics::Results,
    workloads::{Kind, Workload},
};

/// The workloads that are drawn, two in a line.
const PANELS: &[Workload] = &[
    Workload::Warm,
    Workload::Cold,
    Workload::Burst,
    Workload::Window,
    Workload::Producers,
    Workload::AwaitMany,
];

const PANEL_WIDTH: f64 = 560.0;
/// Where the scale begins and ends in a panel, from its left; before it are the names.
const SCALE: [f64; 2] = [245.0, 520.0];
const ROW: f64 = 17.0;
/// Room for a panel's title and for its scale.
const HEAD: f64 = 52.0;
const FOOT: f64 = 24.0;

/// An SVG.
pub fn svg(results: &Results) -> String {
    let mut body = String::new();
    let mut top = 34.0;
    for line in PANELS.chunks(2) {
        let mut height: f64 = 0.0;
        for (column, &workload) in line.iter().enumerate() {
            let panel = Panel::new(results, workload);
            let left = PANEL_WIDTH * column as f64;
            write!(body, r#"<g transform="translate({left} {top})">"#).expect("a string grows");
            panel.draw(&mut body);
            body += "</g>\n";
            height = height.max(panel.height());
        }
        top += height;
    }
    let width = 2.0 * PANEL_WIDTH;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" font-family="sans-serif" font-size="12">
<style>
  .Own {{ fill: #d9480f; stroke: #d9480f; }} .Peer {{ fill: #5c6670; stroke: #5c6670; }}
  .Limit {{ fill: #2b8a3e; stroke: #2b8a3e; }} text {{ stroke: none !important; fill: #212529; }}
  text.Own {{ fill: #d9480f; font-weight: bold; }} text.Limit {{ fill: #2b8a3e; font-style: italic; }}
  .title {{ font-size: 14px; font-weight: bold; }} .scale {{ stroke: #dee2e6; }}
  .small {{ font-size: 10px; fill: #5c6670; }} .ring {{ fill: white; stroke-width: 2; }}
</style>
<rect width="100%" height="100%" fill="white"/>
<circle cx="20" cy="20" r="4" class="Peer"/><text x="30" y="24">1 worker</text>
<circle cx="110" cy="20" r="4" class="Peer ring"/><text x="120" y="24">2 workers</text>
<text x="220" y="24" class="Own">this repository</text>
<text x="330" y="24" class="Limit">limits of the machine</text>
<text x="470" y="24">time a job, median; to the left is better</text>
{body}</svg>
"##
    )
}

struct Row {
    name: &'static str,
    /// With one worker and with two.
    times: [Option<f64>; 2],
}

impl Row {
    fn times(&self) -> impl Iterator<Item = f64> {
        self.times.into_iter().flatten()
    }

    fn first(&self) -> f64 {
        self.times().next().unwrap_or(f64::INFINITY)
    }
}

struct Panel {
    workload: Workload,
    rows: Vec<Row>,
    /// The powers of ten between which all times are.
    decades: [i32; 2],
}

impl Panel {
    fn new(results: &Results, workload: Workload) -> Self {
        let row = |name| Row {
            name,
            times: [1, 2].map(|workers| results.time((workload, workers), name)),
        };
        let mut rows: Vec<_> = rows_of(results, workload).map(row).collect();
        rows.sort_by(|one, other| one.first().total_cmp(&other.first()));
        let times = || rows.iter().flat_map(Row::times).map(f64::log10);
        let least = times().fold(f64::INFINITY, f64::min).floor() as i32;
        let most = times().fold(f64::NEG_INFINITY, f64::max).ceil() as i32;
        Self {
            workload,
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
        let title = self.workload.title();
        element(format!(
            r#"<text x="20" y="24" class="title">{title}</text>"#
        ));
        for decade in least..=most {
            let time = 10f64.powi(decade);
            let (x, label) = (self.x(time), scale(decade));
            element(format!(
                r#"<line x1="{x:.1}" y1="{HEAD}" x2="{x:.1}" y2="{bottom}" class="scale"/>"#
            ));
            element(format!(
                r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle" class="small">{label}</text>"#,
                HEAD - 6.0
            ));
        }
        for (number, row) in self.rows.iter().enumerate() {
            let y = HEAD + ROW * (number as f64 + 0.5);
            let class = match kind_of(row.name) {
                Some(Kind::Own) => "Own",
                Some(Kind::Limit) => "Limit",
                _ => "Peer",
            };
            element(format!(
                r#"<text x="{:.1}" y="{:.1}" text-anchor="end" class="{class}">{}</text>"#,
                SCALE[0] - 10.0,
                y + 4.0,
                row.name
            ));
            if let [Some(one), Some(two)] = row.times {
                let (from, to) = (self.x(one), self.x(two));
                element(format!(
                    r#"<line x1="{from:.1}" y1="{y:.1}" x2="{to:.1}" y2="{y:.1}" class="{class}"/>"#
                ));
            }
            for (time, ring) in row.times.into_iter().zip(["", " ring"]).rev() {
                if let Some(time) = time {
                    let (x, what) = (self.x(time), figure(self.workload, time));
                    element(format!(
                        r#"<circle cx="{x:.1}" cy="{y:.1}" r="4" class="{class}{ring}"><title>{what}</title></circle>"#
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
