use super::*;
use crate::fit::{Estimator, FitError};
use crate::law::{Chinchilla, Coefficient, Formula, Law, Number, Place, Variable};
use crate::spec::{Nats, Params, RunRecord, Tokens};

/// Runs of a table of others that lie on Hoffmann's law to rounding.
fn exact() -> Vec<RunRecord> {
    let law = Chinchilla::default();
    let sizes = [1e7, 3e7, 1e8, 3e8];
    let cells = sizes.into_iter().flat_map(|n| [10.0, 30.0, 90.0].map(|ratio| (n, ratio * n)));
    cells.map(|(n, d)| run(&format!("{n:e} {d:e}"), n, d, law.at(n, d))).collect()
}

fn run(name: &str, n: f64, d: f64, loss: f64) -> RunRecord {
    RunRecord {
        run_id: name.into(),
        params_total: Some(Params(n)),
        tokens: Some(Tokens(d)),
        loss_nats: Some(Nats(loss)),
        ..RunRecord::default()
    }
}

/// A table of others, studied in milliseconds: no second search, no refits, no scrutiny.
fn options(laws: &[&str]) -> StudyOptions {
    let laws = laws.iter().map(|name| name.parse().expect("a name")).collect();
    StudyOptions { own: false, quick: true, refits: 0, scrutiny: Scrutinised::No, laws, ..StudyOptions::default() }
}

fn study(records: &[RunRecord], laws: &[&str]) -> Study {
    Study::of(records, &Curves::default(), &options(laws)).expect("a study")
}

#[test]
fn runs_without_noise_are_studied_to_their_law() {
    let found = study(&exact(), &[]);
    let law = &found.best_law().expect("fitted").law;
    for (value, known) in law.theta().iter().zip(Law::from(Chinchilla::default()).theta()) {
        assert!((value / known - 1.0).abs() < 1e-4, "{law:?}");
    }
    assert_eq!((found.evidence.points.len(), found.notes.len(), found.laws.len()), (12, 0, 1), "{:?}", found.notes);
    assert!(found.law_with_optima().is_some() && found.isoflop.is_none() && found.scrutiny.is_none());
}

#[test]
fn the_first_law_that_is_named_speaks_and_names_that_are_none_are_refused_with_all_there_are() {
    let found = study(&exact(), &["kaplan", "chinchilla"]);
    assert_eq!(found.laws.iter().map(|one| one.name).collect::<Vec<_>>(), ["kaplan", "chinchilla"]);
    assert_eq!(found.best_law().expect("fitted").law.name(), "kaplan");
    let error = "kaplann".parse::<LawName>().expect_err("no such law");
    assert!(LawName::all().iter().all(|name| error.contains(name)), "{error}");
}

#[test]
fn runs_that_repeat_their_data_are_left_to_the_law_that_is_about_them() {
    let mut records = exact();
    for (at, record) in records.iter_mut().enumerate() {
        let epochs = if at < 4 { 4.0 } else { 1.0 };
        (record.unique_tokens, record.epochs) = (record.tokens.map(|tokens| Tokens(tokens.0 / epochs)), Some(epochs));
    }
    let mut own = options(&[]);
    own.own = true;
    own.size_measure = Some(crate::spec::SizeMeasure::AsGiven);
    own.flop_rule = Some(crate::spec::FlopRule::AsGiven);
    let found = Study::of(&records, &Curves::default(), &own).expect("a study");
    assert_eq!(found.evidence.points.len(), 8);
    let (reason, count) = found.exclusions_by_reason().into_iter().next().expect("left out");
    assert!(reason.contains("data-constrained") && count == 4, "{reason}");
    own.laws = vec!["data-constrained".parse().expect("a name")];
    assert_eq!(Study::of(&records, &Curves::default(), &own).expect("a study").evidence.points.len(), 12);
}

#[test]
fn of_several_recipes_of_a_cell_the_best_is_seen() {
    let mut records = exact();
    let worse: Vec<RunRecord> = records
        .iter()
        .map(|one| {
            let loss_nats = one.loss_nats.map(|loss| Nats(1.1 * loss.0));
            RunRecord { run_id: format!("{} worse", one.run_id), learning_rate: Some(2e-3), loss_nats, ..one.clone() }
        })
        .collect();
    records.iter_mut().for_each(|one| one.learning_rate = Some(1e-3));
    records.extend(worse);
    let found = study(&records, &[]);
    assert_eq!((found.evidence.points.len(), found.records.len()), (12, 12));
    assert!(found.evidence.excluded.iter().all(|one| one.run.ends_with("worse") && one.reason.contains("lower loss")));
}

#[test]
fn where_size_and_data_cannot_be_told_apart_compute_alone_is_fitted_and_that_is_said() {
    let law = Chinchilla::default();
    let records: Vec<RunRecord> =
        (0..8).map(|k| 1e7 * 2f64.powi(k)).map(|n| run(&format!("{n}"), n, 20.0 * n, law.at(n, 20.0 * n))).collect();
    let found = study(&records, &[]);
    assert!(found.best_law().is_some_and(|one| !one.law.may_advise()) && found.law_with_optima().is_none());
    assert!(found.notes.iter().any(|note| note.contains("D/N is constant")), "{:?}", found.notes);
    let refused = study(&records, &["chinchilla"]).with_a_law().expect_err("named, it is not replaced");
    assert!(matches!(refused, StudyError::Fit(FitError::NotIdentifiable { .. })), "{refused}");
}

#[test]
fn what_cannot_stand_in_one_law_is_refused() {
    let mut records = exact();
    records.iter_mut().enumerate().for_each(|(at, one)| one.tokenizer = Some(format!("t{}", at % 2)));
    assert!(matches!(Study::of(&records, &Curves::default(), &options(&[])), Err(StudyError::SeveralTokenizers(_))));
    let counted = StudyOptions { flop_rule: Some(crate::spec::FlopRule::Exact), ..options(&[]) };
    assert_eq!(Study::of(&exact(), &Curves::default(), &counted).err(), Some(StudyError::NoShapes));
    let wide = StudyOptions { level: 1.0, ..options(&[]) };
    assert!(matches!(Study::of(&exact(), &Curves::default(), &wide), Err(StudyError::Fit(FitError::Option { option: "level", .. }))));
}

#[test]
fn what_is_asked_of_a_law_has_names_of_their_own_whatever_its_coefficients_are_called() {
    let mut asked = options(&["farseer"]);
    asked.scrutiny = Scrutinised::Closely;
    asked.estimator = Some(crate::fit::Estimator::LeastSquaresLog);
    let found = Study::of(&exact(), &Curves::default(), &asked).expect("a study");
    let profiles = found.scrutiny.expect("scrutinised").profiles.expect("of squares of logs");
    let mut names: Vec<&str> = profiles.iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"a") && names.contains(&"exponent of N*"), "{names:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 9 + 4);
}

#[test]
fn groups_are_of_last_losses() {
    let (records, names) = (exact(), vec!["one".to_owned(); 12]);
    let asked = StudyOptions { checkpoints: Some(0.1), ..options(&[]) };
    assert_eq!(groups_of(&records, &names, &asked).err(), Some(StudyError::CheckpointsOfGroups));
}

#[test]
fn the_noise_of_held_out_windows_is_in_the_intervals_of_every_law_of_size_and_data() {
    let records: Vec<RunRecord> = exact()
        .into_iter()
        .enumerate()
        .map(|(at, one)| RunRecord { loss_nats: one.loss_nats.map(|loss| Nats(loss.0 * (1.0 + 1e-3 * (at as f64 * 2.4).sin()))), ..one })
        .collect();
    // 64 windows that differ by a fifth in difficulty, the same for every run.
    let of_run =
        |one: &RunRecord| (0..64).map(|at| (one.loss_nats.expect("a loss").0 * (0.8 + 0.4 * f64::from(at) / 63.0)) as f32).collect();
    let windows = records.iter().map(|one| (one.run_id.clone(), of_run(one))).collect();
    let asked = StudyOptions { estimator: Some(Estimator::LeastSquaresLog), ..options(&["chinchilla", "kaplan", "power-d"]) };
    let with = Study::of(&records, &Curves { windows, ..Curves::default() }, &asked).expect("a study");
    let without = Study::of(&records, &Curves::default(), &asked).expect("a study");
    let drawn = |of: &Study| of.laws.iter().map(|one| one.fitted.as_ref().expect("fitted").windows.len()).collect::<Vec<_>>();
    assert_eq!(drawn(&without), [0, 0, 0]);
    assert_eq!(drawn(&with), [200, 200, 0], "a law of D alone is not asked for advice");
    let width = |of: &Study| {
        let kaplan = of.laws[1].fitted.as_ref().expect("fitted");
        kaplan.coefficients.get("N_c").expect("a coefficient").se().expect("known")
    };
    assert!(width(&with) > 1.005 * width(&without), "{} {}", width(&with), width(&without));
}

/// A law of unique tokens that rests on no other law.
#[derive(Debug)]
struct OfUnique;

impl Formula for OfUnique {
    fn name(&self) -> &'static str {
        "of-unique"
    }

    fn text(&self) -> &'static str {
        "L(U) = A/U^s"
    }

    fn coefficients(&self) -> &'static [Coefficient] {
        const { &[Coefficient::factor("A", Variable::Unique, 1), Coefficient::exponent("s", Variable::Unique)] }
    }

    fn variables(&self) -> &'static [Variable] {
        &[Variable::Unique]
    }

    fn loss<T: Number>(&self, c: &[T], at: &Place<'_, T>) -> T {
        c[0] * at.power(Variable::Unique, c[1])
    }
}

#[test]
fn a_law_of_unique_tokens_is_fitted_as_it_stands_and_not_replaced_by_the_data_constrained_one() {
    let runs = (1..=8).map(|at| {
        let unique = 1e8 * f64::from(at);
        let loss = 40.0 / unique.powf(0.15);
        RunRecord { unique_tokens: Some(Tokens(unique)), ..run(&format!("{at}"), 1e7 * f64::from(1 + at % 3), 3e9, loss) }
    });
    let asked = StudyOptions { laws: vec![LawName::Formula(std::sync::Arc::new(OfUnique))], ..options(&[]) };
    let found = Study::of(&runs.collect::<Vec<_>>(), &Curves::default(), &asked).expect("a study");
    let law = &found.best_law().expect("fitted").law;
    assert_eq!(law.name(), "of-unique");
    assert!((law.get("s").expect("an exponent") - 0.15).abs() < 1e-4 && found.laws[0].base.is_none(), "{law:?}");
}

#[test]
fn several_laws_together_have_the_coefficients_of_the_additive_one_and_one_named_speaks_alone() {
    let noisy = |(at, mut record): (usize, RunRecord)| {
        record.loss_nats = record.loss_nats.map(|loss| Nats(loss.0 * (1.0 + 0.003 * (5.0 * at as f64).sin())));
        record
    };
    let records: Vec<RunRecord> = exact().into_iter().enumerate().map(noisy).collect();
    let names = |study: &Study| study.laws.iter().map(|law| law.name).collect::<Vec<_>>();
    let together = study(&records, &["auto", "kaplan"]);
    assert_eq!(names(&together), ["chinchilla", "kaplan"]);
    assert!(together.mixture().is_some() && together.why_alone().is_none());
    let alone = study(&records, &["kaplan"]);
    assert!(alone.mixture().is_none() && names(&alone) == ["kaplan"]);
    // The runs are those of an additive law.
    assert!(alone.why_alone().is_some_and(|why| why.contains("kaplan is used alone")), "{:?}", alone.why_alone());
    let last = study(&records, &["kaplan", "auto"]);
    assert!(last.mixture().is_some() && names(&last) == ["chinchilla", "kaplan"], "auto wherever it stands");
    let few = study(&records[..8], &[]);
    assert!(few.mixture().is_none() && few.why_alone().is_some_and(|why| why.contains("one law alone")));
}
