//! A driver's heartbeat, every second while it works, for `scalelab status` and `scalelab watch`.

use super::display::Display;
use super::machine::host;
use crate::results::{Claim, Heartbeat, SweepFolder};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, SystemTime};

const EVERY: Duration = Duration::from_secs(1);

/// Does some work while a thread beside it tells what `display` shows.
pub(super) fn with_pulse<T>(folder: &SweepFolder, claim: Claim, display: &Display, work: impl FnOnce() -> T) -> T {
    let (done, wait) = channel::<()>();
    let started_at = now();
    thread::scope(|scope| {
        scope.spawn(move || {
            // A folder without room takes no heartbeat: results are more important, and tell of it.
            let _ = folder.write_pulse(claim, &pulse(display, started_at));
            while wait.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let _ = folder.write_pulse(claim, &pulse(display, started_at));
            }
            folder.drop_pulse(claim);
        });
        let worked = work();
        drop(done);
        worked
    })
}

fn pulse(display: &Display, started_at: u64) -> Heartbeat {
    let (running, seconds_left) = display.now();
    let host = host().unwrap_or_default();
    Heartbeat { host, process: std::process::id(), written_at: now(), started_at: Some(started_at), seconds_left, running }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
