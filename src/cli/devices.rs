//! Where runs are executed: from `--device`, `--slots-per-device` and `--workers` to slots, checked before anything starts.

use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::machine::{free_gpu_memory, free_memory};
use crate::spec::{Device, UnknownDevice};
use crate::sweep::{PlannedRun, Slot, check_memory, slots};
use anyhow::anyhow;
use clap::Args;
use std::fmt;
use std::str::FromStr;

#[derive(Args)]
#[command(next_help_heading = "Where it is trained")]
pub(super) struct Devices {
    /// Worker processes [default: of the grid, or one a core]
    ///
    /// The grid says run.workers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(super) workers: Option<u64>,
    /// Devices to train on: cpu, cuda:0,cuda:1, metal:0 or auto
    ///
    /// auto takes all CUDA devices, else Metal, else the processor.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "cpu")]
    device: Vec<Asked>,
    /// Runs side by side on each GPU [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "workers", value_parser = clap::value_parser!(u64).range(1..=256))]
    slots_per_device: Option<u64>,
}

/// A device, or `auto` in place of a list: what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Auto,
    One(Device),
}

impl FromStr for Asked {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::One) }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::One(device) => device.fmt(f),
        }
    }
}

impl Devices {
    /// Whether this build trains, and `auto` stands alone.
    pub(super) fn check(&self) -> Outcome {
        if !cfg!(feature = "train") {
            let asked: Vec<String> = self.device.iter().map(ToString::to_string).collect();
            return Err(Failure::Input(anyhow!(
                "this build cannot train (on {} or anything else): it lacks the feature `train`; build without --no-default-features",
                asked.join(",")
            )));
        }
        if self.device.len() > 1 && self.device.contains(&Asked::Auto) {
            return Err(Failure::Input(anyhow!("say --device auto alone: it takes what there is")));
        }
        Ok(())
    }

    /// The slots, on devices that are there; `workers` are those that one processor would get.
    pub(super) fn slots(&self, workers: usize) -> Result<Vec<Slot>, Failure> {
        let devices = self.devices();
        let on_processor = devices.iter().all(|device| device.is_processor());
        if self.workers.is_some() && !on_processor {
            return Err(Failure::Input(anyhow!(
                "--workers counts processes of the processor; with --device {} say --slots-per-device",
                joined(&devices)
            )));
        }
        let per_device = self.slots_per_device.map_or(if on_processor { workers } else { 1 }, |n| n as usize);
        let slots = slots(&devices, per_device, std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref()).or_input()?;
        present(&devices)?;
        Ok(slots)
    }

    /// The devices; what `auto` became is said.
    fn devices(&self) -> Vec<Device> {
        if self.device == [Asked::Auto] {
            let devices = best();
            eprintln!("--device auto: {}{}", joined(&devices), why(devices[0]));
            return devices;
        }
        self.device.iter().filter_map(|asked| if let Asked::One(device) = asked { Some(*device) } else { None }).collect()
    }
}

fn joined(devices: &[Device]) -> String {
    devices.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// What there is to train on.
fn best() -> Vec<Device> {
    #[cfg(feature = "train")]
    return Device::best();
    #[cfg(not(feature = "train"))]
    return vec![Device::Cpu];
}

/// Refuses devices that this build or this machine lacks.
fn present(devices: &[Device]) -> Outcome {
    #[cfg(feature = "train")]
    devices.iter().try_for_each(|device| device.check_present().or_input())?;
    #[cfg(not(feature = "train"))]
    let _ = devices;
    Ok(())
}

/// Why `auto` took the processor.
fn why(device: Device) -> &'static str {
    let built = cfg!(feature = "cuda") || cfg!(feature = "metal");
    match (device, built) {
        (Device::Cpu, true) => " (no GPU was found)",
        (Device::Cpu, false) => " (this build has neither CUDA nor Metal: see the section GPUs of the README)",
        _ => "",
    }
}

/// Whether the devices of the slots compute in the number formats of the runs.
#[cfg(feature = "train")]
pub(super) fn check_dtypes(runs: &[&PlannedRun], slots: &[Slot]) -> Outcome {
    for slot in slots {
        runs.iter().try_for_each(|run| slot.device.check(run.spec.recipe.dtype)).or_input()?;
    }
    Ok(())
}

/// A build that cannot train has refused before.
#[cfg(not(feature = "train"))]
pub(super) fn check_dtypes(_: &[&PlannedRun], _: &[Slot]) -> Outcome {
    Ok(())
}

/// Whether the runs fit into the memory of the devices.
pub(super) fn check_room(runs: &[&PlannedRun], slots: &[Slot]) -> Outcome {
    let available = |number: usize| {
        let slot = slots.iter().find(|slot| slot.device_number == number)?;
        slot.visible.as_deref().map_or_else(free_memory, free_gpu_memory)
    };
    check_memory(runs, slots, &available).or_work()
}
