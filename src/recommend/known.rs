//! What a recommendation knows beside its law.

use crate::fit::RecipeStudy;
use crate::spec::RunRecord;
use crate::study::{Mixture, Study};

/// What is known beside the law.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The runs behind the evidence.
    pub records: &'a [RunRecord],
    /// What they say of learning rate and batch.
    pub study: Option<&'a RecipeStudy>,
    /// Bytes per token of the held-out text.
    pub bytes_per_token: Option<f64>,
    /// The laws together, which say what losses to expect; without them the law does.
    pub mixture: Option<&'a Mixture>,
}

impl<'a> Known<'a> {
    /// What a study knows beside its law.
    pub fn of(study: &'a Study) -> Self {
        Self {
            records: &study.records,
            study: study.hyperparameters.as_ref(),
            bytes_per_token: study.bytes_per_token,
            mixture: study.mixture(),
        }
    }
}
