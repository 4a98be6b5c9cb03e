//! `fit --certificate`: what every law of a wide class that agrees with the runs says of a loss far beyond them.

use super::analysis::of_source;
use super::failure::{OrWork, Outcome};
use super::source::Source;
use super::text::{number, table};
use super::voice::is_quiet;
use crate::fit::{Certificate, FORMAT, Place, Range, Verdict};
use crate::spec::sample::extent;
use crate::spec::{Flops, LossUnit, short};
use crate::study::{Certified, Losses, StudyOptions, certified};
use serde_json::json;

/// A share: `0.3%`, or `0.003`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let (digits, unit) = text.trim().strip_suffix('%').map_or((text, 1.0), |digits| (digits, 100.0));
    let value = digits.trim().parse::<f64>().ok().map(|value| value / unit);
    value.filter(|share| *share > 0.0 && *share < 1.0).ok_or_else(|| format!("`{text}` is no share of the loss; say 0.3% or 0.003"))
}

/// Prints the certificate of a one-variable table.
pub(super) fn run(source: &Source, options: &StudyOptions, noise: Option<f64>, json: bool) -> Outcome {
    let found = certified(&source.records, options, noise).map_err(|error| of_source(source, error))?;
    if json {
        let mut document = serde_json::to_value(&found).or_work()?;
        (document["format"], document["source"]) = (json!(FORMAT), json!(source.path));
        println!("{document:#}");
    } else if is_quiet() {
        println!("{}", line(&found, source.loss_unit));
    } else {
        print!("{}", text(source, &found));
    }
    Ok(())
}

/// The verdict, a line.
fn line(found: &Certified, unit: LossUnit) -> String {
    let end = |end: Option<f64>| end.map_or("not bounded".to_owned(), number);
    let range = |range: &Range| format!("{} to {} at {}x the largest", end(range.low), end(range.high), short(range.multiple));
    match &found.certificate.verdict {
        Verdict::Rejected { .. } => "rejected: no floor with any sum of falling powers has these losses".into(),
        Verdict::Holds { ranges } => {
            format!("certified, loss in {}: {}", unit.short(), ranges.iter().map(range).collect::<Vec<_>>().join("; "))
        }
    }
}

/// For a person: the ranges or the refusal first, then what they rest on.
fn text(source: &Source, found: &Certified) -> String {
    let (certificate, places) = (&found.certificate, &found.certificate.measured.places);
    let of = match found.of {
        Losses::Minima => format!("L*(C) at the IsoFLOP minima of {} budgets", places.len()),
        Losses::Runs if places.len() == 1 => format!("L({}) at one place", found.variable),
        Losses::Runs => format!("L({}) at {} places", found.variable, places.len()),
    };
    let [first, last] = [places.first(), places.last()].map(|place| place.map_or(String::new(), |place| count(found, place.x)));
    let reach = if first == last { first } else { format!("{first} to {last}") };
    let mut text = format!("{}: {of}, {reach} {}\n\n", source.path.display(), found.unit);
    text += &match &certificate.verdict {
        &Verdict::Rejected { at, without } => rejected(found, at, without),
        Verdict::Holds { ranges } => held(found, ranges, source.loss_unit),
    };
    found.notes.iter().for_each(|note| text += &format!("  note: {note}\n"));
    text
}

/// x as its unit is told.
fn count(found: &Certified, x: f64) -> String {
    if found.unit == "FLOPs" { Flops(x).to_string() } else { short(x) }
}

/// The class in words.
fn class(found: &Certified) -> String {
    let [least, most] = found.certificate.exponents;
    format!("  class: L = E + a sum of powers {}^-a, no term below 0, a from {least} to {most}\n", found.variable)
}

fn rejected(found: &Certified, at: f64, without: f64) -> String {
    let (certificate, variable) = (&found.certificate, found.variable);
    let verdict = format!(
        "REJECTED: no floor with any sum of falling powers has these losses\n  \
         the closest is {:.1} standard errors off, without the loss at {variable} = {} it would be {without:.1}\n",
        certificate.closest,
        count(found, at)
    );
    verdict
        + &class(found)
        + &bands(certificate)
        + &format!(
            "  look at that place first (scalelab doctor): a loss that rises, or a recipe that changes with {variable},\n  \
             is no law of this class. If all runs are sound they scatter by more than they show: repeat them\n  \
             with other seeds, or say what is known, --noise 0.5%\n"
        )
}

fn held(found: &Certified, ranges: &[Range], unit: LossUnit) -> String {
    let grounds = class(found) + &bands(&found.certificate);
    if ranges.iter().all(|range| range.low.is_none() && range.high.is_none()) {
        let verdict = "ABSTAINS: these losses bound no loss beyond them\n";
        return format!("{verdict}{grounds}  give losses at three places or more, and {}", remedy(found));
    }
    let level = 100.0 * found.certificate.level;
    let end = |end: Option<f64>| end.map_or("not bounded".to_owned(), number);
    let row = |range: &Range| vec![count(found, range.x), short(range.multiple), end(range.low), end(range.high)];
    let header =
        [format!("{}, {}", found.variable, found.unit), "x largest".into(), format!("loss at least, {}", unit.short()), "at most".into()];
    format!("certified at {level:.0} % for the mean loss of runs, where it is a floor and any sum of falling powers\n")
        + &table(&header.each_ref().map(String::as_str), &ranges.iter().map(row).collect::<Vec<_>>())
        + &grounds
        + &format!("  the closest law needs {:.2} of them\n", found.certificate.closest)
        + &doubts(found, ranges)
        + &format!("  to narrow it, {}", remedy(found))
}

/// How wide the bands are, and why.
fn bands(certificate: &Certificate) -> String {
    let Certificate { measured, band, .. } = certificate;
    let percent = |place: &Place| 100.0 * band * place.se / place.loss;
    let (least, most) = extent(measured.places.iter().map(percent)).unwrap_or_default();
    let width = if most - least < 0.005 { format!("±{most:.2} %") } else { format!("±{least:.2} to ±{most:.2} %") };
    let basis = if measured.degrees.is_finite() {
        format!("Student's t, {} degrees of freedom", measured.degrees)
    } else {
        "the noise taken for known".to_owned()
    };
    let all = if measured.places.len() == 1 { String::new() } else { format!(", all {} at once", measured.places.len()) };
    format!("  bands: {width} of the loss{all}: {band:.2} standard errors ({basis})\n")
}

/// What the ranges do not say.
fn doubts(found: &Certified, ranges: &[Range]) -> String {
    let last = found.certificate.measured.places.last().map_or(f64::NAN, |place| place.loss);
    let mut text = String::new();
    if ranges.iter().any(|range| range.low.is_none() || range.high.is_none()) {
        text += "  not bounded: ABSTAINS on this side, where the end is that of the class and not of the runs\n";
    }
    if let Some(range) = ranges.iter().find(|range| range.high.is_none_or(|high| high >= last)) {
        text += &format!("  at {}x no further fall from the last loss, {}, is shown\n", short(range.multiple), number(last));
    }
    text
}

/// What would say more.
fn remedy(found: &Certified) -> String {
    let variable = found.variable;
    format!("repeat runs with other seeds at the smallest and the largest {variable}:\n  the ends decide, the middle does not\n")
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_share_is_a_number_or_a_per_cent() {
        assert_eq!((share("0.3%"), share("0.003"), share(" 1 %")), (Ok(0.003), Ok(0.003), Ok(0.01)));
        for text in ["0", "3", "-1%", "x", "100%"] {
            assert!(share(text).is_err_and(|why| why.contains("say 0.3%")), "{text}");
        }
    }
}
