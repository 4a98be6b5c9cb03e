//! What this machine is and has: name, cores, free memory, GPUs.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Name of this machine, where the system says.
pub(super) fn host() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned())
}

/// How this process calls itself in a lock.
pub(super) fn holder() -> String {
    format!("process {} on {}", std::process::id(), host().unwrap_or_else(|| "this machine".into()))
}

/// Whether a process of this machine is alive; `None` where the system does not say.
pub(super) fn is_alive(process: u32) -> Option<bool> {
    Path::new("/proc/self").exists().then(|| Path::new(&format!("/proc/{process}")).exists())
}

/// Bytes that programs may still take: of the machine, or of the group that a scheduler put us in.
pub(super) fn free_memory() -> Option<f64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let kibibytes = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?.split_whitespace().next()?.parse::<f64>().ok()?;
    let free = 1024.0 * kibibytes;
    Some(group_limit().map_or(free, |limit| limit.min(free)))
}

/// The limit of our control group (version 2), where there is one.
fn group_limit() -> Option<f64> {
    let group = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = group.lines().find_map(|line| line.strip_prefix("0::"))?;
    fs::read_to_string(format!("/sys/fs/cgroup{path}/memory.max")).ok()?.trim().parse().ok()
}

/// Free bytes of a CUDA device by its number or name, as `nvidia-smi` tells.
pub(super) fn free_gpu_memory(device: &str) -> Option<f64> {
    let query = ["--query-gpu=memory.free", "--format=csv,noheader,nounits", "--id"];
    let output = Command::new("nvidia-smi").args(query).arg(device).output().ok()?;
    let mebibytes: f64 = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    Some(mebibytes * 1024.0 * 1024.0)
}
