//! The cores that stand still at a row, by a stall or a hang.

use std::{collections::HashSet, time::Duration};

use super::Picture;
use crate::{choice::cores::Cores, schedule::Action};

impl Picture {
    /// For each row, the cores that stand still after it. A core that comes to a point stands no more.
    pub(super) fn standing(&self) -> Vec<Cores> {
        let mut until = [Duration::ZERO; 32];
        let of_row = self.rows.iter().map(|row| {
            let core = self.contexts[row.context].core;
            until[core] = Duration::ZERO;
            for deviation in &row.deviations {
                match deviation.action {
                    Action::Stall(core, nanos) => {
                        until[core] = row.time + Duration::from_nanos(nanos);
                    }
                    Action::Hang(nanos) => {
                        let time = nanos.map(Duration::from_nanos);
                        until[core] = time.map_or(Duration::MAX, |time| row.time + time);
                    }
                    _ => {}
                }
            }
            Cores::that(until.len(), |core| until[core] > row.time)
        });
        of_row.collect()
    }

    /// While a core stands, the first row of each point that the application names, of each context.
    pub(super) fn told_while_standing(&self) -> Vec<usize> {
        let mut told = HashSet::new();
        let mut rows = Vec::new();
        for (at, (row, standing)) in self.rows.iter().zip(self.standing()).enumerate() {
            if standing.count() == 0 {
                told.clear();
            } else if row.is_own && told.insert((row.context, row.label)) {
                rows.push(at);
            }
        }
        rows
    }
}
