//! The cache of prepared corpora in the user's cache folder, and a line that tells how their preparation goes.

use super::rates::cache_folder;
use super::text::duration;
use crate::corpus::{Cache, Preparing};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Where prepared corpora are kept: a folder of the user's cache, or of the temporary folder where there is none.
fn corpora() -> PathBuf {
    cache_folder().unwrap_or_else(|| std::env::temp_dir().join("scalelab")).join("corpora")
}

/// The cache of a worker, which has nobody to tell.
#[cfg(feature = "train")]
pub(super) fn quiet_cache() -> Cache<'static> {
    Cache::quiet(corpora())
}

/// Work that takes less is not told of.
const SHORT: Duration = Duration::from_millis(500);

/// Does some work with the cache, telling a person who waits.
pub(super) fn with_cache<T>(work: impl FnOnce(&Cache<'_>) -> T) -> T {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes}, {elapsed} so far").expect("a valid template");
    bar.set_style(style);
    let began = RefCell::new(("", Instant::now()));
    let told = |now: &Preparing| {
        if began.borrow().0 != now.stage {
            *began.borrow_mut() = (now.stage, Instant::now());
        }
        let elapsed = began.borrow().1.elapsed();
        let share = now.done as f64 / now.total.max(1) as f64;
        let left =
            if share > 0.01 { format!(", about {} left", duration(elapsed.as_secs_f64() * (1.0 / share - 1.0))) } else { String::new() };
        bar.set_length(now.total);
        bar.set_position(now.done);
        bar.set_message(format!("{}{left}", now.stage));
        if elapsed > SHORT || now.done == 0 {
            bar.tick();
        }
    };
    let done = work(&Cache { folder: corpora(), told: &told });
    bar.finish_and_clear();
    done
}
