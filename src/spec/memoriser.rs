//! What theory says of the synthetic source: how the loss of an ideal memoriser falls.

/// A learner that stores facts, the most frequent first, as many as its parameters hold and its tokens show.
///
/// Of keys with P(k) ∝ k^-(1+a), facts that are not among the n most frequent are met with a probability ∝ n^-a. So many are stored as
/// there are parameters, n ∝ N; so many are shown as have P(k)·D ≥ 1, n ∝ D^(1/(1+a)) (Hutter 2102.04074, Michaud 2303.13506).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memoriser {
    /// Exponent of size, α = a.
    pub alpha: f64,
    /// Exponent of tokens, β = a/(1 + a).
    pub beta: f64,
}

impl Memoriser {
    /// That of a corpus by its name in a table; none of another source.
    pub fn of(corpus: &str) -> Option<Self> {
        let settings = corpus.strip_prefix("zipf-facts(a=")?;
        let a: f64 = settings.split(',').next()?.parse().ok()?;
        (a.is_finite() && a > 0.0).then(|| Self { alpha: a, beta: a / (1.0 + a) })
    }

    /// Exponent of compute with which the best size grows, β/(α + β) = 1/(2 + a).
    pub fn growth(self) -> f64 {
        self.beta / (self.alpha + self.beta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::CorpusSpec;

    #[test]
    fn exponents_are_those_of_the_tail_of_the_keys() {
        let name = CorpusSpec::ZipfFacts { a: 0.5, keys: 262_144, seed: 0 }.name();
        let found = Memoriser::of(&name).expect("the source");
        assert!((found.alpha - 0.5).abs() < 1e-15 && (found.beta - 1.0 / 3.0).abs() < 1e-15);
        assert!((found.growth() - 0.4).abs() < 1e-15, "{}", found.growth());
        // The mass of what is not among the n most frequent, summed.
        let (a, keys) = (0.5f64, 1u64 << 22);
        let beyond = |n: u64| (n + 1..=keys).rev().map(|k| (k as f64).powf(-1.0 - a)).sum::<f64>();
        let endless = |n: u64| beyond(n) + (keys as f64).powf(-a) / a;
        let slope = (endless(64_000) / endless(1000)).ln() / 64f64.ln();
        assert!((slope + found.alpha).abs() < 1e-3, "{slope}");
        for other in ["speeches", "zipf-facts", "zipf-facts(a=x)", "zipf-facts(a=-1, keys=2)"] {
            assert_eq!(Memoriser::of(other), None, "{other}");
        }
    }
}
