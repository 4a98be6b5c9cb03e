//! Numbers as keys: equal bit by bit, ordered as numbers.

/// A number of a table, equal to another only bit by bit, in the order of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Exact(u64);

impl From<f64> for Exact {
    fn from(value: f64) -> Self {
        let bits = value.to_bits();
        Self(if value.is_sign_negative() { !bits } else { bits | 1 << 63 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_as_numbers() {
        let ordered = [-2.0, -1.0, -0.0, 0.0, 1e-300, 1.0, 3e12, 1e13, f64::INFINITY].map(Exact::from);
        assert!(ordered.is_sorted_by(|a, b| a < b));
    }
}
