//! The statics that a test names: each run begins with what they are at power-on.

use std::{any::type_name, mem};

use super::Sim;
use crate::{lends_nothing::LendsNothing, statics::Static};

impl Sim<'_> {
    /// Restores a static at the beginning of each run, byte for byte, to what the program's file holds. Code
    /// that has run before in the process, such as another test, makes no difference.
    ///
    /// Only simulated code may use the static. The heap memory that it holds at the end of a run is leaked.
    /// Memory that is in no file, such as that of `Box::leak`, is as when the process names it first. So is each
    /// static on other hosts than Linux.
    ///
    /// # Panics
    ///
    /// The static is in read-only memory, so no run changes it. This is noticed on Linux.
    ///
    /// The memory is in no file, and its type has a destructor. Each run could free memory that it owns.
    #[track_caller]
    pub fn reset<T: LendsNothing>(&mut self, place: &'static T) -> &mut Self {
        assert!(
            !mem::needs_drop::<T>() || Static::is_in_the_file(place),
            "`reset` names memory of the type `{}`, whose bytes at power-on are in no file. Each run could free \
             what it owns. Name it by `unsafe {{ sim.reset_any(..) }}`, and see there",
            type_name::<T>(),
        );
        // SAFETY: no run keeps a reference to what the static holds, since a `LendsNothing` lends none. It may
        // keep one to the static itself, whose bytes are those of a `T` in each run. Those of a type that
        // owns anything are in the program's file, in which no value owns memory.
        unsafe { self.reset_any(place) }
    }

    /// As [`reset`](Self::reset), for a static of any type.
    ///
    /// # Safety
    ///
    /// From one run to the next, the test keeps no reference and no guard that the static has lent. No run frees
    /// what the static owns when a run begins. No thread of the host uses the static during the simulation.
    ///
    /// ```
    /// # use std::sync::OnceLock;
    /// # use corepool_sim::{Sim, point};
    /// static NAME: OnceLock<String> = OnceLock::new();
    ///
    /// let mut sim = Sim::new(1);
    /// // SAFETY: the scenario keeps nothing, and no other test uses the static.
    /// unsafe { sim.reset_any(&NAME) };
    /// sim.run(100, |_| {
    ///     point!();
    ///     assert!(NAME.set("logger".into()).is_ok());
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// As [`reset`](Self::reset).
    #[track_caller]
    pub unsafe fn reset_any<T: Sync>(&mut self, place: &'static T) -> &mut Self {
        match Static::new(place) {
            Ok(named) => self.plan.statics.push(named),
            Err(name) => panic!(
                "`reset` names {name}, which is in read-only memory and cannot change. Leave this `reset` out"
            ),
        }
        self
    }

    /// As [`reset_any`](Self::reset_any), for each static of these crates that can change, those in functions
    /// included. Pools are named by [`pool`](Self::pool) all the same.
    ///
    /// A name may also be the path of one static, as a report prints it. So name a static with `#[no_mangle]`
    /// or `#[export_name]`, which the symbols assign to no crate. So also name a static in a trait's
    /// method for a type of another crate, unless that crate is the host's.
    ///
    /// The symbols of the test's program list the statics, on Linux. The statics of a test belong to the
    /// test's crate. Elsewhere, or if a crate has no such static, the simulation fails. So it does for a
    /// crate of the host, such as `std`.
    ///
    /// # Safety
    ///
    /// As [`reset_any`](Self::reset_any), for each of these statics. No other test of the process may use them
    /// meanwhile, so the test is alone in its file.
    ///
    /// ```
    /// # // A documentation test is a crate of its own, whose name the test cannot know.
    /// # fn declare(sim: &mut corepool_sim::Sim<'_>) {
    /// // SAFETY: the test is alone in its file, and its scenario keeps nothing from run to run.
    /// unsafe { sim.reset_crates(["logger-app", "logger-drivers", "PACKETS_SENT"]) };
    /// # }
    /// ```
    pub unsafe fn reset_crates<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> &mut Self {
        let names = names.into_iter().map(str::to_string);
        self.plan.crates.extend(names);
        self
    }
}
