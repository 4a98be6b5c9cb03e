//! The windows that no run trains on.

/// The windows that final losses are measured on, the same for every run of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// Token ids, [windows, context + 1] row-major; position i + 1 is the target of position i.
    pub tokens: Vec<u32>,
    /// Windows.
    pub windows: usize,
    /// Lowest possible mean loss of each window, nats per token, where the source is known exactly:
    /// the mean of −ln p(token | the source's past) over exactly the scored tokens.
    pub floor_nats: Option<Vec<f32>>,
}

impl HeldOut {
    /// The lowest mean loss possible on these windows, nats per token, and the standard error that windows drawn anew would have;
    /// none where the source is not known.
    pub fn floor(&self) -> Option<(f64, f64)> {
        let floors = self.floor_nats.as_ref()?;
        let n = floors.len() as f64;
        let mean = floors.iter().map(|&floor| f64::from(floor)).sum::<f64>() / n;
        let squares: f64 = floors.iter().map(|&floor| (f64::from(floor) - mean).powi(2)).sum();
        Some((mean, (squares / (n - 1.0).max(1.0) / n).sqrt()))
    }
}
