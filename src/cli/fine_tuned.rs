//! What `fit` says of runs of fine-tuning: what more examples buy, when pre-training helps and what it is worth, what is forgotten, which
//! base to take.

use super::analysis::of_source;
use super::colour::heading;
use super::estimates::estimates;
use super::failure::{Failure, OrWork};
use super::source::Source;
use super::summary::with_numbers;
use super::text::{counts, doubts, entry, first_doubts, number, plural, table};
use super::voice::is_quiet;
use crate::fit::{Estimate, FORMAT, FittedLaw, Transfer};
use crate::spec::short;
use crate::study::{AgainstScratch, BaseChoice, FineTuned, Forgotten, StudyOptions, Transferred, TunedBase, fine_tuned};
use serde_json::{Value, json};

/// Bases that are shown where no details are asked for.
const SHOWN: usize = 8;

/// Studies and says; the document of what was found.
pub(super) fn run(source: &Source, options: &StudyOptions, as_json: bool, details: bool) -> Result<Value, Failure> {
    let found = fine_tuned(&source.records, options).map_err(|error| of_source(source, error))?;
    let document = json!({ "format": FORMAT, "source": source.path, "reading": options.reading, "fine_tuning": found });
    let document = serde_json::to_value(document).or_work()?;
    if as_json {
        println!("{document:#}");
    } else if is_quiet() {
        println!("{}", line(&found));
    } else {
        print!("{}", text(source, &found, options, details));
    }
    Ok(document)
}

/// The answer in one line.
fn line(found: &FineTuned) -> String {
    let base = found.choice.as_ref().map(taken);
    let examples = found.bases.iter().find_map(bought);
    base.or(examples).unwrap_or_else(|| format!("{} of fine-tuning", plural(found.runs, "run", "runs")))
}

fn text(source: &Source, found: &FineTuned, options: &StudyOptions, details: bool) -> String {
    let groups = [(found.bases.len(), "base", "bases"), (found.from_scratch, "run from scratch", "runs from scratch")];
    let groups: Vec<String> = groups.iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| plural(*count, one, many)).collect();
    let runs = plural(found.runs, "run of fine-tuning says", "runs of fine-tuning say");
    let mut text = heading(&format!("{}: what {runs} ({})\n", source.path.display(), groups.join(", ")));
    let left_out = found.excluded.len() + source.left_out.len();
    let before = (found.before > 0).then(|| format!("; {} before fine-tuning, in no law", plural(found.before, "loss", "losses")));
    let excluded = (left_out > 0).then(|| format!("; {} left out", plural(left_out, "run", "runs")));
    text += &entry(
        "counts",
        &format!(
            "N as {}, examples as given; losses in {}{}{}",
            found.size_measure.words(),
            found.loss_unit,
            before.unwrap_or_default(),
            excluded.unwrap_or_default()
        ),
    );
    if !options.reading.is_empty() {
        text += &entry("read", &options.reading.join("; "));
    }
    for (word, said) in answers(found) {
        text += &if word == LOSS { heading(&entry(word, &said)) } else { entry(word, &said) };
    }
    text += &bases(found, details);
    if details {
        text += &coefficients(found);
    }
    let said = found.notes.iter().cloned().chain(doubtful(found));
    text + &if details { first_doubts(said, usize::MAX) } else { doubts(said) }
}

/// How far runs lie from the law over bases, as a part of their loss, above which it is doubted.
const LOOSE: f64 = 0.1;

/// What the law of losses is called.
const LOSS: &str = "loss";

/// What the runs say, a word and a sentence each.
pub(super) fn answers(found: &FineTuned) -> Vec<(&'static str, String)> {
    let of_law = |joint: &FittedLaw| format!("{}; rms of runs {:.1} %", with_numbers(joint), 100.0 * joint.diagnostics.residual_rms);
    let all = [
        (LOSS, found.joint.as_ref().map(of_law)),
        ("buys", found.bases.iter().find_map(bought)),
        ("helps", found.against_scratch.as_ref().map(helped)),
        ("worth", found.transfer.as_ref().map(worth)),
        ("forgets", found.forgetting.as_ref().map(|forgotten| forgot(forgotten, found))),
        ("take", found.choice.as_ref().map(|choice| taken(choice) + &tested(choice))),
    ];
    all.into_iter().filter_map(|(word, said)| Some((word, said?))).collect()
}

/// Whether the runs bound a number on both sides: one that nothing bounds says nothing.
fn is_determined(estimate: &Estimate) -> bool {
    estimate.uncertainty.is_none_or(|one| one.low.is_finite() && one.high.is_finite())
}

/// What twice the examples buy.
fn bought(base: &TunedBase) -> Option<String> {
    let gain = base.doubling.filter(is_determined)?;
    let share = 100.0 * gain.value / base.lowest;
    let most = short(base.examples[1]);
    Some(format!("twice the {most} examples of {} lower its loss of {} by {gain} ({share:.1} %)", base.name, number(base.lowest)))
}

/// From which size on pre-training helps.
fn helped(against: &AgainstScratch) -> String {
    let pairs = match against.pairs {
        0 => "no run from scratch has the size and the examples of another".to_owned(),
        pairs => format!("pre-training ends lower in {} of {pairs} pairs of one size on as many examples", against.lower),
    };
    let Some(examples) = against.examples.map(short) else { return pairs };
    let by_laws = match (&against.from_size, against.helps_largest) {
        (Some(size), _) => format!("from N = {} {} on", short(size.value), counts(size)),
        (None, Some(true)) => "at every size".to_owned(),
        _ => "not of the largest networks".to_owned(),
    };
    format!("{pairs}; on {examples} examples {by_laws}, by the laws of both")
}

/// What pre-training is worth in examples.
fn worth(found: &Transferred) -> String {
    let Some(law) = &found.law else {
        return format!("not said: {}", found.refusal.as_deref().unwrap_or_default());
    };
    let one = |(n, examples, worth): &(f64, f64, Estimate)| {
        format!("{} {} examples beside {} for N = {}", short(worth.value), counts(worth), short(*examples), short(*n))
    };
    let places: Vec<String> = found.worth.iter().filter(|(.., worth)| is_determined(worth)).take(2).map(one).collect();
    if places.is_empty() {
        return format!("not said: the runs do not determine it{}", caution(law));
    }
    format!("pre-training is worth {}{}", places.join(", "), caution(law))
}

/// What a law of transfer rests on.
fn caution(law: &Transfer) -> String {
    let mut text = format!(" (from {})", plural(law.runs, "run", "runs"));
    if law.carried > 1.0 {
        text += &format!("; the law from scratch is carried to {} times its examples", short(law.carried));
    }
    text
}

/// What is forgotten, and which replay stops that.
fn forgot(found: &Forgotten, all: &FineTuned) -> String {
    let [most, n, examples, replay] = found.most;
    let place = format!("N = {} on {} examples", short(n), short(examples));
    let unit = all.loss_unit.short();
    let determined = found.rise.filter(is_determined).zip(found.tenth.filter(is_determined)).filter(|_| found.law_holds());
    let Some((rise, tenth)) = determined else {
        if !found.left.is_empty() {
            return format!("{} {unit} at most, {place}; {}", number(most), left_of_it(&found.left));
        }
        let fitted = if found.law.is_some() { "the runs do not determine it" } else { "no law was fitted" };
        let why = found.refusal.as_deref().unwrap_or(fitted);
        let replay = if replay > 0.0 { format!(" with {} % of replay", short(100.0 * replay)) } else { String::new() };
        return format!("{} {unit} at most, {place}{replay}; which replay stops that is not said: {why}", number(most));
    };
    let share = tenth.times(100.0);
    let stops = if tenth.value > 1.0 {
        "no share of replay leaves a tenth of it".to_owned()
    } else {
        format!("{share} % of replay leave a tenth of it")
    };
    format!("{rise} {unit} without replay, {place}; {stops}")
}

/// What shares of replay leave of what is forgotten without.
fn left_of_it(left: &[(f64, Estimate)]) -> String {
    // Added to 0, so that no part that rounds to it has a sign.
    let percent = |part: f64| format!("{}", (100.0 * part).round() + 0.0);
    let one = |(share, left): &(f64, Estimate)| {
        let ends = left.uncertainty.map_or(String::new(), |one| format!(" ({} to {})", percent(one.low), percent(one.high)));
        format!("{} % of replay leave {}{ends} %", short(100.0 * share), percent(left.value))
    };
    left.iter().map(one).collect::<Vec<_>>().join(", ") + " of it, by the runs that have both"
}

/// Which base to take.
fn taken(choice: &BaseChoice) -> String {
    let (name, loss) = &choice.forecasts[0];
    let next = choice.forecasts.get(1).map_or(String::new(), |(name, loss)| format!(", then {name} with {loss}"));
    format!("{name} for {} examples, forecast {loss}{next}", short(choice.examples))
}

/// What smaller trials of the same bases would have chosen.
fn tested(choice: &BaseChoice) -> String {
    let one = |one: &crate::study::ChosenEarlier| {
        let found = if one.above == 0.0 { "the best".to_owned() } else { format!("{:.1} % above the best", 100.0 * one.above) };
        format!("up to {} {found}", short(one.trials))
    };
    let Some(first) = choice.record.first() else { return String::new() };
    let all: Vec<String> = choice.record.iter().map(one).collect();
    format!("; chosen for {} examples from trials {}", short(first.examples), all.join(", "))
}

/// The header of the table of bases.
pub(super) fn base_header(found: &FineTuned) -> Vec<String> {
    let at = found.choice.as_ref().map_or("forecast".to_owned(), |choice| format!("at {}", short(choice.examples)));
    ["base", "N", "runs", "examples", "loss", "doubling"].map(str::to_owned).into_iter().chain([at]).collect()
}

/// A row a base.
pub(super) fn base_rows(found: &FineTuned) -> Vec<Vec<String>> {
    let forecast = |base: &TunedBase| {
        let all = found.choice.iter().flat_map(|choice| &choice.forecasts);
        all.clone().find(|(name, _)| *name == base.name).map_or("—".to_owned(), |(_, loss)| loss.to_string())
    };
    let row = |base: &TunedBase| {
        vec![
            base.name.clone(),
            base.params.map_or("—".to_owned(), short),
            base.runs.to_string(),
            short(base.examples[1]),
            number(base.lowest),
            base.doubling.map_or("—".to_owned(), |gain| gain.render()[0].clone()),
            forecast(base),
        ]
    };
    found.bases.iter().map(row).collect()
}

fn bases(found: &FineTuned, details: bool) -> String {
    let shown = if details { found.bases.len() } else { SHOWN };
    let header = base_header(found);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows: Vec<Vec<String>> = base_rows(found).into_iter().take(shown).collect();
    let mut text = "\n".to_owned() + &table(&header, &rows);
    if found.bases.len() > shown {
        text += &format!("  and {} more: --details\n", found.bases.len() - shown);
    }
    text
}

/// Coefficients of every law, with their intervals.
fn coefficients(found: &FineTuned) -> String {
    let of_bases = found.bases.iter().filter_map(|base| Some((base.name.as_str(), base.law.as_ref()?)));
    let joint = found.joint.iter().map(|law| ("all bases", law));
    let forgetting = found.forgetting.iter().filter_map(|one| Some(("forgetting", one.law.as_ref()?)));
    let mut text: String = joint
        .chain(forgetting)
        .chain(of_bases)
        .map(|(name, law)| format!("\n{name}: {} {}\n{}", law.law.name(), law.status, estimates(law)))
        .collect();
    if let Some(law) = found.transfer.as_ref().and_then(|transfer| transfer.law.as_ref()) {
        let row = |(name, estimate): (&str, &Estimate)| std::iter::once(name.to_owned()).chain(estimate.render()).collect::<Vec<_>>();
        text += &format!("\ntransfer: D_T = k D_F^alpha N^beta, from scratch {}\n", law.from_scratch);
        text += &table(&["", "value", "s.e.", "interval"], &law.coefficients.iter().map(row).collect::<Vec<_>>());
    }
    text
}

/// What a reader must know of the laws.
pub(super) fn doubtful(found: &FineTuned) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(rms) = found.joint.as_ref().map(|joint| joint.diagnostics.residual_rms).filter(|rms| *rms > LOOSE) {
        all.push(format!(
            "the law over bases misses the runs by {:.0} %: losses of one base follow its own law, not this one; --details has them",
            100.0 * rms
        ));
    }
    if let Some(law) = found.transfer.as_ref().and_then(|transfer| transfer.law.as_ref()) {
        if law.without_gain > 0 {
            let runs = plural(law.without_gain, "pre-trained run does", "pre-trained runs do");
            all.push(format!("{runs} no better than from scratch on as many examples and stand in no law of transfer"));
        }
        if law.out_of_reach > 0 {
            let runs = plural(law.out_of_reach, "pre-trained run", "pre-trained runs");
            all.push(format!(
                "{runs} lie below the floor of the runs from scratch and stand in no law of transfer: train from scratch on more examples"
            ));
        }
    }
    let without: Vec<&str> = found.bases.iter().filter(|base| base.law.is_none()).map(|base| base.name.as_str()).collect();
    if let [first, ..] = without.as_slice() {
        let why = found.bases.iter().find_map(|base| base.refusal.as_deref()).unwrap_or_default();
        all.push(format!("{} without a law of its own, such as {first}: {why}", plural(without.len(), "base is", "bases are")));
    }
    all
}
