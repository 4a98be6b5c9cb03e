//! Event files of TensorBoard: records of protobuf (tensorflow/core/util/event.proto, framework/summary.proto), of which scalars are read,
//! plain ones and tensors, and what hyperparameters or texts of JSON say of a run.

use super::config::{flatten, insert};
use super::run::{Asked, TrackedRun};
use super::tfrecord::{Records, record};
use prost::Message;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::io::Read;

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "8")]
    tensor: Option<Tensor>,
    #[prost(message, optional, tag = "9")]
    metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(message, optional, tag = "1")]
    plugin_data: Option<PluginData>,
}

#[derive(Clone, PartialEq, Message)]
struct PluginData {
    #[prost(string, tag = "1")]
    plugin_name: String,
    #[prost(bytes = "vec", tag = "2")]
    content: Vec<u8>,
}

/// Kinds of numbers of tensors, as TensorFlow numbers them.
const FLOAT: i32 = 1;
const DOUBLE: i32 = 2;
const INT32: i32 = 3;
const INT64: i32 = 9;

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(bytes = "vec", tag = "4")]
    content: Vec<u8>,
    #[prost(float, repeated, tag = "5")]
    float_val: Vec<f32>,
    #[prost(double, repeated, tag = "6")]
    double_val: Vec<f64>,
    #[prost(int32, repeated, tag = "7")]
    int_val: Vec<i32>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    string_val: Vec<Vec<u8>>,
    #[prost(int64, repeated, tag = "10")]
    int64_val: Vec<i64>,
}

/// What the plugin of hyperparameters says of a run as it begins (tensorboard/plugins/hparams/plugin_data.proto).
#[derive(Clone, PartialEq, Message)]
struct Hyperparameters {
    #[prost(message, optional, tag = "3")]
    session: Option<Session>,
}

#[derive(Clone, PartialEq, Message)]
struct Session {
    #[prost(map = "string, message", tag = "1")]
    values: HashMap<String, Hyperparameter>,
}

/// google/protobuf/struct.proto, `Value`.
#[derive(Clone, PartialEq, Message)]
struct Hyperparameter {
    #[prost(double, optional, tag = "2")]
    number: Option<f64>,
    #[prost(string, optional, tag = "3")]
    text: Option<String>,
    #[prost(bool, optional, tag = "4")]
    truth: Option<bool>,
}

/// Whether a file is one of events, by its name.
pub(super) fn is_events(name: &str) -> bool {
    name.contains("tfevents")
}

/// Reads an event file of so many bytes.
pub(super) fn read(from: impl Read, bytes: u64, asked: Asked<'_>) -> TrackedRun {
    let mut records = Records::of(from, bytes);
    let mut run = TrackedRun::default();
    while let Some(record) = records.next() {
        match record.map(Event::decode) {
            Ok(Ok(event)) => take(&mut run, event, asked),
            Ok(Err(_)) => {}
            Err(cut) => {
                run.note(cut.to_string());
                break;
            }
        }
    }
    run
}

fn take(run: &mut TrackedRun, event: Event, asked: Asked<'_>) {
    let step = event.step.max(0) as u64;
    for value in event.summary.into_iter().flat_map(|summary| summary.value) {
        if let Some(plugin) = value.metadata.and_then(|metadata| metadata.plugin_data)
            && plugin.plugin_name == "hparams"
        {
            hyperparameters(run, &plugin.content);
        }
        let scalar = value.simple_value.map(f64::from).or_else(|| value.tensor.as_ref().and_then(Tensor::scalar));
        if let Some(scalar) = scalar {
            run.measure(&value.tag, step, scalar, asked);
        } else if let Some([text]) = value.tensor.as_ref().map(|tensor| tensor.string_val.as_slice())
            && let Some(json) = json_in(text)
        {
            // The Hugging Face trainer writes its arguments as a text.
            flatten(&mut run.config, "", &json);
        }
    }
}

/// JSON that a text is, or that stands in it as code.
fn json_in(text: &[u8]) -> Option<Json> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.get(text.find('{')?..=text.rfind('}')?)?;
    serde_json::from_str::<Json>(text).ok().filter(Json::is_object)
}

fn hyperparameters(run: &mut TrackedRun, content: &[u8]) {
    let Ok(Hyperparameters { session: Some(session) }) = Hyperparameters::decode(content) else { return };
    for (name, value) in session.values {
        let said = value.text.or(value.number.map(|number| number.to_string())).or(value.truth.map(|truth| truth.to_string()));
        said.iter().for_each(|said| insert(&mut run.config, &name, said));
    }
}

impl Tensor {
    /// Its number, if it is one.
    fn scalar(&self) -> Option<f64> {
        let only = |numbers: usize| numbers == 1;
        match self.dtype {
            FLOAT if only(self.float_val.len()) => Some(f64::from(self.float_val[0])),
            FLOAT => Some(f64::from(f32::from_le_bytes(self.content.as_slice().try_into().ok()?))),
            DOUBLE if only(self.double_val.len()) => Some(self.double_val[0]),
            DOUBLE => Some(f64::from_le_bytes(self.content.as_slice().try_into().ok()?)),
            INT32 if only(self.int_val.len()) => Some(f64::from(self.int_val[0])),
            INT32 => Some(f64::from(i32::from_le_bytes(self.content.as_slice().try_into().ok()?))),
            INT64 if only(self.int64_val.len()) => Some(self.int64_val[0] as f64),
            INT64 => Some(i64::from_le_bytes(self.content.as_slice().try_into().ok()?) as f64),
            _ => None,
        }
    }
}

/// An event file: its version, hyperparameters, and scalars as (step, tag, value); losses as floats of 32 bits, as TensorBoard keeps them.
pub(in crate::results) fn written(config: &[(String, f64)], scalars: &[(u64, &str, f64)]) -> Vec<u8> {
    let event = |event: Event| record(&event.encode_to_vec());
    let mut file = event(Event { file_version: Some("brain.Event:2".to_owned()), ..Event::default() });
    if !config.is_empty() {
        let value =
            |&(ref name, number): &(String, f64)| (name.clone(), Hyperparameter { number: Some(number), ..Hyperparameter::default() });
        let session = Session { values: config.iter().map(value).collect() };
        let content = Hyperparameters { session: Some(session) }.encode_to_vec();
        let plugin_data = Some(PluginData { plugin_name: "hparams".to_owned(), content });
        let tag = "_hparams_/session_start_info".to_owned();
        let value = Value { tag, metadata: Some(Metadata { plugin_data }), ..Value::default() };
        file.extend(event(Event { summary: Some(Summary { value: vec![value] }), ..Event::default() }));
    }
    for &(step, tag, value) in scalars {
        let value = Value { tag: tag.to_owned(), simple_value: Some(value as f32), ..Value::default() };
        file.extend(event(Event { step: step as i64, summary: Some(Summary { value: vec![value] }), ..Event::default() }));
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_of_every_kind_are_read() {
        let tensor = |tensor: Tensor| Value { tag: "loss".into(), tensor: Some(tensor), ..Value::default() };
        let values = [
            Value { tag: "loss".into(), simple_value: Some(2.5), ..Value::default() },
            tensor(Tensor { dtype: FLOAT, float_val: vec![2.25], ..Tensor::default() }),
            tensor(Tensor { dtype: FLOAT, content: 1.5_f32.to_le_bytes().to_vec(), ..Tensor::default() }),
            tensor(Tensor { dtype: DOUBLE, double_val: vec![1.1], ..Tensor::default() }),
            tensor(Tensor { dtype: INT64, content: 7_i64.to_le_bytes().to_vec(), ..Tensor::default() }),
            // A picture or a histogram is no number.
            tensor(Tensor { dtype: FLOAT, float_val: vec![1.0, 2.0], ..Tensor::default() }),
        ];
        let event =
            |(step, value): (usize, Value)| Event { step: step as i64, summary: Some(Summary { value: vec![value] }), ..Event::default() };
        let file: Vec<u8> = values.into_iter().enumerate().flat_map(|value| record(&event(value).encode_to_vec())).collect();
        let run = read(file.as_slice(), file.len() as u64, &[]);
        assert_eq!(run.metric("loss").expect("read").points, [(0, 2.5), (1, 2.25), (2, 1.5), (3, 1.1), (4, 7.0)]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let file = written(&[("params".into(), 1e6)], &[(1, "train/loss", 3.5), (1, "lr", 1e-3), (2, "train/loss", f64::NAN)]);
        let run = read(file.as_slice(), file.len() as u64, &[]);
        assert_eq!(run.config.get("params").map(String::as_str), Some("1000000"));
        assert_eq!(run.metric("lr").expect("read").points, [(1, f64::from(1e-3_f32))]);
        let losses = &run.metric("train/loss").expect("read").points;
        assert!(losses[0] == (1, 3.5) && losses[1].1.is_nan() && run.notes.is_empty(), "{run:?}");
        let cut = read(&file[..file.len() - 3], file.len() as u64 - 3, &[]);
        assert!(cut.metric("train/loss").expect("read").points.len() == 1 && cut.notes[0].contains("cut off"), "{cut:?}");
    }
}
