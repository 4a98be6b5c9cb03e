//! `compare --speedup`: how many times its compute a baseline needs for the loss that a change has.

use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::numbers;
use super::text::{filled, number, screen_table, table};
use super::voice::is_quiet;
use crate::fit::{Asked, Estimate, FORMAT, Floor, Speedup, SpeedupAt, speedup_of_losses};
use crate::spec::Flops;
use crate::spec::sample::extent;
use crate::study::{Group, GroupWorth, LossUnit, OverBaseline, StudyOptions, Worth, WorthOptions, worth};
use anyhow::anyhow;
use clap::Args;
use serde_json::json;

/// What is asked of a comparison in compute.
#[derive(Args)]
#[command(next_help_heading = "What a change is worth")]
pub(super) struct SpeedupArgs {
    /// Say what each group is worth over the first in compute
    ///
    /// How many times its compute the first needs for the same loss.
    #[arg(long)]
    pub(super) speedup: bool,
    /// Groups of one table by a column, not of several paths
    #[arg(long, value_name = "COLUMN", requires = "speedup", conflicts_with = "losses")]
    pub(super) by: Option<String>,
    /// The group to measure against [default: the first]
    #[arg(long, value_name = "NAME", requires = "speedup", conflicts_with = "losses")]
    baseline: Option<String>,
    /// The loss that no compute removes, or how to find it
    ///
    /// `shared` by both groups, `free` in each with an exponent of its own, or a number, such as 1.6, in the unit of the losses.
    /// [default: shared, or free between groups of several corpora]
    #[arg(long, value_name = "E,…", value_delimiter = ',', requires = "speedup", value_parser = floor)]
    floor: Vec<Floor>,
    /// Losses at which it is asked for, beside the budgets of --compute
    #[arg(long, hide_short_help = true, value_name = "L,…", value_delimiter = ',', requires = "speedup", conflicts_with = "losses", value_parser = numbers::loss)]
    target_loss: Vec<f64>,
    /// Nominal budgets, FLOPs, of tables without a budget column: runs within 10 % of one belong to it
    #[arg(long, hide_short_help = true, value_name = "C,…", value_delimiter = ',', requires = "speedup", conflicts_with = "losses")]
    budgets: Vec<Flops>,
    /// Two losses at one budget in place of runs
    ///
    /// Of the baseline and of the change; with --floor and --alpha, a number each or as many pairs as may be true.
    #[arg(long, value_name = "L,L", value_delimiter = ',', num_args = 1, requires_all = ["speedup", "floor", "alpha"], conflicts_with = "paths", value_parser = numbers::loss)]
    losses: Vec<f64>,
    /// Exponent of compute that goes with each floor, for --losses
    #[arg(long, value_name = "ALPHA,…", value_delimiter = ',', requires = "losses", value_parser = numbers::positive)]
    alpha: Vec<f64>,
}

fn floor(text: &str) -> Result<Floor, String> {
    match text {
        "shared" => Ok(Floor::Shared),
        "free" => Ok(Floor::Own),
        number => match number.parse::<f64>() {
            Ok(floor) if floor.is_finite() && floor >= 0.0 => Ok(Floor::Pinned(floor)),
            _ => Err(format!("`{number}` is no floor; say shared, free, or a loss of at least 0 such as 1.6")),
        },
    }
}

/// Groups with the unit of their losses and how they are studied.
pub(super) type Runs = (LossUnit, Vec<Group>, StudyOptions);

/// Compares and says; `runs` reads what there is to compare, `compute` are budgets at which it is asked for.
pub(super) fn run(args: &SpeedupArgs, compute: &[Flops], json: bool, runs: impl FnOnce() -> Result<Runs, Failure>) -> Outcome {
    let Said { line, text, document } = said(args, compute, runs)?;
    if json {
        println!("{document:#}");
    } else if is_quiet() {
        println!("{line}");
    } else {
        print!("{text}");
    }
    Ok(())
}

/// Compares; `runs` and `compute` as of [`run`].
pub(super) fn said(args: &SpeedupArgs, compute: &[Flops], runs: impl FnOnce() -> Result<Runs, Failure>) -> Result<Said, Failure> {
    let Said { line, text, mut document } = if args.losses.is_empty() { of_runs(args, compute, runs()?)? } else { of_losses(args)? };
    document["format"] = json!(FORMAT);
    Ok(Said { line, text: text.lines().map(within).collect(), document })
}

/// What a person and what a program reads.
pub(super) struct Said {
    /// The verdict.
    line: String,
    pub(super) text: String,
    pub(super) document: serde_json::Value,
}

/// A line of a screen: one that is too long is wrapped behind its own indentation.
fn within(line: &str) -> String {
    let words = line.trim_start();
    let indent = " ".repeat(line.len() - words.len());
    filled(&indent, words)
}

fn of_losses(args: &SpeedupArgs) -> Result<Said, Failure> {
    let refuse = |words: String| Err(Failure::Input(anyhow!(words)));
    let [base, changed] = args.losses[..] else {
        return refuse(format!(
            "--losses takes two, of the baseline and of the change, and there are {}: say --losses 2.975,2.958",
            args.losses.len()
        ));
    };
    if args.floor.len() != args.alpha.len() {
        return refuse(format!("{} floors and {} exponents: each --floor goes with one --alpha", args.floor.len(), args.alpha.len()));
    }
    let mut rows = Vec::new();
    for (floor, &alpha) in args.floor.iter().zip(&args.alpha) {
        let Floor::Pinned(floor) = *floor else {
            return refuse("two losses tell no floor: give --floor as a number, such as 1.6, or compare two sweeps".into());
        };
        if !(alpha > 0.0 && alpha.is_finite() && floor < base.min(changed)) {
            return refuse(format!(
                "a floor of {floor} with an exponent of {alpha}: a floor lies below both losses, {base} and {changed}, and an exponent above 0"
            ));
        }
        rows.push((floor, alpha, speedup_of_losses(base, changed, floor, alpha)));
    }
    let (low, high) = extent(rows.iter().map(|row| row.2)).unwrap_or((f64::NAN, f64::NAN));
    let range = if low < high { format!("{low:.3} to {high:.3}") } else { format!("{low:.3}") };
    let line = format!("a loss of {changed} in place of {base}: the baseline needs {range} times the compute for it");
    let mut text = format!("{line}\n");
    if rows.len() > 1 {
        let row = |(floor, alpha, times): &(f64, f64, f64)| vec![floor.to_string(), alpha.to_string(), format!("{times:.3}")];
        text += &table(&["floor", "alpha", "times the compute"], &rows.iter().map(row).collect::<Vec<_>>());
    }
    text += "  two losses tell no noise, and none is in this: compare sweeps, or repeat both runs with other seeds\n";
    let each = |(floor, alpha, times): &(f64, f64, f64)| json!({ "floor": floor, "alpha": alpha, "speedup": times });
    let document = json!({ "losses": args.losses, "range": [low, high], "floors": rows.iter().map(each).collect::<Vec<_>>() });
    Ok(Said { line, text, document })
}

fn of_runs(args: &SpeedupArgs, compute: &[Flops], (unit, groups, options): Runs) -> Result<Said, Failure> {
    let options = StudyOptions { budgets: args.budgets.clone(), ..options };
    let floor = match args.floor[..] {
        [] => None,
        [floor] => Some(floor),
        _ => {
            let floors = args.floor.len();
            return Err(Failure::Input(anyhow!(
                "runs take one --floor, and there are {floors}: what other floors make of it is told anyway"
            )));
        }
    };
    let budgets = compute.iter().map(|budget| Asked::Compute(budget.0));
    let asked: Vec<Asked> = budgets.chain(args.target_loss.iter().map(|&loss| Asked::Loss(loss))).collect();
    let explicit = !asked.is_empty();
    let found = worth(&groups, &WorthOptions { floor, baseline: args.baseline.clone(), asked }, &options).or_input()?;
    let mut document = serde_json::to_value(&found).or_work()?;
    document["loss_unit"] = serde_json::to_value(unit).or_work()?;
    Ok(Said { line: line(&found), text: text(&found, unit, explicit), document })
}

/// The verdict on each group, a line for all of them.
fn line(found: &Worth) -> String {
    let needs =
        |name: &str, speedup: &Estimate| format!("{}: {} needs {speedup} times its compute", verdict(name, speedup), found.baseline);
    let group = |group: &GroupWorth| {
        let (name, at) = (
            &group.group,
            match &group.worth {
                OverBaseline::Minima { speedup, .. } => match &speedup.constant {
                    Some(constant) if !speedup.drifts() => return needs(&group.group, constant),
                    _ => speedup.at.last(),
                },
                OverBaseline::Laws { at, .. } => at.last(),
            },
        );
        at.map_or_else(|| format!("{name} is not compared"), |at| format!("{} at {} FLOPs", needs(name, &at.speedup), Flops(at.compute)))
    };
    found.groups.iter().map(group).collect::<Vec<_>>().join("; ")
}

/// For a person. `explicit`: places were asked for, so they are told though one number does for all.
fn text(found: &Worth, unit: LossUnit, explicit: bool) -> String {
    let unit = unit.name();
    let group = |group: &GroupWorth| match &group.worth {
        OverBaseline::Minima { budgets, speedup } => of_minima(found, &group.group, *budgets, speedup, (unit, explicit)),
        OverBaseline::Laws { why, at } => {
            let head = format!("{} against {}\n", group.group, found.baseline);
            let rest = format!("  along L*(C) of the fitted laws, each with its own floor ({why})\n");
            head + &at_places(found, &group.group, unit, at) + &rest
        }
    };
    let notes = found.notes.iter().map(|note| format!("note: {note}\n"));
    found.groups.iter().map(group).chain(notes).collect::<Vec<_>>().join("\n")
}

/// Whether a group saves compute, as far as an interval tells.
fn verdict(name: &str, speedup: &Estimate) -> String {
    if speedup.low() > 1.0 {
        format!("{name} saves compute")
    } else if speedup.high() < 1.0 {
        format!("{name} costs compute")
    } else {
        "no difference is shown".into()
    }
}

fn of_minima(found: &Worth, name: &str, budgets: [usize; 2], speedup: &Speedup, (unit, explicit): (&str, bool)) -> String {
    let Worth { baseline, level, .. } = found;
    let mut text = match &speedup.constant {
        Some(constant) if !speedup.drifts() => format!(
            "{}: {baseline} needs {constant} times its compute\n  for the same loss ({:.0} %), alike at every budget\n",
            verdict(name, constant),
            100.0 * level
        ),
        _ => format!("{name} against {baseline}\n"),
    };
    if explicit || speedup.constant.is_none() || speedup.drifts() {
        text += &at_places(found, name, unit, &speedup.at);
    }
    text += &trend(speedup, explicit);
    text += &of_floors(speedup);
    text += &format!(
        "  through the IsoFLOP minima of {} budgets of {baseline} and {} of {name}; {}\n",
        budgets[0],
        budgets[1],
        frontiers(speedup, unit)
    );
    text + &misfit(speedup)
}

fn at_places(found: &Worth, name: &str, unit: &str, at: &[SpeedupAt]) -> String {
    let row = |at: &SpeedupAt| {
        let [value, _, interval] = at.speedup.render();
        let reach = if at.within { "" } else { ", beyond the runs" };
        vec![Flops(at.compute).to_string(), number(at.loss), value, interval, verdict(name, &at.speedup) + reach]
    };
    let header = [
        &format!("C of {name}"),
        &format!("its loss, {unit}"),
        &format!("{} needs, x C", found.baseline),
        &format!("{:.0} %", 100.0 * found.level),
        "",
    ];
    screen_table(&header, &at.iter().map(row).collect::<Vec<_>>())
}

fn trend(speedup: &Speedup, explicit: bool) -> String {
    match &speedup.trend {
        Some(trend) if speedup.drifts() => {
            let remedy = if explicit { "" } else { "; ask for yours with --compute" };
            format!("  it is not the same at every budget: it goes as C^{trend}{remedy}\n")
        }
        Some(trend) => format!("  no trend with the budget is shown: it goes as C^{trend}\n"),
        None => String::new(),
    }
}

/// What floors make of it, and what to do where that is more than the noise.
fn of_floors(speedup: &Speedup) -> String {
    let (Some(floors), Some(range)) =
        (extent(speedup.floors.iter().map(|at| at.floor)), extent(speedup.floors.iter().map(|at| at.speedup)))
    else {
        return String::new();
    };
    let place = speedup.floors.first().filter(|_| speedup.drifts()).map_or(String::new(), |at| format!("at C = {} ", Flops(at.compute)));
    let text = format!(
        "  floors from {} to {} agree with the runs; {place}it goes from {:.3} to {:.3} with them\n",
        number(floors.0),
        number(floors.1),
        range.0,
        range.1
    );
    let beyond = !speedup.drifts() && speedup.constant.is_some_and(|constant| range.0 < constant.low() || range.1 > constant.high());
    let remedy = "  the floor moves it by more than the noise does: train larger budgets, or pin it where it is known (--floor)\n";
    text + if beyond { remedy } else { "" }
}

fn frontiers(speedup: &Speedup, unit: &str) -> String {
    let (base, changed) = (&speedup.base, &speedup.changed);
    let of = |what: &str, [one, other]: [f64; 2]| match one == other {
        true => format!("{what} {}", number(one)),
        false => format!("{what} {} and {}", number(one), number(other)),
    };
    let floor = of("E", [base.floor, changed.floor]);
    let given = if matches!(speedup.floor, Floor::Pinned(_)) { " as given" } else { "" };
    format!("{floor} {unit}{given}, ") + &of("alpha", [base.alpha, changed.alpha])
}

/// What losses miss the frontiers by.
fn misfit(speedup: &Speedup) -> String {
    match speedup.misfit {
        None => "  no loss is left over to tell how well frontiers fit: train another budget\n".into(),
        Some(misfit) if misfit > 1.0 => format!(
            "  losses miss the frontiers by {misfit:.1} times their noise, and the interval is wider by that ({} degrees of freedom)\n",
            speedup.degrees
        ),
        Some(misfit) => format!("  losses miss the frontiers by {misfit:.1} of their noise, no more than it explains\n"),
    }
}
