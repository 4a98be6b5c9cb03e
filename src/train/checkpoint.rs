//! The whole state of a run after some of its steps, as bytes and back: weights and both moments by parameter, the
//! facts of every step so far (from which a run of any length makes its curve), and what the state belongs to.
//! A safetensors file with a checksum in its metadata. Whoever attends the run writes the bytes; this room does not.

use super::curve::StepFacts;
use super::init::Layout;
use super::learner::{LearnerState, Reading};
use super::noise::NoiseScale;
use super::sealed::{CheckpointError, Numbers, Unsealed, name, sealed};
use crate::spec::{Device, RunSpec};
use std::collections::BTreeMap;

/// The state of a run after `step` steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Steps made.
    pub step: u64,
    /// The step from which the run's own work counts: above 0 where a trunk was shared.
    pub own_from: u64,
    /// Seconds that the run's own work took.
    pub seconds: f64,
    pub(crate) learner: LearnerState,
    pub(crate) noise: NoiseScale,
    pub(crate) history: Vec<StepFacts>,
}

/// Changes when older checkpoints can no longer be read.
const FORMAT: &str = "scalelab checkpoint 2";

impl Checkpoint {
    /// The state before the first step of a run that draws what it trains.
    pub(crate) fn first(spec: &RunSpec, layout: &Layout) -> Self {
        Self::beginning(layout.first_weights(spec.seeds.init))
    }

    /// The state before the first step of a run that begins with these weights: moments are zero.
    pub(crate) fn beginning(weights: Vec<f32>) -> Self {
        let learner = LearnerState::first(weights);
        Self { step: 0, own_from: 0, seconds: 0.0, learner, noise: NoiseScale::default(), history: Vec::new() }
    }

    /// The bytes of a safetensors file.
    pub(crate) fn to_bytes(&self, spec: &RunSpec, device: &Device) -> Vec<u8> {
        let layout = Layout::trained(spec);
        let mut metadata = belongings(spec, device);
        metadata.insert("run", spec.id().0);
        metadata.insert("step", self.step.to_string());
        metadata.insert("own_from", self.own_from.to_string());
        metadata.insert("seconds", self.seconds.to_string());
        let tensors = self.tensors(&layout);
        sealed(metadata, tensors)
    }

    /// Reads a state that `spec` may go on from: its own, or one of its trunk before it leaves it.
    pub fn read(bytes: &[u8], spec: &RunSpec, device: &Device) -> Result<Self, CheckpointError> {
        let damaged = |problem: &dyn ToString| CheckpointError::Damaged(problem.to_string());
        let file = Unsealed::of(bytes)?;
        let text = |key: &str| file.text(key);
        let number = |key: &str| text(key).parse::<f64>().map_err(|_| damaged(&format!("no number of {key}")));
        let step = number("step")? as u64;
        check_belongings(spec, device, &text, step)?;
        let layout = Layout::trained(spec);
        let history = history(spec, &file)?;
        let [variance, gradient] = file.doubles("noise")?.try_into().map_err(|_| damaged(&"noise is no pair"))?;
        if history.len() as u64 != step {
            return Err(damaged(&format!("{} steps are told of {step}", history.len())));
        }
        let part = |kind: &str| file.flat(kind, &layout);
        let learner = LearnerState { weights: part("weights")?, mean: part("mean")?, square: part("square")? };
        let own = text("run") == spec.id().0;
        let (own_from, seconds) = if own { (number("own_from")? as u64, number("seconds")?) } else { (step, 0.0) };
        Ok(Self { step, own_from, seconds, learner, noise: NoiseScale { variance, gradient }, history })
    }

    /// Every tensor by its name, in the order of names.
    fn tensors<'a>(&'a self, layout: &'a Layout) -> BTreeMap<String, Numbers<'a>> {
        let mut tensors = BTreeMap::new();
        for (kind, flat) in [("weights", &self.learner.weights), ("mean", &self.learner.mean), ("square", &self.learner.square)] {
            for parameter in &layout.parameters {
                let values = &flat[parameter.range()];
                tensors.insert(name(kind, parameter), Numbers::Single(values, vec![parameter.rows, parameter.columns]));
            }
        }
        let column = |fact: fn(&StepFacts) -> f64| Numbers::Double(self.history.iter().map(fact).collect(), vec![self.history.len()]);
        tensors.insert("steps.loss".into(), column(|facts| facts.loss));
        tensors.insert("steps.norm".into(), column(|facts| facts.norm));
        tensors.insert("steps.noise_scale".into(), column(|facts| facts.noise_scale.unwrap_or(f64::NAN)));
        tensors.insert("steps.held_out_loss".into(), column(|facts| facts.held_out_loss.unwrap_or(f64::NAN)));
        tensors.insert("noise".into(), Numbers::Double(vec![self.noise.variance, self.noise.gradient], vec![2]));
        tensors
    }
}

/// What a state must share with a run that resumes from it, besides steps.
fn belongings(spec: &RunSpec, device: &Device) -> BTreeMap<&'static str, String> {
    let trunk = spec.trunk_id().unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let noise = spec.noise_scale_every.to_string();
    let vocabulary = spec.shape.vocabulary.to_string();
    let fields =
        [("format", FORMAT.to_owned()), ("vocabulary", vocabulary), ("version", version), ("device", device.to_string()), ("trunk", trunk)];
    // Readings on the way depend on the windows, and of a mixture on what its parts count for.
    let weights: Vec<u32> = spec.mixture.iter().map(|part| part.weight).collect();
    let windows =
        format!("{} on {} of {}, seed {}, {weights:?}", spec.eval_every, spec.windows_on_the_way(), spec.eval_windows, spec.seeds.eval);
    let readings = if spec.eval_every > 0 { windows } else { String::new() };
    fields.into_iter().chain([("noise_scale_every", noise), ("eval_every", readings)]).collect()
}

fn check_belongings(spec: &RunSpec, device: &Device, text: &dyn Fn(&str) -> String, step: u64) -> Result<(), CheckpointError> {
    let run = spec.id().0;
    let own = text("run") == run;
    let mut belongings: Vec<(&'static str, String)> = belongings(spec, device).into_iter().collect();
    // Another vocabulary makes another trunk, too: the cause is told first.
    belongings.sort_by_key(|(field, _)| *field == "trunk");
    for (field, wanted) in belongings {
        let found = text(field);
        if found != wanted {
            return Err(CheckpointError::Foreign { field, found, wanted });
        }
    }
    let shared = spec.branch_step().unwrap_or(0);
    if own && step <= spec.steps || !own && step <= shared && spec.trunk_id().is_some() {
        return Ok(());
    }
    let (field, found, wanted) = if own || spec.trunk_id().is_some() {
        ("step", step.to_string(), format!("at most {}", if own { spec.steps } else { shared }))
    } else {
        ("run", text("run"), run)
    };
    Err(CheckpointError::Foreign { field, found, wanted })
}

fn history(spec: &RunSpec, file: &Unsealed<'_>) -> Result<Vec<StepFacts>, CheckpointError> {
    let columns = ["steps.loss", "steps.norm", "steps.noise_scale", "steps.held_out_loss"];
    let [losses, norms, scales, held_out] = columns.map(|name| file.doubles(name));
    let facts_of_steps = losses?.into_iter().zip(norms?).zip(scales?).zip(held_out?);
    let known = |value: f64| value.is_finite().then_some(value);
    let facts = |(((loss, norm), scale), held_out): (((f64, f64), f64), f64)| StepFacts {
        noise_scale: known(scale),
        held_out_loss: known(held_out),
        ..StepFacts::of(Reading { loss, norm }, spec.recipe.grad_clip)
    };
    Ok(facts_of_steps.map(facts).collect())
}
