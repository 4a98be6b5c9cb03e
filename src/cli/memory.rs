//! Peak memory of this process, where the system says.

use std::fs;
use std::io::Write;

/// Largest resident memory since [`forget_peak`], MB (10⁶ bytes).
pub(super) fn peak_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kibibytes * 1024.0 / 1e6 * 10.0).round() / 10.0)
}

/// Starts the peak anew; on systems without that it stays the peak of the whole process.
pub(super) fn forget_peak() {
    if let Ok(mut file) = fs::File::options().write(true).open("/proc/self/clear_refs") {
        let _ = file.write_all(b"5");
    }
}
