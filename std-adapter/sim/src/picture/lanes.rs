//! The picture as text.

use std::fmt::Write;

use super::{Picture, Rows};

const WIDTH: usize = 22;

impl Picture {
    /// The picture as text. `◀` marks each deviation, and `✗` the step at which the run fails. `▒` marks a core that
    /// stalls or hangs.
    pub fn lanes(&self, rows: Rows) -> String {
        let shown = self.shown(rows);
        let columns = self.columns(&shown);
        let standing = self.standing();
        let mut text = format!("\n  {:>6} {:>12}  ", "point", "time");
        for &column in &columns {
            let _ = write!(text, "{:<WIDTH$}", clip(&self.contexts[column].name));
        }
        let mut has_gap = false;
        for (at, row) in self.rows.iter().enumerate() {
            if !shown[at] {
                has_gap = true;
                continue;
            }
            if std::mem::take(&mut has_gap) {
                text.push_str("\n       ⋮");
            }
            let time = format!("{:.1?}", row.time);
            let _ = write!(text, "\n  {:>6} {:>12}  ", row.step, time);
            for &column in &columns {
                let cell = match self.contexts[column].core {
                    _ if column == row.context => row.label,
                    core if standing[at].has(core) => "▒",
                    _ => "·",
                };
                let _ = write!(text, "{:<WIDTH$}", clip(cell));
            }
            for deviation in &row.deviations {
                let remark = self.remark(row, deviation);
                let _ = write!(text, " {remark}: without this one it passes");
            }
            if at + 1 == self.rows.len() {
                let _ = write!(text, " {}", self.end());
            }
        }
        text
    }
}

fn clip(text: &str) -> String {
    text.chars().take(WIDTH - 1).collect()
}
