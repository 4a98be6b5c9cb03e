//! A place to train on, by name. What a build and a machine have of it is the business of whoever opens it.

use std::fmt;
use std::str::FromStr;

/// Where a run is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Device {
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

/// A text that names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a device; use cpu, cpu-composed, cuda:0, metal:0, or auto alone for what there is")]
pub struct UnknownDevice(String);

impl Device {
    /// Whether runs on it are processes of the processor.
    pub fn is_processor(self) -> bool {
        matches!(self, Self::Cpu | Self::CpuComposed)
    }

    /// Whether runs are computed by the fused operations of the processor; on all others by composed ones.
    pub fn is_fused(self) -> bool {
        self == Self::Cpu
    }
}

impl fmt::Display for Device {
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

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let unknown = || UnknownDevice(text.to_owned());
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
        for device in [Device::Cpu, Device::CpuComposed, Device::Cuda(3), Device::Metal(0)] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for text in ["", "gpu", "auto", "cpu:1", "cuda:x", "cuda:-1"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }
}
