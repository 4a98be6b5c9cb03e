//! Device slots: the places where runs are executed side by side, a process each. A processor has as many as it has
//! workers; each GPU has some, and every process is shown one GPU alone.

use crate::spec::Device;

/// A place for one run at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The device as the worker in it names it: the GPU that it is shown is its first.
    pub device: Device,
    /// What `CUDA_VISIBLE_DEVICES` is set to for the worker; none for devices that are no CUDA device.
    pub visible: Option<String>,
    /// Number of the device among those of the sweep: slots of one device share its memory.
    pub device_number: usize,
}

/// Why there are no slots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// A device is named twice.
    #[error("--device names {0} twice; say --slots-per-device for several runs on one device")]
    Twice(Device),
    /// A CUDA device that this process is not shown.
    #[error("--device {device}: CUDA_VISIBLE_DEVICES shows {shown} devices to this process; name cuda:0 to cuda:{last}", last = shown.saturating_sub(1))]
    NotShown {
        /// The device as it was asked for.
        device: Device,
        /// Devices that this process is shown.
        shown: usize,
    },
}

/// The slots of some devices, device after device in turn, so that the first runs are spread over all.
/// `shown` is what `CUDA_VISIBLE_DEVICES` holds, where it is set.
pub fn slots(devices: &[Device], per_device: usize, shown: Option<&str>) -> Result<Vec<Slot>, SlotError> {
    for (at, device) in devices.iter().enumerate() {
        if devices[..at].contains(device) {
            return Err(SlotError::Twice(*device));
        }
    }
    let of = |device_number: usize, device: Device| -> Result<Slot, SlotError> {
        let Device::Cuda(number) = device else {
            return Ok(Slot { device, visible: None, device_number });
        };
        let visible = match shown {
            None => number.to_string(),
            Some(list) => {
                let list: Vec<&str> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
                let not_shown = || SlotError::NotShown { device, shown: list.len() };
                (*list.get(number).ok_or_else(not_shown)?).to_owned()
            }
        };
        Ok(Slot { device: Device::Cuda(0), visible: Some(visible), device_number })
    };
    let one_each: Vec<Slot> = devices.iter().enumerate().map(|(number, device)| of(number, *device)).collect::<Result<_, _>>()?;
    Ok((0..per_device).flat_map(|_| one_each.iter().cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str], per_device: usize, shown: Option<&str>) -> Result<Vec<(Device, Option<String>)>, SlotError> {
        let devices: Vec<Device> = names.iter().map(|name| name.parse().expect("a device")).collect();
        Ok(slots(&devices, per_device, shown)?.into_iter().map(|slot| (slot.device, slot.visible)).collect())
    }

    fn gpu(number: &str) -> (Device, Option<String>) {
        (Device::Cuda(0), Some(number.into()))
    }

    #[test]
    fn every_process_is_shown_one_gpu_and_the_gpus_take_turns() {
        let found = named(&["cuda:0", "cuda:1"], 2, None).expect("slots");
        assert_eq!(found, [gpu("0"), gpu("1"), gpu("0"), gpu("1")]);
        assert_eq!(named(&["cpu"], 3, None).expect("slots"), vec![(Device::Cpu, None); 3]);
    }

    #[test]
    fn what_the_scheduler_shows_is_what_is_used() {
        assert_eq!(named(&["cuda:1", "cuda"], 1, Some("4,GPU-7f")).expect("slots"), [gpu("GPU-7f"), gpu("4")]);
        let refused = named(&["cuda:2"], 1, Some("4,5")).expect_err("not shown").to_string();
        assert!(refused.contains("shows 2 devices") && refused.contains("cuda:0 to cuda:1"), "{refused}");
        assert!(matches!(named(&["cuda:0", "cuda:0"], 1, None), Err(SlotError::Twice(_))));
    }

    #[test]
    fn slots_of_one_device_know_that_they_share_it() {
        let numbers: Vec<usize> =
            slots(&[Device::Cuda(0), Device::Cpu], 2, None).expect("slots").iter().map(|slot| slot.device_number).collect();
        assert_eq!(numbers, [0, 1, 0, 1]);
    }
}
