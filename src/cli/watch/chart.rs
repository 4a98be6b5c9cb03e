//! Losses of the runs at work by step, with the held-out losses of the best finished runs as a reference.

use super::look::Look;
use super::view::View;
use crate::spec::{RunStatus, short};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};

/// Finished runs that are references at most.
const MOST_REFERENCES: usize = 3;
/// On a linear axis losses before this part of the steps may lie above the chart: they would press all others to the bottom.
const BEGINNING: f64 = 0.05;
/// Columns between two marks of a reference.
const SPACING: usize = 4;

/// A curve with the mark of its run, or a level with that of a reference.
struct Drawn {
    mark: char,
    style: Style,
    points: Vec<(f64, f64)>,
}

/// The mark of a run at work, by place: what stands beside it in the list stands at the end of its curve.
pub(super) fn mark(at: usize) -> char {
    let marks = ('1'..='9').chain('a'..='z');
    marks.cycle().nth(at).unwrap_or('*')
}

/// Whether there is anything to draw.
pub(super) fn has_curves(view: &View) -> bool {
    view.losses.values().any(|trace| !trace.points().is_empty())
}

/// What the chart shows.
pub(super) fn title(view: &View, look: Look) -> String {
    let axis = if look.log_steps { "log steps" } else { "steps" };
    let levels: Vec<String> = references(view).iter().map(|(mark, loss, name)| format!("{mark} {loss:.3} {name}")).collect();
    let levels = if levels.is_empty() { String::new() } else { format!("; best held-out {}", levels.join(", ")) };
    format!("train loss (nats) over {axis}{levels}")
}

/// The best finished runs: mark, held-out loss, name.
fn references(view: &View) -> Vec<(char, f64, String)> {
    let Some(progress) = &view.progress else { return Vec::new() };
    let finished = progress.ended().into_iter().filter(|run| run.status == RunStatus::Finished);
    let mut best: Vec<(f64, String)> = finished.filter_map(|run| Some((run.loss_nats?.0, view.labels.of_run(run)))).collect();
    best.sort_by(|a, b| a.0.total_cmp(&b.0));
    best.into_iter().take(MOST_REFERENCES).zip('A'..).map(|((loss, name), mark)| (mark, loss, name)).collect()
}

/// Draws the chart into an area.
pub(super) fn draw(view: &View, look: Look, area: Rect, buffer: &mut Buffer) {
    let curves = curves(view, look);
    let Some(bounds) = Bounds::of(&curves, &references(view), look) else { return };
    let levels = levels(view, &bounds, area.width as usize);
    let ends: Vec<Drawn> = curves.iter().map(Drawn::end).collect();
    // By default a dataset is drawn as points alone.
    // A curve is drawn in its mark where colour does not tell it from others; marks of ends stand above all.
    let line = |mark: char| if look.colour && look.unicode { Marker::Braille } else { Marker::Custom(mark) };
    let datasets = levels.iter().rev().map(|level| level.dataset(Marker::Custom(level.mark), GraphType::default()));
    let datasets = datasets.chain(curves.iter().map(|curve| curve.dataset(line(curve.mark), GraphType::Line)));
    let datasets = datasets.chain(ends.iter().map(|end| end.dataset(Marker::Custom(end.mark), GraphType::default())));
    let axis = |bounds: [f64; 2], labels: Vec<Line<'static>>| Axis::default().bounds(bounds).labels(labels).style(look.faint());
    Chart::new(datasets.collect())
        .x_axis(axis(bounds.x, bounds.steps(look)))
        .y_axis(axis(bounds.y, bounds.losses()))
        .legend_position(None)
        .render(area, buffer);
}

fn curves(view: &View, look: Look) -> Vec<Drawn> {
    let Some(progress) = &view.progress else { return Vec::new() };
    let x = |step: u64| if look.log_steps { (step.max(1) as f64).log10() } else { step as f64 };
    let curve = |(at, run_id): (usize, &String)| {
        let points: Vec<(f64, f64)> = view.losses.get(run_id)?.points().iter().map(|(step, loss)| (x(*step), *loss)).collect();
        (!points.is_empty()).then(|| Drawn { mark: mark(at), style: look.curve(at), points })
    };
    progress.running().map(|(_, run)| &run.run_id).enumerate().filter_map(curve).collect()
}

/// Rows of marks at the losses of the references.
fn levels(view: &View, bounds: &Bounds, columns: usize) -> Vec<Drawn> {
    let many = (columns / SPACING).max(2);
    let at = |place: usize| bounds.x[0] + (bounds.x[1] - bounds.x[0]) * place as f64 / (many - 1) as f64;
    let level = |(mark, loss, _): (char, f64, String)| Drawn {
        mark,
        style: Style::new(),
        points: (0..many).map(|place| (at(place), loss)).collect(),
    };
    references(view).into_iter().map(level).collect()
}

impl Drawn {
    fn dataset(&self, marker: Marker, kind: GraphType) -> Dataset<'_> {
        Dataset::default().marker(marker).graph_type(kind).style(self.style).data(&self.points)
    }

    /// The last point alone.
    fn end(&self) -> Self {
        Self { points: self.points.last().copied().into_iter().collect(), ..*self }
    }
}

/// Where the axes begin and end.
struct Bounds {
    x: [f64; 2],
    y: [f64; 2],
}

impl Bounds {
    /// None where there is no curve.
    fn of(curves: &[Drawn], references: &[(char, f64, String)], look: Look) -> Option<Self> {
        let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
        let x = extent(points().map(|point| point.0))?;
        let seen = |point: &(f64, f64)| look.log_steps || point.0 >= x[0] + BEGINNING * (x[1] - x[0]);
        let losses = points().filter(seen).map(|point| point.1).chain(references.iter().map(|reference| reference.1));
        let y = extent(losses)?;
        let room = 0.05 * (y[1] - y[0]).max(0.02 * y[1].abs()).max(1e-6);
        Some(Self { x: [x[0], x[1].max(x[0] + 1e-3)], y: [y[0] - room, y[1] + room] })
    }

    fn steps(&self, look: Look) -> Vec<Line<'static>> {
        let step = |x: f64| short(if look.log_steps { 10f64.powf(x) } else { x }.round());
        [0.0, 0.5, 1.0].map(|part| Line::from(step(self.x[0] + part * (self.x[1] - self.x[0])))).to_vec()
    }

    fn losses(&self) -> Vec<Line<'static>> {
        self.y.map(|loss| Line::from(format!("{loss:.2}"))).to_vec()
    }
}

/// The least and the largest; none of nothing.
fn extent(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    values.fold(None, |known, value| match known {
        None => Some([value, value]),
        Some([least, most]) => Some([least.min(value), most.max(value)]),
    })
}
