//! What the field calls the things that are measured along a run.

use super::super::known::canonical;

/// What a metric is to a law or a diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::results) enum Role {
    /// Loss of the batches that are trained on.
    TrainLoss,
    /// Loss on text that is not.
    HeldOutLoss,
    LearningRate,
    GradientNorm,
    /// Tokens seen so far.
    Tokens,
    /// Sequences seen so far.
    Sequences,
    /// Steps done, where a tracker counts calls of its own.
    Step,
}

use Role::{GradientNorm, HeldOutLoss, LearningRate, Sequences, Step, Tokens, TrainLoss};

/// Names that are known, the likelier first: of Lightning, the Hugging Face trainer, nanoGPT, llm.c, Megatron, OLMo, marin.
const KNOWN: [(Role, &[&str]); 7] = [
    (
        TrainLoss,
        &[
            "train_loss",
            "training_loss",
            "loss_train",
            "loss_training",
            "train_lm_loss",
            "lm_loss",
            "lm_loss_training_lm_loss",
            "train_cross_entropy_loss",
            "train_crossentropyloss",
            "train_ce_loss",
            "train_nll",
            "train_loss_step",
            "loss_step",
            "batch_loss",
            "trl",
            "loss",
            "train_loss_epoch",
            "epoch_loss",
        ],
    ),
    (
        HeldOutLoss,
        &[
            "val_loss",
            "validation_loss",
            "eval_loss",
            "valid_loss",
            "loss_val",
            "loss_validation",
            "loss_eval",
            "held_out_loss",
            "heldout_loss",
            "test_loss",
            "dev_loss",
            "lm_loss_validation",
            "lm_loss_validation_lm_loss_validation",
            "eval_paloma_macro_loss",
            "val_loss_epoch",
            "val_bpb",
            "eval_bpb",
            "tel",
        ],
    ),
    (
        LearningRate,
        &[
            "learning_rate",
            "lr",
            "train_learning_rate",
            "train_lr",
            "learning_rate_learning_rate",
            "optim_learning_rate_group0",
            "lr_adamw",
        ],
    ),
    (
        GradientNorm,
        &[
            "grad_norm",
            "train_grad_norm",
            "gradient_norm",
            "global_grad_norm",
            "train_global_grad_norm",
            "grad_norm_grad_norm",
            "optim_total_grad_norm",
            "total_grad_norm",
            "grad_norm_total",
            "norm",
        ],
    ),
    (
        Tokens,
        &[
            "tokens",
            "num_input_tokens_seen",
            "train_num_input_tokens_seen",
            "throughput_total_tokens",
            "total_tokens",
            "tokens_seen",
            "num_tokens_seen",
            "num_tokens",
            "n_tokens",
            "train_tokens",
            "train_tokens_seen",
            "consumed_tokens",
        ],
    ),
    (Sequences, &["consumed_samples", "consumed_train_samples"]),
    (Step, &["train_global_step", "trainer_global_step", "global_step", "train_step", "iteration", "iter", "step"]),
];

/// How a name is read: as what, and how likely a name of that it is, 0 the likeliest.
pub(in crate::results) fn role(name: &str) -> Option<(Role, usize)> {
    let spelt = canonical(name);
    for (role, names) in KNOWN {
        if let Some(rank) = names.iter().position(|known| *known == spelt) {
            return Some((role, rank));
        }
    }
    guessed(&spelt).map(|role| (role, UNKNOWN + spelt.len()))
}

/// Likelihood of a name that is read by its words.
const UNKNOWN: usize = 100;

/// A name by its words: `eval/c4_en/CrossEntropyLoss`, `lr-AdamW/pg1`.
fn guessed(spelt: &str) -> Option<Role> {
    let words: Vec<&str> = spelt.split('_').collect();
    let (first, last) = (*words.first()?, *words.last()?);
    let is_loss = last.ends_with("loss") || ["nll", "bpb", "ce"].contains(&last) || spelt.ends_with("cross_entropy");
    // Losses of parts, such as of routing, are none of a language model.
    let is_part =
        ["aux", "router", "balance", "balancing", "z", "zloss", "moe", "kl", "mtp", "smooth"].iter().any(|part| words.contains(part));
    match first {
        "train" | "training" if is_loss && !is_part => Some(TrainLoss),
        "val" | "valid" | "validation" | "eval" | "evaluation" | "test" | "dev" | "heldout" if is_loss && !is_part => Some(HeldOutLoss),
        "lr" if words.len() <= 3 => Some(LearningRate),
        _ if last == "lr" && words.len() <= 3 => Some(LearningRate),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_trackers_and_trainers_are_read() {
        let of = |name: &str| role(name).map(|found| found.0);
        for (name, wanted) in [
            ("train/loss", TrainLoss),
            ("loss", TrainLoss),
            ("lm loss", TrainLoss),
            ("train/CrossEntropyLoss", TrainLoss),
            ("eval_loss", HeldOutLoss),
            ("Loss/val", HeldOutLoss),
            ("lm loss validation", HeldOutLoss),
            ("eval/c4_en/CrossEntropyLoss", HeldOutLoss),
            ("lr-AdamW", LearningRate),
            ("lr-AdamW/pg1", LearningRate),
            ("learning-rate", LearningRate),
            ("train/grad_norm", GradientNorm),
            ("train/num_input_tokens_seen", Tokens),
            ("consumed samples", Sequences),
            ("trainer/global_step", Step),
        ] {
            assert_eq!(of(name), Some(wanted), "{name}");
        }
        for name in ["epoch", "train/aux_loss", "train_runtime", "gpu.0.temp", "train/accuracy", "eval/perplexity"] {
            assert_eq!(of(name), None, "{name}");
        }
        assert!(role("train_loss") < role("loss") && role("eval_loss") < role("eval/c4/loss"), "the likelier first");
    }
}
