//! Where runs are executed: from `--device`, `--slots-per-device` and `--workers` to slots, checked before anything starts.

use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::machine::{free_gpu_memory, free_memory, worker_count};
use super::speeds::Speeds;
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
    /// Whether this build trains.
    pub(super) fn check_build(&self) -> Outcome {
        if cfg!(feature = "train") {
            return Ok(());
        }
        let asked: Vec<String> = self.device.iter().map(ToString::to_string).collect();
        Err(Failure::Input(anyhow!(
            "this build cannot train (on {} or anything else): it lacks the feature `train`; build without --no-default-features",
            asked.join(",")
        )))
    }

    /// The devices, which are there; what `auto` became is said.
    pub(super) fn found(&self) -> Result<Found, Failure> {
        if self.device.len() > 1 && self.device.contains(&Asked::Auto) {
            return Err(Failure::Input(anyhow!("say --device auto alone: it takes what there is")));
        }
        let devices = self.devices();
        let on_processor = devices.iter().all(|device| device.is_processor());
        if self.workers.is_some() && !on_processor {
            return Err(Failure::Input(anyhow!(
                "--workers counts processes of the processor; with --device {} say --slots-per-device",
                joined(&devices)
            )));
        }
        let found = Found::of(devices, self.workers, self.slots_per_device.map(|n| n as usize)).or_input()?;
        present(&found.devices)?;
        Ok(found)
    }

    /// The same on other devices, by a list of their names.
    pub(super) fn named(&self, list: &str) -> Result<Self, UnknownDevice> {
        let device = list.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>()?;
        Ok(Self { device, ..*self })
    }

    fn devices(&self) -> Vec<Device> {
        if self.device == [Asked::Auto] {
            let devices = best();
            eprintln!("--device auto: {}{}", joined(&devices), why(devices[0]));
            return devices;
        }
        self.device.iter().filter_map(|asked| if let Asked::One(device) = asked { Some(*device) } else { None }).collect()
    }
}

/// Devices of this machine to train on.
#[derive(Debug, Clone)]
pub(super) struct Found {
    devices: Vec<Device>,
    workers: Option<u64>,
    per_device: Option<usize>,
    /// How fast they were seen to be.
    pub(super) speeds: Speeds,
}

impl Found {
    fn of(devices: Vec<Device>, workers: Option<u64>, per_device: Option<usize>) -> anyhow::Result<Self> {
        let mut found = Self { devices, workers, per_device, speeds: Speeds::default() };
        found.speeds = Speeds::load(&found.slots(None)?[0]);
        Ok(found)
    }

    /// The processor, with as many workers as a grid says or it has cores.
    pub(super) fn processor(workers: Option<u64>) -> Self {
        Self::of(vec![Device::Cpu], workers, None).expect("one device, not named twice")
    }

    /// The first of them.
    #[cfg(feature = "train")]
    pub(super) fn first(&self) -> Device {
        self.devices[0]
    }

    /// The same, with what was learnt of their speed since.
    pub(super) fn anew(self) -> anyhow::Result<Self> {
        Self::of(self.devices, self.workers, self.per_device)
    }

    /// Places for runs side by side; `of_grid` are the workers that a grid asks for on a processor.
    pub(super) fn slots(&self, of_grid: Option<usize>) -> anyhow::Result<Vec<Slot>> {
        let on_processor = self.devices.iter().all(|device| device.is_processor());
        let usual = if on_processor { worker_count(self.workers, of_grid) } else { 1 };
        Ok(slots(&self.devices, self.per_device.unwrap_or(usual), std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref())?)
    }

    /// As a command line asks for them; nothing for the processor, which needs no asking.
    pub(super) fn flag(&self) -> String {
        if self.devices == [Device::Cpu] { String::new() } else { format!(" --device {}", joined(&self.devices)) }
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
