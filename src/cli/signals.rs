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

/// Ends this process when the terminal that standard output is goes away, whatever its threads do: who waits for keys of a terminal that
/// is gone may wait forever, and one started deaf to its closing hears nothing of it.
#[cfg(unix)]
pub(super) fn end_with_terminal() {
    const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);
    std::thread::spawn(|| {
        while !output_is_gone() {
            std::thread::sleep(LOOK_EVERY);
        }
        std::process::exit(0);
    });
}

#[cfg(not(unix))]
pub(super) fn end_with_terminal() {}

/// Whether whatever standard output leads to was closed at its other end.
#[cfg(unix)]
fn output_is_gone() -> bool {
    let mut output = libc::pollfd { fd: libc::STDOUT_FILENO, events: 0, revents: 0 };
    // SAFETY: the call writes into the one structure that it is given, and does not wait.
    let answered = unsafe { libc::poll(&raw mut output, 1, 0) };
    answered > 0 && output.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0
}
