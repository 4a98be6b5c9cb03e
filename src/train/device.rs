//! Where a run is computed, what this build and this machine have of it, and how a record names it.

use super::TrainError;
use crate::spec::Dtype;
use candle_core::Device;
use std::cell::RefCell;
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

thread_local! {
    /// The device that this thread opened last: opening one again for every run would cost more than a small run does.
    static OPENED: RefCell<Option<(TrainDevice, Device)>> = const { RefCell::new(None) };
}

impl TrainDevice {
    /// What there is to train on: all CUDA devices, else the first Metal device, else the processor.
    pub fn best() -> Vec<Self> {
        choose(cuda_devices(), metal_devices())
    }

    /// Refuses a device that this build or this machine lacks.
    pub fn check_present(self) -> Result<(), TrainError> {
        let (number, built, found, feature) = match self {
            Self::Cpu | Self::CpuComposed => return Ok(()),
            Self::Cuda(number) => (number, cfg!(feature = "cuda"), cuda_devices(), "cuda"),
            Self::Metal(number) => (number, cfg!(feature = "metal"), metal_devices(), "metal"),
        };
        if !built {
            return Err(TrainError::NotBuilt { device: self.to_string(), feature });
        }
        if number < found { Ok(()) } else { Err(TrainError::NotFound { device: self.to_string(), found }) }
    }

    /// Refuses a number format that the device does not compute in.
    pub fn check(self, dtype: Dtype) -> Result<(), TrainError> {
        match (self, dtype) {
            (Self::Cpu | Self::CpuComposed, Dtype::Bf16) => Err(TrainError::NotComputed { dtype, device: self.to_string() }),
            _ => Ok(()),
        }
    }

    /// Whether runs are computed by the fused operations of the processor.
    pub(crate) fn is_fused(self) -> bool {
        self == Self::Cpu
    }

    /// The device, opened once a thread.
    pub(crate) fn open(self) -> Result<Device, TrainError> {
        OPENED.with_borrow_mut(|opened| {
            if let Some((_, device)) = opened.as_ref().filter(|(name, _)| *name == self) {
                return Ok(device.clone());
            }
            self.check_present()?;
            let device = match self {
                Self::Cpu | Self::CpuComposed => Ok(Device::Cpu),
                Self::Cuda(number) => Device::new_cuda(number),
                Self::Metal(number) => Device::new_metal(number),
            };
            let device = device.map_err(|error| TrainError::Device { device: self.to_string(), reason: error.to_string() })?;
            *opened = Some((self, device.clone()));
            Ok(device)
        })
    }

    /// As a record names it: `cpu`, `cuda:0 NVIDIA H100 80GB HBM3`.
    pub(crate) fn described(self, opened: &Device) -> String {
        model(opened).map_or(self.to_string(), |model| format!("{self} {model}"))
    }

    /// As a record tells the number format of products, and whether the device may take fewer bits for them: `f32`,
    /// `f32, tf32 off`, `bf16, sums in f32`.
    pub(crate) fn precision(self, dtype: Dtype) -> String {
        match (self, dtype) {
            (Self::Cuda(_), Dtype::F32) => format!("f32, tf32 {}", if reduced(dtype) { "on" } else { "off" }),
            (Self::Cuda(_), Dtype::Bf16) => format!("bf16, sums in {}", if reduced(dtype) { "bf16" } else { "f32" }),
            _ => dtype.to_string(),
        }
    }
}

fn choose(cuda: usize, metal: usize) -> Vec<TrainDevice> {
    match (cuda, metal) {
        (0, 0) => vec![TrainDevice::Cpu],
        (0, _) => vec![TrainDevice::Metal(0)],
        (cuda, _) => (0..cuda).map(TrainDevice::Cuda).collect(),
    }
}

/// CUDA devices that the driver shows to this process.
fn cuda_devices() -> usize {
    #[cfg(feature = "cuda")]
    return candle_core::cuda_backend::cudarc::driver::CudaContext::device_count().map_or(0, |count| usize::try_from(count).unwrap_or(0));
    #[cfg(not(feature = "cuda"))]
    return 0;
}

fn metal_devices() -> usize {
    #[cfg(feature = "metal")]
    return candle_metal_kernels::metal::Device::all().len();
    #[cfg(not(feature = "metal"))]
    return 0;
}

/// The maker's name of a device, where the driver tells it.
fn model(device: &Device) -> Option<String> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => device.cuda_stream().context().name().ok(),
        #[cfg(feature = "metal")]
        Device::Metal(device) => Some(device.metal_device().architecture_name()),
        _ => None,
    }
}

/// Whether candle allows fewer bits in products of this format than it says: TF32 for f32, sums in bf16 for bf16.
fn reduced(dtype: Dtype) -> bool {
    match dtype {
        Dtype::F32 => candle_core::cuda::gemm_reduced_precision_f32(),
        Dtype::Bf16 => candle_core::cuda::gemm_reduced_precision_bf16(),
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
        for text in ["", "gpu", "auto", "cpu:1", "cuda:x", "cuda:-1"] {
            assert!(text.parse::<TrainDevice>().is_err(), "{text}");
        }
    }

    #[test]
    fn cuda_is_taken_before_metal_and_metal_before_the_processor() {
        assert_eq!(choose(2, 1), [TrainDevice::Cuda(0), TrainDevice::Cuda(1)]);
        assert_eq!(choose(0, 2), [TrainDevice::Metal(0)]);
        assert_eq!(choose(0, 0), [TrainDevice::Cpu]);
    }

    #[test]
    fn what_is_not_there_is_refused_in_words() {
        assert!(TrainDevice::Cpu.check_present().is_ok() && TrainDevice::CpuComposed.check_present().is_ok());
        for (device, feature, built) in
            [(TrainDevice::Cuda(999), "cuda", cfg!(feature = "cuda")), (TrainDevice::Metal(999), "metal", cfg!(feature = "metal"))]
        {
            let error = device.check_present().expect_err("nobody has a thousand").to_string();
            assert!(error.contains(&device.to_string()), "{error}");
            let reason = if built { "this machine shows".to_owned() } else { format!("--features {feature}") };
            assert!(error.contains(&reason), "{error}");
            assert!(device.open().is_err());
        }
    }

    #[test]
    fn the_processor_computes_in_f32_alone() {
        assert!(TrainDevice::Cpu.check(Dtype::F32).is_ok() && TrainDevice::Cuda(0).check(Dtype::Bf16).is_ok());
        for device in [TrainDevice::Cpu, TrainDevice::CpuComposed] {
            let error = device.check(Dtype::Bf16).expect_err("refused").to_string();
            assert!(
                error.starts_with("recipe.dtype = \"bf16\"") && error.contains("widen") && error.contains("--device cuda:0"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_record_tells_the_precision_of_products() {
        assert_eq!(TrainDevice::Cpu.precision(Dtype::F32), "f32");
        assert_eq!(TrainDevice::Metal(0).precision(Dtype::Bf16), "bf16");
        if cfg!(feature = "cuda") {
            assert_eq!(TrainDevice::Cuda(0).precision(Dtype::F32), "f32, tf32 off");
            assert_eq!(TrainDevice::Cuda(0).precision(Dtype::Bf16), "bf16, sums in f32");
        }
        assert_eq!(TrainDevice::Cpu.described(&Device::Cpu), "cpu");
    }
}
