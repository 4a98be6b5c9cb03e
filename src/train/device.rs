//! Where a run is computed.

use super::TrainError;
use candle_core::Device;
use std::fmt;
use std::str::FromStr;

/// A place to train on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrainDevice {
    /// One thread of the processor, fused operations.
    #[default]
    Cpu,
    /// The processor by the same composed operations as any other device: slower, the reference.
    CpuComposed,
    /// A CUDA device by its number.
    Cuda(usize),
    /// A Metal device by its number.
    Metal(usize),
}

impl TrainDevice {
    pub(crate) fn open(self) -> Result<Device, TrainError> {
        let opened = match self {
            Self::Cpu | Self::CpuComposed => Ok(Device::Cpu),
            Self::Cuda(number) => Device::new_cuda(number),
            Self::Metal(number) => Device::new_metal(number),
        };
        opened.map_err(|error| TrainError::Device { device: self.to_string(), reason: error.to_string() })
    }
}

impl fmt::Display for TrainDevice {
    /// As on the command line: `cpu`, `cuda:0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.pad("cpu"),
            Self::CpuComposed => f.pad("cpu-composed"),
            Self::Cuda(number) => f.pad(&format!("cuda:{number}")),
            Self::Metal(number) => f.pad(&format!("metal:{number}")),
        }
    }
}

impl FromStr for TrainDevice {
    type Err = TrainError;

    fn from_str(text: &str) -> Result<Self, TrainError> {
        let unknown = || TrainError::UnknownDevice(text.to_owned());
        let (kind, number) = text.split_once(':').unwrap_or((text, "0"));
        let number = number.parse().map_err(|_| unknown())?;
        match (kind, text.contains(':')) {
            ("cpu", false) => Ok(Self::Cpu),
            ("cpu-composed", false) => Ok(Self::CpuComposed),
            ("cuda", _) => Ok(Self::Cuda(number)),
            ("metal", _) => Ok(Self::Metal(number)),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_back_from_their_names() {
        for device in [TrainDevice::Cpu, TrainDevice::CpuComposed, TrainDevice::Cuda(3), TrainDevice::Metal(0)] {
            assert_eq!(device.to_string().parse::<TrainDevice>().ok(), Some(device));
        }
        assert_eq!("cuda".parse::<TrainDevice>().ok(), Some(TrainDevice::Cuda(0)));
        for text in ["", "gpu", "cpu:1", "cuda:x", "cuda:-1"] {
            assert!(text.parse::<TrainDevice>().is_err(), "{text}");
        }
    }
}
