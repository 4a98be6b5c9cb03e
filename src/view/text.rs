//! The outlines of texts in the embedded DejaVu Sans (no fonts of the system are asked for), to be filled like any other shape.

use ab_glyph::{Font, FontRef, GlyphId, OutlineCurve, Point, ScaleFont};
use std::sync::LazyLock;
use tiny_skia::{Path, PathBuilder};

/// Thickness of the glyphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

fn font(weight: Weight) -> &'static FontRef<'static> {
    static FONTS: LazyLock<[FontRef<'static>; 2]> = LazyLock::new(|| {
        [dejavu::sans::regular(), dejavu::sans::bold()].map(|bytes| FontRef::try_from_slice(bytes).expect("the embedded font can be read"))
    });
    match weight {
        Weight::Regular => &FONTS[0],
        Weight::Bold => &FONTS[1],
    }
}

/// Glyphs of a text with the places at which they begin, and the place at which the text ends.
fn glyphs(text: &str, size: f64, weight: Weight) -> (Vec<(GlyphId, f32)>, f32) {
    let font = font(weight).as_scaled(size as f32);
    let mut end = 0.0;
    let mut placed: Vec<(GlyphId, f32)> = Vec::new();
    for glyph in text.chars().map(|character| font.glyph_id(character)) {
        end += placed.last().map_or(0.0, |(last, _)| font.kern(*last, glyph));
        placed.push((glyph, end));
        end += font.h_advance(glyph);
    }
    (placed, end)
}

/// Width of a text in a font whose lines are `size` high.
pub(super) fn width(text: &str, size: f64, weight: Weight) -> f64 {
    f64::from(glyphs(text, size, weight).1)
}

/// The outlines of a text whose baseline begins at the origin, y downwards; none for one that shows nothing.
pub(super) fn outline(text: &str, size: f64, weight: Weight) -> Option<Path> {
    let font = font(weight);
    let scaled = font.as_scaled(size as f32);
    let (across, down) = (scaled.h_scale_factor(), -scaled.v_scale_factor());
    let mut path = PathBuilder::new();
    for (glyph, start) in glyphs(text, size, weight).0 {
        let at = |point: Point| (start + across * point.x, down * point.y);
        let mut last = None;
        for curve in font.outline(glyph).map(|outline| outline.curves).unwrap_or_default() {
            let (first, end) = match &curve {
                OutlineCurve::Line(from, to) | OutlineCurve::Quad(from, _, to) | OutlineCurve::Cubic(from, _, _, to) => (*from, *to),
            };
            if last != Some(first) {
                path.close();
                path.move_to(at(first).0, at(first).1);
            }
            let (x, y) = at(end);
            match curve {
                OutlineCurve::Line(..) => path.line_to(x, y),
                OutlineCurve::Quad(_, bend, _) => path.quad_to(at(bend).0, at(bend).1, x, y),
                OutlineCurve::Cubic(_, one, two, _) => path.cubic_to(at(one).0, at(one).1, at(two).0, at(two).1, x, y),
            }
            last = Some(end);
        }
        path.close();
    }
    path.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_and_bolder_texts_are_wider() {
        let narrow = width("1e15", 24.0, Weight::Regular);
        assert!(narrow > 30.0 && narrow < 60.0, "{narrow}");
        assert!(width("1e15", 24.0, Weight::Bold) > narrow);
        assert!((width("1e15", 48.0, Weight::Regular) / narrow - 2.0).abs() < 1e-6);
        assert_eq!(width("", 24.0, Weight::Regular), 0.0);
    }

    #[test]
    fn outlines_stand_on_the_baseline_and_end_with_the_text() {
        let bounds = outline("HH", 24.0, Weight::Regular).expect("two letters").bounds();
        assert!(bounds.bottom().abs() < 1e-3 && bounds.top() < -10.0, "{bounds:?}");
        assert!(bounds.left() > 0.0 && f64::from(bounds.right()) < width("HH", 24.0, Weight::Regular));
        assert!(outline(" ", 24.0, Weight::Regular).is_none() && outline("", 24.0, Weight::Bold).is_none());
    }
}
