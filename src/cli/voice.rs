//! What is said to a person, and what happens where nobody can hear it: the reader of a pipe is gone, a log is on a full disk, the
//! terminal is closed. The macros of the standard library panic then; in the front door these of the same names stand before them.
//! Nothing ends for want of standard error. For want of standard output a command ends whose product is what it prints, and one continues
//! on that works for its files. Colours are taken off here where nobody looks.

use anstream::AutoStream;
use std::cell::RefCell;
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

macro_rules! println {
    () => { $crate::cli::voice::say(format_args!("\n")) };
    ($($text:tt)*) => { $crate::cli::voice::say(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! print {
    ($($text:tt)*) => { $crate::cli::voice::say(format_args!($($text)*)) };
}

macro_rules! eprintln {
    ($($text:tt)*) => { $crate::cli::voice::warn(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! eprint {
    ($($text:tt)*) => { $crate::cli::voice::warn(format_args!($($text)*)) };
}

/// 128 + SIGPIPE, as a shell reports a program whose reader is gone.
const NO_READER: u8 = 141;

/// Whether the command continues where its output cannot be written.
static GOES_ON: AtomicBool = AtomicBool::new(false);
/// Whether it was said that it does.
static TOLD: AtomicBool = AtomicBool::new(false);
/// Whether a command says its answer in one line, and nothing of how it gets there.
static QUIET: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// What this thread would have written to standard error, while somebody asked to hear it.
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Does something and returns what this thread would have written to standard error meanwhile, line by line.
pub(super) fn heard<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let before = HEARD.replace(Some(Vec::new()));
    let done = work();
    (done, HEARD.replace(before).unwrap_or_default())
}

/// From now on a command says its answer in one line, and no progress.
pub(super) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether one line was asked for.
pub(super) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// From now on nothing ends for want of standard output: what this command is called for is in files.
pub(super) fn go_on_unheard() {
    GOES_ON.store(true, Ordering::Relaxed);
}

/// Writes to standard output, or ends the program as [`unheard`] says.
pub(super) fn say(text: Arguments<'_>) {
    let mut output = AutoStream::auto(io::stdout().lock());
    let written = output.write_fmt(text).and_then(|()| output.flush());
    drop(output);
    match written {
        Err(error) if GOES_ON.load(Ordering::Relaxed) => {
            if !TOLD.swap(true, Ordering::Relaxed) {
                warn(format_args!("standard output cannot be written ({error}); the work continues\n"));
            }
        }
        Err(error) => std::process::exit(unheard(&error).into()),
        Ok(()) => {}
    }
}

/// Writes to standard error, or to whoever asked to hear it, or nowhere.
pub(super) fn warn(text: Arguments<'_>) {
    let is_heard = HEARD.with_borrow_mut(|heard| {
        heard.iter_mut().for_each(|lines| lines.push(anstream::adapter::strip_str(text.to_string().trim_end()).to_string()));
        heard.is_some()
    });
    if is_heard {
        return;
    }
    let mut errors = AutoStream::auto(io::stderr().lock());
    let _ = errors.write_fmt(text).and_then(|()| errors.flush());
}

/// The exit code where standard output cannot be written: a reader that is gone (`fit | head`) is no failure to speak of.
fn unheard(error: &io::Error) -> u8 {
    if error.kind() == ErrorKind::BrokenPipe {
        return NO_READER;
    }
    let head = super::colour::error("error:");
    warn(format_args!("{head} standard output cannot be written: {error}; make room, or send it elsewhere\n"));
    1
}

/// Prints help, or why a command line is refused, and gives the exit code.
pub(super) fn usage(said: &clap::Error) -> u8 {
    match said.print() {
        Err(error) if !said.use_stderr() => unheard(&error),
        _ => said.exit_code().clamp(0, 255) as u8,
    }
}
