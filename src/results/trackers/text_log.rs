//! Logs for people: lines that name a step and what was measured at it, as nanoGPT, llm.c and Megatron print them.

use super::config::insert;
use super::roles::{Role, role};
use super::run::{Asked, TrackedRun};

/// Lines that tell a loss at a step, from which a text is such a log.
const FEWEST: usize = 3;
/// Bytes of a line that are looked at.
const LONGEST: usize = 4000;
/// Words that name a number.
const MOST_WORDS: usize = 6;

/// Reads a log; `None` of a text that is none.
pub(super) fn read(text: &str, asked: Asked<'_>) -> Option<TrackedRun> {
    let mut run = TrackedRun::default();
    let (mut found, mut latest, mut is_open) = (0, None, true);
    for line in text.lines() {
        let line = plain(line);
        // JSON is no log; `[2026-01-01 00:00:00] iteration` is.
        if line.starts_with('{') || line.starts_with("[{") || configure(&mut run, &line) {
            continue;
        }
        let pairs = pairs(&line);
        let step = pairs.iter().find(|(name, value)| is_step(name) && *value >= 0.0 && value.fract() == 0.0);
        let is_held_out = pairs.first().is_some_and(|(name, _)| name.contains("validation"));
        // llm.c prints the held-out loss on a line of its own.
        let place = step.map(|(_, value)| *value as u64).or(latest.filter(|_| pairs.len() == 1));
        latest = step.map(|(_, value)| *value as u64).or(latest);
        let Some(place) = place.or((pairs.len() == 1).then_some(0)) else { continue };
        let mut has_loss = false;
        for (name, value) in pairs.iter().filter(|(name, _)| !is_step(name)) {
            let name = if is_held_out && name.contains("loss") && !name.ends_with("ppl") { "validation loss" } else { name.as_str() };
            let found = role(name).map(|found| found.0);
            let is_loss = matches!(found, Some(Role::TrainLoss | Role::HeldOutLoss));
            if step.is_none() && found != Some(Role::HeldOutLoss) {
                continue;
            }
            has_loss |= is_loss;
            run.measure(name, place, *value, asked);
        }
        found += usize::from(has_loss);
        is_open = !text.ends_with('\n');
    }
    if is_open && found >= FEWEST {
        run.note("ends in the middle of a line");
    }
    (found >= FEWEST).then_some(run)
}

/// A line without what terminals obey: colours, and what a progress bar overwrote.
fn plain(line: &str) -> String {
    let line = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
    let mut out = String::new();
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        if c == '\x1b' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else if out.len() < LONGEST {
            out.push(c);
        }
    }
    out.trim().to_owned()
}

fn is_step(name: &str) -> bool {
    name == "s"
        || ["step", "iter", "iteration"].contains(&name.rsplit(' ').next().unwrap_or_default())
            && !name.contains("per ")
            && !name.contains("time")
}

/// Numbers with the words before them: `lm loss: 9.1E+00 | grad norm: 1.2`.
fn pairs(line: &str) -> Vec<(String, f64)> {
    let (mut found, mut words) = (Vec::new(), Vec::<&str>::new());
    for part in line.split(['|', ',', ';']) {
        words.clear();
        for word in
            part.split(|c: char| c.is_whitespace() || "=()[]{}'\"".contains(c)).flat_map(|word| word.split(':')).flat_map(parts_of_ratio)
        {
            match word.parse::<f64>() {
                // `nan` is a number, and a word of nobody.
                Ok(value) => {
                    if !words.is_empty() {
                        let from = words.len().saturating_sub(MOST_WORDS);
                        found.push((words[from..].join(" ").to_ascii_lowercase(), value));
                    }
                    words.clear();
                }
                Err(_) if !word.is_empty() => words.push(word),
                Err(_) => {}
            }
        }
    }
    found
}

/// `100/2000` as two numbers; a name with a slash stays one.
fn parts_of_ratio(word: &str) -> Vec<&str> {
    match word.split_once('/') {
        Some((left, right)) if left.parse::<f64>().is_ok() => vec![left, right],
        _ => vec![word],
    }
}

/// Takes what a line says of the run itself; whether it does.
fn configure(run: &mut TrackedRun, line: &str) -> bool {
    // nanoGPT.
    if let Some(count) = line.strip_prefix("number of parameters:") {
        insert(&mut run.config, "n_params", count);
        return true;
    }
    if let Some(tokens) = line.strip_prefix("tokens per iteration will be:") {
        insert(&mut run.config, "batch_tokens", &tokens.replace(',', ""));
        return true;
    }
    // Megatron: `seq_length ............ 2048`.
    if let Some((name, value)) = line.split_once(" ....") {
        insert(&mut run.config, name, value.trim_start_matches('.'));
        return true;
    }
    // llm.c: `| total batch size | 524288 |`.
    if let Some((name, value)) = line.strip_prefix('|').and_then(|row| row.strip_suffix('|')).and_then(|row| row.split_once('|')) {
        insert(&mut run.config, name, value);
        return true;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(text: &str, name: &str) -> Vec<(u64, f64)> {
        read(text, &[]).expect("a log").metric(name).unwrap_or_else(|| panic!("no {name}")).points.clone()
    }

    #[test]
    fn logs_of_trainers_are_read_line_by_line() {
        let nano = "tokens per iteration will be: 16,384\nnumber of parameters: 10.65M\nstep 0: train loss 4.2874, val loss 4.2823\n\
            iter 0: loss 4.2654, time 38.2ms, mfu -100.00%\niter 10: loss 3.2412, time 12.0ms, mfu 1.2%\nstep 250: train loss 1.9, val loss 2.0\n";
        assert_eq!(points(nano, "loss"), [(0, 4.2654), (10, 3.2412)]);
        assert_eq!(points(nano, "val loss"), [(0, 4.2823), (250, 2.0)]);
        let config = read(nano, &[]).expect("a log").config;
        assert_eq!([config["n_params"].as_str(), config["batch_tokens"].as_str()], ["10.65M", "16384"]);
        let llm_c = "| num_parameters        | 124475904 |\nval loss 10.95\nstep    1/19560 | loss 10.96 (+nanz)| norm 15.2 (+nanz)| lr 8.57e-07 | 300.00 ms | 55% bf16 MFU | 17000 tok/s\n\
            step    2/19560 | loss 10.80 (+nanz)| norm 14.1 (+nanz)| lr 1.7e-06 | 300.00 ms\nval loss 10.70\n";
        assert_eq!(points(llm_c, "loss"), [(1, 10.96), (2, 10.80)]);
        assert_eq!(points(llm_c, "norm"), [(1, 15.2), (2, 14.1)]);
        assert_eq!(points(llm_c, "val loss"), [(0, 10.95), (2, 10.70)]);
        assert_eq!(points("s:0 tel:10.95\ns:1 trl:10.9 lr:1e-6 norm:3.5\ns:2 trl:10.8 lr:2e-6 norm:3.4\n", "trl"), [(1, 10.9), (2, 10.8)]);
        let megatron = "  seq_length ...................................... 2048\n\
             [2026-01-01 00:00:00] iteration      100/  500000 | consumed samples:        25600 | elapsed time per iteration (ms): 123.4 | learning rate: 3.000E-05 | global batch size:   256 | lm loss: 9.1E+00 | loss scale: 1.0 | grad norm: 1.207 |\n\
             [2026-01-01 00:00:00] iteration      200/  500000 | consumed samples:        51200 | elapsed time per iteration (ms): 123.4 | learning rate: 6.000E-05 | global batch size:   256 | lm loss: 8.1E+00 | loss scale: 1.0 | grad norm: 1.107 |\n\
             validation loss at iteration 200 | lm loss value: 8.051234E+00 | lm loss PPL: 3.1E+03 |\n";
        assert_eq!(points(megatron, "lm loss"), [(100, 9.1), (200, 8.1)]);
        assert_eq!(points(megatron, "validation loss"), [(200, 8.051234)]);
        assert_eq!(points(megatron, "consumed samples"), [(100, 25600.0), (200, 51200.0)]);
        assert_eq!(points(megatron, "learning rate"), [(100, 3e-5), (200, 6e-5)]);
    }

    #[test]
    fn what_is_no_log_is_none() {
        for text in [
            "step,loss\n1,2\n2,3\n3,4\n",
            "{\"step\": 1, \"loss\": 2}\n{\"step\": 2, \"loss\": 2}\n{\"step\": 3, \"loss\": 2}\n",
            "",
            "a loss of 3\n",
        ] {
            assert_eq!(read(text, &[]), None, "{text}");
        }
    }
}
