//! The picture as a trace in Chrome's format, which Perfetto opens.

use serde_json::{Value, json};

use super::Picture;

impl Picture {
    /// The picture as a trace in Chrome's JSON format, which `ui.perfetto.dev` opens. A process is a
    /// core, a thread is a context, and a slice lasts from a point of the context to its next one.
    pub fn perfetto(&self) -> String {
        let micros = |row: usize| self.rows[row].time.as_nanos() as f64 / 1_000.0;
        let mut events: Vec<Value> = Vec::new();
        for (number, context) in self.contexts.iter().enumerate() {
            let named = |kind: &str, name: String| {
                json!({
                    "ph": "M", "name": kind, "pid": context.core, "tid": number,
                    "args": { "name": name },
                })
            };
            events.push(named("process_name", format!("core {}", context.core)));
            events.push(named("thread_name", context.name.clone()));
        }
        let last = self.rows.len().saturating_sub(1);
        for (at, row) in self.rows.iter().enumerate() {
            let core = self.contexts[row.context].core;
            let mut later = self.rows.iter().enumerate().skip(at + 1);
            let next = later.find(|(_, later)| later.context == row.context);
            let end = next.map_or(last, |(next, _)| next);
            events.push(json!({
                "ph": "X", "name": row.label, "pid": core, "tid": row.context,
                "ts": micros(at), "dur": micros(end) - micros(at),
                "args": { "point": row.step },
            }));
            let deviations = row.deviations.iter();
            let mut remarks: Vec<_> = deviations.map(ToString::to_string).collect();
            if at == last {
                remarks.push(self.end());
            }
            events.extend(remarks.into_iter().map(|remark| {
                json!({
                    "ph": "i", "s": "g", "name": remark, "pid": core, "tid": row.context,
                    "ts": micros(at),
                })
            }));
        }
        json!({ "traceEvents": events, "displayTimeUnit": "ns" }).to_string()
    }
}
