//! What a budget takes in time and money: FLOPs over (devices · peak · utilisation). Peaks are dense 16-bit matrix
//! products as the makers' data sheets state them.

use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Peak FLOP/s of a device by name: dense bf16 (fp16 for V100), without sparsity.
const PEAKS: [(&str, f64); 12] = [
    ("v100", 125e12),
    ("a10", 125e12),
    ("a100", 312e12),
    ("l40s", 362e12),
    ("rtx4090", 165e12),
    ("h100", 989e12),
    ("h200", 989e12),
    ("b200", 2250e12),
    ("mi250x", 383e12),
    ("mi300x", 1307e12),
    ("tpu-v4", 275e12),
    ("tpu-v5p", 459e12),
];

/// Devices of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hardware {
    /// Name of the device.
    pub device: String,
    /// Number of accelerators.
    pub count: u32,
    /// Peak FLOP/s of one.
    pub peak: f64,
}

/// A text that names no hardware.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no hardware: write a device and how many, such as h100x8, or its peak FLOP/s, such as 989e12x8; known devices: {known}"
)]
pub struct HardwareError {
    text: String,
    known: String,
}

impl FromStr for Hardware {
    type Err = HardwareError;

    fn from_str(text: &str) -> Result<Self, HardwareError> {
        let error = || HardwareError { text: text.to_owned(), known: PEAKS.map(|(name, _)| name).join(", ") };
        let lower = text.trim().to_lowercase();
        let peak_of = |name: &str| {
            let known = PEAKS.iter().find(|(known, _)| *known == name).map(|(_, peak)| *peak);
            known.or_else(|| name.parse::<f64>().ok().filter(|peak| *peak > 0.0 && peak.is_finite()))
        };
        if let Some(peak) = peak_of(&lower) {
            return Ok(Self { device: lower, count: 1, peak });
        }
        // The last x divides: names such as mi300x hold one themselves.
        let (device, count) = lower.rsplit_once('x').ok_or_else(error)?;
        let count: u32 = count.parse().ok().filter(|count| *count > 0).ok_or_else(error)?;
        let peak = peak_of(device).ok_or_else(error)?;
        Ok(Self { device: device.to_owned(), count, peak })
    }
}

impl fmt::Display for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} ({:.0} TFLOP/s each)", self.count, self.device, self.peak / 1e12)
    }
}

/// Time and money that a run takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// What it runs on.
    pub hardware: Hardware,
    /// Share of the peak that is reached.
    pub mfu: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Device hours.
    pub device_hours: f64,
    /// Price of a device hour.
    pub price: Option<f64>,
    /// Money, in the unit of the price.
    pub money: Option<f64>,
}

/// What training for `compute` FLOPs takes.
pub fn cost(compute: f64, hardware: &Hardware, mfu: f64, price: Option<f64>) -> Cost {
    let seconds = compute / (f64::from(hardware.count) * hardware.peak * mfu);
    let device_hours = seconds * f64::from(hardware.count) / 3600.0;
    Cost { hardware: hardware.clone(), mfu, seconds, device_hours, price, money: price.map(|price| price * device_hours) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worked_example() {
        // 1e21 / (8 · 989e12 · 0.4) = 315,976 s = 87.77 h; times 8 devices and 2.5 an hour.
        let cost = cost(1e21, &"h100x8".parse().expect("known"), 0.4, Some(2.5));
        assert!((cost.seconds - 315_976.0).abs() < 1.0 && (cost.device_hours - 702.17).abs() < 0.01);
        assert!((cost.money.expect("priced") - 1755.4).abs() < 0.1);
    }

    #[test]
    fn devices_are_read_by_name_or_peak_and_others_are_refused() {
        let read = |text: &str| text.parse::<Hardware>().map(|one| (one.device, one.count, one.peak));
        assert_eq!(read("A100"), Ok(("a100".into(), 1, 312e12)));
        assert_eq!(read("mi300xx16"), Ok(("mi300x".into(), 16, 1307e12)));
        assert_eq!(read("mi300x"), Ok(("mi300x".into(), 1, 1307e12)));
        assert_eq!(read("2e12x4"), Ok(("2e12".into(), 4, 2e12)));
        for bad in ["", "x8", "h100x0", "h100x-1", "gpu", "nanx2"] {
            assert!(read(bad).expect_err("refused").to_string().contains("h100x8"), "{bad}");
        }
    }
}
