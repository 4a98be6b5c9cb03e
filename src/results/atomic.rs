//! The only way that scalelab writes a result: whole, into a temporary file beside its place, flushed
//! to the disk, then renamed over it. A crash leaves the old file or the new one, never a part.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes `bytes` to `path`, making the folders above it, and waits until the disk has them.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, &|file| file.write_all(bytes).and_then(|()| file.sync_all()))
}

/// The same without waiting for the disk, for what may be lost with the machine.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, &|file| file.write_all(bytes))
}

/// Waits until the disk has the names in a folder, before anything that one of them replaces is removed. Only Unix can be asked to.
pub(super) fn settle(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn write_with(path: &Path, write: &dyn Fn(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a path without a file name"))?;
    let temporary = folder.join(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id()));
    let written = File::create(&temporary).and_then(|mut file| write(&mut file)).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to report; a temporary file that stays is overwritten next time.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("deep/er/file.csv");
        write_whole(&path, b"first").expect("written");
        write_whole(&path, b"second").expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"second");
        assert_eq!(fs::read_dir(path.parent().expect("has one")).expect("listed").count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let occupied = folder.path().join("occupied");
        fs::create_dir_all(occupied.join("child")).expect("made");
        assert!(write_whole(&occupied, b"over a folder").is_err());
        assert!(occupied.join("child").is_dir());
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1, "no temporary file stays");
    }
}
