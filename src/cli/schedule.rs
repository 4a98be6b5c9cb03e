//! `scalelab schedule`: which learning rates end lowest, by a law fitted to loss curves.

use super::column_map::column_map;
use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::folders::Folders;
use super::names::results_of;
use super::numbers;
use super::schedule_picture::picture;
use super::source::{RowArgs, SourceArgs};
use super::text::{filled, plural, rate_text, screen_table, table};
use super::voice::is_quiet;
use crate::fit::{CurveFit, Estimate, FORMAT, FitStatus, HeldOut, LeftOut, TrainingCurve, fit_curves, held_out, schedules_unseen};
use crate::law::{CURVE_LAWS, curve_law};
use crate::recommend::{RankedSchedule, TrainingLength, rank_schedules};
use crate::results::{import_curves, write_whole};
use crate::spec::sample::median;
use crate::spec::{Params, RunRecord, Tokens, short};
use crate::study::{CurveLosses, RecordedCurve, training_curve};
use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab schedule results/study-schedules\n  scalelab schedule curves.csv --steps 1e5 --law tissue --out schedules.png\n  scalelab schedule results/study-schedules --fit-schedules cosine,wsd"
)]
pub(super) struct ScheduleArgs {
    /// Results folder, or a table of run, step, learning rate, loss
    path: PathBuf,
    /// Steps to train for [default: the longest run's]
    #[arg(long, value_name = "T", value_parser = steps, conflicts_with = "tokens")]
    steps: Option<u64>,
    /// Tokens of the training, in place of steps
    #[arg(long, value_name = "D")]
    tokens: Option<Tokens>,
    /// Fit this size [default: that of most schedules]
    #[arg(long, value_name = "N")]
    params: Option<Params>,
    /// Peak learning rate [default: that of the runs]
    #[arg(long, value_name = "RATE", value_parser = numbers::positive)]
    peak: Option<f64>,
    /// Steps of warmup [default: those of the runs]
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u64).range(0..=1_000_000_000_000))]
    warmup: Option<u64>,
    /// multi-power, tissue, functional [default: best]
    #[arg(long, value_name = "NAME", value_parser = CURVE_LAWS.map(|law| law.name()), hide_possible_values = true)]
    law: Option<String>,
    /// Fit these schedules alone, forecast the others
    #[arg(long, value_name = "TEXT,…", value_delimiter = ',')]
    fit_schedules: Vec<String>,
    /// First share of curves left out
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = burn_in)]
    burn_in: f64,
    /// δ of the Huber loss of ln L
    #[arg(long, default_value_t = 1e-3, value_parser = numbers::positive, hide_short_help = true)]
    delta: f64,
    /// Confidence level of intervals
    #[arg(long, default_value_t = 0.95, value_parser = numbers::level)]
    level: f64,
    /// Which columns are run, step, learning_rate, …
    #[arg(long, value_name = "PAIRS|FILE", value_delimiter = ',')]
    columns: Vec<String>,
    /// Picture to write [default: in plots/<sweep>]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one JSON document and write no file
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: Folders,
}

fn steps(text: &str) -> Result<u64, String> {
    match crate::spec::parse_quantity(text) {
        Ok(steps) if (10.0..=1e13).contains(&steps) => Ok(steps.round() as u64),
        _ => Err("a number of steps from 10 to 1e13 is wanted, such as 10000".into()),
    }
}

fn burn_in(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=0.9).contains(share));
    share.ok_or_else(|| "a share from 0 to 0.9 is wanted, such as 0.1".into())
}

/// Curves of one size, and what was said of their reading.
struct Read {
    name: String,
    folder: Option<PathBuf>,
    losses: CurveLosses,
    params: Option<f64>,
    batch: Option<f64>,
    curves: Vec<TrainingCurve>,
    notes: Vec<String>,
}

/// A law fitted to the curves, and by how much it misses a schedule that it was not fitted to, where there are enough to leave one out.
struct Tried {
    fit: CurveFit,
    unseen: Option<f64>,
}

impl Tried {
    /// What is least for the law that speaks. Where schedules cannot be left out, a law with more numbers is worth them where each takes half a
    /// hundredth off the objective, and one whose numbers ran away speaks only where there is no other.
    fn cost(&self) -> f64 {
        let runaway = if self.fit.status == FitStatus::AtBound { 1e6 } else { 1.0 };
        self.unseen.unwrap_or(runaway * self.fit.objective * 1.005f64.powi(self.fit.theta.len() as i32))
    }

    /// By how much it misses a schedule, or where that is not known how it follows the curves.
    fn error(&self) -> String {
        self.unseen.map_or_else(
            || format!("objective {:.4}", self.fit.objective),
            |unseen| format!("misses a schedule left out by {:.2} %", 100.0 * unseen),
        )
    }
}

/// The answer.
struct Answer {
    fit: CurveFit,
    /// What is said of how well it forecasts.
    error: String,
    unseen: Option<f64>,
    others: Vec<(&'static str, String)>,
    length: TrainingLength,
    ranked: Vec<RankedSchedule>,
    held: Vec<HeldOut>,
    notes: Vec<String>,
}

pub(super) fn run(args: &ScheduleArgs) -> Outcome {
    let read = read(args)?;
    let answer = answer(args, &read)?;
    if args.json {
        println!("{:#}", document(&read, &answer));
        return Ok(());
    }
    let best = &answer.ranked[0];
    let line = format!("{} ends lowest over {} steps: {} {}", best.schedule.label(), answer.length.steps, read.losses.name(), best.loss);
    if is_quiet() {
        println!("{line}");
        return Ok(());
    }
    print!("{}", said(args, &read, &answer, &line));
    let file = args.out.clone().or_else(|| read.folder.as_ref().map(|folder| folder.join("schedule-forecasts.png")));
    if let Some(file) = file {
        let Answer { fit, length, ranked, .. } = &answer;
        let picture = picture(&read.name, &read.curves, read.losses, fit, length, ranked).or_work()?;
        write_whole(&file, &picture).with_context(|| format!("{} cannot be written", file.display())).or_work()?;
        println!("figure: {}", file.display());
    }
    Ok(())
}

fn read(args: &ScheduleArgs) -> Result<Read, Failure> {
    let path = if args.path == Path::new("-") { args.path.clone() } else { results_of(&args.path, &args.folders.results) };
    let (mut all, mut notes, mut folder) = (Vec::new(), Vec::new(), None);
    let name = if path.is_dir() {
        if !args.columns.is_empty() {
            return Err(Failure::Input(anyhow!("--columns names columns of a table, and {} is a folder: leave it out", path.display())));
        }
        let asked = SourceArgs::of_path(&path, RowArgs::default(), &args.folders);
        let source = asked.read()?;
        let kept = source
            .folder
            .as_ref()
            .ok_or_else(|| Failure::Input(anyhow!("{} is a folder of tables; name one table of curves", path.display())))?;
        let kept = kept.curves();
        for record in &source.records {
            if let Some(points) = kept.of(record)? {
                all.push(RecordedCurve { record: record.clone(), points });
            }
        }
        folder = Some(asked.plots_of(&source));
        source.name
    } else {
        let found = import_curves(&path, &column_map(&args.columns)?).or_input()?;
        notes.extend(found.reading);
        all.extend(found.curves.into_iter().map(|curve| RecordedCurve {
            record: RunRecord {
                run_id: curve.run,
                params_total: curve.params.map(Params),
                batch_tokens: curve.batch_tokens.map(Tokens),
                ..RunRecord::default()
            },
            points: curve.points,
        }));
        path.file_stem().map_or("curves".into(), |stem| stem.to_string_lossy().into_owned())
    };
    let kept = of_one_size(args, all, &mut notes)?;
    let losses = CurveLosses::of(&kept);
    let (params, batch) = kept.first().map_or((None, None), |one| (one.record.params_total, one.record.batch_tokens));
    let curves: Vec<TrainingCurve> = kept.iter().filter_map(|curve| training_curve(curve, losses, args.burn_in)).collect();
    if curves.is_empty() {
        return Err(Failure::Input(anyhow!(
            "{}: no run has a curve with learning rates and losses after its warmup; runs that were trained before curves were kept have none",
            path.display()
        )));
    }
    if curves.len() < kept.len() {
        notes.push(format!("{} of {} runs are left out: no learning rate above 0, or no loss", kept.len() - curves.len(), kept.len()));
    }
    Ok(Read { name, folder, losses, params: params.map(|n| n.0), batch: batch.map(|d| d.0), curves, notes })
}

/// The runs of one size and batch: those that are asked for, or those with most schedules.
fn of_one_size(args: &ScheduleArgs, all: Vec<RecordedCurve>, notes: &mut Vec<String>) -> Result<Vec<RecordedCurve>, Failure> {
    let key = |curve: &RecordedCurve| {
        let record = &curve.record;
        (record.params_total.map(|n| n.0.to_bits()), record.batch_tokens.map(|d| (d.0 * 1e-3).round() as u64), record.corpus.clone())
    };
    let mut keys: Vec<_> = all.iter().map(key).collect();
    keys.sort();
    keys.dedup();
    let sizes: BTreeSet<String> = all.iter().filter_map(|one| one.record.params_total.map(|n| short(n.0))).collect();
    if let Some(asked) = args.params {
        keys.retain(|(n, ..)| n.is_some_and(|n| (f64::from_bits(n) / asked.0 - 1.0).abs() < 0.02));
        if keys.is_empty() {
            let sizes = if sizes.is_empty() { "none that is named".to_owned() } else { sizes.into_iter().collect::<Vec<_>>().join(", ") };
            return Err(Failure::Input(anyhow!("--params {}: no run has that size; sizes are {sizes}", short(asked.0))));
        }
    }
    let worth = |wanted: &_| {
        let of_it: Vec<&RecordedCurve> = all.iter().filter(|one| key(one) == *wanted).collect();
        let schedules: BTreeSet<String> = of_it.iter().map(|one| format!("{:?} {:?}", one.record.schedule, one.record.steps)).collect();
        (schedules.len(), of_it.len())
    };
    let Some(chosen) = keys.iter().max_by_key(|wanted| worth(*wanted)).cloned() else { return Ok(Vec::new()) };
    if keys.len() > 1 {
        let size = chosen.0.map_or("no size".into(), |n| short(f64::from_bits(n)));
        notes.push(format!("{} are of {} sizes or batches; fitted are those of {size}", plural(all.len(), "curve", "curves"), keys.len()));
    }
    Ok(all.into_iter().filter(|one| key(one) == chosen).collect())
}

fn answer(args: &ScheduleArgs, read: &Read) -> Result<Answer, Failure> {
    let mut notes = read.notes.clone();
    let is_fitted = |curve: &TrainingCurve| {
        args.fit_schedules.is_empty() || args.fit_schedules.iter().any(|text| curve.schedule.starts_with(text.trim()))
    };
    let (fitted, held): (Vec<TrainingCurve>, Vec<TrainingCurve>) = read.curves.iter().cloned().partition(is_fitted);
    if fitted.is_empty() {
        let names: BTreeSet<&str> = read.curves.iter().map(|curve| curve.schedule.as_str()).collect();
        let names = names.into_iter().collect::<Vec<_>>().join("; ");
        return Err(Failure::Input(anyhow!("--fit-schedules {}: no schedule begins so; there are {names}", args.fit_schedules.join(","))));
    }
    let laws = match &args.law {
        Some(name) => vec![curve_law(name).expect("a name of the list")],
        None => CURVE_LAWS.to_vec(),
    };
    let mut fits = Vec::new();
    let mut others = Vec::new();
    for law in laws {
        match fit_curves(law, &fitted, args.delta) {
            Ok(fit) => fits.push(fit),
            Err(error) => others.push((law.name(), format!("not fitted: {error}"))),
        }
    }
    let mut tried: Vec<Tried> = fits.into_iter().map(|fit| Tried { unseen: schedules_unseen(&fit, &fitted, args.delta), fit }).collect();
    tried.sort_by(|a, b| a.cost().total_cmp(&b.cost()));
    if tried.is_empty() {
        let why = others.iter().map(|(law, why)| format!("{law} is {why}")).collect::<Vec<_>>().join("; ");
        return Err(Failure::Input(anyhow!("{}: {why}", args.path.display())));
    }
    let spoken = tried.remove(0);
    let length = length(args, read, &mut notes)?;
    others.extend(tried.iter().map(|other| {
        let first = &rank_schedules(&other.fit, &length, args.level)[0];
        (other.fit.law.name(), format!("{} ends lowest, {} ({})", first.schedule.label(), first.loss, other.error()))
    }));
    let (error, Tried { fit, unseen }) = (spoken.error(), spoken);
    let ranked = rank_schedules(&fit, &length, args.level);
    let reference: Vec<TrainingCurve> = fitted.iter().filter(|curve| curve.schedule == fitted[0].schedule).cloned().collect();
    let held = held_out(&fit, &reference, &held, args.level);
    notes.extend(cautions(&fit, read, &length, &ranked[0]));
    Ok(Answer { fit, error, unseen, others, length, ranked, held, notes })
}

fn length(args: &ScheduleArgs, read: &Read, notes: &mut Vec<String>) -> Result<TrainingLength, Failure> {
    let longest = read.curves.iter().map(|curve| curve.rates.steps()).fold(0.0, f64::max);
    let steps = match (args.steps, args.tokens, read.batch) {
        (Some(steps), ..) => steps,
        (None, Some(tokens), Some(batch)) => (tokens.0 / batch).round().clamp(10.0, 1e13) as u64,
        (None, Some(_), None) => {
            return Err(Failure::Input(anyhow!("--tokens: nothing says how many tokens a step of these runs has; give --steps")));
        }
        (None, None, _) => longest.round() as u64,
    };
    let warmup = median(read.curves.iter().map(|curve| curve.rates.warmup())).unwrap_or(0.0);
    let peak = median(read.curves.iter().map(|curve| curve.rates.peak())).unwrap_or(0.0);
    let warmup = args.warmup.unwrap_or((warmup + 1.0).round() as u64).min(steps / 2);
    if steps as f64 > 1.01 * longest {
        notes.push(format!("{steps} steps are {:.1} times the longest curve", steps as f64 / longest));
    }
    Ok(TrainingLength { steps, warmup, peak: args.peak.unwrap_or(peak) })
}

/// What a reader must know of the answer.
fn cautions(fit: &CurveFit, read: &Read, length: &TrainingLength, best: &RankedSchedule) -> Vec<String> {
    let mut said = Vec::new();
    let highest = read.curves.iter().map(|curve| curve.rates.peak()).fold(0.0, f64::max);
    if length.peak > 1.01 * highest {
        said.push(format!("no curve has a rate above {}: the law knows of no divergence", rate_text(highest)));
    }
    let schedules: BTreeSet<&str> = read.curves.iter().map(|curve| curve.schedule.as_str()).collect();
    if schedules.len() < 3 {
        said.push(format!("the curves are of {}: a law may follow them and miss others", plural(schedules.len(), "schedule", "schedules")));
    }
    let lowest = read.curves.iter().map(|curve| curve.rates.lowest_share()).fold(f64::INFINITY, f64::min);
    if length.rates(&best.schedule).lowest_share() < 0.5 * lowest {
        said.push(format!("the best falls below what any curve did: {lowest:.2} of the peak"));
    }
    if fit.status != FitStatus::Converged {
        said.push(format!("the fit of {}: {}", fit.law.name(), fit.status));
    }
    said
}

fn said(args: &ScheduleArgs, read: &Read, answer: &Answer, line: &str) -> String {
    let Answer { fit, length, .. } = answer;
    let row = |one: &RankedSchedule| {
        let over = if one.name == "best" { "—".to_owned() } else { signed(&one.over_best) };
        vec![one.name.clone(), format!("{:.0} %", 100.0 * one.stable), one.loss.to_string(), over]
    };
    let mut text = filled("", line);
    text += &table(&["schedule", "at peak", "final loss", "over the best"], &answer.ranked.iter().map(row).collect::<Vec<_>>());
    let size = read.params.map_or(String::new(), |n| format!(" of N {}", short(n)));
    let over = match fit.left_out {
        LeftOut::Clusters => format!("leaving out each of {} clusters of runs", fit.without.len()),
        LeftOut::Parts => "leaving out each tenth of all curves".to_owned(),
    };
    text += &filled(
        "  ",
        &format!(
            "law {}, {}, {}: {} readings of {} in {}{size}; {:.0} % intervals by {over}; peak {}, warmup {} steps, both held",
            fit.law.name(),
            fit.status,
            answer.error,
            fit.readings,
            read.losses.name(),
            plural(fit.curves, "curve", "curves"),
            100.0 * args.level,
            rate_text(length.peak),
            length.warmup
        ),
    );
    if !answer.held.is_empty() {
        let row = |one: &HeldOut| {
            vec![
                one.schedule.clone(),
                one.steps.to_string(),
                signed(&one.forecast),
                signed(&one.measured),
                if one.holds(args.level) { "yes" } else { "no" }.to_owned(),
            ]
        };
        text += "\nforecast of schedules that were not fitted, ln L over the first fitted\n";
        text += &screen_table(&["schedule", "steps", "forecast", "measured", "holds"], &answer.held.iter().map(row).collect::<Vec<_>>());
    }
    for (law, what) in &answer.others {
        text += &filled("  ", &format!("{law}: {what}"));
    }
    for note in answer.notes.iter().take(6) {
        text += &filled("  ! ", note);
    }
    text
}

/// A difference in four decimals, with its interval.
fn signed(difference: &Estimate) -> String {
    let interval = difference.uncertainty.map_or(String::new(), |one| format!(" [{:+.4}, {:+.4}]", one.low, one.high));
    format!("{:+.4}{interval}", difference.value)
}

fn document(read: &Read, answer: &Answer) -> serde_json::Value {
    let Answer { fit, unseen, others, length, ranked, held, notes, .. } = answer;
    json!({
        "format": FORMAT, "source": read.name, "loss": read.losses.name(), "params": read.params, "training": length,
        "best": ranked[0], "beside": ranked[1..],
        "law": {
            "name": fit.law.name(), "formula": fit.law.text(), "source": fit.law.source(), "status": fit.status.to_string(),
            "coefficients": fit.coefficients(0.95), "readings": fit.readings, "objective": fit.objective, "rms": fit.rms, "schedules_unseen": unseen,
            "left_out": fit.left_out, "refits": fit.without.len(),
        },
        "others": others.iter().map(|(law, what)| json!({ "law": law, "said": what })).collect::<Vec<_>>(),
        "held_out": held, "notes": notes,
    })
}
