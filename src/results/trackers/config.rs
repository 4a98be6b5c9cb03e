//! Configurations of runs as values by path, out of JSON and out of the YAML that trackers write.

use serde_json::Value;
use std::collections::BTreeMap;

/// Values by path.
pub(super) type Config = BTreeMap<String, String>;

/// Values that are kept: a configuration may hold a vocabulary.
const MOST: usize = 5000;
/// Bytes of a value that are kept, and of a path.
const LONGEST: usize = 200;
/// How deep values may lie.
const DEEPEST: usize = 16;

/// Adds the values of JSON under a path.
pub(super) fn flatten(config: &mut Config, path: &str, value: &Value) {
    flatten_to(config, path, value, DEEPEST);
}

fn flatten_to(config: &mut Config, path: &str, value: &Value, depth: usize) {
    match value {
        Value::Object(inner) if depth > 0 => {
            // W&B keeps each value in an object of its own: {"lr": {"desc": null, "value": 1e-3}}.
            if let (Some(value), true) = (inner.get("value"), inner.len() <= 2 && inner.keys().all(|key| key == "value" || key == "desc")) {
                return flatten_to(config, path, value, depth - 1);
            }
            for (name, value) in inner {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten_to(config, &path, value, depth - 1);
            }
        }
        Value::Object(_) | Value::Array(_) | Value::Null => {}
        Value::String(text) => insert(config, path, text),
        other => insert(config, path, &other.to_string()),
    }
}

/// Adds a value, unless it is too long to be one of a recipe.
pub(super) fn insert(config: &mut Config, path: &str, value: &str) {
    let (path, value) = (path.trim(), value.trim());
    if config.len() < MOST && !path.is_empty() && path.len() <= LONGEST && !value.is_empty() && value.len() <= LONGEST {
        config.insert(path.to_owned(), value.to_owned());
    }
}

/// Values of a YAML file of mappings; lists, texts of several lines, tags and anchors are passed over.
pub(super) fn of_yaml(text: &str) -> Config {
    let mut found = Config::new();
    // Indents of the mappings that a line lies in, with the length of their paths.
    let mut open: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let body = without_comment(line.trim());
        if body.is_empty() || body.starts_with(['-', '#', '%', '!', '&']) {
            continue;
        }
        while open.last().is_some_and(|(outer, _)| *outer >= indent) {
            open.pop();
        }
        let Some((key, value)) = body.split_once(": ").or_else(|| body.strip_suffix(':').map(|key| (key, ""))) else { continue };
        let key = unquoted(key.trim());
        let path = open.last().map_or(key.to_owned(), |(_, path)| format!("{path}.{key}"));
        let value = unquoted(value.trim());
        if value.is_empty() || value.starts_with(['&', '!', '|', '>']) {
            if open.len() < DEEPEST && path.len() <= LONGEST {
                open.push((indent, path));
            }
        } else if !value.starts_with(['{', '[', '*']) && value != "null" && value != "~" {
            insert(&mut found, &without_value(&path), value);
        }
    }
    found
}

/// W&B's config.yaml: the value of `lr` stands in `lr.value`.
fn without_value(path: &str) -> String {
    match path.split_once('.') {
        Some((key, "value")) => key.to_owned(),
        Some((key, rest)) => rest.strip_prefix("value.").map_or_else(|| path.to_owned(), |rest| format!("{key}.{rest}")),
        None => path.to_owned(),
    }
}

fn without_comment(line: &str) -> &str {
    if line.contains(['"', '\'']) { line } else { line.split(" #").next().unwrap_or_default().trim_end() }
}

fn unquoted(text: &str) -> &str {
    let inside = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

/// How many numbers are multiplied, and of what kind, to make the tokens of a step.
pub(super) fn tokens_of_step(config: &Config) -> Option<(f64, String)> {
    let find = |names: &[&str]| {
        let last = |path: &str| path.rsplit(['.', '/']).next().unwrap_or_default().to_ascii_lowercase().replace(['-', ' '], "_");
        names.iter().find_map(|name| {
            let (path, value) = config.iter().find(|(path, _)| last(path) == *name)?;
            Some((path.as_str(), value.replace('_', "").parse::<f64>().ok().filter(|value| *value >= 1.0)?))
        })
    };
    let said = |factors: &[(&str, f64)]| {
        let words: Vec<String> = factors.iter().map(|(name, value)| format!("{name} {value}")).collect();
        (factors.iter().map(|(_, value)| value).product(), words.join(" × "))
    };
    // llm.c counts its whole batch in tokens.
    if let (Some(whole), Some(_)) = (find(&["total_batch_size"]), find(&["micro_batch_size_b"])) {
        return Some(said(&[whole]));
    }
    let length = find(&[
        "context",
        "context_length",
        "block_size",
        "seq_len",
        "seq_length",
        "sequence_length",
        "max_seq_len",
        "max_seq_length",
        "train_seq_len",
        "model_max_length",
    ])?;
    if let Some(sequences) = find(&["global_batch_size", "global_train_batch_size", "total_train_batch_size", "batch_sequences"]) {
        return Some(said(&[sequences, length]));
    }
    if let Some(of_device) = find(&["per_device_train_batch_size", "micro_batch_size", "device_train_microbatch_size"]) {
        let accumulated = find(&["gradient_accumulation_steps"]).unwrap_or(("gradient_accumulation_steps", 1.0));
        let devices = find(&["world_size", "num_devices", "n_devices", "data_parallel_size"])?;
        return Some(said(&[of_device, accumulated, devices, length]));
    }
    let sequences = find(&["batch_size", "train_batch_size", "bs"])?;
    let accumulated = find(&["gradient_accumulation_steps", "grad_accum_steps", "accumulate_grad_batches"]);
    Some(said(&[Some(sequences), accumulated, Some(length)].into_iter().flatten().collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn yaml_of_trackers_is_read_by_path() {
        let text = "# made by hand\nwandb_version: 1\n\nlr:\n  desc: null\n  value: 0.001\nmodel:\n    value:\n        layers: 12 # blocks\n        kinds:\n            - a\n        name: 'the small: one'\nnext: 3\nempty:\n";
        let wanted = [("lr", "0.001"), ("model.layers", "12"), ("model.name", "the small: one"), ("next", "3"), ("wandb_version", "1")];
        assert_eq!(of_yaml(text), config(&wanted));
        assert_eq!(
            of_yaml("n_params: 1000\nnet: !python/object:x.Y\n  depth: 2\nlist: [1, 2]\nnone: null\n"),
            config(&[("n_params", "1000"), ("net.depth", "2")])
        );
    }

    #[test]
    fn json_is_read_by_path() {
        let mut found = Config::new();
        let value = serde_json::json!({"lr": {"desc": null, "value": 1e-3}, "model": {"layers": 2, "list": [1]}, "on": true, "none": null});
        flatten(&mut found, "", &value);
        assert_eq!(found, config(&[("lr", "0.001"), ("model.layers", "2"), ("on", "true")]));
    }

    #[test]
    fn tokens_of_a_step_are_what_configurations_multiply() {
        let of = |pairs: &[(&str, &str)]| tokens_of_step(&config(pairs)).map(|found| found.0);
        assert_eq!(of(&[("batch_size", "12"), ("block_size", "1024"), ("gradient_accumulation_steps", "40")]), Some(491_520.0));
        assert_eq!(of(&[("global_batch_size", "256"), ("model.seq_length", "2048")]), Some(524_288.0));
        // Nobody says on how many devices.
        assert_eq!(of(&[("per_device_train_batch_size", "8"), ("max_seq_length", "512")]), None);
        assert_eq!(of(&[("per_device_train_batch_size", "8"), ("max_seq_length", "512"), ("world_size", "4")]), Some(16_384.0));
        assert_eq!(of(&[("micro batch size B", "64"), ("total batch size", "524288"), ("sequence length T", "1024")]), Some(524_288.0));
        assert_eq!(of(&[("batch_size", "12")]), None);
    }
}
