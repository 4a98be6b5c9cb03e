//! What else a run may be known by beside its size, its tokens and its recipe: quantities that some laws are about, under the names
//! that columns of others give them.

/// Experts of a routed network, of which a token sees one; 1 of a dense one.
pub const EXPERTS: &str = "experts";
/// Bits of a weight in training.
pub const BITS: &str = "bits";
/// Transformer blocks.
pub const LAYERS: &str = "layers";
/// Width of the residual stream.
pub const WIDTH: &str = "width";
/// Examples, or tokens, that a network was fine-tuned on; 0 before fine-tuning.
pub const EXAMPLES: &str = "examples";
/// The share of a fine-tuning that is text of pre-training.
pub const REPLAY: &str = "replay";
/// Rank of the low-rank updates of a fine-tuning; 0 where all weights are trained.
pub const RANK: &str = "rank";
/// 1 of a network that was trained on the examples from scratch, 0 of one that was pre-trained.
pub const SCRATCH: &str = "scratch";
/// Loss on text of pre-training before fine-tuning.
pub const BASE_LOSS_BEFORE: &str = "base_loss_before";
/// Loss on text of pre-training after fine-tuning.
pub const BASE_LOSS_AFTER: &str = "base_loss_after";
/// Distinct tokens.
pub const VOCABULARY: &str = "vocabulary";
/// Parameters of one matrix over the vocabulary: distinct tokens times width.
pub const VOCABULARY_PARAMS: &str = "vocabulary_params";
/// How the names of columns begin that hold the share which a part of the data has in training.
pub const SHARE: &str = "share_";

/// A quantity that a law may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covariate {
    /// Its name in laws, and the first that a column may have.
    pub name: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// Other names of such a column; one of a letter alone is told from others by its case.
    pub others: &'static [&'static str],
}

/// Every covariate but shares, whose names are those of a table's columns.
pub const COVARIATES: [Covariate; 12] = [
    Covariate { name: EXPERTS, what: "experts, 1 of a dense network", others: &["num_experts", "n_experts", "expert_count", "E"] },
    Covariate { name: BITS, what: "bits of a weight", others: &["weight_bits", "precision_bits", "precision"] },
    Covariate {
        name: LAYERS,
        what: "transformer blocks",
        others: &["n_layers", "num_layers", "n_layer", "num_hidden_layers", "num_blocks", "depth"],
    },
    Covariate {
        name: WIDTH,
        what: "width of the residual stream",
        others: &["d_model", "hidden_size", "hidden_dim", "model_dim", "n_embd"],
    },
    Covariate {
        name: EXAMPLES,
        what: "examples or tokens of fine-tuning, 0 before it",
        others: &["fine_tuning_tokens", "finetuning_tokens", "finetune_tokens", "fine_tuning_examples", "finetuning_examples", "d_ft"],
    },
    Covariate {
        name: REPLAY,
        what: "share of a fine-tuning that is text of pre-training, 0 to 1",
        others: &["replay_share", "replay_fraction", "replay_ratio"],
    },
    Covariate { name: RANK, what: "rank of low-rank updates, 0 where all weights are trained", others: &["lora_rank", "lora_r"] },
    Covariate { name: SCRATCH, what: "1 of a network trained from scratch, 0 of one that was pre-trained", others: &["from_scratch"] },
    Covariate {
        name: BASE_LOSS_BEFORE,
        what: "loss on text of pre-training before fine-tuning",
        others: &["base_loss", "pretraining_loss_before"],
    },
    Covariate { name: BASE_LOSS_AFTER, what: "the same after fine-tuning", others: &["pretraining_loss_after"] },
    Covariate { name: VOCABULARY, what: "distinct tokens", others: &["vocab_size", "vocabulary_size", "n_vocab", "vocab"] },
    Covariate {
        name: VOCABULARY_PARAMS,
        what: "vocabulary times width, where a table does not have both",
        others: &["vocab_params", "n_v"],
    },
];

impl Covariate {
    /// Whether a column of this name holds it.
    pub fn is(&self, header: &str) -> bool {
        let is = |name: &str| if name.len() == 1 { header == name } else { header.eq_ignore_ascii_case(name) };
        is(self.name) || self.others.iter().any(|other| is(other))
    }

    /// The columns that hold it, in words.
    pub fn columns(&self) -> String {
        format!("`{}`, or {}", self.name, self.others.iter().map(|other| format!("`{other}`")).collect::<Vec<_>>().join(", "))
    }
}

/// The covariate of a name.
pub fn covariate(name: &str) -> Option<&'static Covariate> {
    COVARIATES.iter().find(|known| known.name == name)
}

/// Whether a covariate is what came of a run, so that runs which differ in it may still be one and the same.
pub fn is_outcome(name: &str) -> bool {
    [BASE_LOSS_BEFORE, BASE_LOSS_AFTER].contains(&name)
}

/// Whether a column of ours tells of fine-tuning alone; in tables of others it is a covariate where it is one, and else nothing.
pub fn is_of_fine_tuning(name: &str) -> bool {
    const COLUMNS: [&str; 12] = [
        EXAMPLES,
        REPLAY,
        RANK,
        BASE_LOSS_BEFORE,
        BASE_LOSS_AFTER,
        "stage",
        "start",
        "base_run",
        "base_tokens",
        "best_epoch",
        "best_loss_nats",
        "exact_match",
    ];
    COLUMNS.contains(&name)
}

/// Whether a column holds the share of a part of the data.
pub fn is_share(header: &str) -> bool {
    header.len() > SHARE.len() && header.get(..SHARE.len()).is_some_and(|start| start.eq_ignore_ascii_case(SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_fine_tuning_are_known() {
        let of = |header: &str| COVARIATES.iter().find(|known| known.is(header)).map(|known| known.name);
        assert_eq!(
            ["fine_tuning_tokens", "D_ft", "replay_share", "lora_r", "from_scratch", "base_loss"].map(of),
            [Some(EXAMPLES), Some(EXAMPLES), Some(REPLAY), Some(RANK), Some(SCRATCH), Some(BASE_LOSS_BEFORE)]
        );
        assert!(is_outcome(BASE_LOSS_AFTER) && !is_outcome(REPLAY));
    }

    #[test]
    fn columns_are_known_in_any_case_and_letters_alone_in_their_own() {
        let of = |header: &str| COVARIATES.iter().find(|known| known.is(header)).map(|known| known.name);
        assert_eq!(
            ["num_experts", "Experts", "E", "D_model", "precision"].map(of),
            [Some(EXPERTS), Some(EXPERTS), Some(EXPERTS), Some(WIDTH), Some(BITS)]
        );
        assert_eq!(["e", "expert", "", "loss"].map(of), [None; 4]);
        assert!(is_share("share_code") && is_share("Share_web") && !is_share("share_") && !is_share("shares") && !is_share("shär"));
    }
}
