//! A training and the places along it at which losses are read, laid out so that a law of curves is evaluated in one pass.

use super::rates::Rates;

/// A fall of the rate, to that of a piece.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drop {
    /// Rate before less rate after; below 0 where it rises again.
    pub fall: f64,
    /// Rate after it.
    pub rate: f64,
    /// Steps before it.
    pub step: f64,
    /// Sum of the rates of the steps before it.
    pub area: f64,
}

/// A stretch of constant rate, short enough that little changes along it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Its rate.
    pub rate: f64,
    /// Sum of the rates before it.
    pub from: f64,
    /// Sum of the rates up to its end.
    pub to: f64,
}

/// Where losses are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Steps done.
    pub step: f64,
    /// Sum of their rates, warmup included.
    pub area: f64,
}

/// What laws are evaluated on: rates over `rate`, sums of rates over `area`, both of the caller's choice.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Falls of the rate after warmup, in order.
    pub drops: Vec<Drop>,
    /// The whole training, warmup included, cut finely where it is young.
    pub stretches: Vec<Stretch>,
    /// Places, steps ascending.
    pub readings: Vec<Reading>,
}

/// Units in which a [`Track`] counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveUnits {
    /// A learning rate.
    pub rate: f64,
    /// A sum of learning rates.
    pub area: f64,
    /// A number of steps.
    pub steps: f64,
}

impl CurveUnits {
    /// Rates, their sums and steps as they are.
    pub const PLAIN: Self = Self { rate: 1.0, area: 1.0, steps: 1.0 };
}

/// How much longer than what lies before it a stretch may be.
const GROWTH: f64 = 0.04;
/// Where the first stretches end, over the whole.
const YOUNG: f64 = 1e-4;

impl Track {
    /// The track of a training with readings after so many steps each (ascending; those beyond its end are read at its end).
    pub fn new(rates: &Rates, steps: &[f64], units: CurveUnits) -> Self {
        let (warmup, whole) = (rates.warmup(), rates.area());
        let mut track = Self { drops: Vec::new(), stretches: Vec::new(), readings: Vec::with_capacity(steps.len()) };
        let (mut area, mut before) = (0.0, None);
        let mut places = steps.iter().peekable();
        for (at, piece) in rates.pieces.iter().enumerate() {
            let end = area + piece.rate * piece.steps;
            if let Some(before) = before.filter(|_| piece.start > warmup) {
                let fall = (before - piece.rate) / units.rate;
                track.drops.push(Drop { fall, rate: piece.rate / units.rate, step: piece.start / units.steps, area: area / units.area });
            }
            let mut from = area;
            while from < end {
                let to = end.min(from + GROWTH * from.max(YOUNG * whole));
                track.stretches.push(Stretch { rate: piece.rate / units.rate, from: from / units.area, to: to / units.area });
                from = to;
            }
            let is_last = at + 1 == rates.pieces.len();
            while let Some(step) = places.next_if(|step| is_last || **step <= piece.start + piece.steps) {
                let step = step.min(rates.steps());
                let inside = (step - piece.start).max(0.0);
                track.readings.push(Reading { step: step / units.steps, area: (area + piece.rate * inside) / units.area });
            }
            (area, before) = (end, Some(piece.rate));
        }
        track
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Schedule;

    #[test]
    fn readings_know_their_steps_and_the_rates_before_them() {
        let rates = Rates::of_schedule(&Schedule::deepseek(), 1.0, 10, 2, f64::INFINITY);
        let track = Track::new(&rates, &[1.0, 5.0, 8.0, 8.5, 10.0, 99.0], CurveUnits::PLAIN);
        let places: Vec<(f64, f64)> = track.readings.iter().map(|reading| (reading.step, reading.area)).collect();
        let (whole, drop) = (7.5 + 0.1f64.sqrt(), 0.1f64.sqrt());
        let expected = [(1.0, 0.5), (5.0, 4.5), (8.0, 7.5), (8.5, 7.5 + 0.5 * drop), (10.0, whole + 0.1), (10.0, whole + 0.1)];
        for (found, expected) in places.iter().zip(expected) {
            assert!((found.0 - expected.0).abs() < 1e-12 && (found.1 - expected.1).abs() < 1e-12, "{found:?} {expected:?}");
        }
        let drops: Vec<(f64, f64)> = track.drops.iter().map(|drop| (drop.step, drop.fall)).collect();
        assert_eq!(drops, [(8.0, 1.0 - drop), (9.0, drop - 0.1)], "warmup rises and is none");
        let covered: f64 = track.stretches.iter().map(|stretch| stretch.to - stretch.from).sum();
        assert!((covered - whole - 0.1).abs() < 1e-12 && track.stretches.len() < 400);
    }

    #[test]
    fn units_divide() {
        let rates = Rates::of_schedule(&Schedule::deepseek(), 4.0, 10, 0, f64::INFINITY);
        let track = Track::new(&rates, &[8.0], CurveUnits { rate: 4.0, area: 32.0, steps: 2.0 });
        assert_eq!(track.readings, [Reading { step: 4.0, area: 1.0 }]);
        assert!((track.drops[1].rate - 0.1).abs() < 1e-12 && track.drops[0].step == 4.0);
    }
}
