//! A whole step leaves no denormal in any buffer, however sharp the network and small its gradients.

use super::adamw::Update;
use super::fused::Fused;
use super::init::Layout;
use super::kernels::panels::Factors;
use super::learner::{Learner, LearnerState};
use crate::spec::{AdamW, Dtype, ModelShape, OptimizerGroups, Random};

/// The workload S of the benchmarks, at any context.
fn workload(context: usize) -> ModelShape {
    ModelShape { context, heads: 2, kv_heads: 2, qk_norm: false, ..ModelShape::derived(2, 64) }
}

/// First weights with every matrix of one kind multiplied.
fn scaled(layout: &Layout, factors: &[(&str, f32)]) -> LearnerState {
    let mut weights = layout.first_weights(0);
    for (part, factor) in factors {
        let named = layout.parameters.iter().filter(|parameter| parameter.name.ends_with(part));
        let mut found = 0;
        for parameter in named {
            weights[parameter.range()].iter_mut().for_each(|weight| *weight *= factor);
            found += 1;
        }
        assert!(found > 0, "no parameter is called {part}");
    }
    LearnerState::first(weights)
}

/// Sequences that repeat a few tokens, most of the vocabulary never seen, as the start of a run on text has it.
fn tokens(count: usize) -> Vec<u32> {
    let mut random = Random::new(4, "tokens");
    (0..count).map(|_| 64 + random.below(8) as u32 * random.below(6) as u32).collect()
}

#[track_caller]
fn none(fused: &Fused, when: &str) {
    for (name, values) in fused.buffers() {
        let found = values.iter().filter(|value| value.is_subnormal()).count();
        assert_eq!(found, 0, "{when}: {found} of {} numbers of {name} are denormal", values.len());
        assert!(values.iter().all(|value| value.is_finite()), "{when}: {name} is finite");
    }
}

#[test]
fn steps_of_ordinary_sharp_and_certain_networks_leave_no_denormal() {
    // Queries and keys enter scores as a product; a large head is certain of its answers, so most gradients are next to nothing.
    let sharp = [("query", 40.0), ("key", 40.0)];
    let certain = [("query", 40.0), ("key", 40.0), ("gate", 60.0), ("head", 300.0)];
    let rounded = Factors::of(Dtype::Bf16).unwrap_or(Factors::F32);
    for (name, factors, context, sequences, products) in [
        ("ordinary", &[][..], 128, 16, Factors::F32),
        ("sharp", &sharp, 128, 16, Factors::F32),
        ("certain", &certain, 128, 16, Factors::F32),
        ("certain, rounded", &certain, 128, 16, rounded),
        ("long", &sharp, 1024, 2, Factors::F32),
    ] {
        let shape = workload(context);
        let layout = Layout::of(&shape);
        let mut fused = Fused::new(&shape, &OptimizerGroups::default(), scaled(&layout, factors), products);
        let count = context * sequences;
        let tokens = tokens(count + 1);
        for step in 0..3 {
            let update = Update::new(&AdamW::default(), step, 1e-3);
            fused.step(&tokens[..count], &tokens[1..], &update, 1.0).expect("computes");
            none(&fused, &format!("{name}, step {step}"));
        }
        fused.token_losses(&tokens[..count], &tokens[1..]).expect("computes");
        none(&fused, &format!("{name}, held-out losses"));
    }
}

/// Memorising one sequence with a large head makes it certain: dlogits then are 0 but for tails, whose products with anything
/// would be denormal.
#[test]
fn a_network_that_has_learnt_its_data_by_heart_leaves_no_denormal() {
    let shape = workload(128);
    let layout = Layout::of(&shape);
    let mut fused = Fused::new(&shape, &OptimizerGroups::default(), scaled(&layout, &[]), Factors::F32);
    let tokens: Vec<u32> = (0..2049).map(|i| (i % 128) as u32).collect();
    let mut loss = f64::INFINITY;
    for step in 0..120 {
        let update = Update::new(&AdamW { weight_decay: 0.0, ..AdamW::default() }, step, 2e-2);
        loss = fused.step(&tokens[..2048], &tokens[1..], &update, 1.0).expect("computes")[0].loss;
        none(&fused, &format!("step {step}"));
    }
    assert!(loss < 1e-3, "{loss}: it knows its data");
}
