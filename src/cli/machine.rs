//! What this machine is and has: name, cores, free memory, GPUs.

use crate::spec::Device;
use crate::sweep::Slot;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

/// Name of this machine, where the system says.
pub(super) fn host() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned())
}

/// Name of the processor with family and model, by which virtual machines whose name says little can be told apart:
/// `AMD EPYC 9B45, family 26 model 2`. `None` where the system does not say.
pub fn processor() -> Option<String> {
    processor_in(&fs::read_to_string("/proc/cpuinfo").ok()?)
}

/// As [`processor`], from the system's words.
fn processor_in(cpuinfo: &str) -> Option<String> {
    let field = |name: &str| {
        let pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
    };
    let numbers = field("cpu family").zip(field("model")).map(|(family, model)| format!(", family {family} model {model}"));
    let name = field("model name").or_else(|| field("Model"))?;
    Some(name.to_owned() + &numbers.unwrap_or_default())
}

/// What computes in a slot, by its maker's name: speeds are of that. `None` where the system does not say, and of the reference of the
/// processor, whose speed nobody asks for.
pub(super) fn hardware(slot: &Slot) -> Option<String> {
    match slot.device {
        Device::Cpu => processor(),
        Device::CpuComposed => None,
        Device::Cuda(_) => nvidia_smi("name", slot.visible.as_deref()?),
        Device::Metal(_) => Some("Metal".into()),
    }
}

/// How this process calls itself in a lock.
pub(super) fn holder() -> String {
    format!("process {} on {}", std::process::id(), host().unwrap_or_else(|| "this machine".into()))
}

/// Whether a process of this machine is alive; `None` where the system does not say.
pub(super) fn is_alive(process: u32) -> Option<bool> {
    Path::new("/proc/self").exists().then(|| Path::new(&format!("/proc/{process}")).exists())
}

/// Workers to use: as asked, as the grid says, or one a core.
pub(super) fn worker_count(asked: Option<u64>, grid: Option<usize>) -> usize {
    let cores = || thread::available_parallelism().map_or(1, std::num::NonZero::get);
    asked.map(|n| n as usize).or(grid).unwrap_or_else(cores)
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
    let mebibytes: f64 = nvidia_smi("memory.free", device)?.parse().ok()?;
    Some(mebibytes * 1024.0 * 1024.0)
}

/// Version of the driver of a CUDA device by its number or name, such as `580.65.06`.
#[cfg(feature = "train")]
pub(super) fn gpu_driver(device: &str) -> Option<String> {
    nvidia_smi("driver_version", device).filter(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

fn nvidia_smi(field: &str, device: &str) -> Option<String> {
    let query = format!("--query-gpu={field}");
    let output = Command::new("nvidia-smi").args([&query, "--format=csv,noheader,nounits", "--id", device]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_named_with_what_tells_it_apart() {
        let x86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC 9B45\nstepping\t: 1\n";
        assert_eq!(processor_in(x86).as_deref(), Some("AMD EPYC 9B45, family 26 model 2"));
        let arm = "processor\t: 0\nBogoMIPS\t: 108.00\nCPU part\t: 0xd08\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.1\n";
        assert_eq!(processor_in(arm).as_deref(), Some("Raspberry Pi 4 Model B Rev 1.1"));
        assert_eq!(processor_in("processor\t: 0\nmodel name\t:\n"), None);
    }
}
