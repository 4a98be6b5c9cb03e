//! The losses of a certificate: runs pooled by their x, with the standard error of each mean.

use crate::fit::SeedNoise;
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
        /// The variable of the law there: parameters, tokens or FLOPs.
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
