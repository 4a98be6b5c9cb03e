//! Certificates in one dimension (SCALE-CERT 2026): all laws L(x) = E + ∫ x^(−a) dμ(a) with μ ≥ 0, E ≥ 0 and a between two
//! exponents, sums of powers of any number among them, that pass within the noise of all losses at once. What they say of a
//! loss far beyond the runs is a range, the ends of which are two linear programs; if no law passes, the class is rejected.

mod program;

use super::SeedNoise;
use super::estimate::t_quantile;
use program::Program;
use serde::Serialize;

/// What was measured at one x.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Place {
    /// x: FLOPs, weights or tokens.
    pub x: f64,
    /// Runs behind the loss.
    pub runs: usize,
    /// Their mean loss, nats per token.
    pub loss: f64,
    /// Its standard error, nats per token.
    pub se: f64,
}

/// Losses at several x, with what their standard errors rest on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Places {
    /// In the order of x.
    pub places: Vec<Place>,
    /// Degrees of freedom of the standard errors; infinite (null in JSON) where the noise is known.
    pub degrees: f64,
}

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CertificateError {
    /// Nothing tells the noise.
    #[error(
        "none of the {places} places has two different losses, so nothing tells by how much a run scatters: repeat the runs at the smallest and at the largest place with other seeds (it is the ends that decide), or say what is known, --noise 0.3% of the loss"
    )]
    NoNoise {
        /// Places there are.
        places: usize,
    },
    /// A loss or a standard error that is none.
    #[error("at x = {x:e} the loss is {loss} with a standard error of {se}; x, loss and error must be finite numbers above zero")]
    NotUsable {
        /// Where.
        x: f64,
        /// The loss.
        loss: f64,
        /// Its standard error.
        se: f64,
    },
    /// No loss at all.
    #[error("there is no loss to certify; give one run at least, and runs at three places or more for a range of use")]
    Empty,
    /// The linear program was not solved.
    #[error("the linear program of the certificate was not solved: {0}; leave out places that lie closer than a per cent to another")]
    Solver(String),
}

impl Places {
    /// Runs (x, loss) pooled by their x. The noise of one run is a share of the loss: `noise` where it is known, else the spread
    /// within each x over all of them.
    ///
    /// # Errors
    /// Where no x has two different losses and no noise is known.
    pub fn of_runs(runs: &[(f64, f64)], noise: Option<f64>) -> Result<Self, CertificateError> {
        /// Runs whose x differ by less than rounding are at one place.
        const ONE_PLACE: f64 = 1e-6;
        let mut runs = runs.to_vec();
        runs.sort_by(|left, right| left.0.total_cmp(&right.0));
        let groups: Vec<&[(f64, f64)]> = runs.chunk_by(|left, right| right.0 <= left.0 * (1.0 + ONE_PLACE)).collect();
        let logs: Vec<Vec<f64>> = groups.iter().map(|group| group.iter().map(|(_, loss)| loss.ln()).collect()).collect();
        // The level of the interval of the noise itself is not asked for.
        let pooled = SeedNoise::of(&logs, 0.95).filter(|_| noise.is_none());
        let degrees = pooled.as_ref().map_or(f64::INFINITY, |pooled| pooled.degrees as f64);
        let missing = CertificateError::NoNoise { places: groups.len() };
        let share = |loss: f64| noise.or_else(|| pooled.as_ref().map(|pooled| pooled.at(loss)));
        let place = |group: &&[(f64, f64)]| {
            let n = group.len() as f64;
            let mean = |pick: fn(&(f64, f64)) -> f64| group.iter().map(pick).sum::<f64>() / n;
            let loss = mean(|run| run.1);
            Some(Place { x: mean(|run| run.0), runs: group.len(), loss, se: share(loss)? * loss / n.sqrt() })
        };
        let places: Option<Vec<Place>> = groups.iter().map(place).collect();
        Ok(Self { places: places.ok_or(missing)?, degrees })
    }
}

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
    /// The losses.
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
    /// None does.
    Rejected {
        /// The x without which the others lie closest to a law of the class.
        at: f64,
        /// Standard errors by which the closest law then misses.
        without: f64,
    },
    /// Some do.
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
    /// x.
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
        let [low, high] = told_by_runs(ends, multiple, &last, band, options.exponents[1]);
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
fn told_by_runs([low, high]: [Option<f64>; 2], multiple: f64, last: &Place, band: f64, steepest: f64) -> [Option<f64>; 2] {
    /// Share of the loss by which an end must be better than the class.
    const TOLD: f64 = 1e-6;
    let (highest, lowest) = (last.loss + band * last.se, (last.loss - band * last.se) * multiple.powf(-steepest));
    [low.filter(|low| *low > lowest * (1.0 + TOLD)), high.filter(|high| *high < highest * (1.0 - TOLD))]
}

#[cfg(test)]
mod tests;
