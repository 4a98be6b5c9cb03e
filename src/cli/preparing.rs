//! The cache of prepared corpora in the user's cache folder, and a line that tells how their preparation goes.

use super::kept::cache_folder;
use super::text::duration;
use super::voice::is_quiet;
#[cfg(feature = "train")]
use crate::corpus::Corpus;
use crate::corpus::{Cache, CorpusError, Preparing};
#[cfg(feature = "train")]
use crate::spec::CorpusSpec;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Once;
use std::time::{Duration, Instant};

/// Folders for prepared corpora, in the order in which they are tried: the user's cache, where there is one, then the temporary folder.
fn places() -> Vec<PathBuf> {
    let temporary = std::env::temp_dir().join("scalelab");
    cache_folder().into_iter().chain([temporary]).map(|folder| folder.join("corpora")).collect()
}

/// Does some work with a cache, and again with the next where one cannot be written, which `said` hears of.
fn in_a_place<T>(told: &dyn Fn(&Preparing), said: &dyn Fn(String), work: &mut CacheWork<'_, T>) -> Result<T, CorpusError> {
    let places = places();
    let mut done = work(&Cache { folder: places[0].clone(), told });
    for next in &places[1..] {
        let Err(CorpusError::Cache { path, source }) = &done else { break };
        said(format!("prepared corpora are kept in {} this time: {} cannot be written ({source})", next.display(), path.display()));
        done = work(&Cache { folder: next.clone(), told });
    }
    done
}

/// Work that needs a cache.
type CacheWork<'a, T> = dyn FnMut(&Cache<'_>) -> Result<T, CorpusError> + 'a;

/// Opens a corpus for a worker, which has nobody to tell; pairs with what their base was trained on.
#[cfg(feature = "train")]
pub(super) fn open_quietly(spec: &CorpusSpec, base: Option<&CorpusSpec>) -> Result<Corpus, CorpusError> {
    in_a_place(&|_| (), &|_| (), &mut |cache| Corpus::open_on(spec, base, cache))
}

/// Says a thing about the cache, the first time.
fn say_once(what: &str) {
    static SAID: Once = Once::new();
    SAID.call_once(|| eprintln!("{what}"));
}

/// Work that takes less is not told of.
const SHORT: Duration = Duration::from_millis(500);

/// Does some work with the cache, telling a person who waits.
pub(super) fn with_cache<T>(mut work: impl FnMut(&Cache<'_>) -> Result<T, CorpusError>) -> Result<T, CorpusError> {
    let target = if is_quiet() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes}, {elapsed} so far").expect("a valid template");
    bar.set_style(style);
    let began = RefCell::new(("", Instant::now()));
    let told = |now: &Preparing| {
        if cache_folder().is_none() {
            say_once(&format!("neither XDG_CACHE_HOME nor HOME is set: prepared corpora are kept in {}", places()[0].display()));
        }
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
    let done = in_a_place(&told, &|what| say_once(&what), &mut work);
    bar.finish_and_clear();
    done
}
