//! Each transition, from each word that it may find.

use core::fmt::Debug;

use super::*;

const RETURNED: u32 = (Outcome::Returned as u32) << OUTCOME_SHIFT;
const CANCELLED: u32 = (Outcome::Cancelled as u32) << OUTCOME_SHIFT;
const WORKER_LOST: u32 = (Outcome::WorkerLost as u32) << OUTCOME_SHIFT;
/// The job's priority in every test. No transition changes it.
const FIVE: u32 = 5 << PRIORITY_SHIFT;
/// `BUSY` is worker 2.
const RUNNER_3: u32 = 3 << RUNNER_SHIFT;

/// A completer that is no worker.
fn settle(state: &State) -> Settle {
    state.settle(None, 0)
}

/// From the word `from`, `step` reports `report` and leaves the word `to`.
#[track_caller]
fn check<R: PartialEq + Debug>(from: u32, step: impl FnOnce(&State) -> R, report: R, to: u32) {
    let state = State(AtomicU32::new(from | FIVE));
    assert_eq!(step(&state), report);
    assert_eq!(state.load(), Snapshot(to | FIVE));
}

#[test]
fn no_two_fields_of_the_word_overlap() {
    let fields = [
        QUEUED, BUSY, SUSPENDED, NOTIFIED, CANCEL, HANDLE, LISTENING, CALLBACKS, DONE, OUTCOME,
        PRIORITY, RUNNER, TELLING, SCOPED, TASK, LOST, PROMISED, CLONED,
    ];
    let mut seen = 0;
    for field in fields {
        assert_ne!(field, 0);
        assert_eq!(seen & field, 0);
        seen |= field;
    }
}

#[test]
fn a_new_tenant_finds_nothing_of_the_last() {
    let state = State(AtomicU32::new(u32::MAX));
    state.occupy(15, QUEUED | HANDLE);
    assert_eq!(state.load(), Snapshot(PRIORITY | QUEUED | HANDLE));
    assert_eq!(state.load().priority(), 15);
}

#[test]
fn every_outcome_can_be_read_as_it_was_published() {
    for outcome in [
        Outcome::Returned,
        Outcome::Cancelled,
        Outcome::Panicked,
        Outcome::WorkerLost,
        Outcome::Broken,
        Outcome::Failed,
    ] {
        let state = State::new();
        state.occupy(15, BUSY | HANDLE | RUNNER);
        assert!(state.publish(outcome));
        assert_eq!(state.load().outcome(), outcome);
    }
}

#[test]
fn cancellation_is_no_failure_and_neither_is_what_has_not_ended() {
    let failed = |outcome: Outcome| Snapshot(DONE | ((outcome as u32) << OUTCOME_SHIFT)).failed();
    assert!(!failed(Outcome::Returned));
    assert!(!failed(Outcome::Cancelled));
    assert!(failed(Outcome::Panicked));
    assert!(failed(Outcome::WorkerLost));
    assert!(failed(Outcome::Broken));
    assert!(failed(Outcome::Failed));
    assert!(!Snapshot(BUSY | WORKER_LOST).failed());
}

#[test]
fn the_result_is_there_when_the_completer_has_left() {
    assert!(!Snapshot(QUEUED | HANDLE).is_ready());
    assert!(!Snapshot(BUSY | HANDLE).is_ready());
    assert!(!Snapshot(BUSY | DONE | HANDLE).is_ready());
    assert!(Snapshot(DONE | HANDLE).is_ready());
    assert!(Snapshot(DONE | QUEUED).is_ready());
}

#[test]
fn the_longest_runner_number_fits() {
    let state = State(AtomicU32::new(QUEUED | FIVE));
    assert!(matches!(state.begin(0x3ff), Begin::Begun(s) if s.runner() == 0x3ff));
    assert_eq!(state.load().priority(), 5);
}

#[test]
fn begin_takes_a_queued_job_or_a_woken_task() {
    let busy = |bits| Begin::Begun(Snapshot(bits | BUSY | RUNNER_3 | FIVE));
    let begin = |state: &State| state.begin(3);
    check(
        QUEUED | HANDLE,
        begin,
        busy(HANDLE),
        HANDLE | BUSY | RUNNER_3,
    );
    check(QUEUED, begin, busy(0), BUSY | RUNNER_3);
    let another_ran_it_before = SUSPENDED | NOTIFIED | (4 << RUNNER_SHIFT);
    check(
        QUEUED | another_ran_it_before,
        begin,
        busy(0),
        BUSY | RUNNER_3,
    );
}

#[test]
fn the_queue_leaves_what_another_has_begun_or_ended() {
    let begin = |state: &State| state.begin(3);
    for others in [
        BUSY | HANDLE,
        BUSY | RUNNER_3,
        DONE | HANDLE,
        DONE | BUSY,
        DONE | TELLING,
        DONE | LOST,
    ] {
        check(QUEUED | others, begin, Begin::Left, others);
    }
    check(QUEUED | DONE, begin, Begin::LeftLast, DONE);
}

#[test]
fn who_waits_begins_a_job_that_stays_in_the_queue() {
    let begin = |state: &State| state.begin_in_queue(3);
    let begun = QUEUED | BUSY | RUNNER_3;
    check(QUEUED, begin, Some(Snapshot(begun | FIVE)), begun);
    for other in [
        QUEUED | SUSPENDED,
        BUSY | HANDLE,
        QUEUED | BUSY,
        QUEUED | DONE,
        QUEUED | PROMISED,
        SUSPENDED,
        HANDLE,
    ] {
        check(other, begin, None, other);
    }
}

#[test]
fn a_job_that_was_begun_by_mistake_is_queued_again_if_it_was_popped() {
    let begun = QUEUED | BUSY | RUNNER_3 | HANDLE;
    check(begun, State::unbegin, Unbegun::Queued, QUEUED | HANDLE);
    let popped = BUSY | RUNNER_3 | HANDLE | CANCEL;
    check(
        popped,
        State::unbegin,
        Unbegun::Unqueued,
        QUEUED | HANDLE | CANCEL,
    );
    let lost = DONE | LOST | HANDLE | RUNNER_3;
    check(lost, State::unbegin, Unbegun::Lost, lost);
}

#[test]
fn a_task_whose_waker_was_cloned_says_so() {
    check(
        SUSPENDED | TASK,
        State::set_cloned,
        (),
        SUSPENDED | TASK | CLONED,
    );
    check(TASK | CLONED, State::set_cloned, (), TASK | CLONED);
    // Its slot may be free, or have the next tenant.
    check(TASK | DONE, State::set_cloned, (), TASK | DONE);
}

#[test]
fn claim_takes_only_what_nobody_is_at_work_on() {
    let claimed = BUSY | u32::from(CANCELLER) << RUNNER_SHIFT;
    check(
        QUEUED | HANDLE,
        State::claim,
        true,
        QUEUED | HANDLE | claimed,
    );
    check(SUSPENDED | NOTIFIED | RUNNER_3, State::claim, true, claimed);
    check(SUSPENDED | QUEUED, State::claim, true, QUEUED | claimed);
    check(HANDLE, State::claim, false, HANDLE);
    for taken in [
        BUSY | HANDLE,
        QUEUED | BUSY,
        QUEUED | DONE,
        SUSPENDED | DONE,
    ] {
        check(taken, State::claim, false, taken);
    }
}

#[test]
fn an_index_stands_for_nothing_when_its_job_has_ended_or_is_being_ended() {
    let claimed = BUSY | u32::from(CANCELLER) << RUNNER_SHIFT;
    for vain in [QUEUED | DONE, QUEUED | BUSY | DONE, QUEUED | claimed] {
        assert!(Snapshot(vain | FIVE).is_queued_in_vain());
    }
    // A worker that polls a task, or runs a job that it waits for, may need the index in the queue
    // again.
    for needed in [
        QUEUED,
        QUEUED | SUSPENDED,
        QUEUED | BUSY,
        QUEUED | BUSY | RUNNER_3,
        DONE,
        claimed,
    ] {
        assert!(!Snapshot(needed | FIVE).is_queued_in_vain());
    }
}

#[test]
fn take_back_takes_only_what_has_never_begun() {
    check(
        QUEUED | HANDLE,
        State::take_back,
        true,
        QUEUED | HANDLE | BUSY | DONE | CANCELLED,
    );
    for begun in [QUEUED | SUSPENDED, QUEUED | BUSY, QUEUED | DONE, HANDLE] {
        check(begun, State::take_back, false, begun);
    }
}

#[test]
fn who_took_a_job_back_leaves_as_two_parties_and_the_queue_keeps_the_slot() {
    let leave = |state: &State| state.leave(BUSY | HANDLE);
    let ended = DONE | CANCELLED;
    let taken_back = QUEUED | BUSY | HANDLE | ended;
    check(taken_back, leave, LeftTo::Queue(5), QUEUED | ended);
    let last = State(AtomicU32::new(BUSY | HANDLE | ended));
    assert_eq!(last.leave(BUSY | HANDLE), LeftTo::Nobody);
}

#[test]
fn a_running_job_is_asked_to_stop_once_or_more() {
    check(
        BUSY | HANDLE,
        State::request_cancel,
        true,
        BUSY | HANDLE | CANCEL,
    );
    check(BUSY | CANCEL, State::request_cancel, true, BUSY | CANCEL);
    for other in [QUEUED | HANDLE, BUSY | DONE, DONE | HANDLE] {
        check(other, State::request_cancel, false, other);
    }
}

#[test]
fn a_pending_task_waits_for_its_waker() {
    let running = BUSY | HANDLE | RUNNER_3;
    let suspended = SUSPENDED | HANDLE | RUNNER_3;
    check(running, State::suspend, Suspension::Suspended, suspended);
    check(
        running | NOTIFIED,
        State::suspend,
        Suspension::Requeue,
        suspended | QUEUED,
    );
}

#[test]
fn a_pending_task_that_is_to_end_stays_with_its_worker() {
    for end in [CANCEL, DONE, CANCEL | NOTIFIED] {
        check(BUSY | end, State::suspend, Suspension::Cancel, BUSY | end);
    }
}

#[test]
fn a_waker_queues_a_suspended_task_once() {
    let queued = SUSPENDED | QUEUED | HANDLE;
    check(
        SUSPENDED | HANDLE,
        State::wake,
        Some(Snapshot(queued | FIVE)),
        queued,
    );
    check(queued, State::wake, None, queued);
}

#[test]
fn a_waker_that_fires_during_the_poll_is_kept_in_mind() {
    check(BUSY, State::wake, None, BUSY | NOTIFIED);
    check(BUSY | NOTIFIED, State::wake, None, BUSY | NOTIFIED);
}

#[test]
fn a_waker_that_outlives_its_task_changes_nothing() {
    for other in [0, QUEUED | HANDLE, BUSY | DONE, DONE | HANDLE] {
        check(other, State::wake, None, other);
    }
}

#[test]
fn an_outcome_leaves_the_slot_to_a_handle_that_waits_for_nothing() {
    let publish = |state: &State| state.publish(Outcome::Cancelled);
    check(BUSY | HANDLE, publish, true, HANDLE | DONE | CANCELLED);
}

#[test]
fn an_outcome_is_settled_where_there_is_more_than_a_handle() {
    let publish = |state: &State| state.publish(Outcome::Cancelled);
    for more in [
        HANDLE | CALLBACKS,
        HANDLE | LISTENING,
        HANDLE | SCOPED,
        HANDLE | DONE | QUEUED,
        0,
    ] {
        check(BUSY | more, publish, false, BUSY | more);
    }
}

#[test]
fn an_outcome_is_published_with_the_first_thing_that_is_settled() {
    let settle = |state: &State| state.settle(Some(Outcome::Cancelled), 3);
    let busy = BUSY | RUNNER_3;
    let ended = RUNNER_3 | DONE | CANCELLED;
    for (from, next, to) in [
        (
            busy | HANDLE | CALLBACKS | LISTENING,
            Settle::Callbacks,
            BUSY | ended | HANDLE | LISTENING,
        ),
        (
            busy | HANDLE | LISTENING,
            Settle::Waiter,
            ended | HANDLE | TELLING,
        ),
        (
            busy | HANDLE | SCOPED,
            Settle::Left,
            ended | HANDLE | SCOPED,
        ),
        (busy, Settle::Unclaimed, BUSY | ended),
    ] {
        check(from, settle, next, to);
    }
}

#[test]
fn a_canceller_publishes_while_the_index_is_queued() {
    let settle = |state: &State| state.settle(Some(Outcome::Cancelled), 0);
    let ended = QUEUED | HANDLE | DONE | CANCELLED;
    check(QUEUED | BUSY | HANDLE, settle, Settle::Left, ended);
}

#[test]
fn the_first_outcome_stays() {
    let settle = |state: &State| state.settle(Some(Outcome::Returned), 3);
    let lost = BUSY | RUNNER_3 | DONE | LOST | HANDLE | WORKER_LOST;
    check(lost, settle, Settle::TakenOver, lost);
}

#[test]
fn a_completer_calls_back_and_then_leaves_with_the_waiter() {
    let done = BUSY | DONE | HANDLE | RETURNED;
    let first = done | CALLBACKS | LISTENING;
    check(first, settle, Settle::Callbacks, done | LISTENING);
    let ready = DONE | HANDLE | TELLING;
    check(done | LISTENING, settle, Settle::Waiter, ready);
    assert!(Snapshot(ready).is_ready());
    check(done, settle, Settle::Left, DONE | HANDLE);
}

#[test]
fn a_completer_keeps_what_has_no_handle() {
    let done = BUSY | DONE;
    check(done, settle, Settle::Unclaimed, done);
    check(
        BUSY | DONE | CALLBACKS,
        settle,
        Settle::Callbacks,
        BUSY | DONE,
    );
}

#[test]
fn a_lost_workers_job_ends_and_its_slot_stays_with_the_worker() {
    let lose = |state: &State| state.lose(3);
    let running = BUSY | HANDLE | RUNNER_3;
    check(
        running,
        lose,
        Loss::TakenOver,
        running | DONE | LOST | WORKER_LOST,
    );
    let in_queue = running | QUEUED;
    check(
        in_queue,
        lose,
        Loss::TakenOver,
        in_queue | DONE | LOST | WORKER_LOST,
    );
    let in_callbacks = running | DONE | RETURNED | LISTENING;
    let taken_over = running | DONE | WORKER_LOST | LISTENING | LOST;
    check(in_callbacks, lose, Loss::TakenOver, taken_over);
}

#[test]
fn a_worker_that_was_taken_over_is_told() {
    let taken_over = BUSY | HANDLE | RUNNER_3 | DONE | LOST | WORKER_LOST | LISTENING;
    let worker = |state: &State| state.settle(None, 3);
    check(taken_over, worker, Settle::TakenOver, taken_over);
    // The party that took over goes on.
    let collected = (taken_over & !(LISTENING | BUSY)) | TELLING;
    check(taken_over, settle, Settle::Waiter, collected);
}

#[test]
fn a_lost_worker_takes_no_other_job_with_it() {
    let lose = |state: &State| state.lose(3);
    for other in [
        BUSY | (2 << RUNNER_SHIFT),
        BUSY | DONE | RUNNER_3,
        BUSY | DONE | HANDLE | LOST | RUNNER_3,
        SUSPENDED | RUNNER_3,
        QUEUED | SUSPENDED | RUNNER_3,
    ] {
        check(other, lose, Loss::None, other);
    }
}

#[test]
fn a_shared_outcome_is_shown_before_the_callbacks_and_stays() {
    let publish = |state: &State| state.settle(Some(Outcome::Panicked), 3);
    let shared = BUSY | HANDLE | LISTENING | SHARED | RUNNER_3;
    let shown = BUSY | HANDLE | LISTENING | RUNNER_3 | SHARED | Outcome::Panicked.published();
    check(shared | CALLBACKS, publish, Settle::Callbacks, shown);
    assert!(Snapshot(shown).is_shown() && !Snapshot(shown).is_ready());
    let lose = |state: &State| state.lose(3);
    check(shown, lose, Loss::None, shown);
    check(shown | SCOPED, lose, Loss::Shown, shown | SCOPED);
    let lost = BUSY | HANDLE | LISTENING | RUNNER_3 | SHARED | DONE | LOST | WORKER_LOST;
    check(shared, lose, Loss::TakenOver, lost);
}

#[test]
fn no_shared_job_is_found_in_the_word_of_a_slot_that_the_worker_has_freed() {
    let unshared = BUSY | RUNNER_3 | SCOPED | SHARED;
    let settled = State(AtomicU32::new(unshared));
    let settle = settled.settle(Some(Outcome::Returned), 3);
    assert_eq!(settle, Settle::Unclaimed);
    assert_eq!(settled.leave(BUSY), LeftTo::Nobody);
    assert_eq!(settled.lose(3), Loss::None);
}

#[test]
fn a_wake_up_of_a_task_that_ends_shows_nothing() {
    let woken = BUSY | HANDLE | TASK | NOTIFIED | RUNNER_3;
    let ended = woken | DONE;
    let settle = |state: &State| state.settle(Some(Outcome::Returned), 3);
    check(woken | CALLBACKS, settle, Settle::Callbacks, ended);
    assert!(!Snapshot(ended).is_shown());
}

#[test]
fn a_panic_that_a_holder_was_given_is_a_panic_still() {
    let shown = BUSY | HANDLE | LISTENING | SHARED | RUNNER_3 | Outcome::Panicked.published();
    let state = State(AtomicU32::new(shown));
    assert!(!state.load().is_told());
    state.note_told();
    state.note_told();
    assert!(state.load().is_told());
    assert_eq!(state.load().outcome(), Outcome::Panicked);
    assert_eq!(state.settle(None, 3), Settle::Waiter);
    assert_eq!(state.leave(TELLING), LeftTo::Others);
    assert!(state.load().is_told() && state.load().is_ready());
}

#[test]
fn only_a_panic_is_noted_as_told() {
    for outcome in [
        Outcome::Returned,
        Outcome::Cancelled,
        Outcome::WorkerLost,
        Outcome::Broken,
        Outcome::Failed,
    ] {
        let ready = DONE | HANDLE | outcome.published();
        check(ready, |state| state.note_told(), (), ready);
    }
}

#[test]
fn a_job_is_reported_while_its_completer_tells_the_handles_set() {
    let telling = DONE | HANDLE | TELLING;
    assert!(Snapshot(telling).is_reported());
    let shared = BUSY | HANDLE | LISTENING | SHARED;
    for other in [shared, shared | DONE, DONE | HANDLE, DONE | TELLING] {
        assert!(!Snapshot(other).is_reported(), "{other:#x}");
    }
}

#[test]
fn a_handle_is_shared_before_or_after_the_end() {
    let share = |state: &State| state.share();
    check(
        BUSY | HANDLE,
        share,
        true,
        BUSY | HANDLE | LISTENING | SHARED,
    );
    let in_callbacks = BUSY | DONE | HANDLE;
    check(in_callbacks, share, true, in_callbacks | LISTENING | SHARED);
    check(DONE | HANDLE, share, false, DONE | HANDLE);
}

#[test]
fn the_last_party_frees_the_slot() {
    let parties = [BUSY, HANDLE, TELLING, LOST];
    for party in parties {
        let leave = |state: &State| state.leave(party);
        let alone = State(AtomicU32::new(DONE | party));
        assert_eq!(alone.leave(party), LeftTo::Nobody);
        for other in parties {
            if other != party {
                check(DONE | party | other, leave, LeftTo::Others, DONE | other);
            }
            let queued = QUEUED | DONE | party;
            check(queued, leave, LeftTo::Queue(5), QUEUED | DONE);
        }
        let queue_leaves = |state: &State| state.leave_queue();
        check(QUEUED | DONE | party, queue_leaves, false, DONE | party);
    }
    check(QUEUED | DONE, |state| state.leave_queue(), true, DONE);
}

#[test]
fn only_a_slot_that_nothing_but_the_queue_keeps_is_taken_over() {
    let take_over = |state: &State| state.take_over(5);
    check(
        QUEUED | DONE | RUNNER_3,
        take_over,
        true,
        QUEUED | DONE | BUSY,
    );
    for other in [
        QUEUED,
        QUEUED | HANDLE,
        QUEUED | BUSY,
        QUEUED | DONE | BUSY,
        QUEUED | DONE | HANDLE,
        QUEUED | DONE | TELLING,
        QUEUED | DONE | LOST,
        QUEUED | DONE | PROMISED,
        QUEUED | DONE | REAPED,
        DONE,
    ] {
        check(other, take_over, false, other);
    }
    let elsewhere = |state: &State| state.take_over(4);
    check(QUEUED | DONE, elsewhere, false, QUEUED | DONE);
}

#[test]
fn a_slot_that_was_taken_over_has_the_new_job_queued_once() {
    let bits = QUEUED | HANDLE | TASK;
    let occupy = |state: &State| state.occupy_taken_over(5, bits);
    let reserved = DONE | BUSY;
    check(QUEUED | reserved, occupy, Occupied::Queued, bits);
    check(reserved, occupy, Occupied::Unqueued, bits);
    check(reserved | REAPED, occupy, Occupied::Unqueued, bits);
    let being_reaped = QUEUED | reserved | REAPED;
    check(being_reaped, occupy, Occupied::Reaped, being_reaped);
}

#[test]
fn an_index_that_stands_for_nothing_is_reaped() {
    let cancelling = BUSY | (u32::from(CANCELLER) << RUNNER_SHIFT);
    for in_vain in [DONE, DONE | HANDLE, DONE | BUSY | RUNNER_3, cancelling] {
        let reaped = QUEUED | REAPED | in_vain;
        check(QUEUED | in_vain, State::reap, true, reaped);
        check(reaped, State::reap, true, reaped);
    }
    for other in [DONE, cancelling, QUEUED | HANDLE, QUEUED | BUSY | RUNNER_3] {
        check(other, State::reap, false, other);
    }
}

#[test]
fn a_waker_finds_nothing_to_do_in_a_slot_that_was_reaped() {
    for reaped in [DONE | REAPED, QUEUED | DONE | REAPED] {
        check(reaped, State::wake, None, reaped);
    }
}

#[test]
fn a_waiter_can_be_left_until_the_result_is_there() {
    for early in [QUEUED | HANDLE, BUSY | HANDLE, BUSY | DONE | HANDLE] {
        check(early, State::set_listening, true, early | LISTENING);
    }
    check(DONE | HANDLE, State::set_listening, false, DONE | HANDLE);
}

#[test]
fn a_waiter_can_be_taken_back_until_the_completer_has_it() {
    check(
        BUSY | LISTENING,
        State::unset_listening,
        TakenBack::Full,
        BUSY,
    );
    check(BUSY, State::unset_listening, TakenBack::Empty, BUSY);
    let gone = DONE | HANDLE | TELLING;
    check(gone, State::unset_listening, TakenBack::Gone, gone);
}

#[test]
fn callbacks_can_be_added_until_the_result_is_there() {
    for early in [QUEUED, BUSY, BUSY | DONE, BUSY | CALLBACKS] {
        check(early, State::set_callbacks, true, early | CALLBACKS);
    }
    check(DONE | HANDLE, State::set_callbacks, false, DONE | HANDLE);
}

#[test]
fn a_handle_can_leave_without_the_result_until_it_is_there() {
    for early in [QUEUED, BUSY, BUSY | DONE] {
        check(early | HANDLE, State::detach, Detached::Alone, early);
    }
    let ready = DONE | HANDLE | CANCELLED;
    check(ready, State::detach, Detached::Ready, ready);
}

#[test]
fn a_handle_that_leaves_takes_its_waiter_back_if_nobody_has_collected_it() {
    let waiting = BUSY | HANDLE | LISTENING;
    check(waiting, State::detach, Detached::WithListener, BUSY);
    let told = DONE | HANDLE | TELLING;
    check(told, State::detach, Detached::Ready, told);
}
