//! Text in the embedded DejaVu Sans (no fonts of the system are asked for). Glyphs are drawn at twice the
//! resolution of the picture and averaged, which places them to half a pixel.

use super::raster::{Ink, Place, Raster};
use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Once;

const FAMILY: &str = "scalelab";
const FINER: f64 = 2.0;

/// Thickness of the glyphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// Direction of a line of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the right.
    Across,
    /// From below upwards.
    Up,
}

/// Width of a text in pixels, of a font whose lines are `size` pixels high.
pub(super) fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let ((left, _), (right, _)) = font(size, weight).layout_box(text).expect("the embedded font is registered");
    f64::from(right - left) / FINER
}

/// Draws a text whose baseline starts at `start`.
pub(super) fn draw(raster: &mut Raster, text: &str, start: Place, size: f64, weight: Weight, direction: Direction, ink: Ink) {
    let mut shares: BTreeMap<(i64, i64), f64> = BTreeMap::new();
    // plotters puts the baseline size/2 below the place it is given.
    let baseline = (size * FINER / 2.0).trunc();
    let drawn = font(size, weight).draw(text, (0, 0), |x, y, share| {
        let (along, up) = ((f64::from(x) + 0.5) / FINER, (baseline - f64::from(y) - 0.5) / FINER);
        let (column, row) = match direction {
            Direction::Across => (start.0 + along, start.1 - up),
            Direction::Up => (start.0 - up, start.1 - along),
        };
        *shares.entry((row.floor() as i64, column.floor() as i64)).or_default() += f64::from(share) / (FINER * FINER);
        Ok::<(), Infallible>(())
    });
    drawn.expect("the embedded font is registered").expect("collecting glyphs cannot fail");
    for ((row, column), share) in shares {
        raster.dot(column, row, share.min(1.0), ink);
    }
}

fn font(size: f64, weight: Weight) -> FontDesc<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let fonts = [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())];
        for (style, bytes) in fonts {
            assert!(register_font(FAMILY, style, bytes).is_ok(), "the embedded font can be read");
        }
    });
    let style = match weight {
        Weight::Regular => FontStyle::Normal,
        Weight::Bold => FontStyle::Bold,
    };
    FontDesc::new(FontFamily::Name(FAMILY), size * FINER, style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_and_bolder_texts_are_wider() {
        let narrow = width("1e15", 24.0, Weight::Regular);
        assert!(narrow > 30.0 && narrow < 60.0, "{narrow}");
        assert!(width("1e15", 24.0, Weight::Bold) > narrow);
        assert!((width("1e15", 48.0, Weight::Regular) / narrow - 2.0).abs() < 0.05);
        assert_eq!(width("", 24.0, Weight::Regular), 0.0);
    }
}
