//! How a command is asked to end: an interrupt, a request to end, a terminal that is closed.

use super::failure::{Failure, OrWork};

/// Calls `stop` whenever this process is asked to end. One that was started deaf to the closing of its terminal, as `nohup` starts
/// it, stays so, and so do the workers that it starts.
pub(super) fn on_request(stop: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    let deaf = ignore_hangup();
    ctrlc::set_handler(stop).or_work()?;
    if deaf {
        ignore_hangup();
    }
    Ok(())
}

/// Ignores the closing of the terminal; whether it was ignored before.
#[cfg(unix)]
fn ignore_hangup() -> bool {
    // SAFETY: a signal that is ignored runs no code of ours, and the call touches no memory.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) == libc::SIG_IGN }
}

#[cfg(not(unix))]
fn ignore_hangup() -> bool {
    false
}
