//! Certificates in one dimension (SCALE-CERT 2026): all laws L(x) = E + ∫ x^(−a) dμ(a) with μ ≥ 0, E ≥ 0 and a between two
//! exponents, sums of powers of any number among them, that pass within the noise of all losses at once. What they say of a
//! loss far beyond the runs is a range, the ends of which are two linear programs; if no law passes, the class is rejected.

mod places;
mod program;

use super::estimate::t_quantile;
use program::Program;
use serde::Serialize;

pub use places::{CertificateError, Place, Places};

/// What is asked of a certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct CertificateOptions {
    /// Level at which all bands hold at once.
    pub level: f64,
    /// Smallest and largest exponent of the class.
    pub exponents: [f64; 2],
    /// How far beyond the largest x, as factors above 1.
    pub multiples: Vec<f64>,
}

impl Default for CertificateOptions {
    /// Exponents published for loss lie between 0.03 and 0.8.
    fn default() -> Self {
        Self { level: 0.95, exponents: [0.01, 2.0], multiples: vec![2.0, 10.0, 30.0, 1000.0] }
    }
}

/// What the class says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Certificate {
    /// The measured losses.
    #[serde(flatten)]
    pub measured: Places,
    /// Level at which all bands hold at once, and with them every range.
    pub level: f64,
    /// Half width of each band in standard errors: two-sided Student's t at level^(1/places) (Šidák 1967).
    pub band: f64,
    /// Smallest and largest exponent of the class.
    pub exponents: [f64; 2],
    /// Standard errors by which the closest law of the class misses where it misses most.
    pub closest: f64,
    /// Whether any law passes, and what those say.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Whether any law of the class passes within all bands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// No positive mixture of powers passes through the bands.
    Rejected {
        /// The x without which the others lie closest to a law of the class.
        at: f64,
        /// Standard errors by which the closest law then misses.
        without: f64,
    },
    /// Some mixtures pass; they give the range of the target.
    Holds {
        /// What they say, a range for each multiple.
        ranges: Vec<Range>,
    },
}

/// The range of the mean loss at one x under every law that passes; one run scatters about it by its noise. A side is absent (null in JSON) where the runs put no end to it:
/// the end would be that of the class itself, as from the largest run alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// x over the largest x of the runs.
    pub multiple: f64,
    /// The variable of the law there: parameters, tokens or FLOPs.
    pub x: f64,
    /// Lowest loss, nats per token.
    pub low: Option<f64>,
    /// Highest loss, nats per token.
    pub high: Option<f64>,
}

/// The certificate of losses.
///
/// # Errors
/// Where there is no loss, one is not a finite number above zero, or a program is not solved.
pub fn certify(measured: Places, options: &CertificateOptions) -> Result<Certificate, CertificateError> {
    let places = &measured.places;
    let Some(last) = places.last().copied() else { return Err(CertificateError::Empty) };
    let usable = |value: f64| value.is_finite() && value > 0.0;
    if let Some(&Place { x, loss, se, .. }) = places.iter().find(|one| ![one.x, one.loss, one.se].into_iter().all(usable)) {
        return Err(CertificateError::NotUsable { x, loss, se });
    }
    let band = t_quantile(options.level.powf(1.0 / places.len() as f64), measured.degrees);
    let program = Program::new(places, options.exponents);
    let closest = program.closest()?;
    let range = |&multiple: &f64| {
        let x = multiple * last.x;
        let ends = program.range(x, band)?;
        let [low, high] = settled_by_runs(ends, multiple, &last, band, options.exponents[1]);
        Ok(Range { multiple, x, low, high })
    };
    let verdict = if closest > band {
        rejected(places, options.exponents)?
    } else {
        Verdict::Holds { ranges: options.multiples.iter().map(range).collect::<Result<_, _>>()? }
    };
    Ok(Certificate { level: options.level, band, exponents: options.exponents, closest, verdict, measured })
}

/// A rejection, with the place that speaks loudest for it.
fn rejected(places: &[Place], exponents: [f64; 2]) -> Result<Verdict, CertificateError> {
    let without = |left_out: usize| -> Result<(f64, f64), CertificateError> {
        let others: Vec<Place> = places.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, place)| *place).collect();
        Ok((places[left_out].x, Program::new(&others, exponents).closest()?))
    };
    let all: Vec<(f64, f64)> = (0..places.len()).map(without).collect::<Result<_, _>>()?;
    let loudest = all.into_iter().min_by(|left, right| left.1.total_cmp(&right.1));
    loudest.map(|(at, without)| Verdict::Rejected { at, without }).ok_or(CertificateError::Empty)
}

/// Ends of a range without those that the class has of itself: no law of it rises beyond the last loss, and none falls from
/// there faster than its largest exponent.
fn settled_by_runs([low, high]: [Option<f64>; 2], multiple: f64, last: &Place, band: f64, steepest: f64) -> [Option<f64>; 2] {
    /// Share of the loss by which an end must be better than the class.
    const TOLD: f64 = 1e-6;
    let (highest, lowest) = (last.loss + band * last.se, (last.loss - band * last.se) * multiple.powf(-steepest));
    [low.filter(|low| *low > lowest * (1.0 + TOLD)), high.filter(|high| *high < highest * (1.0 - TOLD))]
}

#[cfg(test)]
mod tests;
