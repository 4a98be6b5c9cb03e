//! Why a run cannot be trained; each variant says what to do.

use crate::corpus::CorpusError;
use crate::spec::{Dtype, ShapeError};

/// Why a run cannot be trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The network cannot be built.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The corpus cannot serve the run.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// No steps to train.
    #[error("a run of 0 steps trains nothing; raise its tokens to at least one batch of {batch_tokens}")]
    NoSteps {
        /// Tokens per step.
        batch_tokens: u64,
    },
    /// Nothing to measure the loss on.
    #[error("0 held-out windows measure nothing; raise eval.windows")]
    NoWindows,
    /// The batch is not made of whole sequences.
    #[error("a batch of {batch_tokens} tokens is not a whole number of sequences of {context}; use a multiple of the context")]
    Batch {
        /// Tokens per step.
        batch_tokens: u64,
        /// Tokens per sequence.
        context: usize,
    },
    /// The parts of the run are not those of the corpus, or their shares do not add up.
    #[error("the run mixes {run}, the corpus has {corpus}: it was planned on another corpus, or its shares do not add up to 1; plan again")]
    Mixture {
        /// Parts of the run.
        run: String,
        /// Parts of the corpus.
        corpus: String,
    },
    /// What the run begins from, or is fine-tuned on, is not what it was planned with.
    #[error("{0}; plan again, or restore it")]
    Stage(String),
    /// The corpus has another vocabulary than the network.
    #[error(
        "the corpus has a vocabulary of {corpus} tokens ({tokenizer}), the network one of {network}: it was planned, or its checkpoint made, with another tokenizer; plan again or restore the tokenizer"
    )]
    Vocabulary {
        /// Vocabulary of the corpus.
        corpus: usize,
        /// Vocabulary of the network.
        network: usize,
        /// Name of the tokenizer of the corpus.
        tokenizer: String,
    },
    /// A device that this program was built without.
    #[error("{device}: this build has no {feature}; build it with `cargo build --release --features {feature}` (README, section GPUs)")]
    NotBuilt {
        /// Name of the device, such as cuda:0.
        device: String,
        /// The feature that is missing.
        feature: &'static str,
    },
    /// A device that this machine lacks.
    #[error("{device}: this machine shows {found} such devices; {}", match found { 0 => "is a driver installed and CUDA_VISIBLE_DEVICES right?".to_owned(), n => format!("the last is number {}", n - 1) })]
    NotFound {
        /// Name of the device, such as cuda:0.
        device: String,
        /// How many there are.
        found: usize,
    },
    /// A number format that the device does not have.
    #[error(
        "recipe.dtype = \"{dtype}\": {device} computes in f32 alone here: products of bf16 take --device cpu on a processor with AMX or AVX512-BF16; say dtype = \"f32\", or train on a GPU with --device cuda:0 or metal:0"
    )]
    NotComputed {
        /// The number format.
        dtype: Dtype,
        /// Name of the device.
        device: String,
    },
    /// The device cannot be opened.
    #[error("the device {device} cannot be used: {reason}")]
    Device {
        /// Name of the device, such as cuda:0.
        device: String,
        /// What its driver says.
        reason: String,
    },
    /// The first loss is not that of a network that knows nothing.
    #[error(
        "the loss before the first step is {found:.4} nats, not ln(vocabulary) = {expected:.4}; the initialisation is wrong for this shape"
    )]
    FirstLoss {
        /// Mean loss of the fresh network, nats per token.
        found: f64,
        /// ln V.
        expected: f64,
    },
    /// A parameter that cannot learn.
    #[error("parameter {parameter} has {problem} at the first step; this shape, context or corpus leaves it nothing to learn from")]
    FirstGradient {
        /// Name of the parameter tensor.
        parameter: String,
        /// `no gradient` or `a gradient that is not finite`.
        problem: &'static str,
    },
    /// The observer asked to stop.
    #[error("interrupted after step {step}")]
    Interrupted {
        /// Steps done.
        step: u64,
    },
    /// A tensor operation failed: out of memory, or a fault of ours.
    #[error("a tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}
