//! What the optima of budgets weigh beside each other.

use serde::Serialize;

/// What each optimum weighs in a line through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vertices {
    /// 1/se² of its logarithm.
    #[default]
    Weighted,
    /// The same, as in published practice (Llama 3 2407.21783).
    Even,
}

impl Vertices {
    /// Names as a person gives them, in the order of the variants.
    pub const NAMES: [&str; 2] = ["weighted", "even"];

    /// The name of this one.
    pub fn name(self) -> &'static str {
        Self::NAMES[usize::from(self == Self::Even)]
    }

    /// The other way of weighting.
    pub fn other(self) -> Self {
        if self == Self::Even { Self::Weighted } else { Self::Even }
    }
}

impl std::str::FromStr for Vertices {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Weighted, Self::Even].into_iter().find(|one| one.name() == text);
        known.ok_or_else(|| format!("vertices are weighed `weighted` or `even`, not `{text}`"))
    }
}
