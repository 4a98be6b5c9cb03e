//! `scalelab schedule`: laws of loss curves on our sweep of schedules, and on tables of others.
#![expect(clippy::disallowed_methods, reason = "writes tables and reads pictures")]

use crate::support::{refused as fail, succeed};
use std::fs;
use std::path::Path;

fn document(args: &[&str]) -> serde_json::Value {
    let args = [&["schedule"], args, &["--json"]].concat();
    serde_json::from_str(&succeed(&args)).expect("a document")
}

/// Laws fitted to the curves of cosine and WSD, at two lengths, say that multi-step schedules end below cosine, as they do, and by more
/// than the noise of five seeds allows: the law promises too much.
#[test]
fn cosine_and_wsd_do_not_forecast_multi_step_within_the_noise_of_five_seeds() {
    for law in ["multi-power", "tissue"] {
        let found = document(&["results/study-schedules", "--fit-schedules", "cosine,wsd", "--law", law]);
        let held = found["held_out"].as_array().expect("a list");
        assert_eq!(held.len(), 6, "{found:#}");
        for one in held {
            let number = |of: &str, which: &str| one[of][which].as_f64().expect("known");
            assert_eq!(one["pairs"], 5);
            assert!(number("measured", "high") < 0.0 && number("forecast", "high") < 0.0, "{law}: {one:#}");
            assert!(number("forecast", "value") < number("measured", "low"), "{law}: {one:#}");
            assert!(number("forecast", "value") > number("measured", "value") - 0.025, "{law}: {one:#}");
        }
    }
}

/// The functional law forecasts them within that noise: student's t with four degrees of freedom, errors of both. The sixth is at the edge.
#[test]
fn the_functional_law_forecasts_multi_step_from_cosine_and_wsd() {
    let found = document(&["results/study-schedules", "--fit-schedules", "cosine,wsd", "--law", "functional"]);
    let holds = |one: &serde_json::Value| {
        let number = |of: &str, which: &str| one[of][which].as_f64().expect("known");
        let apart = number("forecast", "value") - number("measured", "value");
        apart.abs() <= 2.776 * number("forecast", "se").hypot(number("measured", "se"))
    };
    let held = found["held_out"].as_array().expect("a list");
    let inside = held.iter().filter(|one| holds(one)).count();
    assert!(held.len() == 6 && inside >= 5, "{inside} of {}", held.len());
}

#[test]
fn the_answer_comes_first_and_fits_a_screen() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("schedules.png");
    let text = succeed(&["schedule", "results/study-schedules", "--law", "tissue", "--out", picture.to_str().expect("a path")]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("ends lowest over 7064 steps"), "{text}");
    assert!(lines.len() <= 30 && lines.iter().all(|line| line.chars().count() <= 80 || line.contains("figure:")), "{text}");
    for name in ["cosine to 0.1", "WSD 0.2", "multi-step 80/90"] {
        assert!(text.contains(name), "{name}:\n{text}");
    }
    assert!(fs::read(&picture).expect("a picture").starts_with(b"\x89PNG"));
}

/// Curves of a power law with a gain at each fall, as a table of others.
fn table(at: &Path) {
    let mut text = String::from("run,step,lr,loss\n");
    for (run, fall) in [("a", 600), ("b", 800), ("c", 1000)] {
        let (mut area, mut gained) = (0.0, 0.0);
        for step in 1..=1000u32 {
            let rate = if step > fall { 0.1 } else { 1.0 };
            area += rate;
            gained += if step > fall { 0.002 * 0.9 * 0.98f64.powi((step - fall - 1) as i32) } else { 0.0 };
            if step % 10 == 0 {
                text += &format!("{run},{step},{rate},{}\n", 2.0 + 3.0 * f64::powf(area, -0.5) - gained);
            }
        }
    }
    fs::write(at, text).expect("written");
}

#[test]
fn a_table_of_others_is_fitted_to_its_own_law() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("curves.csv");
    table(&path);
    let path = path.to_str().expect("a path");
    let found = document(&[path, "--law", "tissue", "--steps", "5000"]);
    let coefficients = &found["law"]["coefficients"];
    for (name, expected) in [("L0", 2.0), ("A", 3.0), ("alpha", 0.5), ("C", 0.002), ("lambda", 0.98)] {
        let value = coefficients[name]["value"].as_f64().expect("known");
        // Falls lie between two rows of the table, ten steps apart.
        assert!((value / expected - 1.0).abs() < 0.1, "{name}: {value} for {expected}");
    }
    assert_eq!(found["training"]["steps"], 5000);
    assert!(found["notes"].to_string().contains("5000 steps are 5.0 times the longest curve"), "{found:#}");

    let refused = fail(&["schedule", path, "--tokens", "1e9"]);
    assert!(refused.contains("give --steps"), "{refused}");
    let refused = fail(&["schedule", path, "--params", "1e9"]);
    assert!(refused.contains("no run has that size"), "{refused}");
    let refused = fail(&["schedule", path, "--fit-schedules", "sawtooth"]);
    assert!(refused.contains("no schedule begins so; there are"), "{refused}");
    let whole = fs::read_to_string(path).expect("text");
    let cut = folder.path().join("cut.csv");
    fs::write(&cut, &whole[..whole.len() / 2]).expect("written");
    document(&[cut.to_str().expect("a path"), "--law", "tissue"]);
    fs::write(&cut, "run,step,lr,loss\na,1,0,2\na,2,0,2\n").expect("written");
    let refused = fail(&["schedule", cut.to_str().expect("a path")]);
    assert!(refused.contains("no run has a curve with learning rates and losses"), "{refused}");
}
