//! Tables, in Markdown that can be read as it is.

use crate::{
    bars::{Bar, Verdict},
    inline,
    processes::PROCESS_POOL,
    statistics::Results,
    wire,
    workloads::{CONTENDERS, Kind, THREAD_POOL, Workload},
};

/// The table of one workload: the fastest first, pools of this repository in bold, limits in
/// italics.
pub fn table(results: &Results, workload: Workload) -> String {
    let sizes = workload.sizes();
    let base = |size| match workload {
        Workload::Inline | Workload::Instructions => ((workload, size), inline::OWN),
        _ if workload.is_of_processes() => ((workload, size), PROCESS_POOL),
        _ if workload.grows() => ((workload, sizes[0]), THREAD_POOL),
        _ => ((workload, size), THREAD_POOL),
    };
    let mut head = vec![String::new()];
    for &size in sizes {
        head.push(workload.size_name(size));
        head.push(String::from("ratio"));
    }
    let has_cpu =
        rows_of(results, workload).any(|name| results.cpu((workload, sizes[0]), name).is_some());
    if has_cpu {
        head.extend(
            sizes
                .iter()
                .map(|&size| format!("CPU, {}", workload.size_name(size))),
        );
    }
    let mut names: Vec<_> = rows_of(results, workload).collect();
    let first = |name| {
        sizes
            .iter()
            .find_map(|&size| results.time((workload, size), name))
    };
    names.sort_by(|one, other| {
        first(one)
            .partial_cmp(&first(other))
            .expect("times are numbers")
    });
    let mut lines = vec![head];
    for name in names {
        let mut line = vec![match kind_of(name) {
            Some(Kind::Own) => format!("**{name}**"),
            Some(Kind::Limit) => format!("*{name}*"),
            _ => String::from(name),
        }];
        for &size in sizes {
            let key = (workload, size);
            let time = results.time(key, name);
            let ratio = results.ratio((key, name), base(size));
            line.push(time.map_or_else(String::new, |time| figure(workload, time)));
            line.push(
                ratio
                    .filter(|ratio| ratio.is_finite())
                    .map_or_else(String::new, number),
            );
        }
        if has_cpu {
            let cpu = |&size| results.cpu((workload, size), name);
            line.extend(
                sizes
                    .iter()
                    .map(|size| cpu(size).map_or_else(String::new, time)),
            );
        }
        lines.push(line);
    }
    let below = match workload {
        Workload::ProcessRoundTrip => on_the_wire(),
        _ => String::new(),
    };
    format!("## {}\n\n{}{below}", workload.title(), markdown(&lines))
}

/// The bytes that go to a child and back for a job.
fn on_the_wire() -> String {
    match wire::bytes_a_job() {
        Ok(bytes) => format!(
            "\nOn the wire, a job of {PROCESS_POOL}: {:.1} bytes of request, {:.1} bytes of result.\n",
            bytes.request, bytes.result
        ),
        Err(error) => format!("\nBytes on the wire are not known: {error}.\n"),
    }
}

/// The rows of the contenders that were measured.
fn rows_of(results: &Results, workload: Workload) -> impl Iterator<Item = &'static str> {
    let names = CONTENDERS.iter().map(|one| one.name);
    let inline = inline::CONTENDERS.iter().map(|one| one.name);
    let mut seen = Vec::new();
    names.chain(inline).filter(move |name| {
        let sizes = workload.sizes().iter();
        let is_there = sizes
            .clone()
            .any(|&size| results.time((workload, size), name).is_some());
        let is_new = !seen.contains(name);
        seen.push(*name);
        is_there && is_new
    })
}

/// The kind of the contender of this name.
fn kind_of(name: &str) -> Option<Kind> {
    let pools = CONTENDERS.iter().map(|one| (one.name, one.kind));
    let inline = inline::CONTENDERS.iter().map(|one| (one.name, one.kind));
    pools
        .chain(inline)
        .find(|one| one.0 == name)
        .map(|one| one.1)
}

/// The table of the bars.
pub fn bars(bars: &[Bar]) -> String {
    let mut lines = vec![["bar", "figure", "limit", ""].map(String::from).to_vec()];
    for bar in bars {
        let limit = format!(
            "{} {}",
            if bar.at_least { "≥" } else { "≤" },
            number(bar.limit)
        );
        lines.push(vec![
            bar.name.clone(),
            bar.figure
                .map_or_else(|| String::from("not measured"), number),
            limit,
            match bar.verdict() {
                Verdict::Holds => String::from("holds"),
                Verdict::DoesNotHold => String::from("**does not hold**"),
                Verdict::CannotHold(what, figure) => {
                    format!("cannot hold: {what}: {}", number(figure))
                }
            },
        ]);
    }
    let count = |is: fn(Verdict) -> bool| bars.iter().filter(|bar| is(bar.verdict())).count();
    format!(
        "## Bars\n\n{}\n{} of {} hold, {} cannot.\n",
        markdown(&lines),
        count(|verdict| verdict == Verdict::Holds),
        bars.len(),
        count(|verdict| matches!(verdict, Verdict::CannotHold(..)))
    )
}

/// A figure of a workload, with its unit.
fn figure(workload: Workload, figure: f64) -> String {
    match workload {
        Workload::Allocations | Workload::Instructions => number(figure),
        _ => time(figure),
    }
}

/// A time that is given in nanoseconds.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e4 => format!("{} ns", number(nanoseconds)),
        ..1e7 => format!("{} µs", number(nanoseconds / 1e3)),
        _ => format!("{} ms", number(nanoseconds / 1e6)),
    }
}

/// A figure to three digits: the rounds differ by more than the others say.
pub fn as_printed(figure: f64) -> f64 {
    number(figure).parse().unwrap_or(figure)
}

/// Three digits.
fn number(number: f64) -> String {
    match number.abs() {
        0.0 => String::from("0"),
        ..0.001 => format!("{number:.6}"),
        ..1.0 => format!("{number:.3}"),
        ..10.0 => format!("{number:.2}"),
        ..100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// A table; the first column is text, the others are figures.
fn markdown(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
            .max(3)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (row, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            text += &if column == 0 {
                format!("| {cell:<width$} ")
            } else {
                format!("| {cell:>width$} ")
            };
        }
        text += "|\n";
        if row == 0 {
            for (column, &width) in widths.iter().enumerate() {
                let end = if column == 0 { "-" } else { ":" };
                text += &format!("|{}{end}", "-".repeat(width + 1));
            }
            text += "|\n";
        }
    }
    text
}
