//! The learning rates of a training as pieces of constant rate: what a law of curves reads, whatever the number of steps.

use crate::spec::Schedule;

/// Pieces that a fall from the peak to nothing is cut into, unless more are asked for: an error below 2e-4 of the loss.
pub const LEVELS: f64 = 128.0;

/// Steps of one rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Steps before it.
    pub start: f64,
    /// Steps of it.
    pub steps: f64,
    /// Its learning rate.
    pub rate: f64,
}

/// The rates of a training, piece by piece.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rates {
    /// Pieces in order, without gaps, each with at least a part of a step.
    pub pieces: Vec<Piece>,
}

impl Rates {
    /// Rates of a schedule over `steps` steps of which `warmup` rise to the peak. Steps of one rate are one piece; where the rate moves, a
    /// piece is a step, or as many steps as it takes to move by 1/`levels` of the peak (`f64::INFINITY`: every step a piece).
    pub fn of_schedule(schedule: &Schedule, peak: f64, steps: u64, warmup: u64, levels: f64) -> Self {
        let mut rates = Self::default();
        let at = |step: u64| schedule.multiplier(step, steps, warmup);
        // On each side of the end of warmup the rate only rises, or only falls.
        for (from, to) in [(0, warmup.min(steps)), (warmup.min(steps), steps)] {
            let mut open = vec![(from, to)];
            while let Some((from, to)) = open.pop().filter(|(from, to)| from < to) {
                let (first, last) = (at(from), at(to - 1));
                let middle = from + (to - from) / 2;
                if to - from == 1 || first == last {
                    rates.push((to - from) as f64, peak * first);
                } else if (first - last).abs() <= 1.0 / levels {
                    let count = to - from;
                    let mean = match count {
                        ..=64 => (from..to).map(at).sum::<f64>() / count as f64,
                        _ => (first + 4.0 * at(middle) + last) / 6.0,
                    };
                    rates.push(count as f64, peak * mean);
                } else {
                    open.extend([(middle, to), (from, middle)]);
                }
            }
        }
        rates
    }

    /// Rates that were recorded, (steps done, rate of the last of them) with steps ascending: before the first the rate is the first, and
    /// between two that differ it moves on a straight line.
    pub fn of_readings(readings: &[(f64, f64)], levels: f64) -> Self {
        let mut rates = Self::default();
        let peak = readings.iter().map(|reading| reading.1).fold(0.0, f64::max);
        let mut before: Option<(f64, f64)> = None;
        for &(step, rate) in readings {
            let (from, first) = before.unwrap_or((0.0, rate));
            let gap = step - from;
            // A straight line takes as many pieces as it crosses levels, and no more than it has steps.
            let pieces = ((rate - first).abs() / peak * levels).ceil().clamp(1.0, gap.max(1.0).ceil());
            let pieces = if pieces.is_finite() { pieces } else { 1.0 };
            for at in 1..=pieces as u64 {
                let share = if pieces > 1.0 { (at as f64 - 0.5 + 0.5 / (gap / pieces).max(1.0)) / pieces } else { 1.0 };
                let mean = if pieces > 1.0 || gap <= 1.0 { first + (rate - first) * share } else { 0.5 * (first + rate) };
                rates.push(gap / pieces, if first == rate { rate } else { mean });
            }
            before = Some((step, rate));
        }
        rates
    }

    /// Adds steps at the end; they join the last piece where their rate is the same.
    pub fn push(&mut self, steps: f64, rate: f64) {
        if steps <= 0.0 {
            return;
        }
        let start = self.steps();
        match self.pieces.last_mut() {
            Some(last) if (last.rate - rate).abs() <= 1e-12 * last.rate.abs() => last.steps += steps,
            _ => self.pieces.push(Piece { start, steps, rate }),
        }
    }

    /// Steps in all.
    pub fn steps(&self) -> f64 {
        self.pieces.last().map_or(0.0, |last| last.start + last.steps)
    }

    /// Highest rate.
    pub fn peak(&self) -> f64 {
        self.pieces.iter().map(|piece| piece.rate).fold(0.0, f64::max)
    }

    /// Sum of the rates of all steps.
    pub fn area(&self) -> f64 {
        self.pieces.iter().map(|piece| piece.rate * piece.steps).sum()
    }

    /// Steps before the rate is first within a thousandth of its highest: warmup.
    pub fn warmup(&self) -> f64 {
        let peak = self.peak();
        self.pieces.iter().find(|piece| piece.rate >= 0.999 * peak).map_or(0.0, |piece| piece.start)
    }

    /// Lowest rate after warmup over the highest.
    pub fn lowest_share(&self) -> f64 {
        let warmup = self.warmup();
        let after = self.pieces.iter().filter(|piece| piece.start >= warmup);
        after.map(|piece| piece.rate).fold(f64::INFINITY, f64::min) / self.peak()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::DecayShape;
    use proptest::prelude::*;

    #[test]
    fn steps_of_one_rate_are_one_piece() {
        let multi = Rates::of_schedule(&Schedule::deepseek(), 2.0, 1_000_000_000_000, 0, LEVELS);
        let found: Vec<(f64, f64)> = multi.pieces.iter().map(|piece| (piece.start, piece.rate)).collect();
        assert_eq!(found, [(0.0, 2.0), (8e11, 2.0 * 0.1f64.sqrt()), (9e11, 0.2)]);
        let cosine = Rates::of_schedule(&Schedule::Cosine { final_fraction: 0.0 }, 1.0, 1_000_000_000, 1000, LEVELS);
        assert!(cosine.pieces.len() < 1200, "{}", cosine.pieces.len());
        assert!((cosine.area() / (0.5 * 1e9 + 500.0) - 1.0).abs() < 1e-5, "{}", cosine.area());
        assert!(cosine.steps() == 1e9 && (990.0..=1000.0).contains(&cosine.warmup()), "{}", cosine.warmup());
    }

    #[test]
    fn recorded_rates_are_joined_by_straight_lines() {
        let steps = |readings: &[(f64, f64)]| {
            Rates::of_readings(readings, LEVELS).pieces.iter().map(|piece| (piece.start, piece.steps, piece.rate)).collect::<Vec<_>>()
        };
        assert_eq!(steps(&[(1.0, 2.0), (2.0, 2.0), (10.0, 2.0), (11.0, 1.0)]), [(0.0, 10.0, 2.0), (10.0, 1.0, 1.0)]);
        let line = Rates::of_readings(&[(100.0, 1.0), (200.0, 0.0)], LEVELS);
        assert!((line.area() - 149.5).abs() < 1e-9, "as the rates of each step on the line: {}", line.area());
        assert_eq!(Rates::of_readings(&[], LEVELS).steps(), 0.0);
    }

    proptest! {
        #[test]
        fn pieces_lie_end_to_end_and_keep_the_area(steps in 2u64..400, warmup in 0u64..30, shape in 0usize..4) {
            let schedule = [
                Schedule::Cosine { final_fraction: 0.1 },
                Schedule::Wsd { decay_fraction: 0.3, shape: DecayShape::OneMinusSqrt },
                Schedule::deepseek(),
                Schedule::Exponential { final_fraction: 0.01 },
            ][shape].clone();
            let warmup = warmup.min(steps - 1);
            let exact: f64 = (0..steps).map(|step| schedule.multiplier(step, steps, warmup)).sum();
            for levels in [f64::INFINITY, LEVELS] {
                let rates = Rates::of_schedule(&schedule, 1.0, steps, warmup, levels);
                prop_assert!(rates.pieces.windows(2).all(|pair| pair[0].start + pair[0].steps == pair[1].start));
                prop_assert_eq!(rates.steps(), steps as f64);
                let allowed = if levels.is_finite() { 1e-4 } else { 1e-12 };
                prop_assert!((rates.area() / exact - 1.0).abs() < allowed);
            }
        }
    }
}
