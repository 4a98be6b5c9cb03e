//! How this program is started once more, as a worker or by a scheduler: by its own file, or by the words of whatever hosts it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// A program that hosts this one.
struct Host {
    /// What starts it: the program and its first arguments.
    start: Vec<OsString>,
    /// The file that holds this code.
    file: PathBuf,
}

static HOST: OnceLock<Host> = OnceLock::new();

/// Says that this code is part of another program, `start` with its first arguments, as `python -m scalelab` is, and in which file it
/// stands. What was said first holds.
pub fn hosted_by(start: Vec<OsString>, file: PathBuf) {
    let _ = HOST.set(Host { start, file });
}

/// The words that start this program, without arguments of its own.
pub(super) fn words() -> io::Result<Vec<OsString>> {
    match HOST.get().filter(|host| !host.start.is_empty()) {
        Some(host) => Ok(host.start.clone()),
        None => Ok(vec![std::env::current_exe()?.into()]),
    }
}

/// A command that starts it.
pub(super) fn command() -> io::Result<Command> {
    let words = words()?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    Ok(command)
}

/// The file that holds its code.
pub(super) fn file() -> io::Result<PathBuf> {
    HOST.get().map_or_else(std::env::current_exe, |host| Ok(host.file.clone()))
}
