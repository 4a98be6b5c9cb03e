//! The whole state of a run after some of its steps, as bytes and back: weights and both moments by parameter, the
//! facts of every step so far (from which a run of any length makes its curve), and what the state belongs to.
//! A safetensors file with a checksum in its metadata. Whoever attends the run writes the bytes; this room does not.

use super::curve::StepFacts;
use super::init::{Layout, Parameter};
use super::learner::{LearnerState, Reading};
use super::noise::NoiseScale;
use crate::spec::{Device, RunSpec};
use safetensors::tensor::{Dtype, SafeTensors, View};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// Why a checkpoint is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not what was written: cut short, overwritten, or no checkpoint at all.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Whole, but of something else.
    #[error("its {field} is {found}, wanted is {wanted}")]
    Foreign {
        /// The setting that differs.
        field: &'static str,
        /// Its value in the checkpoint.
        found: String,
        /// As the run needs it.
        wanted: String,
    },
}

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
    /// The state before the first step.
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
        let layout = Layout::of(&spec.shape);
        let mut metadata = belongings(spec, device);
        metadata.insert("run", spec.id().0);
        metadata.insert("step", self.step.to_string());
        metadata.insert("own_from", self.own_from.to_string());
        metadata.insert("seconds", self.seconds.to_string());
        let tensors = self.tensors(&layout);
        let sum = checksum(&metadata, tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.data())));
        metadata.insert("sha256", sum);
        let metadata: HashMap<String, String> = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        safetensors::serialize(tensors, Some(metadata)).expect("tensors of ours have the size of their shape")
    }

    /// Reads a state that `spec` may go on from: its own, or one of its trunk before it leaves it.
    pub fn read(bytes: &[u8], spec: &RunSpec, device: &Device) -> Result<Self, CheckpointError> {
        let damaged = |problem: &dyn ToString| CheckpointError::Damaged(problem.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error))?;
        let mut metadata: BTreeMap<&str, String> = BTreeMap::new();
        for (key, value) in header.metadata().iter().flatten() {
            metadata.insert(key, value.clone());
        }
        let sum = metadata.remove("sha256").unwrap_or_default();
        let data: BTreeMap<String, &[u8]> = tensors.tensors().into_iter().map(|(name, tensor)| (name, tensor.data())).collect();
        if sum != checksum(&metadata, data.iter().map(|(name, bytes)| (name.as_str(), Cow::Borrowed(*bytes)))) {
            return Err(damaged(&"its checksum does not match"));
        }
        let text = |key: &str| metadata.get(key).cloned().unwrap_or_default();
        let number = |key: &str| text(key).parse::<f64>().map_err(|_| damaged(&format!("no number of {key}")));
        let step = number("step")? as u64;
        check_belongings(spec, device, &text, step)?;
        let layout = Layout::of(&spec.shape);
        let history = history(spec, &data)?;
        let [variance, gradient] = doubles("noise", &data)?.try_into().map_err(|_| damaged(&"noise is no pair"))?;
        if history.len() as u64 != step {
            return Err(damaged(&format!("{} steps are told of {step}", history.len())));
        }
        let part = |kind: &str| flat(kind, &layout, &data);
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

pub(super) fn name(kind: &str, parameter: &Parameter) -> String {
    format!("{kind}.{}", parameter.name)
}

/// SHA-256 over metadata and tensors in the order of their names, hexadecimal.
pub(super) fn checksum<'a>(metadata: &BTreeMap<&str, String>, tensors: impl Iterator<Item = (&'a str, Cow<'a, [u8]>)>) -> String {
    let mut digest = Sha256::new();
    for (key, value) in metadata {
        digest.update(format!("{key} = {value}\n"));
    }
    for (name, bytes) in tensors {
        digest.update(format!("{name}: {} bytes\n", bytes.len()));
        digest.update(&bytes);
    }
    format!("{:x}", digest.finalize())
}

fn bytes_of<'a>(name: &str, data: &BTreeMap<String, &'a [u8]>) -> Result<&'a [u8], CheckpointError> {
    data.get(name).copied().ok_or_else(|| CheckpointError::Damaged(format!("it lacks {name}")))
}

/// One kind of numbers of all parameters in the flat order.
pub(super) fn flat(kind: &str, layout: &Layout, data: &BTreeMap<String, &[u8]>) -> Result<Vec<f32>, CheckpointError> {
    let mut values = Vec::with_capacity(layout.total);
    for parameter in &layout.parameters {
        let name = name(kind, parameter);
        let bytes = bytes_of(&name, data)?;
        if bytes.len() != 4 * parameter.range().len() {
            return Err(CheckpointError::Damaged(format!("{name} has {} bytes", bytes.len())));
        }
        values.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))));
    }
    Ok(values)
}

fn doubles(name: &str, data: &BTreeMap<String, &[u8]>) -> Result<Vec<f64>, CheckpointError> {
    Ok(bytes_of(name, data)?.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes"))).collect())
}

fn history(spec: &RunSpec, data: &BTreeMap<String, &[u8]>) -> Result<Vec<StepFacts>, CheckpointError> {
    let columns = ["steps.loss", "steps.norm", "steps.noise_scale", "steps.held_out_loss"];
    let [losses, norms, scales, held_out] = columns.map(|name| doubles(name, data));
    let facts_of_steps = losses?.into_iter().zip(norms?).zip(scales?).zip(held_out?);
    let known = |value: f64| value.is_finite().then_some(value);
    let facts = |(((loss, norm), scale), held_out): (((f64, f64), f64), f64)| StepFacts {
        noise_scale: known(scale),
        held_out_loss: known(held_out),
        ..StepFacts::of(Reading { loss, norm }, spec.recipe.grad_clip)
    };
    Ok(facts_of_steps.map(facts).collect())
}

/// Numbers of a tensor; turned into bytes one tensor at a time.
pub(super) enum Numbers<'a> {
    Single(&'a [f32], Vec<usize>),
    Double(Vec<f64>, Vec<usize>),
}

impl View for Numbers<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Single(..) => Dtype::F32,
            Self::Double(..) => Dtype::F64,
        }
    }

    fn shape(&self) -> &[usize] {
        let (Self::Single(_, shape) | Self::Double(_, shape)) = self;
        shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(match self {
            Self::Single(values, _) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::Double(values, _) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        })
    }

    fn data_len(&self) -> usize {
        match self {
            Self::Single(values, _) => 4 * values.len(),
            Self::Double(values, _) => 8 * values.len(),
        }
    }
}
