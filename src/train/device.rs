//! Where a run is computed, what this build and this machine have of it, and how a record names it.

use super::TrainError;
use super::kernels::panels::Factors;
use crate::spec::{Device, Dtype};
use candle_core::Device as Opened;
use std::cell::RefCell;

thread_local! {
    /// The device that this thread opened last: opening one again for every run would cost more than a small run does.
    static OPENED: RefCell<Option<(Device, Opened)>> = const { RefCell::new(None) };
}

impl Device {
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
        let computes = match self {
            Self::Cpu => Factors::of(dtype).is_some(),
            Self::CpuComposed => dtype == Dtype::F32,
            Self::Cuda(_) | Self::Metal(_) => true,
        };
        if computes { Ok(()) } else { Err(TrainError::NotComputed { dtype, device: self.to_string() }) }
    }

    /// The device, opened once a thread.
    pub(crate) fn open(self) -> Result<Opened, TrainError> {
        OPENED.with_borrow_mut(|opened| {
            if let Some((_, device)) = opened.as_ref().filter(|(name, _)| *name == self) {
                return Ok(device.clone());
            }
            self.check_present()?;
            let device = match self {
                Self::Cpu | Self::CpuComposed => Ok(Opened::Cpu),
                Self::Cuda(number) => Opened::new_cuda(number),
                Self::Metal(number) => Opened::new_metal(number),
            };
            let device = device.map_err(|error| TrainError::Device { device: self.to_string(), reason: error.to_string() })?;
            *opened = Some((self, device.clone()));
            Ok(device)
        })
    }

    /// As a record names it: `cpu`, `cuda:0 NVIDIA H100 80GB HBM3`.
    pub(crate) fn described(self, opened: &Opened) -> String {
        model(opened).map_or(self.to_string(), |model| format!("{self} {model}"))
    }

    /// As a record tells the number format of products, and whether the device may take fewer bits for them: `f32`,
    /// `f32, tf32 off`, `bf16, sums in f32`, `bf16, amx`.
    pub fn precision(self, dtype: Dtype) -> String {
        match (self, dtype) {
            (Self::Cpu, _) => Factors::of(dtype).map_or(dtype.to_string(), Factors::name),
            (Self::Cuda(_), Dtype::F32) => format!("f32, tf32 {}", if reduced(dtype) { "on" } else { "off" }),
            (Self::Cuda(_), Dtype::Bf16) => format!("bf16, sums in {}", if reduced(dtype) { "bf16" } else { "f32" }),
            _ => dtype.to_string(),
        }
    }
}

fn choose(cuda: usize, metal: usize) -> Vec<Device> {
    match (cuda, metal) {
        (0, 0) => vec![Device::Cpu],
        (0, _) => vec![Device::Metal(0)],
        (cuda, _) => (0..cuda).map(Device::Cuda).collect(),
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
fn model(device: &Opened) -> Option<String> {
    match device {
        #[cfg(feature = "cuda")]
        Opened::Cuda(device) => device.cuda_stream().context().name().ok(),
        #[cfg(feature = "metal")]
        Opened::Metal(device) => Some(device.metal_device().architecture_name()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::kernels::bf16::Unit;

    #[test]
    fn cuda_is_taken_before_metal_and_metal_before_the_processor() {
        assert_eq!(choose(2, 1), [Device::Cuda(0), Device::Cuda(1)]);
        assert_eq!(choose(0, 2), [Device::Metal(0)]);
        assert_eq!(choose(0, 0), [Device::Cpu]);
    }

    #[test]
    fn what_is_not_there_is_refused_in_words() {
        assert!(Device::Cpu.check_present().is_ok() && Device::CpuComposed.check_present().is_ok());
        for (device, feature, built) in
            [(Device::Cuda(999), "cuda", cfg!(feature = "cuda")), (Device::Metal(999), "metal", cfg!(feature = "metal"))]
        {
            let error = device.check_present().expect_err("nobody has a thousand").to_string();
            assert!(error.contains(&device.to_string()), "{error}");
            let reason = if built { "this machine shows".to_owned() } else { format!("--features {feature}") };
            assert!(error.contains(&reason), "{error}");
            assert!(device.open().is_err());
        }
    }

    #[test]
    fn a_processor_without_products_of_bf16_refuses_them() {
        assert!(Device::Cpu.check(Dtype::F32).is_ok() && Device::Cuda(0).check(Dtype::Bf16).is_ok());
        assert_eq!(Device::Cpu.check(Dtype::Bf16).is_ok(), Unit::of_processor().is_some());
        for device in [Device::Cpu, Device::CpuComposed] {
            let error = TrainError::NotComputed { dtype: Dtype::Bf16, device: device.to_string() }.to_string();
            let told = ["recipe.dtype = \"bf16\"", "AMX", "AVX512-BF16", "dtype = \"f32\"", "--device cuda:0"];
            assert!(told.iter().all(|told| error.contains(told)), "{error}");
        }
        assert!(Device::CpuComposed.check(Dtype::Bf16).is_err());
    }

    #[test]
    fn a_record_tells_the_precision_of_products() {
        assert_eq!(Device::Cpu.precision(Dtype::F32), "f32");
        let unit = Unit::of_processor().map_or("bf16".into(), |unit| format!("bf16, {}", unit.name()));
        assert_eq!(Device::Cpu.precision(Dtype::Bf16), unit);
        assert_eq!(Device::Metal(0).precision(Dtype::Bf16), "bf16");
        if cfg!(feature = "cuda") {
            assert_eq!(Device::Cuda(0).precision(Dtype::F32), "f32, tf32 off");
            assert_eq!(Device::Cuda(0).precision(Dtype::Bf16), "bf16, sums in f32");
        }
        assert_eq!(Device::Cpu.described(&Opened::Cpu), "cpu");
    }
}
