//! Where an axis is marked and how the marks read: 1k, 10M, 1e15, 2.35. The finest of a list of candidate
//! ticks whose labels do not touch is taken, on linear axes as on logarithmic ones of any range.

/// How positions follow from values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Log,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Weights, tokens: 1k, 2.5M, 1B, 1T.
    Count,
    /// FLOPs, learning rates: 1e15, 3e-4.
    Power,
    /// Losses, exponents, fractions: 2.35.
    Plain,
}

/// Marks of an axis, by value.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Ticks {
    /// Labelled, with a grid line.
    pub(super) major: Vec<(f64, String)>,
    /// Places of ticks without labels.
    pub(super) minor: Vec<f64>,
}

/// What is marked, and the room there is.
pub(super) struct Span<'a> {
    pub(super) scale: Scale,
    pub(super) unit: Unit,
    /// Ends of the axis, `low < high`; positive on a logarithmic scale.
    pub(super) low: f64,
    pub(super) high: f64,
    /// Length of the axis, units of the canvas.
    pub(super) length: f64,
    /// Extent of a label along the axis, same units.
    pub(super) extent: &'a dyn Fn(&str) -> f64,
}

/// The marks of an axis.
pub(super) fn ticks(span: &Span<'_>) -> Ticks {
    match span.scale {
        Scale::Linear => linear(span),
        Scale::Log => logarithmic(span),
    }
}

/// Writes a value as its unit demands, without needless digits.
pub(super) fn written(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count => count(value),
        Unit::Power => power(value),
        Unit::Plain => decimals(value, 6),
    }
}

fn linear(span: &Span<'_>) -> Ticks {
    let candidates = linear_steps(span.high - span.low).map(|step| linear_ticks(span, step));
    let major = first_that_fits(span, candidates).unwrap_or_else(|| ends(span));
    Ticks { major, minor: Vec::new() }
}

fn logarithmic(span: &Span<'_>) -> Ticks {
    let decades = (span.high / span.low).log10();
    let coarse = log_candidates().map(|(mantissas, stride)| log_ticks(span, mantissas, stride));
    let positive = |ticks: Vec<(f64, String)>| ticks.into_iter().filter(|(value, _)| *value > 0.5 * span.low).collect();
    let fine = linear_steps(span.high - span.low).map(|step| positive(linear_ticks(span, step)));
    let major = if decades >= 1.3 { first_that_fits(span, coarse.chain(fine)) } else { first_that_fits(span, fine.chain(coarse)) };
    let minor = match decades {
        few if few <= 9.0 => log_values(span, &[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], 1),
        _ => log_values(span, &[1.0], 1),
    };
    Ticks { major: major.unwrap_or_else(|| ends(span)), minor }
}

/// 1-2-2.5-5 steps from a thirtieth of the range upwards.
fn linear_steps(range: f64) -> impl Iterator<Item = f64> + Clone {
    let decade = (range / 30.0).log10().floor() as i32;
    (decade..decade + 4).flat_map(|power| [1.0, 2.0, 2.5, 5.0].map(|mantissa| mantissa * ten(power)))
}

fn linear_ticks(span: &Span<'_>, step: f64) -> Vec<(f64, String)> {
    let (first, last) = ((span.low / step - 1e-6).ceil(), (span.high / step + 1e-6).floor());
    if last - first >= 100.0 {
        return Vec::new();
    }
    let places = step_decimals(step);
    let label = |value: f64| match span.unit {
        Unit::Plain if span.high.abs().max(span.low.abs()) < 1e6 => format!("{value:.places$}"),
        Unit::Plain => power(value),
        unit => written(value, unit),
    };
    // Adding zero turns −0 into 0.
    (0..=(last - first) as i64).map(|i| (first + i as f64) * step + 0.0).map(|value| (value, label(value))).collect()
}

/// Decimals that a multiple of a step needs.
fn step_decimals(step: f64) -> usize {
    (0..12).find(|&places| ((step * ten(places)).round() / (step * ten(places)) - 1.0).abs() < 1e-6).unwrap_or(12) as usize
}

/// Mantissas and strides of powers of ten from fine to coarse.
fn log_candidates() -> impl Iterator<Item = (&'static [f64], i32)> {
    const FINE: [&[f64]; 3] = [&[1.0, 2.0, 3.0, 5.0], &[1.0, 2.0, 5.0], &[1.0, 3.0]];
    FINE.into_iter().map(|mantissas| (mantissas, 1)).chain([1, 2, 3, 4, 5, 6, 10, 20, 50].map(|stride| (&[1.0][..], stride)))
}

fn log_ticks(span: &Span<'_>, mantissas: &[f64], stride: i32) -> Vec<(f64, String)> {
    log_values(span, mantissas, stride).into_iter().map(|value| (value, written(value, span.unit))).collect()
}

fn log_values(span: &Span<'_>, mantissas: &[f64], stride: i32) -> Vec<f64> {
    let (first, last) = (span.low.log10().floor() as i32, span.high.log10().ceil() as i32);
    let inside = |value: &f64| *value >= span.low * (1.0 - 1e-9) && *value <= span.high * (1.0 + 1e-9);
    (first..=last)
        .filter(|power| power.rem_euclid(stride) == 0)
        .flat_map(|power| mantissas.iter().map(move |mantissa| mantissa * ten(power)))
        .filter(inside)
        .collect()
}

/// 10^power, the same number that a reader would type.
fn ten(power: i32) -> f64 {
    format!("1e{power}").parse().expect("a power of ten")
}

fn first_that_fits(span: &Span<'_>, candidates: impl Iterator<Item = Vec<(f64, String)>>) -> Option<Vec<(f64, String)>> {
    let mut fitting = candidates.filter(|ticks| ticks.len() >= 2 && fits(span, ticks));
    fitting.next()
}

/// Whether labels keep their distance, and are not so many that they tire.
fn fits(span: &Span<'_>, ticks: &[(f64, String)]) -> bool {
    const GAP: f64 = 14.0;
    const MOST: usize = 9;
    let place = |value: f64| span.length * share(span.scale, span.low, span.high, value);
    let apart = |pair: &[(f64, String)]| {
        let half = 0.5 * ((span.extent)(&pair[0].1) + (span.extent)(&pair[1].1));
        pair[0].1 != pair[1].1 && place(pair[1].0) - place(pair[0].0) >= half + GAP
    };
    ticks.len() <= MOST && ticks.windows(2).all(apart)
}

/// Position of a value between the ends of an axis, 0 to 1.
pub(super) fn share(scale: Scale, low: f64, high: f64, value: f64) -> f64 {
    match scale {
        Scale::Linear => (value - low) / (high - low),
        Scale::Log => (value / low).ln() / (high / low).ln(),
    }
}

/// The last resort: both ends, or the lower alone.
fn ends(span: &Span<'_>) -> Vec<(f64, String)> {
    let text = |value: f64| match span.unit {
        Unit::Plain => format!("{value:.3e}"),
        unit => written(value, unit),
    };
    let both = vec![(span.low, text(span.low)), (span.high, text(span.high))];
    if fits(span, &both) { both } else { both.into_iter().take(1).collect() }
}

fn count(value: f64) -> String {
    const STEPS: [(f64, &str); 5] = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, "")];
    match STEPS.iter().find(|(step, _)| value.abs() >= step * (1.0 - 1e-9)) {
        Some((step, suffix)) if value.abs() < 1e15 * (1.0 - 1e-9) => decimals(value / step, 5) + suffix,
        _ if value == 0.0 => "0".into(),
        _ => power(value),
    }
}

fn power(value: f64) -> String {
    let text = format!("{value:.5e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{exponent}", without_trailing_zeros(mantissa))
}

fn decimals(value: f64, places: usize) -> String {
    without_trailing_zeros(&format!("{value:.places$}")).to_owned()
}

fn without_trailing_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marks(scale: Scale, unit: Unit, low: f64, high: f64) -> Ticks {
        ticks(&Span { scale, unit, low, high, length: 500.0, extent: &|text| 7.0 * text.len() as f64 })
    }

    fn labels(scale: Scale, unit: Unit, low: f64, high: f64) -> Vec<String> {
        marks(scale, unit, low, high).major.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn logarithmic_axes_are_labelled_as_people_write_them() {
        assert_eq!(labels(Scale::Log, Unit::Count, 4e3, 3e6), ["5k", "10k", "20k", "50k", "100k", "200k", "500k", "1M", "2M"]);
        assert_eq!(labels(Scale::Log, Unit::Power, 9e17, 2e21), ["1e18", "3e18", "1e19", "3e19", "1e20", "3e20", "1e21"]);
        assert_eq!(labels(Scale::Log, Unit::Power, 1e10, 1e22), ["1e10", "1e12", "1e14", "1e16", "1e18", "1e20", "1e22"]);
        assert_eq!(labels(Scale::Log, Unit::Power, 2e-4, 3e-2), ["2e-4", "5e-4", "1e-3", "2e-3", "5e-3", "1e-2", "2e-2"]);
    }

    #[test]
    fn less_than_a_decade_still_has_several_labels() {
        assert_eq!(labels(Scale::Log, Unit::Count, 1.1e6, 4.2e6), ["1.5M", "2M", "2.5M", "3M", "3.5M", "4M"]);
        assert_eq!(labels(Scale::Log, Unit::Power, 1.0e18, 1.04e18), ["1e18", "1.01e18", "1.02e18", "1.03e18", "1.04e18"]);
        assert_eq!(labels(Scale::Log, Unit::Plain, 2.1, 3.4), ["2.2", "2.4", "2.6", "2.8", "3.0", "3.2", "3.4"]);
    }

    #[test]
    fn linear_labels_have_the_decimals_of_their_step() {
        assert_eq!(labels(Scale::Linear, Unit::Plain, 1.9, 3.6), ["2.0", "2.2", "2.4", "2.6", "2.8", "3.0", "3.2", "3.4", "3.6"]);
        assert_eq!(labels(Scale::Linear, Unit::Plain, -0.011, 0.012), ["-0.010", "-0.005", "0.000", "0.005", "0.010"]);
        let fine = labels(Scale::Linear, Unit::Plain, 2.0, 2.0 + 1e-6);
        assert!(fine.len() >= 3 && fine[1] == "2.0000002", "{fine:?}");
    }

    #[test]
    fn minor_ticks_fill_the_decades() {
        let few = marks(Scale::Log, Unit::Count, 1e3, 1e5);
        assert_eq!(few.minor.len(), 16);
        let many = marks(Scale::Log, Unit::Power, 1e10, 1e22);
        assert_eq!(many.minor.len(), 13);
    }

    #[test]
    fn numbers_are_written_shortly_and_exactly() {
        for (value, text) in [(1e3, "1k"), (2.5e6, "2.5M"), (1e15, "1e15"), (0.5, "5e-1"), (96.0, "96"), (1e12, "1T"), (0.0, "0")] {
            assert_eq!(written(value, Unit::Count), text);
        }
        for (value, text) in [(1e15, "1e15"), (1.5e18, "1.5e18"), (3e-4, "3e-4")] {
            assert_eq!(written(value, Unit::Power), text);
        }
    }

    proptest! {
        #[test]
        fn labels_never_touch(low in -20.0..25.0, decades in 1e-6..14.0, log: bool, length in 80.0..900.0) {
            let scale = if log { Scale::Log } else { Scale::Linear };
            let (low, high) = (f64::powf(10.0, low), f64::powf(10.0, low + decades));
            let extent = |text: &str| 7.0 * text.len() as f64;
            for unit in [Unit::Count, Unit::Power, Unit::Plain] {
                let span = Span { scale, unit, low, high, length, extent: &extent };
                let major = ticks(&span).major;
                prop_assert!(!major.is_empty());
                prop_assert!(major.len() == 1 || fits(&span, &major), "{major:?}");
                prop_assert!(major.iter().all(|(value, _)| (-1e-3..1.001).contains(&share(scale, low, high, *value))), "{major:?}");
            }
        }
    }
}
