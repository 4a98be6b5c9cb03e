//! Numbers by parameter in the bytes of a safetensors file whose metadata hold a checksum of all of it, and back.

use super::init::{Layout, Parameter};
use safetensors::tensor::{Dtype, SafeTensors, View};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;

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

/// The bytes of a file with metadata and tensors, under a checksum of both.
pub(super) fn sealed(metadata: BTreeMap<&'static str, String>, tensors: BTreeMap<String, Numbers<'_>>) -> Vec<u8> {
    let mut metadata: BTreeMap<String, String> = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let sum = checksum(&metadata, tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.data())));
    metadata.insert(SUM.to_owned(), sum);
    safetensors::serialize(tensors, Some(metadata.into_iter().collect())).expect("tensors of ours have the size of their shape")
}

/// The key of the checksum.
const SUM: &str = "sha256";

/// A file whose checksum holds.
pub(super) struct Unsealed<'a> {
    metadata: BTreeMap<String, String>,
    data: BTreeMap<String, &'a [u8]>,
}

impl<'a> Unsealed<'a> {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// Where they are not what was written.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, CheckpointError> {
        let damaged = |error: safetensors::SafeTensorError| CheckpointError::Damaged(error.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let mut metadata: BTreeMap<String, String> =
            header.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        let sum = metadata.remove(SUM).unwrap_or_default();
        let data: BTreeMap<String, &[u8]> = file.tensors().into_iter().map(|(name, tensor)| (name, tensor.data())).collect();
        if sum != checksum(&metadata, data.iter().map(|(name, bytes)| (name.as_str(), Cow::Borrowed(*bytes)))) {
            return Err(CheckpointError::Damaged("its checksum does not match".to_owned()));
        }
        Ok(Self { metadata, data })
    }

    /// What its metadata say of a key; nothing where they do not.
    pub(super) fn text(&self, key: &str) -> String {
        self.metadata.get(key).cloned().unwrap_or_default()
    }

    /// One kind of numbers of all parameters in the flat order.
    pub(super) fn flat(&self, kind: &str, layout: &Layout) -> Result<Vec<f32>, CheckpointError> {
        let mut values = Vec::with_capacity(layout.total);
        for parameter in &layout.parameters {
            let name = name(kind, parameter);
            let bytes = self.bytes_of(&name)?;
            if bytes.len() != 4 * parameter.range().len() {
                return Err(CheckpointError::Damaged(format!("{name} has {} bytes", bytes.len())));
            }
            values.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four bytes"))));
        }
        Ok(values)
    }

    /// Numbers in double precision.
    pub(super) fn doubles(&self, name: &str) -> Result<Vec<f64>, CheckpointError> {
        Ok(self.bytes_of(name)?.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes"))).collect())
    }

    fn bytes_of(&self, name: &str) -> Result<&'a [u8], CheckpointError> {
        self.data.get(name).copied().ok_or_else(|| CheckpointError::Damaged(format!("it lacks {name}")))
    }
}

/// The name of the numbers of a kind of a parameter.
pub(super) fn name(kind: &str, parameter: &Parameter) -> String {
    format!("{kind}.{}", parameter.name)
}

/// SHA-256 over metadata and tensors in the order of their names, hexadecimal.
pub(super) fn checksum<'a>(metadata: &BTreeMap<String, String>, tensors: impl Iterator<Item = (&'a str, Cow<'a, [u8]>)>) -> String {
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
