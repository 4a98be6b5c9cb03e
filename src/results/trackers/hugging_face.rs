//! What the Hugging Face trainer leaves: `trainer_state.json`, and beside it the configuration and weights of a checkpoint.

use super::config::flatten;
use super::run::{Asked, TrackedRun};
use serde_json::{Map, Value};
use std::io::Read;

/// Whether a text is the state of a trainer.
pub(super) fn is_state(text: &str) -> bool {
    text.trim_start().starts_with('{') && text.contains("\"log_history\"")
}

/// A state of a trainer, and the steps that were done.
pub(super) fn read(text: &str, asked: Asked<'_>) -> Result<(TrackedRun, u64), String> {
    let state: Map<String, Value> = serde_json::from_str(&finite(text)).map_err(|error| format!("no state of a trainer: {error}"))?;
    let mut run = TrackedRun::default();
    let steps = state.get("global_step").and_then(Value::as_u64).unwrap_or_default();
    for (name, value) in state.iter().filter(|(name, _)| !["log_history", "trial_params", "stateful_callbacks"].contains(&name.as_str())) {
        flatten(&mut run.config, name, value);
    }
    // The batch of one device under a name that others give to the whole one.
    if let Some(of_device) = run.config.remove("train_batch_size") {
        run.config.insert("per_device_train_batch_size".to_owned(), of_device);
    }
    let history = state.get("log_history").and_then(Value::as_array).ok_or("`log_history` is no list")?;
    let mut passed_over = 0;
    for entry in history {
        let Some(entry) = entry.as_object() else { continue };
        let Some(step) = entry.get("step").and_then(Value::as_u64) else {
            passed_over += 1;
            continue;
        };
        // The last entry tells of the whole run: its `train_loss` is a mean over all of it.
        if entry.contains_key("train_runtime") {
            continue;
        }
        for (name, value) in entry.iter().filter(|(name, _)| *name != "step") {
            let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
            number.into_iter().for_each(|number| run.measure(name, step, number, asked));
        }
    }
    if passed_over > 0 {
        run.note(format!("{passed_over} entries of `log_history` passed over: they name no step"));
    }
    Ok((run, steps))
}

/// The text with `NaN` and `Infinity`, which are no JSON, as words.
fn finite(text: &str) -> std::borrow::Cow<'_, str> {
    if !["NaN", "Infinity"].iter().any(|word| text.contains(word)) {
        return text.into();
    }
    text.replace(": NaN", ": \"NaN\"").replace(": -Infinity", ": \"-inf\"").replace(": Infinity", ": \"inf\"").into()
}

/// Bytes that the header of a file of weights may have.
const LONGEST_HEADER: u64 = 100_000_000;

/// Parameters of a file of weights (`model.safetensors`), by the shapes that its header names; its first bytes will do.
pub(super) fn parameters(bytes: &mut impl Read) -> Option<u64> {
    let mut length = [0; 8];
    bytes.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return None;
    }
    let mut header = Vec::new();
    Read::take(bytes, length).read_to_end(&mut header).ok()?;
    let header: Map<String, Value> = serde_json::from_slice(&header).ok()?;
    let shapes = header.iter().filter(|(name, _)| *name != "__metadata__").map(|(_, tensor)| tensor.get("shape")?.as_array());
    shapes
        .map(|shape| shape?.iter().map(Value::as_u64).try_fold(1_u64, |product, length| product.checked_mul(length?)))
        .try_fold(0_u64, |sum, one| sum.checked_add(one?))
        .filter(|sum| *sum > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_entry_by_entry() {
        let text = r#"{"global_step": 20, "train_batch_size": 8, "max_steps": 20, "log_history": [
            {"epoch": 0.5, "grad_norm": 1.25, "learning_rate": 0.001, "loss": 3.5, "num_input_tokens_seen": 4096, "step": 10},
            {"epoch": 0.5, "eval_loss": 3.25, "step": 10}, {"loss": 1.0},
            {"epoch": 1.0, "grad_norm": NaN, "learning_rate": 0.0, "loss": 3.0, "num_input_tokens_seen": 8192, "step": 20},
            {"epoch": 1.0, "train_loss": 3.3, "train_runtime": 12.0, "step": 20}]}"#;
        let (run, steps) = read(text, &[]).expect("reads");
        assert_eq!((steps, run.config["per_device_train_batch_size"].as_str()), (20, "8"));
        assert_eq!(run.metric("loss").expect("read").points, [(10, 3.5), (20, 3.0)]);
        assert_eq!(run.metric("eval_loss").expect("read").points, [(10, 3.25)]);
        assert!(run.metric("train_loss").is_none() && run.metric("grad_norm").expect("read").points[1].1.is_nan());
        assert!(run.notes[0].starts_with("1 entries"), "{:?}", run.notes);
        assert!(is_state(text) && !is_state("{\"a\": 1}"));
        assert!(read("{\"log_history\": 3}", &[]).is_err());
    }

    #[test]
    fn parameters_are_counted_by_their_shapes() {
        let header = br#"{"__metadata__": {"format": "pt"}, "wte": {"dtype": "F32", "shape": [50, 8], "data_offsets": [0, 1600]}, "b": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}"#;
        let file = [&(header.len() as u64).to_le_bytes()[..], header].concat();
        assert_eq!(parameters(&mut file.as_slice()), Some(401));
        assert_eq!(parameters(&mut &u64::MAX.to_le_bytes()[..]), None);
        assert_eq!(parameters(&mut &b"PK"[..]), None);
    }
}
