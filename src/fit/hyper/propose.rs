//! What to try next of learning rate and batch on one (size, data) family: three points about an expected optimum, one more
//! where the best lies at an edge, and a start for the next family from the optima before it. A pure function of what was
//! tried. A parabola through three points a factor of two apart places the optimum within a tenth of a per cent of loss;
//! more runs are better spent on other sizes, since one surface is fitted to all of them (`joint`).

use crate::fit::linear::least_squares;
use crate::spec::{SearchFamily, SearchSpace, Tried};

/// Factor between neighbours where the start names fewer than two values.
const STEP: f64 = 2.0;
/// Recipes of a family beyond which an edge is left as it is: its alarm is then raised by the fit.
const MOST: usize = 9;
/// How fast optima are expected to move before there is evidence: η with N (Porian 2406.19146), B with D (Step Law 2503.04715).
const RATE_BY_SIZE: f64 = -0.36;
const BATCH_BY_TOKENS: f64 = 0.571;
/// Weight of that expectation: as much as two families a factor of e apart.
const EXPECTED: f64 = 0.5;

/// The next recipes (learning rate, batch) of `current`, given the settled families before it; none when it is settled.
pub fn propose(space: &SearchSpace, earlier: &[SearchFamily], current: &SearchFamily) -> Vec<(f64, f64)> {
    let axes = Axes::of(space, current);
    let proposed = if current.tried.is_empty() { axes.first(earlier, current) } else { axes.further(current) };
    let mut fresh: Vec<(f64, f64)> = Vec::new();
    for [rate, batch] in proposed {
        let recipe = (axes.rounded_rate(rate.exp()), axes.rounded_batch(batch.exp()));
        let known = current.tried.iter().map(|tried| (tried.learning_rate, tried.batch)).chain(fresh.iter().copied());
        if !known.into_iter().any(|one| one == recipe) {
            fresh.push(recipe);
        }
    }
    fresh
}

/// The settings by number: 0 learning rate, 1 batch; everything in logarithms.
struct Axes {
    searched: [bool; 2],
    /// First values of each.
    start: [Vec<f64>; 2],
    step: [f64; 2],
    context: f64,
}

type Place = [f64; 2];

impl Axes {
    fn of(space: &SearchSpace, family: &SearchFamily) -> Self {
        let logs = |values: &Option<Vec<f64>>, fixed: f64| -> Vec<f64> {
            values.as_ref().map_or_else(|| vec![fixed.ln()], |values| values.iter().map(|value| value.ln()).collect())
        };
        let start = [logs(&space.learning_rate, family.learning_rate), logs(&space.batch, family.batch)];
        let step = |values: &[f64]| match values {
            [first, .., last] => (last - first) / (values.len() - 1) as f64,
            _ => STEP.ln(),
        };
        let steps = [step(&start[0]), step(&start[1])];
        Self { searched: [space.learning_rate.is_some(), space.batch.is_some()], start, step: steps, context: space.context }
    }

    /// Three digits: runs of other families with the same rate then share their trunk.
    fn rounded_rate(&self, rate: f64) -> f64 {
        if !self.searched[0] {
            // As it was given, not as its logarithm gives it back.
            return format!("{rate:.12e}").parse().unwrap_or(rate);
        }
        format!("{rate:.2e}").parse().unwrap_or(rate)
    }

    fn rounded_batch(&self, batch: f64) -> f64 {
        (batch / self.context).round().max(1.0) * self.context
    }

    /// A star about the expected optimum; the start as it is for the first family.
    fn first(&self, earlier: &[SearchFamily], current: &SearchFamily) -> Vec<Place> {
        let middle = |axis: usize| self.start[axis][self.start[axis].len() / 2];
        if earlier.is_empty() {
            return self.star([middle(0), middle(1)], |axis| self.start[axis].clone());
        }
        let centre = [0, 1].map(|axis| if self.searched[axis] { self.expected(axis, earlier, current) } else { middle(axis) });
        self.star(centre, |axis| [-1.0, 0.0, 1.0].map(|steps| centre[axis] + steps * self.step[axis]).to_vec())
    }

    /// Values of each searched setting at the centre of the other, and one place off both, which tells how they interact.
    fn star(&self, centre: Place, values: impl Fn(usize) -> Vec<f64>) -> Vec<Place> {
        let mut places = vec![centre];
        for axis in [0, 1].into_iter().filter(|&axis| self.searched[axis]) {
            places.extend(values(axis).into_iter().map(|value| with(centre, axis, value)));
        }
        if self.searched == [true, true] {
            places.push([centre[0] + self.step[0], centre[1] + self.step[1]]);
        }
        places
    }

    /// Where the optimum of a new family is expected: a line in ln N (for η) or ln D (for B) through the optima so far,
    /// drawn towards what the literature expects.
    fn expected(&self, axis: usize, earlier: &[SearchFamily], current: &SearchFamily) -> f64 {
        let (variable, prior): (fn(&SearchFamily) -> f64, f64) =
            if axis == 0 { (|family| family.n.ln(), RATE_BY_SIZE) } else { (|family| family.d.ln(), BATCH_BY_TOKENS) };
        let known: Vec<(f64, f64)> = earlier.iter().filter_map(|family| Some((variable(family), self.optimum(axis, family)?))).collect();
        let count = known.len().max(1) as f64;
        let mean = |pick: fn(&(f64, f64)) -> f64| known.iter().map(pick).sum::<f64>() / count;
        let (z, x) = (mean(|one| one.0), mean(|one| one.1));
        if known.is_empty() {
            return self.start[axis][self.start[axis].len() / 2];
        }
        let zz: f64 = known.iter().map(|one| (one.0 - z).powi(2)).sum();
        let zx: f64 = known.iter().map(|one| (one.0 - z) * (one.1 - x)).sum();
        let slope = (zx + EXPECTED * prior) / (zz + EXPECTED);
        x + slope * (variable(current) - z)
    }

    /// The optimum of a settled family along a setting: the vertex of the parabola through the best and its neighbours, at most
    /// a step from the best.
    fn optimum(&self, axis: usize, family: &SearchFamily) -> Option<f64> {
        let best = best(&family.tried)?;
        let line = self.line(axis, &family.tried, best);
        let at = line.iter().position(|one| one.0 == place(best)[axis])?;
        let centre = line[at].0;
        if at == 0 || at + 1 == line.len() {
            return Some(centre);
        }
        let [left, middle, right] = [line[at - 1], line[at], line[at + 1]];
        let (Some(l), Some(m), Some(r)) = (left.1, middle.1, right.1) else { return Some(centre) };
        // Newton's divided differences; the vertex of the parabola through three points.
        let (a, b) = ((m - l) / (centre - left.0), (r - m) / (right.0 - centre));
        let bend = (b - a) / (right.0 - left.0);
        let vertex = if bend > 0.0 { 0.5 * (left.0 + centre) - 0.5 * a / bend } else { centre };
        Some(vertex.clamp(centre - self.step[axis], centre + self.step[axis]))
    }

    /// What was tried along a setting at the other's value of `best`, ascending: (value, ln loss; none where it diverged).
    fn line(&self, axis: usize, tried: &[Tried], best: &Tried) -> Vec<(f64, Option<f64>)> {
        let other = 1 - axis;
        let on_line = |one: &&Tried| (place(one)[other] - place(best)[other]).abs() < 1e-9;
        let mut line: Vec<(f64, Option<f64>)> = tried.iter().filter(on_line).map(|one| (place(one)[axis], one.loss.map(f64::ln))).collect();
        line.sort_by(|a, b| a.0.total_cmp(&b.0));
        line
    }

    /// One more place beyond every edge at which the best lies, none where it, or the minimum of a parabola, lies inside.
    fn further(&self, current: &SearchFamily) -> Vec<Place> {
        if current.tried.len() >= MOST {
            return Vec::new();
        }
        let Some(best) = best(&current.tried) else { return self.lower(current) };
        let at = place(best);
        let mut places = Vec::new();
        for axis in [0, 1].into_iter().filter(|&axis| self.searched[axis]) {
            let line = self.line(axis, &current.tried, best);
            let finished = |one: &&(f64, Option<f64>)| one.1.is_some();
            let lower = line.iter().rev().find(|one| one.0 < at[axis] - 1e-9);
            let upper = line.iter().find(|one| one.0 > at[axis] + 1e-9);
            let step = self.step[axis];
            if minimum(&line).is_some_and(|vertex| line[0].0 <= vertex && vertex <= line[line.len() - 1].0) {
                continue;
            }
            if lower.filter(finished).is_none() {
                places.push(with(at, axis, beyond(at[axis], lower, -step)));
            }
            if upper.filter(finished).is_none() {
                places.push(with(at, axis, beyond(at[axis], upper, step)));
            }
        }
        // Less than a quarter of a step from a run that diverged there is nothing left to find.
        places.retain(|one| {
            current.tried.iter().all(|tried| [0, 1].iter().any(|&axis| (place(tried)[axis] - one[axis]).abs() >= 0.24 * self.step[axis]))
        });
        places
    }

    /// Everything diverged: lower rates.
    fn lower(&self, current: &SearchFamily) -> Vec<Place> {
        let lowest = current.tried.iter().map(place).min_by(|a, b| a[0].total_cmp(&b[0]));
        lowest.filter(|_| self.searched[0]).map(|one| vec![with(one, 0, one[0] - 2.0 * self.step[0])]).unwrap_or_default()
    }
}

/// The vertex of the least-squares parabola through three or more finished runs of a line; none where one diverged or the
/// line does not bend upwards.
fn minimum(line: &[(f64, Option<f64>)]) -> Option<f64> {
    let finished: Vec<(f64, f64)> = line.iter().map(|one| Some((one.0, one.1?))).collect::<Option<_>>()?;
    if finished.len() < 3 {
        return None;
    }
    let middle = finished.iter().map(|one| one.0).sum::<f64>() / finished.len() as f64;
    let rows: Vec<Vec<f64>> = finished.iter().map(|one| vec![1.0, one.0 - middle, (one.0 - middle).powi(2)]).collect();
    let y: Vec<f64> = finished.iter().map(|one| one.1).collect();
    let fit = least_squares(&rows, &y, &vec![1.0; y.len()])?;
    (fit.beta[2] > 0.0).then(|| middle - 0.5 * fit.beta[1] / fit.beta[2])
}

/// A step beyond the edge, or half way to a run that diverged there.
fn beyond(at: f64, diverged: Option<&(f64, Option<f64>)>, step: f64) -> f64 {
    diverged.map_or(at + step, |one| 0.5 * (at + one.0))
}

fn best(tried: &[Tried]) -> Option<&Tried> {
    tried.iter().filter(|one| one.loss.is_some()).min_by(|a, b| a.loss.unwrap_or(f64::NAN).total_cmp(&b.loss.unwrap_or(f64::NAN)))
}

fn place(tried: &Tried) -> Place {
    [tried.learning_rate.ln(), tried.batch.ln()]
}

fn with(at: Place, axis: usize, value: f64) -> Place {
    let mut moved = at;
    moved[axis] = value;
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{Basis, KnownNoise, joint_surface};
    use crate::law::{PowerRule, RecipeTrials, Scale, Trial};
    use crate::spec::Random;

    const RATE: PowerRule = PowerRule::of_size_and_tokens(0.3, -0.4, 0.0);

    fn family(n: f64, d: f64) -> SearchFamily {
        SearchFamily { n, d, learning_rate: f64::NAN, batch: 4096.0, tried: Vec::new() }
    }

    fn rates(start: &[f64]) -> SearchSpace {
        SearchSpace { learning_rate: Some(start.to_vec()), batch: None, context: 256.0 }
    }

    /// Tries what is proposed until nothing is, answering from `loss`.
    fn settle(
        space: &SearchSpace,
        earlier: &[SearchFamily],
        mut family: SearchFamily,
        loss: &mut dyn FnMut(f64, f64) -> Option<f64>,
    ) -> SearchFamily {
        loop {
            let next = propose(space, earlier, &family);
            if next.is_empty() {
                return family;
            }
            family.tried.extend(next.into_iter().map(|(learning_rate, batch)| Tried {
                learning_rate,
                batch,
                loss: loss(learning_rate, batch),
            }));
        }
    }

    fn parabola(rate: f64, best: f64) -> f64 {
        (0.8 + 0.015 * (rate / best).ln().powi(2)).exp()
    }

    #[test]
    fn three_rates_about_the_optimum_settle_a_family() {
        let found = settle(&rates(&[1e-3, 2e-3, 4e-3]), &[], family(1e5, 1e6), &mut |rate, _| Some(parabola(rate, 2.2e-3)));
        assert_eq!(found.tried.iter().map(|one| one.learning_rate).collect::<Vec<_>>(), [2e-3, 1e-3, 4e-3]);
    }

    #[test]
    fn an_optimum_at_the_edge_is_followed() {
        let found = settle(&rates(&[1e-3, 2e-3, 4e-3]), &[], family(1e5, 1e6), &mut |rate, _| Some(parabola(rate, 1.3e-2)));
        assert_eq!(found.tried.iter().map(|one| one.learning_rate).fold(0.0, f64::max), 1.6e-2, "8e-3 and 1.6e-2, between which it lies");
        assert_eq!(found.tried.len(), 5);
    }

    #[test]
    fn a_rate_that_diverges_is_halved_towards_and_never_gone_beyond() {
        let mut loss = |rate: f64, _| (rate < 5e-3).then(|| parabola(rate, 1e-2));
        let found = settle(&rates(&[2e-3, 4e-3, 8e-3]), &[], family(1e5, 1e6), &mut loss);
        assert!(found.tried.len() <= 6 && found.tried.iter().all(|one| one.learning_rate <= 8e-3), "{found:?}");
        let found = settle(&rates(&[1.0, 2.0, 4.0]), &[], family(1e5, 1e6), &mut |rate, _| (rate < 0.3).then_some(2.0));
        assert!(found.tried.iter().any(|one| one.loss.is_some()), "where all diverge, lower rates are tried: {found:?}");
    }

    #[test]
    fn the_next_family_starts_at_the_law_so_far() {
        let space = rates(&[1e-3, 2e-3, 4e-3, 8e-3]);
        let mut earlier = Vec::new();
        for n in [1e4, 4e4, 1.6e5] {
            let best = RATE.at(&Scale { n, d: 1e6, c: f64::NAN });
            earlier.push(settle(&space, &earlier, family(n, 1e6), &mut |rate, _| Some(parabola(rate, best))));
        }
        let next = propose(&space, &earlier, &family(6.4e5, 1e6));
        let best = RATE.at(&Scale { n: 6.4e5, d: 1e6, c: f64::NAN });
        assert_eq!(next.len(), 3);
        assert!((next[0].0 / best).ln().abs() < 0.15, "{} {best}", next[0].0);
    }

    #[test]
    fn both_settings_are_searched_by_a_star_and_a_corner() {
        let space = SearchSpace { batch: Some(vec![2048.0, 4096.0, 8192.0]), ..rates(&[1e-3, 2e-3, 4e-3]) };
        let surface = |rate: f64, batch: f64| Some(parabola(rate, 2.2e-3) * parabola(batch, 2e4));
        let found = settle(&space, &[], family(1e5, 1e6), &mut |rate, batch| surface(rate, batch));
        assert_eq!(
            &found.tried[..2].iter().map(|one| (one.learning_rate, one.batch)).collect::<Vec<_>>(),
            &[(2e-3, 4096.0), (1e-3, 4096.0)]
        );
        assert!(found.tried.iter().any(|one| one.batch > 2e4), "the batch is followed beyond the start: {found:?}");
        assert!(found.tried.len() <= MOST + 2 && found.tried.iter().all(|one| one.batch % 256.0 == 0.0));
    }

    /// Chains of four sizes at three lengths with 0.5 % of noise: 3.5 runs a family at most, the optimum found to 0.1 % of
    /// loss in the median, and inside the 95 % interval of the joint surface as often as it says.
    #[test]
    fn half_the_runs_of_a_grid_find_the_optimum_in_noise() {
        let space = rates(&[2e-3, 4e-3, 8e-3]);
        let (mut excess, mut runs, mut families, mut covered) = (Vec::new(), 0, 0, 0);
        for seed in 0..100 {
            let mut random = Random::new(seed, "search");
            let mut cells = Vec::new();
            for d in [1e6, 2e6, 4e6] {
                let mut chain: Vec<SearchFamily> = Vec::new();
                for n in [1e4, 4e4, 1.6e5, 6.4e5] {
                    let best = RATE.at(&Scale { n, d, c: f64::NAN });
                    let mut noisy = |rate: f64, _| Some(parabola(rate, best) * (0.005 * random.normal()).exp());
                    chain.push(settle(&space, &chain, family(n, d), &mut noisy));
                }
                cells.extend(chain.iter().map(trials));
            }
            runs += cells.iter().map(|cell| cell.trials.len()).sum::<usize>();
            families += cells.len();
            let noise = KnownNoise { sigma: 0.005, degrees: f64::INFINITY };
            let Some(joint) = joint_surface(&cells, Basis::SizeAndTokens, Some(noise), 0.95) else { continue };
            let law = joint.learning_rate.expect("rates bend");
            for cell in &cells {
                let best = RATE.at(&cell.scale);
                let found = law.at(&cell.scale);
                excess.push(0.015 * (found.value / best).ln().powi(2));
                covered += usize::from(found.low() <= best && best <= found.high());
            }
        }
        excess.sort_by(f64::total_cmp);
        assert!(excess.len() >= 99 * 12, "a surface was found in {} of 1200 families", excess.len());
        assert!(runs as f64 <= 3.5 * families as f64, "{runs} runs of {families} families");
        assert!(excess[excess.len() / 2] <= 1e-3, "median excess {}", excess[excess.len() / 2]);
        // Families of one chain share a law: 100 simulations know the coverage to about two points.
        let share = covered as f64 / excess.len() as f64;
        assert!((0.88..=0.99).contains(&share), "coverage {share}");
    }

    fn trials(family: &SearchFamily) -> RecipeTrials {
        let one = |tried: &Tried| Trial {
            run: format!("{} {}", family.n, tried.learning_rate),
            learning_rate: tried.learning_rate,
            batch: tried.batch,
            loss: tried.loss,
            steps: None,
        };
        let scale = Scale { n: family.n, d: family.d, c: 6.0 * family.n * family.d };
        RecipeTrials { label: String::new(), shape: None, scale, budget: None, trials: family.tried.iter().map(one).collect() }
    }
}
