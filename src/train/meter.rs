//! Where the time of a step goes, for `bench`: while a thread is metered, the fused path adds up the seconds of its parts.
//! A thread that is not metered pays a look at a flag for each.
#![expect(clippy::disallowed_methods, reason = "a meter is a clock; what is trained does not depend on it")]

use std::cell::Cell;
use std::time::Instant;

/// Seconds spent since metering began.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepParts {
    /// Matrix products of weights with activations and gradients.
    pub products: f64,
    /// Attention, its own products included.
    pub attention: f64,
    /// Everything else between a batch and its gradient: norms, rotations, SwiGLU, cross-entropy, embedding.
    pub elementwise: f64,
    /// Norm of the gradient and update.
    pub optimizer: f64,
}

/// What a stretch of time is booked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Products,
    Attention,
    Gradient,
    Optimizer,
}

#[derive(Debug, Clone, Copy, Default)]
struct Meter {
    on: bool,
    in_attention: bool,
    seconds: [f64; 4],
}

thread_local! {
    static METER: Cell<Meter> = Cell::new(Meter::default());
}

/// Begins anew on this thread.
pub fn start_metering() {
    METER.set(Meter { on: true, ..Meter::default() });
}

/// Ends metering on this thread and says what was booked.
pub fn stop_metering() -> StepParts {
    let [products, attention, gradient, optimizer] = METER.take().seconds;
    StepParts { products, attention, elementwise: gradient - products - attention, optimizer }
}

/// Does some work and books its time, if this thread is metered. Products within attention count as attention.
#[inline]
pub(crate) fn metered<T>(part: Part, work: impl FnOnce() -> T) -> T {
    let meter = METER.get();
    if !meter.on || (part == Part::Products && meter.in_attention) {
        return work();
    }
    METER.set(Meter { in_attention: part == Part::Attention, ..meter });
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    let mut meter = METER.get();
    meter.in_attention = false;
    meter.seconds[part as usize] += seconds;
    METER.set(meter);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() {
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < 2e-3 {}
    }

    #[test]
    fn time_is_booked_once_and_only_while_metered() {
        start_metering();
        metered(Part::Gradient, || {
            metered(Part::Products, busy);
            metered(Part::Attention, || metered(Part::Products, busy));
            busy();
        });
        metered(Part::Optimizer, busy);
        let parts = stop_metering();
        // No upper bounds: another process may take the processor away.
        for (name, seconds) in [("products", parts.products), ("attention", parts.attention), ("optimizer", parts.optimizer)] {
            assert!(seconds >= 2e-3, "{name} {seconds}");
        }
        assert!(parts.elementwise >= 2e-3);
        metered(Part::Products, busy);
        assert_eq!(stop_metering(), StepParts::default());
    }
}
