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
    /// Devices to train on, such as cpu or cuda:0,cuda:1
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "cpu")]
    device: Vec<String>,
    /// Runs side by side on each GPU [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "workers", value_parser = clap::value_parser!(u64).range(1..=256))]
    slots_per_device: Option<u64>,
}

impl Devices {
    /// Whether this build knows all of them.
    pub(super) fn check(&self) -> Outcome {
        #[cfg(feature = "train")]
        return self.device.iter().try_for_each(|device| device.parse::<crate::train::TrainDevice>().map(|_| ()).or_input());
        #[cfg(not(feature = "train"))]
        return Err(Failure::Input(anyhow!(
            "this build cannot train (on {} or anything else): it lacks the feature `train`; build without --no-default-features",
            self.device.join(",")
        )));
    }

    /// The slots; `workers` are those that one processor would get.
    pub(super) fn slots(&self, workers: usize) -> Result<Vec<Slot>, Failure> {
        let on_processor = self.device.iter().all(|device| device.starts_with("cpu"));
        if self.workers.is_some() && !on_processor {
            let devices = self.device.join(",");
            return Err(Failure::Input(anyhow!(
                "--workers counts processes of the processor; with --device {devices} say --slots-per-device"
            )));
        }
        let per_device = self.slots_per_device.map_or(if on_processor { workers } else { 1 }, |n| n as usize);
        slots(&self.device, per_device, std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref()).or_input()
    }
}

/// Whether the runs fit into the memory of the devices.
pub(super) fn check_room(runs: &[&PlannedRun], slots: &[Slot]) -> Outcome {
    let available = |number: usize| {
        let slot = slots.iter().find(|slot| slot.device_number == number)?;
        slot.visible.as_deref().map_or_else(free_memory, free_gpu_memory)
    };
    check_memory(runs, slots, &available).or_work()
}
