//! Roots of functions that are known with their slope.

/// Root of a function that rises from below zero to above it, given with its derivative: Newton's steps, halves where they
/// leave what is known to hold the root; an end of the range where the function has one sign.
pub(super) fn root(mut low: f64, mut high: f64, start: f64, f: impl Fn(f64) -> (f64, f64)) -> f64 {
    let mut at = start;
    for _ in 0..200 {
        let (value, slope) = f(at);
        if value < 0.0 {
            low = at;
        } else {
            high = at;
        }
        let step = at - value / slope;
        let next = if step > low && step < high { step } else { 0.5 * (low + high) };
        // Two roundings of ln N.
        if (next - at).abs() <= 4.0 * f64::EPSILON * at.abs() {
            return next;
        }
        at = next;
    }
    at
}
