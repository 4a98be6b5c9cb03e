//! s·v + v·K·v + T(v, v, v) about a place, v = (ln η, ln B): the polynomial that a surface is near its minimum.

use super::curved_axes::CurvedAxes;

/// Newton's steps to a minimum at most, none longer than `LONGEST`; over when one is shorter than `SETTLED`.
const STEPS: usize = 100;
const LONGEST: f64 = 0.5;
const SETTLED: f64 = 1e-12;
/// A minimum farther than this from the centre, in ln η and ln B, is none of the runs' telling.
const FARTHEST: f64 = 12.0;

/// The polynomial without its level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    curved_axes: CurvedAxes,
    slopes: [f64; 2],
    /// Coefficients of x², xy, y².
    squares: [f64; 3],
    /// Coefficients of x³, x²y, xy², y³.
    cubes: [f64; 4],
}

impl Shape {
    /// From the coefficients that belong to `CurvedAxes::slopes`, `squares` and `cubes`.
    pub(super) fn new(curved_axes: CurvedAxes, slopes: &[f64], squares: &[f64], cubes: &[f64]) -> Self {
        let mut shape = Self { curved_axes, slopes: [0.0; 2], squares: [0.0; 3], cubes: [0.0; 4] };
        let (slope_at, square_at, cube_at): (&[usize], &[usize], &[usize]) = match (curved_axes.rate, curved_axes.batch) {
            (true, true) => (&[0, 1], &[0, 1, 2], &[0, 1, 2, 3]),
            (true, false) => (&[0], &[0], &[0]),
            _ => (&[1], &[2], &[3]),
        };
        slope_at.iter().zip(slopes).for_each(|(&at, value)| shape.slopes[at] = *value);
        square_at.iter().zip(squares).for_each(|(&at, value)| shape.squares[at] = *value);
        cube_at.iter().zip(cubes).for_each(|(&at, value)| shape.cubes[at] = *value);
        shape
    }

    /// Value of the polynomial at (x, y).
    pub(super) fn at(&self, [x, y]: [f64; 2]) -> f64 {
        let ([sx, sy], [xx, xy, yy], [xxx, xxy, xyy, yyy]) = (self.slopes, self.squares, self.cubes);
        sx * x + sy * y + xx * x * x + xy * x * y + yy * y * y + xxx * x * x * x + xxy * x * x * y + xyy * x * y * y + yyy * y * y * y
    }

    /// ½ · second derivatives by (x, x), (x, y), (y, y).
    pub(super) fn curvature(&self, [x, y]: [f64; 2]) -> [f64; 3] {
        let ([xx, xy, yy], [xxx, xxy, xyy, yyy]) = (self.squares, self.cubes);
        [xx + 3.0 * xxx * x + xxy * y, 0.5 * xy + xxy * x + xyy * y, yy + 3.0 * yyy * y + xyy * x]
    }

    fn slope(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let ([sx, sy], [xx, xy, yy], [xxx, xxy, xyy, yyy]) = (self.slopes, self.squares, self.cubes);
        [
            sx + 2.0 * xx * x + xy * y + 3.0 * xxx * x * x + 2.0 * xxy * x * y + xyy * y * y,
            sy + xy * x + 2.0 * yy * y + xxy * x * x + 2.0 * xyy * x * y + 3.0 * yyy * y * y,
        ]
    }

    /// The minimum nearest to the centre; `None` where the surface does not bend upwards on the way.
    pub(super) fn vertex(&self) -> Option<[f64; 2]> {
        let mut at = [0.0; 2];
        for _ in 0..STEPS {
            let [kxx, kxy, kyy] = self.curvature(at);
            if !self.curved_axes.upwards([kxx, kxy, kyy]) || at[0].hypot(at[1]) > FARTHEST {
                return None;
            }
            let [sx, sy] = self.slope(at);
            let step = match (self.curved_axes.rate, self.curved_axes.batch) {
                (true, true) => {
                    let twice = 2.0 * (kxx * kyy - kxy * kxy);
                    [(kxy * sy - kyy * sx) / twice, (kxy * sx - kxx * sy) / twice]
                }
                (true, false) => [-sx / (2.0 * kxx), 0.0],
                _ => [0.0, -sy / (2.0 * kyy)],
            };
            let length = step[0].hypot(step[1]);
            // A quadratic is solved by one step, however long.
            let share = if self.curved_axes.lean { (LONGEST / length).min(1.0) } else { 1.0 };
            at = [at[0] + share * step[0], at[1] + share * step[1]];
            if length < SETTLED || !self.curved_axes.lean {
                return Some(at);
            }
        }
        None
    }

    /// How far one setting alone may move from the centre, down and up, before the loss rises by `rise`; to where it stops rising
    /// on a side on which it does not rise so far.
    pub(super) fn room(&self, axis: usize, rise: f64) -> [f64; 2] {
        [-1.0, 1.0].map(|side| {
            let place = |steps: f64| if axis == 0 { [side * STRIDE * steps, 0.0] } else { [0.0, side * STRIDE * steps] };
            let (mut steps, mut last) = (0.0, 0.0);
            while steps * STRIDE < FARTHEST {
                let next = self.at(place(steps + 1.0));
                if next >= rise {
                    steps += (rise - last) / (next - last);
                    break;
                }
                if next < last {
                    break;
                }
                (steps, last) = (steps + 1.0, next);
            }
            side * STRIDE * steps
        })
    }
}

/// Steps by which room is looked for, in ln of a setting.
const STRIDE: f64 = 0.005;

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: CurvedAxes = CurvedAxes { rate: true, batch: true, lean: true };

    #[test]
    fn the_minimum_of_a_cubic_is_where_its_slope_vanishes() {
        // (x − 0.3)²·(1 + 0.2·(x − 0.3)) + 2(y + 0.1)², multiplied out.
        let (a, c) = (0.3, 0.2);
        let slopes = [-2.0 * a + 3.0 * c * a * a, 0.4];
        let squares = [1.0 - 3.0 * c * a, 0.0, 2.0];
        let shape = Shape::new(BOTH, &slopes, &squares, &[c, 0.0, 0.0, 0.0]);
        let [x, y] = shape.vertex().expect("a minimum");
        assert!((x - a).abs() < 1e-9 && (y + 0.1).abs() < 1e-9, "{x} {y}");
        let numeric = (shape.at([x + 1e-4, y]) + shape.at([x - 1e-4, y]) - 2.0 * shape.at([x, y])) / 2e-8;
        assert!((shape.curvature([x, y])[0] - numeric).abs() < 1e-5 && (numeric - 1.0).abs() < 1e-5);
        assert_eq!(Shape::new(BOTH, &slopes, &[-1.0, 0.0, 2.0], &[c, 0.0, 0.0, 0.0]).vertex(), None);
    }

    #[test]
    fn there_is_less_room_on_the_steep_side() {
        let steep = Shape::new(CurvedAxes { batch: false, ..BOTH }, &[0.0], &[0.01], &[0.004]);
        let [down, up] = steep.room(0, 0.0025);
        assert!((steep.at([up, 0.0]) - 0.0025).abs() < 1e-6 && (steep.at([down, 0.0]) - 0.0025).abs() < 1e-6);
        assert!(up < -down && up > 0.4, "{down} {up}");
        // x²(0.01 + 0.004x) stops rising to the left at −2·0.01/(3·0.004), before it has risen by 1 %.
        assert!((steep.room(0, 0.02)[0] + 5.0 / 3.0).abs() < 0.01);
    }
}
