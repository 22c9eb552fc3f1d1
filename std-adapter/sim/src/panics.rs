//! Panics of the simulated code: the report shows the one that fails a run, and no other is printed.

use std::{any::Any, cell::RefCell, io::Write, panic::PanicHookInfo};

thread_local! {
    /// The place of the last panic in a simulated context.
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Notes the place of a panic in a simulated context.
pub(crate) fn note(info: &PanicHookInfo<'_>) {
    LAST.set(info.location().map(ToString::to_string).unwrap_or_default());
}

/// Prints a panic that begins while another unwinds. If it leaves the destructor, the process aborts,
/// and nothing else is printed about it.
pub(crate) fn tell_of_second(info: &PanicHookInfo<'_>) {
    if text_of(info.payload()) == "panic in a destructor during cleanup" {
        // The second one has left its destructor.
        return;
    }
    let text = format!(
        "\ncorepool-sim: while a panic unwinds, a second one begins: {info}. The process aborts if it leaves the destructor: catch it there\n"
    );
    // The test's output is captured, and would be lost.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The text and the place of the panic with this payload.
pub(crate) fn last(payload: &(dyn Any + Send)) -> (String, String) {
    (text_of(payload), LAST.take())
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref().map(String::as_str))
        .unwrap_or("a payload without a text")
        .to_string()
}
