//! The bars that `ThreadPool` and `ProcessPool` must reach, with their default configuration, all in one run.

use crate::{
    awaited, inline, limits, peers,
    processes::PROCESS_POOL,
    python, report,
    statistics::{Key, Results},
    workloads::{CONTENDERS, Kind, THREAD_POOL, Workload, fork_join, scopes},
};

/// A figure and its limit.
pub struct Bar {
    /// The name of the figure.
    pub name: String,
    /// `None` if something for it was not measured.
    pub figure: Option<f64>,
    /// The limit.
    pub limit: f64,
    /// Whether the figure may not be below it; otherwise it may not be above.
    pub at_least: bool,
    /// The limit of what any pool can reach, or any with these lists, where there is one: what it came to
    /// in the same run, and its name.
    pub reachable: Option<(f64, &'static str)>,
}

/// The verdict on a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// It is reached.
    Holds,
    /// It is not, or was not measured.
    DoesNotHold,
    /// It is not, nor does what is [`reachable`](Bar::reachable) come to it: the limit, and its figure.
    CannotHold(&'static str, f64),
}

impl Bar {
    /// By the figures as they are printed.
    pub fn verdict(&self) -> Verdict {
        let reaches = |figure| {
            let figure = report::as_printed(figure);
            if self.at_least {
                figure >= self.limit
            } else {
                figure <= self.limit
            }
        };
        match (self.figure, self.reachable) {
            (Some(figure), _) if reaches(figure) => Verdict::Holds,
            (Some(_), Some((least, what))) if !reaches(least) => Verdict::CannotHold(what, least),
            _ => Verdict::DoesNotHold,
        }
    }
}

/// How many instructions a job may take inline, if that is more than 2.2 times the floor's.
const INSTRUCTIONS: f64 = 160.0;
/// The part of a core that two idle workers may take.
const IDLE: f64 = 0.000_2;

/// All of them, for the workloads that were measured.
pub fn all(results: &Results, measured: &[Workload]) -> Vec<Bar> {
    let mut bars = Bars {
        results,
        all: Vec::new(),
    };
    for &workload in measured {
        bars.of(workload);
    }
    bars.all
}

struct Bars<'a> {
    results: &'a Results,
    all: Vec<Bar>,
}

impl Bars<'_> {
    fn of(&mut self, workload: Workload) {
        match workload {
            Workload::Warm => {
                self.against_peers(workload, [0.05, 0.05], Some(limits::FLOOR));
                self.against(workload, limits::FLOOR, [3.0, 3.0]);
                self.cpu_against_peers(workload, THREAD_POOL, |_| true);
            }
            Workload::Cold => {
                self.against_peers(workload, [0.7, 0.7], None);
                self.against(workload, limits::FUTEX, [0.6, 0.6]);
            }
            Workload::Burst => {
                self.against_peers(workload, [0.5, 0.7], None);
                self.against(workload, limits::FLOOR, [5.0, 9.0]);
            }
            Workload::Producers => self.against_peers(workload, [0.9, 0.9], None),
            Workload::Window => {
                self.against_peers(workload, [0.6, 0.8], None);
                self.against(workload, limits::FLOOR, [10.0, 10.0]);
            }
            Workload::Allocations => self.allocations(),
            Workload::Inline => self.inline(workload, 0.5),
            Workload::Instructions => {
                self.inline(workload, 0.4);
                let key = (workload, 0);
                let count = |name| self.results.time(key, name);
                let bar = Bar {
                    name: format!("{}: {}", workload.title(), inline::OWN),
                    figure: count(inline::OWN),
                    limit: count(limits::FLOOR)
                        .map_or(INSTRUCTIONS, |floor| INSTRUCTIONS.max(2.2 * floor)),
                    at_least: false,
                    reachable: count(limits::PROMISES).map(|least| (least, limits::PROMISES)),
                };
                self.all.push(bar);
            }
            Workload::Efficiency => {
                self.against_peers(workload, [1.0, 1.0], None);
                self.efficiency(workload);
                // A caller that waits for all jobs of a scope at once can sleep meanwhile: each by its own kind.
                for (own, scopes) in [(THREAD_POOL, false), (scopes::OWN, true)] {
                    self.cpu_against_peers(workload, own, |peer| {
                        (peer == peers::RAYON_SCOPE) == scopes
                    });
                }
            }
            Workload::ForkJoin => {
                for (&cut, limit) in workload.sizes().iter().zip([0.9, 1.1, 1.1]) {
                    let key = (workload, cut);
                    self.push_against_peer(
                        name(key, &format!("× {}", fork_join::RAYON)),
                        ((key, fork_join::FEW), Some(fork_join::RAYON)),
                        limit,
                        None,
                    );
                }
            }
            Workload::AwaitOne => {
                self.against_peers(workload, [0.5, 0.5], Some(awaited::FLOOR));
            }
            Workload::AwaitMany => {
                self.against_peers(workload, [0.7, 0.7], Some(awaited::FLOOR));
            }
            Workload::Idle => {
                let time = self.results.time((workload, 2), THREAD_POOL);
                let name = format!("{}, in cores", workload.title());
                self.push(name, time.map(|time| time / 1e9), IDLE);
            }
            Workload::Slots | Workload::Workers | Workload::Waiters | Workload::Priorities => {
                self.growth(workload);
            }
            Workload::ProcessRoundTrip => self.against_python(workload, 5.0),
            Workload::ProcessWindow | Workload::ProcessMap => self.against_python(workload, 10.0),
        }
    }

    fn push(&mut self, name: String, figure: Option<f64>, limit: f64) {
        self.all.push(Bar {
            name,
            figure,
            limit,
            at_least: false,
            reachable: None,
        });
    }

    /// A ratio to the best peer's figure. `reachable`: the limit that no pool is below, if there is one.
    fn push_against_peer(
        &mut self,
        name: String,
        (own, peer): ((Key, &'static str), Option<&'static str>),
        limit: f64,
        reachable: Option<&'static str>,
    ) {
        let key = own.0;
        let ratio = |one| self.results.ratio(one, (key, peer?));
        let reachable = reachable.and_then(|name| Some((ratio((key, name))?, name)));
        self.all.push(Bar {
            name,
            figure: ratio(own),
            limit,
            at_least: false,
            reachable,
        });
    }

    /// The fastest peer.
    fn best_peer(&self, key: Key) -> Option<&'static str> {
        self.best_peer_of(key, |_| true)
    }

    /// The fastest of those peers that `of` wants.
    fn best_peer_of(&self, key: Key, of: impl Fn(&str) -> bool) -> Option<&'static str> {
        let of_pools = CONTENDERS.iter().map(|one| (one.kind, one.name));
        let inline = inline::CONTENDERS.iter().map(|one| (one.kind, one.name));
        let peers = of_pools.chain(inline).filter(|one| one.0 == Kind::Peer);
        let peers = peers.map(|one| one.1).filter(|name| of(name));
        self.results.best(key, peers)
    }

    fn against_peers(
        &mut self,
        workload: Workload,
        limits: [f64; 2],
        reachable: Option<&'static str>,
    ) {
        for (&workers, limit) in workload.sizes().iter().zip(limits) {
            let key = (workload, workers);
            let best = self.best_peer(key);
            self.push_against_peer(
                name(key, &format!("× {}", best.unwrap_or("best peer"))),
                ((key, THREAD_POOL), best),
                limit,
                reachable,
            );
        }
    }

    fn against(&mut self, workload: Workload, machine: &'static str, limits: [f64; 2]) {
        for (&workers, limit) in workload.sizes().iter().zip(limits) {
            let key = (workload, workers);
            let ratio = self.results.ratio((key, THREAD_POOL), (key, machine));
            self.push(name(key, &format!("× {machine}")), ratio, limit);
        }
    }

    fn cpu_against_peers(
        &mut self,
        workload: Workload,
        own: &'static str,
        of: impl Fn(&str) -> bool,
    ) {
        for &workers in workload.sizes() {
            let key = (workload, workers);
            let best = self.best_peer_of(key, &of);
            let ratio = best.and_then(|best| self.results.cpu_ratio((key, own), (key, best)));
            let what = format!("CPU time, {own} × {}", best.unwrap_or("best peer"));
            self.push(name(key, &what), ratio, 1.0);
        }
    }

    fn allocations(&mut self) {
        let own = CONTENDERS.iter().filter(|one| one.kind == Kind::Own);
        for contender in own {
            for &workers in Workload::Allocations.sizes() {
                let key = (Workload::Allocations, workers);
                let figure = self.results.time(key, contender.name);
                // There is no spinning worker where there is no core for it.
                if figure.is_some() || contender.name == THREAD_POOL {
                    self.push(name(key, contender.name), figure, 0.0);
                }
            }
        }
    }

    fn inline(&mut self, workload: Workload, limit: f64) {
        let key = (workload, 0);
        let best = self.best_peer(key);
        let peer = best.unwrap_or("best peer");
        self.push_against_peer(
            format!("{}: {} × {peer}", workload.title(), inline::OWN),
            ((key, inline::OWN), best),
            limit,
            Some(limits::PROMISES),
        );
    }

    fn efficiency(&mut self, workload: Workload) {
        for &workers in workload.sizes() {
            let key = (workload, workers);
            let figure = self.results.ratio((key, limits::SPLIT), (key, THREAD_POOL));
            self.all.push(Bar {
                name: name(key, "efficiency against the perfect split"),
                figure,
                limit: 0.98,
                at_least: true,
                reachable: None,
            });
        }
    }

    /// How many jobs a `ProcessPool` does in the time in which Python's does one.
    fn against_python(&mut self, workload: Workload, limit: f64) {
        for &size in workload.sizes() {
            let key = (workload, size);
            let rate = self
                .results
                .ratio((key, python::PROCESSES), (key, PROCESS_POOL));
            self.all.push(Bar {
                name: name(key, &format!("rate × {}", python::PROCESSES)),
                figure: rate,
                limit,
                at_least: true,
                reachable: None,
            });
        }
    }

    /// The largest against the smallest.
    fn growth(&mut self, workload: Workload) {
        let [small, .., large] = *workload.sizes() else {
            return;
        };
        let at = |size| ((workload, size), THREAD_POOL);
        let what = format!("× {}", workload.size_name(small));
        let ratio = self.results.ratio(at(large), at(small));
        self.push(name((workload, large), &what), ratio, 1.15);
    }
}

fn name((workload, size): Key, what: &str) -> String {
    format!("{}, {}: {what}", workload.title(), workload.size_name(size))
}
