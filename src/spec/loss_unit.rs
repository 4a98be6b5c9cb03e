//! What losses are counted in.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What losses are counted in; every number that follows from them is in the same unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossUnit {
    /// Nats per token, as networks are trained on.
    #[default]
    Nats,
    /// Bits per byte of text, comparable between tokenizers.
    BitsPerByte,
    /// Bits per token.
    BitsPerToken,
    /// The share of answers that are wrong, 0 to 1.
    ErrorRate,
    /// Another metric above 0 that is better the lower it is, as the table has it.
    Other,
}

/// What a column of a table holds in place of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The share of answers that are wrong.
    ErrorRate,
    /// The share that are right; laws are about what it lacks of 1.
    Accuracy,
    /// Another metric above 0 that is better the lower it is.
    Other,
}

impl Metric {
    /// Its name, as `--metric` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ErrorRate => "error-rate",
            Self::Accuracy => "accuracy",
            Self::Other => "other",
        }
    }

    /// What laws of it are counted in.
    pub const fn unit(self) -> LossUnit {
        match self {
            Self::ErrorRate | Self::Accuracy => LossUnit::ErrorRate,
            Self::Other => LossUnit::Other,
        }
    }
}

impl FromStr for Metric {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "error-rate" => Ok(Self::ErrorRate),
            "accuracy" => Ok(Self::Accuracy),
            "other" => Ok(Self::Other),
            _ => Err("choose error-rate, accuracy (laws are then about 1 - accuracy) or other (above 0, better the lower)".into()),
        }
    }
}

impl LossUnit {
    /// The unit that the header of a column of losses names; nats where it names none.
    pub fn of_header(header: &str) -> Self {
        let lower = header.to_ascii_lowercase().replace(['-', ' ', '/'], "_");
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        match lower.as_str() {
            _ if has(&["bpb", "bits_per_byte"]) => Self::BitsPerByte,
            _ if has(&["bits_per_token", "bits_token"]) => Self::BitsPerToken,
            _ => Self::Nats,
        }
    }

    /// The unit in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats per token",
            Self::BitsPerByte => "bits per byte",
            Self::BitsPerToken => "bits per token",
            Self::ErrorRate => "error rate",
            Self::Other => "the table's metric",
        }
    }

    /// The same where there is little room.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            _ => self.name(),
        }
    }

    /// Heading of a column of losses.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Nats => "loss, nats",
            Self::BitsPerByte => "loss, bits per byte",
            Self::BitsPerToken => "loss, bits per token",
            Self::ErrorRate => "error rate",
            Self::Other => "metric",
        }
    }
}

impl fmt::Display for LossUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{LossUnit, Metric};

    #[test]
    fn metrics_have_names_and_units() {
        let units: Vec<_> = ["error-rate", "accuracy", "other"].map(|name| name.parse::<Metric>().map(Metric::unit)).into();
        assert_eq!(units, [Ok(LossUnit::ErrorRate), Ok(LossUnit::ErrorRate), Ok(LossUnit::Other)]);
        assert!("bleu".parse::<Metric>().expect_err("unknown").contains("choose error-rate"));
    }

    #[test]
    fn headers_name_their_units() {
        let units = ["val_bpb", "eval/bits per byte", "bits-per-token", "val_loss"].map(LossUnit::of_header);
        assert_eq!(units, [LossUnit::BitsPerByte, LossUnit::BitsPerByte, LossUnit::BitsPerToken, LossUnit::Nats]);
    }
}
