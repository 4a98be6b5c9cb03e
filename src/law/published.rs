//! Coefficients from the literature, each with its source. Only numbers read in the authors' own data,
//! code or text, or recomputed from them, stand here; figures quoted from memory are left out.

use super::Chinchilla;

/// A law of the form E + A/N^α + B/D^β as somebody published it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedLaw {
    /// Short name used on the command line.
    pub name: &'static str,
    /// Coefficients; N in weights, D in tokens, loss in nats per token of the source's tokenizer.
    pub law: Chinchilla,
    /// Paper and table in which the coefficients are published.
    pub source: &'static str,
}

/// All published laws, oldest first.
pub const PUBLISHED: [PublishedLaw; 6] = [
    PublishedLaw {
        name: "hoffmann",
        // exp of (e 0.5267228, a 6.0073404, b 6.0179186): the rounded 1.69, 406.4, 410.7 quadruple the objective.
        law: Chinchilla {
            e: 1.693_373_680_999_529,
            a: 406.401_017_519_474,
            b: 410.722_826_945_039_8,
            alpha: 0.339_170_84,
            beta: 0.284_908_3,
        },
        source: "Hoffmann et al. 2022, arXiv 2203.15556, approach 3, at the precision of the paper's source",
    },
    PublishedLaw {
        name: "datablations",
        law: Chinchilla { e: 1.869_143_678_405_486, a: 520.824_951_659_9, b: 1_487.716_093_782_9, alpha: 0.352_659_6, beta: 0.352_659_6 },
        source: "Muennighoff et al. 2023, arXiv 2305.16264, base law on C4 (ln A 6.255414, ln B 7.3049974, ln E 0.6254804)",
    },
    PublishedLaw {
        name: "besiroglu",
        law: Chinchilla { e: 1.8172, a: 482.01, b: 2085.43, alpha: 0.3478, beta: 0.3658 },
        source: "Besiroglu et al. 2024, arXiv 2404.10102, rounded as printed; the least-absolute-deviation optimum of the points they recovered",
    },
    PublishedLaw {
        name: "besiroglu-huber",
        law: Chinchilla { e: 1.817_22, a: 477.826, b: 2143.417, alpha: 0.347_310, beta: 0.367_172 },
        source: "Huber optimum (δ 1e-3, log loss) of the 240 points of arXiv 2404.10102, recomputed",
    },
    PublishedLaw {
        name: "czech-linear",
        // Published for N in millions and D in billions: A·(1e6)^α, B·(1e9)^β.
        law: Chinchilla { e: 1.9051, a: 511.345_307_340_7, b: 14_120.867_958_358_6, alpha: 0.3511, beta: 0.4587 },
        source: "Czech et al. 2026, arXiv 2603.22339, least squares of linear loss on Chinchilla's points below 1e21 FLOPs",
    },
    PublishedLaw {
        name: "czech-log",
        law: Chinchilla { e: 1.8926, a: 521.005_466_775_6, b: 10_259.260_863_752_1, alpha: 0.3522, beta: 0.4430 },
        source: "Czech et al. 2026, arXiv 2603.22339, least squares of log loss on Chinchilla's points below 1e21 FLOPs",
    },
];

/// The published law of a name.
pub fn published(name: &str) -> Option<&'static PublishedLaw> {
    PUBLISHED.iter().find(|law| law.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_factors_are_those_of_their_logarithms_or_units() {
        let close = |left: f64, right: f64| assert!((left / right - 1.0).abs() < 2e-6, "{left} {right}");
        let hoffmann = published("hoffmann").expect("listed").law;
        close(hoffmann.e, 0.5267228f64.exp());
        close(hoffmann.a, 6.0073404f64.exp());
        close(hoffmann.b, 6.0179186f64.exp());
        let repeated = published("datablations").expect("listed").law;
        close(repeated.e, 0.6254804f64.exp());
        close(repeated.a, 6.255414f64.exp());
        close(repeated.b, 7.3049974f64.exp());
        for (name, a, b) in [("czech-linear", 4.0005, 1.0509), ("czech-log", 4.0146, 1.0571)] {
            let law = published(name).expect("listed").law;
            close(law.a, a * 1e6f64.powf(law.alpha));
            close(law.b, b * 1e9f64.powf(law.beta));
        }
    }

    #[test]
    fn names_are_unique_and_sources_are_given() {
        for (at, law) in PUBLISHED.iter().enumerate() {
            assert!(PUBLISHED[at + 1..].iter().all(|other| other.name != law.name));
            assert!(law.source.contains("arXiv"), "{}", law.name);
        }
    }
}
