//! What losses are counted in.

use serde::{Deserialize, Serialize};
use std::fmt;

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
    use super::LossUnit;

    #[test]
    fn headers_name_their_units() {
        let units = ["val_bpb", "eval/bits per byte", "bits-per-token", "val_loss"].map(LossUnit::of_header);
        assert_eq!(units, [LossUnit::BitsPerByte, LossUnit::BitsPerByte, LossUnit::BitsPerToken, LossUnit::Nats]);
    }
}
