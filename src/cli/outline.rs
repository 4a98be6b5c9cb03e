//! A plan on one screen: what it costs, its runs by shape and budget, what is doubtful of it.

use super::colour::heading;
use super::load::Loaded;
use super::text::{doubts, duration, entry, filled, plural, screen_table};
use crate::spec::sample::extent;
use crate::spec::{FineTuning, Flops, MixedPart, ModelShape, ParamCounts, RunSpec, Tokens, WHOLE, short};
use crate::sweep::{Budget, FineTuneAxes, PairFacts, PlannedRun, exact_flops, predicted_bytes, predicted_wall};
use std::collections::BTreeSet;

/// Lines of the table of runs that are shown; the others are counted.
const MOST_LINES: usize = 14;
/// Values of a setting that are named; of more the first and the last.
const MOST_VALUES: usize = 4;

/// Runs, compute and time, a line; with what a search will still ask for.
pub(super) fn line(loaded: &Loaded) -> String {
    let later = &loaded.later;
    let runs: Vec<&PlannedRun> = loaded.plan.runs.iter().chain(later).collect();
    let about = if later.is_empty() { "" } else { "about " };
    let time = duration(predicted_wall(&runs, loaded.workers));
    let (count, workers) = (plural(runs.len(), "run", "runs"), plural(loaded.workers, "worker", "workers"));
    format!("{about}{count}, {about}{} FLOPs, about {time} on {workers}", Flops(exact_flops(&runs).shared))
}

/// All of it on one screen.
pub(super) fn outline(loaded: &Loaded) -> String {
    let Loaded { grid, plan, workers, .. } = loaded;
    let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
    let mut text = heading(&filled("", &format!("sweep {}: {}", grid.name, line(loaded))));
    let most = worker_megabytes(loaded);
    text += &entry("memory", &format!("at most {most:.0} MB a worker, {:.0} MB in all", most * *workers as f64));
    let cost = exact_flops(&runs);
    if cost.trunks > 0 {
        let saved =
            format!("{} of {} runs share steps, which saves {:.0} % of the compute", cost.sharing, runs.len(), 100.0 * cost.fraction());
        text += &entry("steps", &saved);
    }
    text += &format_line(loaded);
    text += &entry("text", &unique(loaded));
    text += &entry("recipe", &recipe(&runs));
    if loaded.search.1 > 0 {
        text += &entry("search", &searched(loaded.search.1, runs.len(), loaded.later.len()));
    }
    text += &format!("\n  runs, and tokens per parameter of all (N counts every parameter)\n{}", cells(loaded));
    text + &doubts(all_doubts(loaded))
}

/// How much faster the runs would be with products in the other number format; nothing where `bench` did not measure both.
pub(super) fn format_line(loaded: &Loaded) -> String {
    let Some((other, gain)) = loaded.gain_of_other_format() else { return String::new() };
    let own = loaded.grid.recipe.dtype;
    let advice = if gain > 1.0 { format!("recipe.dtype = \"{other}\"") } else { format!("{own} is the faster") };
    entry("format", &format!("products in {other} would train {gain:.2} times as fast as {own} on this processor: {advice}"))
}

/// What the runs read, and how much there is of it.
pub(super) fn unique(loaded: &Loaded) -> String {
    if !loaded.facts.parts.is_empty() {
        return mixed(loaded);
    }
    if let (Some(pairs), Some(axes)) = (&loaded.facts.pairs, &loaded.grid.fine_tuning) {
        return paired(loaded, pairs, axes);
    }
    let tokens = loaded.facts.unique_tokens.map(|tokens| format!("{} unique tokens to train on", Tokens(tokens as f64)));
    format!("{}; {}", loaded.grid.corpus.name(), tokens.unwrap_or_else(|| "without end".into()))
}

/// The pairs, how many of them runs see, and the runs that these begin from.
fn paired(loaded: &Loaded, pairs: &PairFacts, axes: &FineTuneAxes) -> String {
    let runs: Vec<&PlannedRun> = loaded.plan.runs.iter().collect();
    let of = |value: &dyn Fn(&FineTuning) -> String| distinct(&runs, |spec| spec.stage.fine_tuning().map(value).unwrap_or_default());
    let examples = of(&|it| it.examples.to_string());
    let (starts, replay) = (of(&|it| it.start.to_string()), of(&|it| short(100.0 * it.replay_share())));
    let bases = plural(axes.bases.len(), "run", "runs");
    let ranks = if axes.ranks == [0] { String::new() } else { format!(", rank {}", of(&|it| it.rank.to_string())) };
    format!(
        "{}: {} pairs to train on, {} held out; {examples} of them from {starts}, {replay} % text of the base{ranks}; base: {bases} of {}",
        loaded.grid.corpus.name(),
        pairs.train,
        pairs.held_out,
        axes.results
    )
}

/// The parts of a mixture, how many mixtures there are, and which part is repeated most.
pub(super) fn mixed(loaded: &Loaded) -> String {
    let parts: Vec<String> = loaded.facts.parts.iter().map(|part| format!("{} {}", part.name, Tokens(part.unique_tokens as f64))).collect();
    let shares: BTreeSet<Vec<u32>> = loaded.plan.runs.iter().map(|run| run.spec.mixture.iter().map(|part| part.share).collect()).collect();
    let epochs = loaded.plan.runs.iter().flat_map(|run| {
        let seen = |part: &MixedPart| f64::from(part.share) / f64::from(WHOLE) * run.spec.tokens().0;
        run.spec.mixture.iter().zip(&loaded.facts.parts).map(move |(part, has)| (seen(part) / has.unique_tokens.max(1) as f64, &has.name))
    });
    let most = epochs
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(epochs, name)| format!("; most often seen: {name}, {epochs:.2} epochs"));
    format!("{} unique tokens; {}{most}", parts.join(" + "), plural(shares.len(), "mixture", "mixtures"))
}

/// What is predicted, where it is not the next token alone, schedule, learning rate, batch and seeds.
fn recipe(runs: &[&PlannedRun]) -> String {
    let fills = runs.iter().any(|run| run.spec.objective.hides());
    let objective = if fills { format!("{}; ", distinct(runs, |spec| spec.objective.to_string())) } else { String::new() };
    let schedule = distinct(runs, |spec| spec.recipe.schedule.label());
    let rate = distinct(runs, |spec| spec.recipe.learning_rate.to_string());
    let batch = distinct(runs, |spec| spec.recipe.batch_tokens.to_string());
    let seeds: BTreeSet<(u64, u64)> = runs.iter().map(|run| (run.spec.seeds.init, run.spec.seeds.data)).collect();
    let seeds = plural(seeds.len(), "pair of seeds", "pairs of seeds");
    format!("{objective}{schedule}; learning rate {rate}; batch {batch} tokens; {seeds}")
}

/// How many runs an adaptive search comes to, if every valley lies as its neighbours'.
pub(super) fn searched(families: usize, first: usize, later: usize) -> String {
    format!("{families} families (a shape on a budget): these {first} runs start it, and about {later} more follow as results come")
}

/// The distinct values of something among runs, in their order; of more than four the first, the last and how many.
pub(super) fn distinct(runs: &[&PlannedRun], value: impl Fn(&RunSpec) -> String) -> String {
    let mut values: Vec<String> = Vec::new();
    for run in runs {
        let text = value(&run.spec);
        if !values.contains(&text) {
            values.push(text);
        }
    }
    match values.as_slice() {
        [first, .., last] if values.len() > MOST_VALUES => format!("{first} … {last} ({} values)", values.len()),
        few => few.join(", "),
    }
}

/// Largest predicted memory of a worker, MB.
pub(super) fn worker_megabytes(loaded: &Loaded) -> f64 {
    let bytes = loaded.plan.runs.iter().map(|run| predicted_bytes(&run.spec, loaded.slots[0].device));
    extent(bytes).map_or(0.0, |bytes| bytes.1) / 1e6
}

fn params(shape: &ModelShape) -> f64 {
    ParamCounts::of(shape).total() as f64
}

/// The column of a run: what the grid gives it to spend.
fn budget(loaded: &Loaded, spec: &RunSpec) -> String {
    let tokens = spec.tokens();
    match (&loaded.grid.budget.amounts, spec.budget_flops) {
        (Budget::IsoFlop { .. }, Some(flops)) => flops.to_string(),
        (Budget::Epochs(all), _) => {
            let epochs = spec.stage.fine_tuning().map_or(1.0, |it| tokens.0 / it.epoch_tokens(spec.shape.context) as f64);
            let off = |asked: &&f64| (epochs / **asked).ln().abs();
            let nearest = all.iter().min_by(|a, b| off(a).total_cmp(&off(b)));
            format!("epochs {}", nearest.map_or_else(String::new, |asked| short(*asked)))
        }
        (Budget::TokensPerParam(ratios), _) => {
            let off = |ratio: &&f64| (tokens.0 / params(&spec.shape) / **ratio).ln().abs();
            let nearest = ratios.iter().min_by(|a, b| off(a).total_cmp(&off(b)));
            nearest.map_or_else(|| tokens.to_string(), |ratio| format!("D/N {}", short(*ratio)))
        }
        _ => tokens.to_string(),
    }
}

/// A line for each shape, a column for each budget: how many runs there are, and at how many tokens per parameter.
fn cells(loaded: &Loaded) -> String {
    let runs = || loaded.plan.runs.iter().map(|run| &run.spec);
    let mut columns: Vec<String> = Vec::new();
    for name in runs().map(|spec| budget(loaded, spec)) {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    let here = |shape: &ModelShape, column: &str| {
        runs().filter(|spec| spec.shape == *shape && budget(loaded, spec) == *column).collect::<Vec<_>>()
    };
    let cell = |shape: &ModelShape, column: &str| match here(shape, column).as_slice() {
        [] => "—".to_owned(),
        all => format!("{} at {}", all.len(), ratios(all, shape)),
    };
    let row = |shape: &ModelShape| {
        let name = format!("{shape} ({})", short(params(shape)));
        std::iter::once(name).chain(columns.iter().map(|column| cell(shape, column))).collect::<Vec<String>>()
    };
    let networks = loaded.grid.networks();
    let trained = networks.iter().filter(|shape| runs().any(|spec| spec.shape == **shape));
    let kind = if matches!(loaded.grid.budget.amounts, Budget::IsoFlop { .. }) { "shape (N), C" } else { "shape (N), D" };
    let header: Vec<&str> = std::iter::once(kind).chain(columns.iter().map(String::as_str)).collect();
    cropped(&screen_table(&header, &trained.map(row).collect::<Vec<_>>()))
}

/// Tokens per parameter of runs of one shape.
fn ratios(all: &[&RunSpec], shape: &ModelShape) -> String {
    let (low, high) = extent(all.iter().map(|spec| spec.tokens().0 / params(shape))).unwrap_or((f64::NAN, f64::NAN));
    let [low, high] = [low, high].map(two_digits);
    if low == high { low } else { format!("{low}-{high}") }
}

fn two_digits(value: f64) -> String {
    short(format!("{value:.1e}").parse().unwrap_or(value))
}

/// The first lines of a table, and how many are not shown.
fn cropped(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= MOST_LINES {
        return text.to_owned();
    }
    let shown: String = lines.iter().take(MOST_LINES - 1).map(|line| format!("{line}\n")).collect();
    format!("{shown}  and {} more lines: --details\n", lines.len() + 1 - MOST_LINES)
}

/// What is doubtful of a plan, each with what to do about it.
fn all_doubts(loaded: &Loaded) -> Vec<String> {
    let missing = || loaded.plan.left_out.iter().filter(|cell| !cell.by_design);
    let left_out = missing().next().map(|cell| {
        let count = missing().count();
        let head = if count == 1 { "1 cell is left out".to_owned() } else { format!("{count} cells are left out, first") };
        format!("{head}: {} at {}: {}", cell.shape, cell.budget, cell.reason)
    });
    let epochs = |spec: &RunSpec| {
        let unique = spec.unique_tokens.or(loaded.facts.unique_tokens)?;
        Some(spec.tokens().0 / unique as f64)
    };
    let most = loaded.plan.runs.iter().filter_map(|run| epochs(&run.spec)).fold(0.0, f64::max);
    let lines = loaded.facts.pairs.iter().flat_map(|pairs| pairs.left_out.clone());
    let repeated = (most > 1.005 && loaded.facts.pairs.is_none()).then(|| {
        format!(
            "the longest run sees its text {} times, and a law of N and D knows no repeats: add text, or fit data-constrained, too",
            two_digits(most)
        )
    });
    let guessed = (!loaded.has_rates()).then(|| format!("the time is a guess: {}", loaded.speed));
    left_out.into_iter().chain(lines).chain(repeated).chain(guessed).collect()
}
