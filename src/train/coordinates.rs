//! The coordinate check of width-scaled learning rates (Yang 2203.03466 §D.1, Everett 2407.05872): after a few steps the
//! activations of networks of all widths are of one size, where matrices and head learn at a rate ∝ 1/width, and are not where all learn alike.

use super::adamw::Update;
use super::fused::Fused;
use super::init::Layout;
use super::kernels::panels::Factors;
use super::learner::{Learner, LearnerState};
use crate::corpus::{Cache, Corpus, Order};
use crate::spec::{AdamW, CorpusSpec, ModelShape, OptimizerGroups};

const WIDTHS: [usize; 4] = [32, 64, 128, 256];
const STEPS: u64 = 10;
const RATE: f64 = 4e-3;
const TOKENS: usize = 16 * CONTEXT;
const CONTEXT: usize = 32;

/// Root mean squares after ten steps: the stream after each branch, then the logits.
fn sizes(width: usize, groups: &OptimizerGroups) -> Vec<f64> {
    let shape = ModelShape { context: CONTEXT, heads: width / 16, kv_heads: width / 16, ..ModelShape::derived(2, width) };
    let corpus = Corpus::open(&CorpusSpec::ZipfFacts { a: 0.5, keys: 4096, seed: 0 }, &Cache::quiet("")).expect("synthetic corpora open");
    let mut learner = Fused::new(&shape, groups, LearnerState::first(Layout::of(&shape).first_weights(0)), Factors::F32);
    let (mut inputs, mut targets) = (vec![0; TOKENS], vec![0; TOKENS]);
    for step in 0..STEPS {
        corpus.fill_batch(Order::default(), step, TOKENS / CONTEXT, CONTEXT, &mut inputs, &mut targets);
        learner.gradient(&inputs, &targets).expect("computes");
        learner.update(&Update::new(&AdamW::default(), step, RATE)).expect("updates");
    }
    learner.activation_sizes(&inputs)
}

/// Largest over smallest size among the widths, activation by activation; the worst. The embedding itself is left out:
/// its first values are 1/√width by rule, and no learning rate makes that otherwise.
fn spread(groups: &OptimizerGroups) -> f64 {
    let of_widths = WIDTHS.map(|width| sizes(width, groups));
    let ratio = |at: usize| {
        let sizes = of_widths.iter().map(|sizes| sizes[at]);
        sizes.clone().fold(0.0, f64::max) / sizes.fold(f64::INFINITY, f64::min)
    };
    (1..of_widths[0].len()).map(ratio).fold(0.0, f64::max)
}

#[test]
fn activations_stay_of_one_size_over_widths_where_rates_fall_with_width() {
    let scaled = spread(&OptimizerGroups { base_width: Some(64), ..OptimizerGroups::default() });
    let plain = spread(&OptimizerGroups::default());
    assert!(scaled < 2.0, "{scaled} with rates that fall with width");
    assert!(plain > 2.0, "{plain} with one rate for all: the check would not see a mistake");
}
