//! Waiting for work without Python's lock: an interrupt is heard within a twentieth of a second.

use crate::Error;
use pyo3::prelude::*;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How often signals are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The process that first asked for work: its threads are in no process that is forked from it.
static FIRST: OnceLock<u32> = OnceLock::new();
/// Bytes of the stack of work, as a main thread has.
const STACK: usize = 8 << 20;

/// Does work on a thread of its own and returns what it returns; other threads of Python run meanwhile. Where Python raises, as it does
/// at an interrupt, the work is left alone: it ends by itself, and what it returns is dropped.
pub(crate) fn waiting<T: Send + 'static>(py: Python<'_>, work: impl FnOnce() -> T + Send + 'static) -> PyResult<T> {
    if *FIRST.get_or_init(process::id) != process::id() {
        return Err(Error::new_err(
            "this process was forked from one that had used scalelab, and threads do not come along: start processes by spawn, multiprocessing.set_start_method(\"spawn\")",
        ));
    }
    let (sender, mut receiver) = channel();
    // Nobody may be left to hear it.
    let all = move || _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
    thread::Builder::new().name("scalelab".into()).stack_size(STACK).spawn(all)?;
    loop {
        let heard;
        (receiver, heard) = py.detach(move || {
            let heard = receiver.recv_timeout(LOOK_EVERY);
            (receiver, heard)
        });
        match heard {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(panic)) => return Err(Error::new_err(format!("a fault of scalelab, and none of yours: {}", words(&*panic)))),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => return Err(Error::new_err("a fault of scalelab: its work ended without an answer")),
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}
