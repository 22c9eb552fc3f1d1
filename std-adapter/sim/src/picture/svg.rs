//! The picture as SVG.

use std::fmt::Write;

use super::{Picture, Rows};

/// The most rows of which all are drawn.
const MOST_ROWS: usize = 2_000;
const LEFT: usize = 150;
const WIDTH: usize = 170;
const HEIGHT: usize = 16;
const REMARKS: usize = 320;

impl Picture {
    /// The picture as an SVG document. If a run has more than 2,000 points, the picture has the rows
    /// around each deviation and the last rows.
    pub fn svg(&self) -> String {
        let rows = match self.rows.len() {
            0..=MOST_ROWS => Rows::All,
            _ => Rows::Telling,
        };
        let shown = self.shown(rows);
        let columns = self.columns(&shown);
        let count = shown.iter().filter(|shown| **shown).count();
        let right = LEFT + WIDTH * columns.len();
        let (width, height) = (right + REMARKS, HEIGHT * (count + 3));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"monospace\" font-size=\"12\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
        );
        for (place, &column) in columns.iter().enumerate() {
            let x = LEFT + WIDTH * place;
            let name = escaped(&self.contexts[column].name);
            let _ = write!(
                svg,
                "<text x=\"{x}\" y=\"{HEIGHT}\" font-weight=\"bold\">{name}</text>\n\
                 <line x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{height}\" stroke=\"lightgray\"/>\n",
                top = HEIGHT + 6,
            );
        }
        let mut y = 2 * HEIGHT;
        for (at, row) in self.rows.iter().enumerate().filter(|(at, _)| shown[*at]) {
            y += HEIGHT;
            let place = columns.iter().position(|column| *column == row.context);
            let x = LEFT + WIDTH * place.unwrap_or(0);
            let is_last = at + 1 == self.rows.len();
            let fill = if is_last { "mistyrose" } else { "aliceblue" };
            let _ = write!(
                svg,
                "<text x=\"4\" y=\"{y}\" fill=\"gray\">{step} {time:.1?}</text>\n\
                 <rect x=\"{x}\" y=\"{top}\" width=\"{wide}\" height=\"{HEIGHT}\" fill=\"{fill}\"/>\n\
                 <text class=\"point\" x=\"{text}\" y=\"{y}\">{label}</text>\n",
                step = row.step,
                time = row.time,
                top = y - HEIGHT + 4,
                wide = WIDTH - 8,
                text = x + 4,
                label = escaped(row.label),
            );
            let mut remarks: Vec<_> = row
                .deviations
                .iter()
                .map(|deviation| self.remark(row, deviation))
                .collect();
            if is_last {
                remarks.push(self.end());
            }
            if !remarks.is_empty() {
                let _ = writeln!(
                    svg,
                    "<text class=\"remark\" x=\"{right}\" y=\"{y}\" fill=\"firebrick\">{}</text>",
                    escaped(&remarks.join(" "))
                );
            }
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}
