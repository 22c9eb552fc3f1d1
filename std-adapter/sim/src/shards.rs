//! A campaign over several processes, each of which runs a share of the seeds.
//!
//! A shard is the test's program, which runs the one test. Its first simulation with seeds runs the shard's
//! share, prints the result and ends the process. The parent has a share, too. It runs each seed again
//! that fails in a shard, so a report is the same without shards.

use std::{
    cell::Cell,
    env,
    io::{Read, Write},
    process::{self, Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use serde_json::{Value, json};

use crate::{runs::Report, second::CHECKED};

/// The variable that tells a shard its number, from 1, and how many shares there are.
const SHARD: &str = "COREPOOL_SIM_SHARD";
const MARK: &str = "corepool-sim shard ";

/// The seeds that a process runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    number: u64,
    of: u64,
}

impl Share {
    /// The share of the parent, of `of` shares.
    pub(crate) fn of_parent(of: u64) -> Self {
        Self { number: 0, of }
    }

    /// The share of this process, if it is a shard.
    pub(crate) fn of_this_shard() -> Option<Self> {
        let text = env::var(SHARD).ok()?;
        let (number, of) = text.split_once('/')?;
        Some(Self {
            number: number.parse().ok()?,
            of: of.parse().ok()?,
        })
    }

    /// Whether a seed is in it, by the seed's place from 0. The parent compares the first seeds with a
    /// second process, so it runs them all.
    pub(crate) fn has(self, place: u64) -> bool {
        match place < CHECKED {
            true => self.number == 0,
            false => place % self.of == self.number,
        }
    }
}

/// Whether the calling simulation is the first one with seeds on its thread. A second call says no.
pub(crate) fn is_first() -> bool {
    thread_local! {
        static HAS_BEGUN: Cell<bool> = const { Cell::new(false) };
    }
    !HAS_BEGUN.replace(true)
}

/// The result of a shard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No run failed.
    Passed(Box<Tally>),
    /// The run of this seed failed.
    Seed(u64),
    /// The shard cannot say which run failed.
    Failed(String),
}

/// The results of the runs of a share.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) report: Report,
    pub(crate) footprints: Vec<u64>,
    /// As `sometimes::seen` has it.
    pub(crate) sometimes: Vec<u64>,
}

impl Found {
    fn text(&self) -> String {
        match self {
            Self::Seed(seed) => json!({ "seed": seed }),
            Self::Failed(text) => json!({ "failed": text }),
            Self::Passed(tally) => {
                let report = &tally.report;
                json!({
                    "sums": [
                        report.runs,
                        report.points,
                        report.switches,
                        report.stalls,
                        report.hangs,
                        report.jobs,
                        report.depth as u64,
                        report.hash,
                    ],
                    "fired": report.fired,
                    "footprints": tally.footprints,
                    "sometimes": tally.sometimes,
                })
            }
        }
        .to_string()
    }

    fn of_text(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        if let Some(seed) = value["seed"].as_u64() {
            return Some(Self::Seed(seed));
        }
        if let Some(text) = value["failed"].as_str() {
            return Some(Self::Failed(text.into()));
        }
        let numbers = |name: &str| -> Option<Vec<u64>> {
            value[name].as_array()?.iter().map(Value::as_u64).collect()
        };
        let sums: [u64; 8] = numbers("sums")?.try_into().ok()?;
        let [runs, points, switches, stalls, hangs, jobs, depth, hash] = sums;
        let footprints = numbers("footprints")?;
        Some(Self::Passed(Box::new(Tally {
            report: Report {
                runs,
                points,
                switches,
                fired: numbers("fired")?,
                stalls,
                hangs,
                jobs,
                distinct: footprints.len() as u64,
                depth: usize::try_from(depth).ok()?,
                hash,
            },
            footprints,
            sometimes: numbers("sometimes")?,
        })))
    }
}

/// Prints the result, and ends the shard.
pub(crate) fn tell(found: &Found) -> ! {
    // The test's output is captured, and would be lost.
    let _ = writeln!(std::io::stderr(), "{MARK}{}", found.text());
    process::exit(0)
}

/// The shards of a simulation, besides the parent's own share.
#[derive(Default)]
pub(crate) struct Shards {
    children: Vec<Child>,
    /// The number of a shard that has ended, and what it printed.
    outputs: Option<Receiver<(usize, String)>>,
    under_way: usize,
}

impl Shards {
    /// Starts the shards of a test, which has `of` shares.
    pub(crate) fn of_test(test: &str, of: u64) -> std::io::Result<Self> {
        let program = env::current_exe()?;
        let (sender, outputs) = channel();
        let mut shards = Self {
            children: Vec::new(),
            outputs: Some(outputs),
            under_way: 0,
        };
        for number in 1..of {
            let mut child = Command::new(&program)
                .args([test, "--exact", "--include-ignored"])
                .env(SHARD, format!("{number}/{of}"))
                .env_remove("COREPOOL_SIM_SHARDS")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()?;
            let stderr = child.stderr.take();
            let index = shards.children.len();
            shards.children.push(child);
            shards.under_way += 1;
            let sender = sender.clone();
            thread::spawn(move || {
                let mut bytes = Vec::new();
                if let Some(mut stderr) = stderr {
                    // What was read until an error counts.
                    let _ = stderr.read_to_end(&mut bytes);
                }
                // The simulation may have failed meanwhile.
                let _ = sender.send((index, String::from_utf8_lossy(&bytes).into_owned()));
            });
        }
        Ok(shards)
    }

    /// The result of a shard that has ended. None if there is none at the moment.
    pub(crate) fn ended(&mut self) -> Option<Found> {
        let (index, text) = self.outputs.as_ref()?.try_recv().ok()?;
        Some(self.result(index, &text))
    }

    /// Waits for the next result. None if there is no other.
    pub(crate) fn wait(&mut self) -> Option<Found> {
        if self.under_way == 0 {
            return None;
        }
        let (index, text) = self.outputs.as_ref()?.recv().ok()?;
        Some(self.result(index, &text))
    }

    fn result(&mut self, index: usize, text: &str) -> Found {
        self.under_way -= 1;
        let found = text.lines().find_map(|line| line.strip_prefix(MARK));
        found.and_then(Found::of_text).unwrap_or_else(|| {
            let end = match self.children[index].wait() {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            Found::Failed(format!("its process ended without a result: {end}\n{text}"))
        })
    }
}

impl Drop for Shards {
    /// A failure that is found ends the other shards.
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_is_in_one_share() {
        for of in 1..5 {
            let shares = |place| {
                let shares = (0..of).filter(|&number| Share { number, of }.has(place));
                shares.count()
            };
            assert!((0..1_000).all(|place| shares(place) == 1));
        }
    }

    #[test]
    fn a_result_is_read_as_it_was_written() {
        let report = Report {
            runs: 1,
            points: 2,
            switches: 3,
            fired: vec![4, 5],
            stalls: 6,
            hangs: 7,
            jobs: 8,
            distinct: 2,
            depth: 9,
            hash: u64::MAX,
        };
        let tally = Tally {
            report,
            footprints: vec![u64::MAX, 10],
            sometimes: vec![0, 3],
        };
        let all = [
            Found::Passed(Box::new(tally)),
            Found::Seed(u64::MAX),
            Found::Failed("two\nlines".into()),
        ];
        for found in all {
            assert!(!found.text().contains('\n'));
            assert_eq!(Found::of_text(&found.text()), Some(found));
        }
    }
}
