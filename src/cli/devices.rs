//! Where runs are executed: from `--device`, `--slots-per-device` and `--workers` to slots, checked before anything starts.

use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::machine::{free_gpu_memory, free_memory};
use crate::sweep::{PlannedRun, Slot, check_memory, slots};
use anyhow::anyhow;
use clap::Args;

#[derive(Args)]
pub(super) struct Devices {
    /// Worker processes [default: run.workers of the grid, or one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(super) workers: Option<u64>,
    /// Devices to train on: cpu, cuda:0,cuda:1 or metal:0; auto takes all CUDA devices, else Metal, else the processor
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "cpu")]
    device: Vec<String>,
    /// Runs side by side on each GPU [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "workers", value_parser = clap::value_parser!(u64).range(1..=256))]
    slots_per_device: Option<u64>,
}

/// In place of a list of devices: what there is.
#[cfg(feature = "train")]
const AUTO: &str = "auto";

impl Devices {
    /// Whether this build knows all of them.
    pub(super) fn check(&self) -> Outcome {
        #[cfg(feature = "train")]
        return if self.is_auto() { Ok(()) } else { self.parsed().map(|_| ()) };
        #[cfg(not(feature = "train"))]
        return Err(Failure::Input(anyhow!(
            "this build cannot train (on {} or anything else): it lacks the feature `train`; build without --no-default-features",
            self.device.join(",")
        )));
    }

    /// The slots, on devices that are there; `workers` are those that one processor would get.
    pub(super) fn slots(&self, workers: usize) -> Result<Vec<Slot>, Failure> {
        let names = self.names();
        let on_processor = names.iter().all(|device| device.starts_with("cpu"));
        if self.workers.is_some() && !on_processor {
            let devices = names.join(",");
            return Err(Failure::Input(anyhow!(
                "--workers counts processes of the processor; with --device {devices} say --slots-per-device"
            )));
        }
        let per_device = self.slots_per_device.map_or(if on_processor { workers } else { 1 }, |n| n as usize);
        let slots = slots(&names, per_device, std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref()).or_input()?;
        self.check_present()?;
        Ok(slots)
    }

    #[cfg(feature = "train")]
    fn is_auto(&self) -> bool {
        self.device == [AUTO]
    }

    #[cfg(feature = "train")]
    fn parsed(&self) -> Result<Vec<crate::train::TrainDevice>, Failure> {
        self.device.iter().map(|device| device.parse().or_input()).collect()
    }

    /// The devices by name; what `auto` became is said.
    fn names(&self) -> Vec<String> {
        #[cfg(feature = "train")]
        if self.is_auto() {
            let names: Vec<String> = crate::train::TrainDevice::best().iter().map(ToString::to_string).collect();
            eprintln!("--device auto: {}{}", names.join(","), why(&names[0]));
            return names;
        }
        self.device.clone()
    }

    /// Whether this build and this machine have all of them.
    fn check_present(&self) -> Outcome {
        #[cfg(feature = "train")]
        if !self.is_auto() {
            return self.parsed()?.into_iter().try_for_each(|device| device.check_present().or_input());
        }
        Ok(())
    }
}

/// Why `auto` took the processor.
#[cfg(feature = "train")]
fn why(device: &str) -> &'static str {
    let built = cfg!(feature = "cuda") || cfg!(feature = "metal");
    match (device, built) {
        ("cpu", true) => " (no GPU was found)",
        ("cpu", false) => " (this build has neither CUDA nor Metal: see the section GPUs of the README)",
        _ => "",
    }
}

/// Whether the devices of the slots compute in the number formats of the runs.
#[cfg(feature = "train")]
pub(super) fn check_dtypes(runs: &[&PlannedRun], slots: &[Slot]) -> Outcome {
    use crate::train::TrainDevice;
    for slot in slots {
        let device: TrainDevice = slot.device.parse().or_input()?;
        runs.iter().try_for_each(|run| device.check(run.spec.recipe.dtype)).or_input()?;
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
