//! The weights that a run ended with as the bytes of a safetensors file, and back: what later stages of training begin from. Its metadata
//! say whose they are; two checksums hold, one of all of it and one of the numbers alone, by which runs that begin from them are named.

use super::init::Layout;
use super::sealed::{CheckpointError, Numbers, Unsealed, checksum, name, sealed};
use crate::spec::{ModelShape, RunSpec};
use safetensors::tensor::View;
use std::collections::BTreeMap;

/// The weights of a run that finished.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// All numbers in the flat order.
    pub(crate) values: Vec<f32>,
    /// SHA-256 of the numbers by parameter, hexadecimal.
    pub sha256: String,
}

/// Changes when older files can no longer be read.
const FORMAT: &str = "scalelab weights 1";

impl Weights {
    /// The bytes of a safetensors file with the weights of `spec`, which ended at a held-out loss in nats.
    pub(crate) fn to_bytes(spec: &RunSpec, values: &[f32], loss_nats: f64) -> Vec<u8> {
        let layout = Layout::of(&spec.shape);
        let tensors = tensors(&layout, values);
        let said = |value: serde_json::Result<String>| value.expect("a run of ours is written as JSON");
        let metadata: BTreeMap<&str, String> = BTreeMap::from([
            ("format", FORMAT.to_owned()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("run", spec.id().0),
            ("spec", said(serde_json::to_string(spec))),
            ("shape", said(serde_json::to_string(&spec.shape))),
            ("tokenizer", spec.tokenizer.name.clone()),
            ("corpus_sha256", spec.corpus_sha256.clone()),
            ("loss_nats", loss_nats.to_string()),
            ("weights_sha256", of_numbers(&tensors)),
        ]);
        sealed(metadata, tensors)
    }

    /// Reads the weights of a network of a shape.
    ///
    /// # Errors
    /// Where the file is not what was written, or holds another network.
    pub fn read(bytes: &[u8], shape: &ModelShape) -> Result<Self, CheckpointError> {
        let damaged = |problem: &dyn ToString| CheckpointError::Damaged(problem.to_string());
        let file = Unsealed::of(bytes)?;
        let text = |key: &str| file.text(key);
        if text("format") != FORMAT {
            return Err(CheckpointError::Foreign { field: "format", found: text("format"), wanted: FORMAT.to_owned() });
        }
        let found: ModelShape = serde_json::from_str(&text("shape")).map_err(|error| damaged(&format!("no shape: {error}")))?;
        if found != *shape {
            return Err(CheckpointError::Foreign { field: "shape", found: in_words(&found), wanted: in_words(shape) });
        }
        let layout = Layout::of(shape);
        let values = file.flat("weights", &layout)?;
        let sha256 = of_numbers(&tensors(&layout, &values));
        Ok(Self { values, sha256 })
    }
}

/// A shape with what its name leaves out.
fn in_words(shape: &ModelShape) -> String {
    let ModelShape { heads, kv_heads, ffn, vocabulary, context, qk_norm, tied_head, .. } = shape;
    format!(
        "{shape} (heads {heads}/{kv_heads}, ffn {ffn}, vocabulary {vocabulary}, context {context}, qk_norm {qk_norm}, tied_head {tied_head})"
    )
}

/// Every tensor by its name, in the order of names.
fn tensors<'a>(layout: &Layout, values: &'a [f32]) -> BTreeMap<String, Numbers<'a>> {
    let one = |parameter: &super::init::Parameter| {
        (name("weights", parameter), Numbers::Single(&values[parameter.range()], vec![parameter.rows, parameter.columns]))
    };
    layout.parameters.iter().map(one).collect()
}

fn of_numbers(tensors: &BTreeMap<String, Numbers<'_>>) -> String {
    checksum(&BTreeMap::new(), tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.data())))
}

#[cfg(test)]
mod tests {
    use super::super::tests::tiny;
    use super::*;
    use crate::spec::Random;
    use proptest::prelude::*;

    fn file() -> (RunSpec, Vec<f32>, Vec<u8>) {
        let (spec, _) = tiny(3);
        let values = Layout::of(&spec.shape).first_weights(5);
        let bytes = Weights::to_bytes(&spec, &values, 2.5);
        (spec, values, bytes)
    }

    #[test]
    fn weights_come_back_bit_for_bit_with_a_hash_of_the_numbers_alone() {
        let (spec, values, bytes) = file();
        let read = Weights::read(&bytes, &spec.shape).expect("reads");
        assert_eq!(read.values, values);
        let renamed = RunSpec { sweep: "other".into(), ..spec.clone() };
        let again = Weights::read(&Weights::to_bytes(&renamed, &values, 2.5), &spec.shape).expect("reads");
        assert_eq!(again.sha256, read.sha256);
        let mut moved = values;
        moved[7] += 1e-3;
        assert_ne!(Weights::read(&Weights::to_bytes(&spec, &moved, 2.5), &spec.shape).expect("reads").sha256, read.sha256);
    }

    #[test]
    fn weights_of_another_shape_or_format_are_refused_by_name() {
        let (spec, _, bytes) = file();
        let wider = ModelShape { context: 64, ..spec.shape.clone() };
        let message = Weights::read(&bytes, &wider).expect_err("another context").to_string();
        assert!(message.contains("its shape is 2x16") && message.contains("context 32") && message.contains("context 64"), "{message}");
        let state = super::super::Checkpoint::first(&spec, &Layout::of(&spec.shape)).to_bytes(&spec, &crate::spec::Device::Cpu);
        let message = Weights::read(&state, &spec.shape).expect_err("a checkpoint").to_string();
        assert!(message.contains("format") && message.contains("scalelab weights 1"), "{message}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_damaged_file_is_never_taken_for_weights(seed in any::<u64>(), cut in any::<bool>()) {
            let (spec, _, mut bytes) = file();
            let mut random = Random::new(seed, "damage");
            if cut {
                bytes.truncate(random.below(bytes.len() as u64) as usize);
            } else {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
            prop_assert!(Weights::read(&bytes, &spec.shape).is_err());
        }
    }
}
