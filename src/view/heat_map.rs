//! Loss over learning rate and batch size, a map for each size and budget: a field for each pair that was tried, shaded by
//! how far it lies above the minimum, with the number in it. Fields that diverged are crossed, near-optimal ones framed.

use super::ViewError;
use super::canvas::{Align, Canvas, Fill, LabelStyle, Rect, Stroke};
use super::figure::{Figure, Subject};
use super::legend::{Entry, short};
use super::page::{Conventions, Page};
use super::palette::{ACCENT, BLACK, Colour, GREY, Ladder, Mark, PALE, WHITE, ordered};
use super::panel::TICK_TEXT;
use super::ticks::Unit;
use crate::fit::Response;
use crate::law::{RecipeTrials, Trial};

/// One pair of learning rate and batch size.
#[derive(Debug, Clone, Copy, PartialEq)]
struct RecipeCell {
    /// Peak learning rate.
    learning_rate: f64,
    /// Batch size, tokens.
    batch: f64,
    /// Held-out loss in nats per token; absent where training diverged.
    loss: Option<f64>,
}

/// The pairs that were tried at one size and budget.
#[derive(Debug, Clone, PartialEq)]
struct RecipeMap {
    /// What a person calls it: `2x16 at D = 450k`.
    title: String,
    /// Its pairs; of several runs of one pair the first counts.
    cells: Vec<RecipeCell>,
    /// Learning rate, batch and loss at the minimum of a fitted surface.
    optimum: Option<(f64, f64, f64)>,
    /// Near-optimal: at most this much above the minimum, in ln L.
    band: f64,
}

/// Maps that fit on a page.
const MOST: usize = 9;

/// The figure of a study.
pub(super) const FIGURE: Figure = Figure {
    file: "recipe-maps.png",
    caption: "Loss over learning rate and batch, with the near-optimal band",
    of: |subject| Some(recipe_maps(&maps(subject)?, &subject.all_runs())),
};

/// Losses over learning rate (columns) and batch size (rows), in per cent above the minimum, side by side.
fn recipe_maps(maps: &[RecipeMap], conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let maps: Vec<RecipeMap> = maps.iter().map(usable).filter(|map| map.cells.iter().any(|cell| loss(cell).is_some())).collect();
    if maps.is_empty() {
        return Err(ViewError::empty("learning rate and batch size", "no run has a finite loss, a learning rate and a batch size"));
    }
    let shown = &maps[..maps.len().min(MOST)];
    let more = if shown.len() < maps.len() { format!(" {} of {} maps are shown.", shown.len(), maps.len()) } else { String::new() };
    let remark = format!(
        "Numbers: loss above the minimum of the fitted surface (of the best run where there is none), per cent. Framed: near-optimal. Crossed: diverged.{more}"
    );
    let mut page = Page::new("Learning rate and batch size", conventions, &remark, &entries());
    let columns = (shown.len() as f64).sqrt().ceil() as usize;
    let rows = shown.len().div_ceil(columns);
    let Rect { left, top, right, bottom } = page.content;
    let (width, height) = ((right - left) / columns as f64, (bottom - top) / rows as f64);
    for (at, map) in shown.iter().enumerate() {
        let (column, row) = ((at % columns) as f64, (at / columns) as f64);
        let place = Rect {
            left: left + column * width,
            top: top + row * height,
            right: left + (column + 1.0) * width - 8.0,
            bottom: top + (row + 1.0) * height - 4.0,
        };
        draw_map(&mut page.canvas, place, map, shown.len() > 1);
    }
    Ok(page.png())
}

fn usable(map: &RecipeMap) -> RecipeMap {
    let sound =
        |cell: &&RecipeCell| cell.learning_rate > 0.0 && cell.batch > 0.0 && cell.learning_rate.is_finite() && cell.batch.is_finite();
    let optimum = map.optimum.filter(|(rate, batch, loss)| [rate, batch, loss].iter().all(|v| v.is_finite() && **v > 0.0));
    RecipeMap { cells: map.cells.iter().filter(sound).copied().collect(), optimum, ..map.clone() }
}

fn draw_map(canvas: &mut Canvas, place: Rect, map: &RecipeMap, titled: bool) {
    let rates = Ladder::of(map.cells.iter().map(|cell| cell.learning_rate));
    let batches = Ladder::of(map.cells.iter().map(|cell| cell.batch));
    let seen_best = map.cells.iter().filter_map(loss).fold(f64::INFINITY, f64::min);
    let least = map.optimum.map_or(seen_best, |optimum| optimum.2);
    let worst = map.cells.iter().filter_map(loss).map(|loss| excess(loss, least)).fold(0.0, f64::max);
    let top = place.top + if titled { 18.0 } else { 0.0 };
    let table = Table::lay(canvas, Rect { top, ..place }, &rates, &batches);
    if titled {
        let middle = 0.5 * (table.inside.left + table.inside.right);
        canvas.text(&map.title, (middle, place.top + 12.0), LabelStyle::new(TICK_TEXT, BLACK).bold().aligned(Align::Middle));
    }
    let mut seen = Vec::new();
    for cell in &map.cells {
        let at = (rates.step(cell.learning_rate), batches.step(cell.batch));
        if !seen.contains(&at) {
            table.draw_cell(canvas, at, loss(cell).map(|loss| excess(loss, least)), worst, 100.0 * map.band);
            seen.push(at);
        }
    }
    if let Some((rate, batch, _)) = map.optimum
        && let (Some(column), Some(row)) = (between(&rates.steps, rate), between(&batches.steps, batch))
    {
        canvas.mark(table.point(column, row), Mark::Diamond, 7.0, Fill::Solid, ACCENT);
    }
}

/// Place of a value among ascending steps, in steps from the first, by its logarithm; none more than half a step outside.
fn between(steps: &[f64], value: f64) -> Option<f64> {
    let [first, .., last] = steps else { return Some(0.0).filter(|_| steps.len() == 1) };
    let gap = (last / first).ln() / (steps.len() - 1) as f64;
    let ln = value.ln();
    if ln < first.ln() - 0.5 * gap || ln > last.ln() + 0.5 * gap {
        return None;
    }
    let above = steps.iter().position(|step| step.ln() >= ln).unwrap_or(steps.len() - 1).max(1);
    let (low, high) = (steps[above - 1].ln(), steps[above].ln());
    Some(above as f64 - 1.0 + (ln - low) / (high - low))
}

fn loss(cell: &RecipeCell) -> Option<f64> {
    cell.loss.filter(|loss| loss.is_finite() && *loss > 0.0)
}

/// Per cent above the minimum.
fn excess(loss: f64, least: f64) -> f64 {
    100.0 * (loss / least).ln()
}

fn entries() -> Vec<Entry> {
    let shade = |share: f64, text: &str| Entry::Band(ordered(share), text.to_owned());
    vec![
        Entry::Heading("loss".into()),
        shade(0.0, "least"),
        shade(1.0, "greatest"),
        Entry::Band(PALE, "diverged".into()),
        Entry::Gap,
        Entry::Line(Stroke::full(ACCENT, 2.5), "near-optimal".into()),
        Entry::Mark(Mark::Diamond, Fill::Solid, ACCENT, "optimum".into()),
    ]
}

/// Where the cells lie.
struct Table {
    inside: Rect,
    columns: usize,
    rows: usize,
}

impl Table {
    /// Divides a place and writes the rates below, the batch sizes at the left.
    fn lay(canvas: &mut Canvas, place: Rect, rates: &Ladder, batches: &Ladder) -> Self {
        let Rect { left, top, right, bottom } = place;
        let inside = Rect { left: left + 75.0, top, right: right.round(), bottom: (bottom - 44.0).round() };
        let table = Self { inside, columns: rates.steps.len(), rows: batches.steps.len() };
        let text = LabelStyle::new(TICK_TEXT, BLACK);
        let every = |count: usize, room: f64, needed: f64| (needed * count as f64 / room).ceil().max(1.0) as usize;
        for (column, rate) in rates.steps.iter().enumerate().step_by(every(table.columns, inside.width(), 58.0)) {
            let cell = table.cell((column, 0));
            let middle = 0.5 * (cell.left + cell.right);
            canvas.text(&short(*rate, Unit::Power), (middle, inside.bottom + 15.0), text.aligned(Align::Middle));
        }
        for (row, batch) in batches.steps.iter().enumerate().step_by(every(table.rows, inside.height(), 16.0)) {
            let cell = table.cell((0, row));
            let middle = 0.5 * (cell.top + cell.bottom);
            canvas.text(&short(*batch, Unit::Count), (inside.left - 6.0, middle + 4.2), text.aligned(Align::End));
        }
        let title = LabelStyle::new(super::panel::AXIS_TEXT, BLACK).aligned(Align::Middle);
        canvas.text("peak learning rate", (0.5 * (inside.left + inside.right), inside.bottom + 35.0), title);
        canvas.text("batch, tokens", (left + 13.0, 0.5 * (inside.top + inside.bottom)), title.upwards());
        table
    }

    /// The rectangle of a cell; row 0 is at the bottom.
    fn cell(&self, (column, row): (usize, usize)) -> Rect {
        let (width, height) = (self.inside.width() / self.columns as f64, self.inside.height() / self.rows as f64);
        let (left, bottom) = (self.inside.left + column as f64 * width, self.inside.bottom - row as f64 * height);
        Rect { left: left + 1.0, top: bottom - height + 1.0, right: left + width - 1.0, bottom: bottom - 1.0 }
    }

    /// A point between cells, counted in cells from the middle of the first.
    fn point(&self, column: f64, row: f64) -> (f64, f64) {
        let (width, height) = (self.inside.width() / self.columns as f64, self.inside.height() / self.rows as f64);
        (self.inside.left + (column + 0.5) * width, self.inside.bottom - (row + 0.5) * height)
    }

    fn draw_cell(&self, canvas: &mut Canvas, place: (usize, usize), excess: Option<f64>, worst: f64, band: f64) {
        let cell = self.cell(place);
        let Some(excess) = excess else {
            canvas.rect(cell, PALE);
            let cross = Stroke::full(GREY, 1.2);
            canvas.line(&[(cell.left, cell.top), (cell.right, cell.bottom)], cross);
            canvas.line(&[(cell.left, cell.bottom), (cell.right, cell.top)], cross);
            return;
        };
        // The square root spends the shades where it matters, near the best.
        let share = if worst > 0.0 { (excess.max(0.0) / worst).sqrt() } else { 0.0 };
        canvas.rect(cell, ordered(share));
        let corners =
            [(cell.left, cell.top), (cell.right, cell.top), (cell.right, cell.bottom), (cell.left, cell.bottom), (cell.left, cell.top)];
        if excess <= band {
            canvas.line(&corners, Stroke::full(ACCENT, 2.5));
        }
        let colour: Colour = if share > 0.6 { BLACK } else { WHITE };
        let text = if excess < 10.0 { format!("{excess:.2}") } else { format!("{excess:.0}") };
        let size = 13.5f64.min(0.3 * cell.width()).min(0.6 * cell.height());
        let style = LabelStyle::new(size.max(8.0), colour).aligned(Align::Middle);
        if style.length(&text) < cell.width() - 3.0 && cell.height() > 10.0 {
            canvas.text(&text, (0.5 * (cell.left + cell.right), 0.5 * (cell.top + cell.bottom) + 4.5), style);
        }
    }
}

/// The cells in which several batches were tried; `None` where there are none.
fn maps(subject: &Subject<'_>) -> Option<Vec<RecipeMap>> {
    let cells = &subject.study.hyperparameters.as_ref()?.cells;
    let map = |(cell, trials): (&Response, RecipeTrials)| {
        let one = |trial: &Trial| RecipeCell { learning_rate: trial.learning_rate, batch: trial.batch, loss: trial.loss };
        let optimum = cell.learning_rate.zip(cell.batch).zip(cell.loss).filter(|_| cell.is_inside());
        RecipeMap {
            title: cell.cell.clone(),
            cells: trials.trials.iter().map(one).collect(),
            optimum: optimum.map(|((rate, batch), loss)| (rate.value, batch.value, loss.value)),
            band: cell.band,
        }
    };
    let maps: Vec<RecipeMap> = cells.iter().zip(subject.scored_trials()).filter(|(cell, _)| cell.tried[1] > 1).map(map).collect();
    (!maps.is_empty()).then_some(maps)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conventions, is_drawn_twice_the_same};
    use super::*;

    fn cell(rate: i32, batch: i32) -> RecipeCell {
        let (learning_rate, tokens) = (2.5e-4 * 2f64.powi(rate), 1024.0 * 2f64.powi(batch));
        let away = (learning_rate / 2e-3).ln() - 0.4 * (tokens / 8192.0).ln();
        let loss = 2.3 + 0.03 * away * away + 0.01 * (tokens / 8192.0).ln().powi(2);
        RecipeCell { learning_rate, batch: tokens, loss: (rate < 6 || batch > 3).then_some(loss) }
    }

    fn map(cells: Vec<RecipeCell>, optimum: Option<(f64, f64, f64)>) -> RecipeMap {
        RecipeMap { title: "2x16 at D = 450k".into(), cells, optimum, band: 0.0025 }
    }

    #[test]
    fn maps_of_few_many_and_single_cells_are_drawn() {
        let some: Vec<RecipeCell> = (0..7).flat_map(|rate| (0..6).map(move |batch| cell(rate, batch))).collect();
        let six: Vec<RecipeMap> = (0..6).map(|_| map(some.clone(), Some((2.1e-3, 9000.0, 2.299)))).collect();
        is_drawn_twice_the_same("recipe-maps", || recipe_maps(&six, &conventions()));
        is_drawn_twice_the_same("recipe-map", || recipe_maps(&six[..1], &conventions()));
        let many: Vec<RecipeCell> = (0..30).flat_map(|rate| (0..40).map(move |batch| cell(rate, batch))).collect();
        is_drawn_twice_the_same("recipe-map-many", || recipe_maps(&[map(many.clone(), None)], &conventions()));
        is_drawn_twice_the_same("recipe-map-single", || recipe_maps(&[map(some[..1].to_vec(), None)], &conventions()));
        let diverged = RecipeCell { loss: None, ..some[0] };
        assert!(recipe_maps(&[map(vec![diverged], None)], &conventions()).expect_err("nothing").to_string().contains("no run"));
    }

    #[test]
    fn an_optimum_stands_between_the_steps_that_hold_it() {
        assert_eq!(between(&[1.0, 10.0, 100.0], 10.0), Some(1.0));
        assert!((between(&[1.0, 10.0, 100.0], 10f64.powf(1.5)).expect("inside") - 1.5).abs() < 1e-12);
        assert_eq!((between(&[1.0, 10.0], 1e-3), between(&[5.0], 7.0)), (None, Some(0.0)));
    }
}
