//! Numbers that a command line may hold. What is refused is refused at once, with what was found, what is allowed and an example.

use std::ops::RangeInclusive;

/// Levels of confidence that intervals are given at.
const LEVELS: RangeInclusive<f64> = 0.5..=0.9999;
/// More refits than any interval needs: at this many its ends are known to a thousandth of their distance.
const MOST_REFITS: usize = 1_000_000;

/// A level of confidence.
pub(super) fn level(text: &str) -> Result<f64, String> {
    let value = number(text).unwrap_or(f64::NAN);
    if LEVELS.contains(&value) {
        return Ok(value);
    }
    let meant = LEVELS.contains(&(value / 100.0)).then(|| format!(": did you mean {}?", value / 100.0));
    Err(format!("a confidence level from 0.5 to 0.9999 is wanted, such as 0.95{}", meant.unwrap_or_default()))
}

/// A number above 0.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    within(text, 1e-60..=1e60, "a finite number above 0 is wanted, such as 1.5")
}

/// A price, which may be nothing.
pub(super) fn price(text: &str) -> Result<f64, String> {
    within(text, 0.0..=1e60, "a price of at least 0 is wanted, such as 2.5")
}

/// A ratio of two counts.
pub(super) fn ratio(text: &str) -> Result<f64, String> {
    within(text, 1e-9..=1e12, "a ratio above 0, from 1e-9 to 1e12, is wanted, such as 20")
}

/// A share above 0 and at most 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    within(text, f64::MIN_POSITIVE..=1.0, "a share above 0 and at most 1 is wanted, such as 0.4")
}

/// A loss in nats per token.
pub(super) fn loss(text: &str) -> Result<f64, String> {
    within(text, 1e-9..=1e3, "a loss above 0, from 1e-9 to 1000, is wanted, such as 2.5")
}

/// How many refits an interval is taken from.
pub(super) fn refits(text: &str) -> Result<usize, String> {
    let refits = text.parse().ok().filter(|refits| *refits <= MOST_REFITS);
    refits.ok_or_else(|| format!("a whole number from 0 to {MOST_REFITS} is wanted, such as 1000"))
}

/// The length of a context or the size of a vocabulary, from `LEAST`.
pub(super) fn size<const LEAST: usize>(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (LEAST..=100_000_000).contains(size));
    size.ok_or_else(|| format!("a whole number from {LEAST} to 100000000 is wanted, such as 4096"))
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

fn within(text: &str, allowed: RangeInclusive<f64>, wanted: &str) -> Result<f64, String> {
    number(text).filter(|value| allowed.contains(value)).ok_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_cent_are_told_from_a_level() {
        assert_eq!(level("0.95"), Ok(0.95));
        assert!(level("95").expect_err("refused").ends_with("such as 0.95: did you mean 0.95?"));
        assert!(["0", "1", "nan", "-1", "inf", "x"].iter().all(|text| level(text).expect_err("refused").ends_with("such as 0.95")));
    }

    #[test]
    fn what_is_no_number_of_its_kind_is_refused() {
        for text in ["nan", "inf", "-1", "1e300", "x", ""] {
            assert!([positive, price, ratio, share, loss].iter().all(|read| read(text).is_err()), "{text}");
            assert!(refits(text).is_err() && size::<1>(text).is_err(), "{text}");
        }
        assert!([positive, ratio, share, loss].iter().all(|read| read("0").is_err()));
        assert_eq!(
            (price("0"), share("1"), refits("1000000"), refits("0"), size::<1>("1")),
            (Ok(0.0), Ok(1.0), Ok(1_000_000), Ok(0), Ok(1))
        );
        assert!(refits("1000001").is_err() && refits("18446744073709551615").is_err() && size::<2>("1").is_err());
    }
}
