//! What the page needs to compute a recommendation for any compute by itself: the coefficients of the laws, and a table of
//! what was computed here, for intervals and to check the page against.

use crate::law::{Chinchilla, ComputeCount, PowerRule};
use serde::Serialize;
use serde_json::{Value, json};

/// The fitted law, the laws of the recipe, and rows to compare with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calculator {
    /// L(N, D) where it is the additive law; of any other the page reads all off the rows.
    pub law: Option<Chinchilla>,
    /// How C follows from N and D.
    pub count: Option<ComputeCount>,
    /// Learning rate, where a law was fitted; else it is read off the rows.
    pub learning_rate: Option<PowerRule>,
    /// Batch, tokens, likewise.
    pub batch_tokens: Option<PowerRule>,
    /// Context, tokens: a batch is a multiple of it.
    pub context: Option<usize>,
    /// Least and largest compute of the runs.
    pub evidence: [f64; 2],
    /// What was computed, at increasing compute.
    pub rows: Vec<CalculatorRow>,
    /// What a reader must know.
    pub note: String,
}

/// N*, D*, L*, learning rate and batch at a compute, each with the ends of its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalculatorRow {
    /// C, FLOPs.
    pub compute: f64,
    /// N*, weights.
    pub params: [f64; 3],
    /// D*, tokens.
    pub tokens: [f64; 3],
    /// L*, nats per token.
    pub loss: [f64; 3],
    /// Peak learning rate.
    pub learning_rate: Option<[f64; 3]>,
    /// Batch, tokens.
    pub batch_tokens: Option<[f64; 3]>,
}

impl Calculator {
    /// The data of the page's script. `<` is written as an escape, so that no text closes the script.
    pub(super) fn json(&self) -> String {
        let count = match self.count.clone().unwrap_or(ComputeCount::Bilinear { k: 6.0 }) {
            ComputeCount::Bilinear { k } => json!({ "limit": k, "factor": 0.0, "power": 1.0, "least": k }),
            ComputeCount::Declining { limit, factor, power, least } => {
                json!({ "limit": limit, "factor": factor, "power": power, "least": least })
            }
        };
        let data: Value = json!({
            "law": self.law,
            "count": count,
            "learning_rate": self.learning_rate,
            "batch_tokens": self.batch_tokens,
            "context": self.context,
            "evidence": self.evidence,
            "rows": self.rows,
            "note": self.note,
        });
        data.to_string().replace('<', "\\u003c")
    }
}
