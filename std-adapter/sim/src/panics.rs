//! Panics of the simulated code: the report shows the one that fails a run, and no other is printed.

use std::{any::Any, cell::RefCell, panic::PanicHookInfo};

thread_local! {
    /// The place of the last panic in a simulated context.
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Notes the place of a panic in a simulated context.
pub(crate) fn note(info: &PanicHookInfo<'_>) {
    LAST.set(info.location().map(ToString::to_string).unwrap_or_default());
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
