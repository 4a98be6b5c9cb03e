//! The only way that scalelab writes a result: whole, into a temporary file beside its place, flushed
//! to the disk, then renamed over it. A crash leaves the old file or the new one, never a part.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes `bytes` to `path`, making the folders above it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a path without a file name"))?;
    let temporary = folder.join(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id()));
    let written = write_through(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to report; a temporary file that stays is overwritten next time.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
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
