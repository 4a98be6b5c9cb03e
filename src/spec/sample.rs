//! A few numbers in one: mean, spread, median, extent. What cannot be said of so few is absent. Sums go in the order given, so that
//! the same numbers give the same bits.

/// The mean; none of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.into_iter().fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Sum of squares about the mean, and how many there are.
fn squares(values: &[f64]) -> (f64, f64) {
    let mean = mean(values.iter().copied()).unwrap_or(0.0);
    (values.iter().map(|value| (value - mean).powi(2)).sum(), values.len() as f64)
}

/// Standard deviation of what the values are a sample of, s = √(Σ(x − mean)²/(n − 1)); none of fewer than two.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let (squares, n) = squares(values);
    (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt())
}

/// Standard error of the mean of independent values, s/√n; none of fewer than two.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    let (squares, n) = squares(values);
    (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

/// The middle value, or the mean of the two in the middle; none of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(0.5 * (values[middle - 1] + values[middle])),
    }
}

/// The smallest and the largest value; none of nothing.
pub fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().fold(None, |extent, value| {
        let (low, high) = extent.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_numbers_match_a_count_by_hand() {
        // Mean 2.5, squares 2.25 + 0.25 + 0.25 + 2.25 = 5, variance 5/3.
        let four = [1.0, 2.0, 4.0, 3.0];
        assert_eq!((mean(four), median(four), extent(four)), (Some(2.5), Some(2.5), Some((1.0, 4.0))));
        assert_eq!(standard_deviation(&four), Some((5.0f64 / 3.0).sqrt()));
        assert!((standard_error(&four).expect("four") - (5.0f64 / 12.0).sqrt()).abs() < 1e-15);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn of_too_few_nothing_is_said() {
        assert_eq!((mean([]), median([]), extent([])), (None, None, None));
        assert_eq!((standard_deviation(&[1.0]), standard_error(&[1.0])), (None, None));
        assert_eq!(extent([7.0]), Some((7.0, 7.0)));
    }
}
