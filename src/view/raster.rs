//! Pixels: anti-aliased strokes and fills at fractional positions on an RGB picture, and its PNG bytes.
//! Coverage is computed from distances by +, −, ×, ÷ and √ alone, so that the bytes do not depend on the machine.

/// A place in pixels, y downwards.
pub(super) type Place = (f64, f64);

/// A colour with its opacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ink {
    /// Red, green, blue.
    pub(super) rgb: [u8; 3],
    /// 0 is invisible, 1 opaque.
    pub(super) alpha: f64,
}

impl Ink {
    /// The same colour, more or less transparent.
    pub(super) fn faint(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// The same hue, dark enough for text on white.
    pub(super) fn legible(self) -> Self {
        let luminance = 0.2126 * f64::from(self.rgb[0]) + 0.7152 * f64::from(self.rgb[1]) + 0.0722 * f64::from(self.rgb[2]);
        let factor = (105.0 / luminance.max(1.0)).min(1.0);
        Self { rgb: self.rgb.map(|channel| (f64::from(channel) * factor).round() as u8), ..self }
    }
}

/// An RGB picture, at first white.
pub(super) struct Raster {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    coverage: Vec<f32>,
    clip: Bounds,
}

/// Half-open ranges of columns and rows.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Raster {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let clip = Bounds { left: 0, top: 0, right: width, bottom: height };
        Self { width, height, pixels: vec![255; 3 * width * height], coverage: vec![0.0; width * height], clip }
    }

    /// Restricts drawing to a rectangle of pixels.
    pub(super) fn clip(&mut self, from: Place, to: Place) {
        self.clip = self.whole().within(from, to);
    }

    /// Lifts the restriction.
    pub(super) fn unclip(&mut self) {
        self.clip = self.whole();
    }

    fn whole(&self) -> Bounds {
        Bounds { left: 0, top: 0, right: self.width, bottom: self.height }
    }

    /// A line of the given width along several paths, with round ends and corners; where it crosses itself
    /// it is not darker.
    pub(super) fn stroke(&mut self, paths: &[Vec<Place>], width: f64, ink: Ink) {
        let mut touched: Option<Bounds> = None;
        for path in paths.iter().filter(|path| !path.is_empty()) {
            for pair in path.windows(2) {
                self.capsule(pair[0], pair[1], width / 2.0, &mut touched);
            }
            if path.len() == 1 {
                self.capsule(path[0], path[0], width / 2.0, &mut touched);
            }
        }
        self.apply(touched, ink);
    }

    /// A disc.
    pub(super) fn disc(&mut self, centre: Place, radius: f64, ink: Ink) {
        let mut touched = None;
        self.capsule(centre, centre, radius, &mut touched);
        self.apply(touched, ink);
    }

    /// The inside of a closed path (non-zero winding).
    pub(super) fn fill(&mut self, path: &[Place], ink: Ink) {
        if path.len() < 3 || !path.iter().all(finite) {
            return;
        }
        let (low, high) = extent(path);
        let bounds = self.clip.within(low, high);
        for row in bounds.top..bounds.bottom {
            self.fill_row(path, row, bounds);
        }
        self.apply(Some(bounds), ink);
    }

    /// Adds one pixel's share of a glyph.
    pub(super) fn dot(&mut self, column: i64, row: i64, share: f64, ink: Ink) {
        let inside = column >= self.clip.left as i64
            && column < self.clip.right as i64
            && row >= self.clip.top as i64
            && row < self.clip.bottom as i64;
        if inside {
            self.blend(row as usize * self.width + column as usize, stepped(share) * ink.alpha, ink.rgb);
        }
    }

    /// Covers all pixels nearer than `radius` to the segment; the farthest half pixel in part.
    fn capsule(&mut self, from: Place, to: Place, radius: f64, touched: &mut Option<Bounds>) {
        if !finite(&from) || !finite(&to) {
            return;
        }
        let reach = radius + 0.5;
        let (low, high) = extent(&[from, to]);
        let bounds = self.clip.within((low.0 - reach, low.1 - reach), (high.0 + reach, high.1 + reach));
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let square = dx * dx + dy * dy;
        for row in bounds.top..bounds.bottom {
            let y = row as f64 + 0.5;
            let (left, right) = columns_near(from, to, y, reach);
            let row_bounds = bounds.within((left, bounds.top as f64), (right, bounds.bottom as f64));
            for column in row_bounds.left..row_bounds.right {
                let x = column as f64 + 0.5;
                let along = if square > 0.0 { (((x - from.0) * dx + (y - from.1) * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
                let (gap_x, gap_y) = (x - from.0 - along * dx, y - from.1 - along * dy);
                let share = (reach - (gap_x * gap_x + gap_y * gap_y).sqrt()).clamp(0.0, 1.0) as f32;
                let cell = &mut self.coverage[row * self.width + column];
                *cell = cell.max(share);
            }
        }
        *touched = Some(touched.map_or(bounds, |known| known.union(bounds)));
    }

    fn fill_row(&mut self, path: &[Place], row: usize, bounds: Bounds) {
        const LINES: usize = 4;
        for line in 0..LINES {
            let y = row as f64 + (line as f64 + 0.5) / LINES as f64;
            let mut winding = 0;
            let mut start = 0.0;
            for (x, turn) in crossings(path, y) {
                if winding == 0 {
                    start = x;
                }
                winding += turn;
                if winding == 0 {
                    self.add_span(row, start, x, bounds, 1.0 / LINES as f64);
                }
            }
        }
    }

    fn add_span(&mut self, row: usize, from: f64, to: f64, bounds: Bounds, share: f64) {
        let span = bounds.within((from, row as f64), (to, row as f64 + 1.0));
        for column in span.left..span.right {
            let overlap = (to.min(column as f64 + 1.0) - from.max(column as f64)).clamp(0.0, 1.0);
            self.coverage[row * self.width + column] += (overlap * share) as f32;
        }
    }

    /// Blends the covered pixels and clears the coverage.
    fn apply(&mut self, touched: Option<Bounds>, ink: Ink) {
        let Some(bounds) = touched else { return };
        for row in bounds.top..bounds.bottom {
            for at in row * self.width + bounds.left..row * self.width + bounds.right {
                let share = f64::from(std::mem::take(&mut self.coverage[at]));
                if share > 0.0 {
                    self.blend(at, stepped(share) * ink.alpha, ink.rgb);
                }
            }
        }
    }

    fn blend(&mut self, at: usize, share: f64, rgb: [u8; 3]) {
        for (channel, colour) in self.pixels[3 * at..3 * at + 3].iter_mut().zip(rgb) {
            *channel = (f64::from(*channel) * (1.0 - share) + f64::from(colour) * share).round() as u8;
        }
    }

    /// The picture as PNG.
    pub(super) fn png(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Best);
        encoder.set_filter(png::FilterType::NoFilter);
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&self.pixels));
        written.expect("a picture of matching size is written to memory");
        bytes
    }
}

impl Bounds {
    fn within(self, from: Place, to: Place) -> Self {
        let cut = |value: f64, low: usize, high: usize| (value.max(low as f64).min(high as f64)) as usize;
        let (left, top) = (cut(from.0.floor(), self.left, self.right), cut(from.1.floor(), self.top, self.bottom));
        Self { left, top, right: cut(to.0.ceil(), left, self.right), bottom: cut(to.1.ceil(), top, self.bottom) }
    }

    fn union(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

/// Coverage in sixteenths: the eye sees no difference, and the file has fewer colours to tell apart.
fn stepped(share: f64) -> f64 {
    (share.clamp(0.0, 1.0) * 16.0).round() / 16.0
}

fn finite(place: &Place) -> bool {
    place.0.is_finite() && place.1.is_finite()
}

fn extent(path: &[Place]) -> (Place, Place) {
    path.iter().fold(((f64::INFINITY, f64::INFINITY), (f64::NEG_INFINITY, f64::NEG_INFINITY)), |(low, high), at| {
        ((low.0.min(at.0), low.1.min(at.1)), (high.0.max(at.0), high.1.max(at.1)))
    })
}

/// Columns of a row that can be within `reach` of a segment.
fn columns_near(from: Place, to: Place, y: f64, reach: f64) -> Place {
    let dy = to.1 - from.1;
    let at = |edge: f64| if dy.abs() < 1e-9 { None } else { Some(((edge - from.1) / dy).clamp(0.0, 1.0)) };
    let (first, last) = match (at(y - reach), at(y + reach)) {
        (Some(first), Some(last)) => (first, last),
        _ => (0.0, 1.0),
    };
    let (a, b) = (from.0 + first * (to.0 - from.0), from.0 + last * (to.0 - from.0));
    (a.min(b) - reach, a.max(b) + reach)
}

/// Where a closed path crosses a horizontal line, from left to right, and in which sense.
fn crossings(path: &[Place], y: f64) -> Vec<(f64, i32)> {
    let next = path.iter().cycle().skip(1);
    let mut found: Vec<(f64, i32)> = path
        .iter()
        .zip(next)
        .filter(|(from, to)| (from.1 <= y) != (to.1 <= y))
        .map(|(from, to)| (from.0 + (y - from.1) / (to.1 - from.1) * (to.0 - from.0), if to.1 > from.1 { 1 } else { -1 }))
        .collect();
    found.sort_by(|left, right| left.0.total_cmp(&right.0));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: Ink = Ink { rgb: [0; 3], alpha: 1.0 };

    fn grey(raster: &Raster, column: usize, row: usize) -> u8 {
        raster.pixels[3 * (row * raster.width + column)]
    }

    /// Sum of blackness over the picture, in pixels.
    fn area(raster: &Raster) -> f64 {
        raster.pixels.iter().step_by(3).map(|&value| 1.0 - f64::from(value) / 255.0).sum()
    }

    #[test]
    fn a_fill_covers_its_area_even_between_pixels() {
        let mut raster = Raster::new(40, 40);
        raster.fill(&[(5.25, 5.5), (25.75, 5.5), (25.75, 20.0), (5.25, 20.0)], BLACK);
        assert!((area(&raster) - 20.5 * 14.5).abs() < 0.5, "{}", area(&raster));
        assert_eq!((grey(&raster, 10, 10), grey(&raster, 30, 10)), (0, 255));
    }

    #[test]
    fn a_stroke_covers_its_length_times_its_width_in_any_direction() {
        for to in [(90.0, 10.0), (10.0, 90.0), (70.0, 65.0), (15.3, 88.1)] {
            let mut raster = Raster::new(100, 100);
            raster.stroke(&[vec![(10.0, 10.0), to]], 4.0, BLACK);
            let length = (to.0 - 10.0f64).hypot(to.1 - 10.0);
            let expected = 4.0 * length + 4.0 * std::f64::consts::PI;
            assert!((area(&raster) / expected - 1.0).abs() < 0.02, "{} {expected}", area(&raster));
        }
    }

    #[test]
    fn a_translucent_stroke_is_not_darker_where_it_crosses_itself() {
        let mut raster = Raster::new(60, 60);
        raster.stroke(&[vec![(5.0, 30.0), (55.0, 30.0)], vec![(30.0, 5.0), (30.0, 55.0)]], 6.0, BLACK.faint(0.5));
        assert_eq!(grey(&raster, 30, 30), grey(&raster, 10, 30));
    }

    #[test]
    fn what_lies_far_outside_or_is_no_number_is_left_out() {
        let mut raster = Raster::new(20, 20);
        raster.clip((5.0, 5.0), (15.0, 15.0));
        raster.stroke(&[vec![(-1e12, 10.0), (1e12, 10.0), (f64::NAN, 3.0)], vec![(1e300, -1e300)]], 2.0, BLACK);
        raster.fill(&[(f64::NAN, 0.0), (1.0, 1.0), (2.0, 0.0)], BLACK);
        assert_eq!(area(&raster), 20.0, "two rows of ten columns");
    }
}
