//! Every point of the loss curves of a table as evidence, in place of the last of each run.

use super::{Curves, StudyError};
use crate::law::Point;

/// Points of one fit beyond which a second search and refits are a wait of minutes: variable projection alone, no intervals.
pub const MANY: usize = 5_000;

/// Every point of the curves of the kept runs after the first `burn_in` of each run's tokens, a cluster a run; runs without a
/// curve keep their one point. Also what a reader must know.
pub(super) fn along_curves(curves: &Curves, ends: Vec<Point>, burn_in: f64) -> Result<(Vec<Point>, Vec<String>), StudyError> {
    if !(0.0..1.0).contains(&burn_in) {
        return Err(StudyError::BurnIn(burn_in));
    }
    if curves.trajectories.is_empty() {
        return Err(StudyError::NoTrajectories);
    }
    let runs = ends.len();
    let all = ends.into_iter().flat_map(|end| {
        let along = curves.trajectories.get(&end.run).map_or(&[][..], Vec::as_slice);
        let after = along.iter().filter(|(_, d, _)| *d > burn_in * end.d && *d < end.d);
        let cluster = end.cluster.clone().unwrap_or_else(|| end.run.clone());
        let point = |&(c, d, loss): &(f64, f64, f64)| Point { c, d, loss, budget: None, steps: None, ..end.clone() };
        let points: Vec<Point> = after.map(point).chain([end.clone()]).collect();
        points.into_iter().map(move |point| Point { cluster: Some(cluster.clone()), ..point })
    });
    let points: Vec<Point> = all.collect();
    let mut notes = vec![
        format!(
            "every loss of {runs} runs after the first {:.0} % of each is fitted, {} points; those of a run are one cluster, so they say no more of the noise between runs than {runs} runs do",
            100.0 * burn_in,
            points.len()
        ),
        "a loss in the middle of a run under a decaying learning rate lies above that of a run that ends there: a law of such losses is no law of final losses".to_owned(),
    ];
    if points.len() > MANY {
        notes.push(format!(
            "more than {MANY} points are fitted by variable projection alone and without refits, so only least squares of logs, which has a likelihood, gives intervals"
        ));
    }
    Ok((points, notes))
}
