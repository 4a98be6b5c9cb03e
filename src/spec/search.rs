//! The words of an adaptive search over learning rate and batch: what may be moved, and what was tried so far. Whoever
//! proposes the next recipes sees these values and nothing else, so a decision is a function of recorded results.

/// What is searched, and where it starts. A setting that is not searched is fixed in each family.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchSpace {
    /// First learning rates, ascending; `None`: not searched.
    pub learning_rate: Option<Vec<f64>>,
    /// First batches in tokens, ascending; `None`: not searched.
    pub batch: Option<Vec<f64>>,
    /// Every batch is a multiple of this many tokens.
    pub context: f64,
}

/// One recipe that was tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Batch, tokens.
    pub batch: f64,
    /// Mean held-out loss over seeds, nats per token; `None` where training diverged or failed.
    pub loss: Option<f64>,
}

/// One shape on one amount of data, with what was tried on it.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchFamily {
    /// N, all parameters.
    pub n: f64,
    /// D, tokens.
    pub d: f64,
    /// Learning rate where it is not searched.
    pub learning_rate: f64,
    /// Batch in tokens where it is not searched.
    pub batch: f64,
    /// What was tried, in the order of its proposal.
    pub tried: Vec<Tried>,
}
