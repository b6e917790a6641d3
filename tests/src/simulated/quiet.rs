//! Catching a program's panics without a line on the terminal for each: exploring may meet thousands.
//!
//! Must never silence a panic of anybody else.

use core::any::Any;
use core::cell::{Cell, RefCell};
use core::panic::AssertUnwindSafe;
use std::panic::{PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static LISTENING: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Runs something; its panic becomes a text that says what and where.
pub(super) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |info| {
            if !heard(info) {
                others(info);
            }
        }));
    });
    let outer = LISTENING.replace(true);
    let caught = catch_unwind(AssertUnwindSafe(run));
    LISTENING.set(outer);
    caught.map_err(|panic| match PLACE.take() {
        Some(place) => format!("{} at {place}", text(&*panic)),
        None => text(&*panic),
    })
}

fn heard(info: &PanicHookInfo<'_>) -> bool {
    if !LISTENING.get() {
        return false;
    }
    PLACE.set(info.location().map(ToString::to_string));
    true
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
