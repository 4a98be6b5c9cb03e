//! Loss over learning rate and batch size at one size and budget: a cell for each pair that was tried, shaded by
//! how far it lies above the best, with the number in it. Cells that diverged are crossed.

use super::ViewError;
use super::canvas::{Align, Lettering, Rect, Stroke};
use super::legend::{Entry, short};
use super::page::{Conventions, Page};
use super::palette::{ACCENT, BLACK, GREY, Ladder, PALE, WHITE, ordered};
use super::panel::TICK_TEXT;
use super::raster::Ink;
use super::ticks::Unit;

/// One pair of learning rate and batch size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecipeCell {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Batch size, tokens.
    pub batch: f64,
    /// Held-out loss in nats per token; absent where training diverged.
    pub loss: Option<f64>,
}

/// Losses over learning rate (columns) and batch size (rows), in per cent above the best. Of several runs of one
/// pair the first counts.
pub fn recipe_map(cells: &[RecipeCell], conventions: &Conventions) -> Result<Vec<u8>, ViewError> {
    let sound =
        |cell: &&RecipeCell| cell.learning_rate > 0.0 && cell.batch > 0.0 && cell.learning_rate.is_finite() && cell.batch.is_finite();
    let cells: Vec<&RecipeCell> = cells.iter().filter(sound).collect();
    let Some(best) = cells.iter().filter_map(|cell| loss(cell)).min_by(f64::total_cmp) else {
        return Err(ViewError::empty("learning rate and batch size", "no run has a finite loss, a learning rate and a batch size"));
    };
    let rates = Ladder::of(cells.iter().map(|cell| cell.learning_rate));
    let batches = Ladder::of(cells.iter().map(|cell| cell.batch));
    let worst = cells.iter().filter_map(|cell| loss(cell)).map(|loss| excess(loss, best)).fold(0.0, f64::max);
    let remark = "Numbers: loss above the best cell, per cent. Framed: the best. Crossed: diverged.";
    let mut page = Page::new("Learning rate and batch size", conventions, remark, &entries(best));
    let table = Table::lay(&mut page, &rates, &batches);
    let mut seen = Vec::new();
    for cell in cells {
        let place = (rates.step(cell.learning_rate), batches.step(cell.batch));
        if !seen.contains(&place) {
            table.draw_cell(&mut page, place, loss(cell).map(|loss| excess(loss, best)), worst);
            seen.push(place);
        }
    }
    Ok(page.png())
}

fn loss(cell: &RecipeCell) -> Option<f64> {
    cell.loss.filter(|loss| loss.is_finite() && *loss > 0.0)
}

/// Per cent above the best.
fn excess(loss: f64, best: f64) -> f64 {
    100.0 * (loss / best).ln()
}

fn entries(best: f64) -> Vec<Entry> {
    let shade = |share: f64, text: &str| Entry::Band(ordered(share), text.to_owned());
    vec![
        Entry::Heading("loss".into()),
        shade(0.0, "best"),
        shade(1.0, "worst"),
        Entry::Band(PALE, "diverged".into()),
        Entry::Gap,
        Entry::Remark(format!("best {best:.4} nats")),
    ]
}

/// Where the cells lie.
struct Table {
    inside: Rect,
    columns: usize,
    rows: usize,
}

impl Table {
    /// Divides the page and writes the rates below, the batch sizes at the left.
    fn lay(page: &mut Page, rates: &Ladder, batches: &Ladder) -> Self {
        let Rect { left, top, right, bottom } = page.content;
        let inside = Rect { left: left + 85.0, top, right: right.round(), bottom: (bottom - 47.0).round() };
        let table = Self { inside, columns: rates.steps.len(), rows: batches.steps.len() };
        let text = Lettering::new(TICK_TEXT, BLACK);
        let every = |count: usize, room: f64, needed: f64| (needed * count as f64 / room).ceil().max(1.0) as usize;
        for (column, rate) in rates.steps.iter().enumerate().step_by(every(table.columns, inside.width(), 58.0)) {
            let cell = table.cell((column, 0));
            let middle = 0.5 * (cell.left + cell.right);
            page.canvas.text(&short(*rate, Unit::Power), (middle, inside.bottom + 15.0), text.aligned(Align::Middle));
        }
        for (row, batch) in batches.steps.iter().enumerate().step_by(every(table.rows, inside.height(), 16.0)) {
            let cell = table.cell((0, row));
            let middle = 0.5 * (cell.top + cell.bottom);
            page.canvas.text(&short(*batch, Unit::Count), (inside.left - 6.0, middle + 4.2), text.aligned(Align::End));
        }
        let title = Lettering::new(super::panel::AXIS_TEXT, BLACK).aligned(Align::Middle);
        page.canvas.text("peak learning rate", (0.5 * (inside.left + inside.right), inside.bottom + 37.0), title);
        page.canvas.text("batch, tokens", (left + 13.0, 0.5 * (inside.top + inside.bottom)), title.upwards());
        table
    }

    /// The rectangle of a cell; row 0 is at the bottom.
    fn cell(&self, (column, row): (usize, usize)) -> Rect {
        let (width, height) = (self.inside.width() / self.columns as f64, self.inside.height() / self.rows as f64);
        let (left, bottom) = (self.inside.left + column as f64 * width, self.inside.bottom - row as f64 * height);
        Rect { left: left + 1.0, top: bottom - height + 1.0, right: left + width - 1.0, bottom: bottom - 1.0 }
    }

    fn draw_cell(&self, page: &mut Page, place: (usize, usize), excess: Option<f64>, worst: f64) {
        let cell = self.cell(place);
        let Some(excess) = excess else {
            page.canvas.block(cell, PALE);
            let cross = Stroke::full(GREY, 1.2);
            page.canvas.line(&[(cell.left, cell.top), (cell.right, cell.bottom)], cross);
            page.canvas.line(&[(cell.left, cell.bottom), (cell.right, cell.top)], cross);
            return;
        };
        // The square root spends the shades where it matters, near the best.
        let share = if worst > 0.0 { (excess / worst).sqrt() } else { 0.0 };
        page.canvas.block(cell, ordered(share));
        let corners =
            [(cell.left, cell.top), (cell.right, cell.top), (cell.right, cell.bottom), (cell.left, cell.bottom), (cell.left, cell.top)];
        if excess == 0.0 {
            page.canvas.line(&corners, Stroke::full(ACCENT, 3.0));
        }
        let ink: Ink = if share > 0.6 { BLACK } else { WHITE };
        let text = if excess < 10.0 { format!("{excess:.2}") } else { format!("{excess:.0}") };
        let lettering = Lettering::new(13.5, ink).aligned(Align::Middle);
        if lettering.length(&text) < cell.width() - 4.0 && cell.height() > 15.0 {
            page.canvas.text(&text, (0.5 * (cell.left + cell.right), 0.5 * (cell.top + cell.bottom) + 4.5), lettering);
        }
    }
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

    #[test]
    fn maps_of_few_many_and_single_cells_are_drawn() {
        let some: Vec<RecipeCell> = (0..7).flat_map(|rate| (0..6).map(move |batch| cell(rate, batch))).collect();
        is_drawn_twice_the_same("recipe-map", || recipe_map(&some, &conventions()));
        let many: Vec<RecipeCell> = (0..30).flat_map(|rate| (0..40).map(move |batch| cell(rate, batch))).collect();
        is_drawn_twice_the_same("recipe-map-many", || recipe_map(&many, &conventions()));
        is_drawn_twice_the_same("recipe-map-single", || recipe_map(&some[..1], &conventions()));
        let diverged = RecipeCell { loss: None, ..some[0] };
        assert!(recipe_map(&[diverged], &conventions()).expect_err("nothing").to_string().contains("no run"));
    }
}
