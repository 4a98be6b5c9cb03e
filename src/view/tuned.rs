//! Runs of fine-tuning: the loss on the task against examples, a colour a base, and what of the base's text was forgotten.

use super::ViewError;
use super::canvas::{Fill, Stroke};
use super::curves::run_curves;
use super::figure::Picture;
use super::legend::Entry;
use super::page::{Conventions, Layout, Page, shortened};
use super::palette::{BLACK, Colour, GREY, Ladder, Mark, ordered};
use super::panel::{Axis, Panel};
use super::ticks::Unit;
use crate::law::Point;
use crate::spec::{CurvePoint, EXAMPLES, FlopRule, RunRecord, RunStatus, short};
use crate::study::{FineTuned, TunedBase};
use std::collections::HashMap;

/// Marks of shares of replay, in their order.
const MARKS: [Mark; 4] = [Mark::Circle, Mark::Square, Mark::Triangle, Mark::Diamond];
const RADIUS: f64 = 4.2;

/// A figure of runs of fine-tuning.
#[derive(Debug)]
pub struct TunedFigure {
    /// Name of its file.
    pub file: &'static str,
    /// What it shows, in one line.
    pub caption: &'static str,
    /// The picture.
    pub picture: Picture,
}

/// The figures of runs of fine-tuning; those that the runs have nothing for are absent. `curves`: of each run while it was trained, by name.
pub fn tuned_figures(
    found: &FineTuned,
    name: &str,
    records: &[RunRecord],
    curves: Option<&HashMap<String, Vec<CurvePoint>>>,
) -> Vec<TunedFigure> {
    let task = ("task-loss.png", "Loss on held-out pairs against examples, one colour a base", task_loss(found, name));
    let forgot = (!found.forgotten_by_run.is_empty()).then(|| {
        ("forgetting.png", "Loss on the base's own held-out text at the end less that before fine-tuning", forgetting(found, name))
    });
    let finished = records.iter().filter(|record| record.status == RunStatus::Finished).count();
    let conventions = Conventions {
        sweep: name.to_owned(),
        size_measure: found.size_measure,
        flop_rule: FlopRule::Exact,
        loss_unit: found.loss_unit,
        points: finished,
        excluded: records.len() - finished,
        estimator: None,
    };
    let along = curves.map(|curves| {
        let caption = "Along fine-tuning: loss of the counted tokens of training windows (text of the base among them where it is seen again), and of held-out pairs at the end";
        ("loss-curves.png", caption, run_curves(records, curves, &conventions))
    });
    [task].into_iter().chain(forgot).chain(along).map(|(file, caption, picture)| TunedFigure { file, caption, picture }).collect()
}

/// Colours of bases: as of sizes in every other figure where sizes tell them apart, else in their order.
struct Colours {
    sizes: Option<Ladder>,
    bases: usize,
}

impl Colours {
    fn of(bases: &[TunedBase]) -> Self {
        let sizes = Ladder::of(bases.iter().filter_map(|base| base.params));
        Self { sizes: (sizes.steps.len() == bases.len()).then_some(sizes), bases: bases.len() }
    }

    fn base(&self, at: usize, base: &TunedBase) -> Colour {
        let in_order = || ordered(if self.bases < 2 { 0.35 } else { at as f64 / (self.bases - 1) as f64 });
        self.sizes.as_ref().zip(base.params).map_or_else(in_order, |(sizes, n)| sizes.colour(n))
    }

    /// Of a network from scratch.
    fn size(&self, n: f64) -> Colour {
        self.sizes.as_ref().map_or(GREY, |sizes| sizes.colour(n))
    }
}

/// Loss against examples: marks of runs, those from scratch hollow, and the rectified law of each base.
fn task_loss(found: &FineTuned, name: &str) -> Picture {
    let bases = &found.bases;
    let of_bases = || bases.iter().flat_map(|base| base.losses.iter().copied());
    let from_scratch = || found.scratch_by_run.iter().map(|(_, examples, loss)| (*examples, *loss));
    let all = || of_bases().chain(from_scratch());
    if all().next().is_none() {
        return Err(ViewError::empty("loss after fine-tuning", "no run has a loss and examples"));
    }
    let x = Axis::log("examples", Unit::Count, all().map(|at| at.0));
    let y = Axis::losses(format!("loss on the task, {}", found.loss_unit), all().map(|at| at.1));
    let heading = [Entry::Heading("from the base".into())];
    let colours = Colours::of(bases);
    let mark = |(at, base): (usize, &TunedBase)| Entry::Mark(Mark::Circle, Fill::Solid, colours.base(at, base), label(&base.name));
    let mut entries: Vec<Entry> = heading.into_iter().chain(bases.iter().enumerate().map(mark)).collect();
    if !found.scratch_by_run.is_empty() {
        entries.extend([Entry::Gap, Entry::Mark(Mark::Circle, Fill::Hollow, BLACK, "from scratch".into())]);
    }
    if bases.iter().any(|base| base.law.is_some()) {
        let dashed = Stroke::full(BLACK, 1.0).dashed();
        entries.extend([Entry::Gap, Entry::Heading("B/(D_l + D^β) + E".into())]);
        entries.extend([Entry::Line(Stroke::full(BLACK, 1.5), "among its runs".into()), Entry::Line(dashed, "beyond them".into())]);
    }
    let layout = Layout { title: "Fine-tuning: loss against examples", beside: &entries, ..Layout::default() };
    let caption = "Each mark is the best run on so many examples, with the loss of its best epoch.";
    let mut page = Page::captioned(&layout, name, caption);
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    for (at, base) in bases.iter().enumerate() {
        draw_law(&mut page, &panel, base, colours.base(at, base));
    }
    for (n, examples, loss) in &found.scratch_by_run {
        panel.mark(&mut page.canvas, (*examples, *loss), Mark::Circle, RADIUS, Fill::Hollow, colours.size(*n));
    }
    for (at, base) in bases.iter().enumerate() {
        for place in &base.losses {
            panel.mark(&mut page.canvas, *place, Mark::Circle, RADIUS, Fill::Solid, colours.base(at, base));
        }
    }
    Ok(page.png())
}

fn draw_law(page: &mut Page, panel: &Panel, base: &TunedBase, colour: Colour) {
    let Some(law) = &base.law else { return };
    let at = |examples: f64| Point { covariates: vec![(EXAMPLES.to_owned(), examples)], ..Point::new(1.0, 1.0, 1.0) };
    let curve = |from: f64, to: f64| panel.x.samples(from, to, 60).into_iter().map(|d| (d, law.law.loss(&at(d)))).collect::<Vec<_>>();
    let [fewest, most] = base.examples;
    panel.line(&mut page.canvas, &curve(fewest, most), Stroke::full(colour, 1.5));
    for end in [panel.x.low, panel.x.high] {
        let from = if end < fewest { fewest } else { most };
        panel.line(&mut page.canvas, &curve(from, end), Stroke::full(colour, 1.0).dashed());
    }
}

/// The rise of the loss on text of the base against examples, a mark a share of replay.
fn forgetting(found: &FineTuned, name: &str) -> Picture {
    let runs = &found.forgotten_by_run;
    let mut shares: Vec<f64> = runs.iter().map(|run| run.replay).collect();
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    let mark = |replay: f64| MARKS[shares.iter().position(|share| *share == replay).unwrap_or(0) % MARKS.len()];
    let x = Axis::log("examples", Unit::Count, runs.iter().map(|run| run.examples));
    let y = Axis::linear(format!("rise of the loss on the base's text, {}", found.loss_unit), runs.iter().map(|run| run.rise).chain([0.0]));
    let sizes = Ladder::of(runs.iter().map(|run| run.n));
    let of_size = |n: f64| sizes.colour(n);
    let mut entries = vec![Entry::Heading("N".into())];
    entries.extend(sizes.steps.iter().rev().map(|n| Entry::Mark(Mark::Circle, Fill::Solid, of_size(*n), short(*n))));
    entries.extend([Entry::Gap, Entry::Heading("replay".into())]);
    entries.extend(shares.iter().map(|share| Entry::Mark(mark(*share), Fill::Solid, BLACK, format!("{} %", short(100.0 * share)))));
    let layout = Layout { title: "Fine-tuning: what is forgotten", beside: &entries, ..Layout::default() };
    let mut page = Page::captioned(&layout, name, "Loss on the base's own held-out text at the end less that before the first step.");
    let panel = Panel::draw(&mut page.canvas, page.content, x, y);
    panel.line(&mut page.canvas, &[(panel.x.low, 0.0), (panel.x.high, 0.0)], Stroke::full(GREY, 0.9));
    for run in runs {
        panel.mark(&mut page.canvas, (run.examples, run.rise), mark(run.replay), RADIUS, Fill::Solid, of_size(run.n));
    }
    Ok(page.png())
}

fn label(name: &str) -> String {
    shortened(name, 24.0, &|text| text.chars().count() as f64)
}
