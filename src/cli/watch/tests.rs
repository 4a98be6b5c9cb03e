//! Screens drawn from states that were made up.

use super::super::expected::ExpectedEnds;
use super::super::labels::Labels;
use super::super::loss_trace::LossTrace;
use super::super::progress::Progress;
use super::gather::{Gatherer, Target};
use super::look::Look;
use super::screen::draw;
use super::view::{Ailing, Diagnosis, View};
use crate::doctor::diagnose_all;
use crate::results::{Claim, FolderContents, Heartbeat, RunningRun, SweepFolder};
use crate::spec::{CurvePoint, Nats, Params, RunRecord, RunStatus, Tokens};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const LOOK: Look = Look { colour: false, unicode: true, log_steps: true };
const NOW: u64 = 1_800_000_000;

/// The screen as rows of text.
fn drawn(view: &View, look: Look, [columns, rows]: [u16; 2]) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a screen in memory");
    terminal.draw(|frame| draw(view, Duration::ZERO, look, frame.area(), frame.buffer_mut())).expect("drawn");
    let cells: Vec<String> = terminal.backend().buffer().content.iter().map(|cell| cell.symbol().to_owned()).collect();
    cells.chunks(columns as usize).map(|row| row.concat().trim_end().to_owned()).collect()
}

fn planned(at: usize) -> RunRecord {
    RunRecord {
        run_id: format!("run-{at:02}"),
        sweep: Some("quick".into()),
        status: RunStatus::Planned,
        layers: Some(2),
        width: Some(8 << (at % 3)),
        params_total: Some(Params(1e4 * f64::from(1 << (at % 3)))),
        tokens: Some(Tokens(1e6)),
        seed_init: Some(at as u64 / 3),
        steps: Some(2000),
        ..RunRecord::default()
    }
}

fn heartbeat(runs: &[usize]) -> Heartbeat {
    let running = |(worker, at): (usize, &usize)| RunningRun {
        worker,
        run_id: format!("run-{at:02}"),
        step: 1208,
        steps: 2000,
        tokens_per_second: Some(88_123.0),
        train_loss_nats: Some(0.851),
        train_losses: Vec::new(),
    };
    let running = runs.iter().enumerate().map(running).collect();
    Heartbeat { host: "here".into(), process: 7, written_at: NOW - 1, started_at: Some(NOW - 31), seconds_left: 50.0, running }
}

/// Twelve runs of which seven finished, one diverged and one failed; of the others some are at work.
fn view(at_work: &[usize]) -> View {
    let plan: Vec<RunRecord> = (0..12).map(planned).collect();
    let end = |at: usize| {
        let (status, loss_nats, diagnosis) = match at {
            7 => (RunStatus::Diverged, None, None),
            8 => (RunStatus::Failed, None, Some("its worker was killed\nby signal 9".to_owned())),
            _ => (RunStatus::Finished, Some(Nats(0.9 - 0.01 * at as f64)), None),
        };
        RunRecord { status, loss_nats, diagnosis, wall_seconds: Some(26.0), ..planned(at) }
    };
    let ended: Vec<RunRecord> = (0..9).map(end).collect();
    let contents = FolderContents {
        plan: Some(Arc::new(plan.clone())),
        done: Arc::new(ended.iter().map(|run| (run.run_id.clone(), run.clone())).collect()),
        written_at: Arc::new(ended.iter().enumerate().map(|(at, run)| (run.run_id.clone(), NOW - 100 + at as u64)).collect()),
        damaged: Arc::default(),
    };
    let alive = if at_work.is_empty() { Vec::new() } else { vec![heartbeat(at_work)] };
    let folder = SweepFolder::at("results/quick");
    let findings = diagnose_all(&ended, &vec![Vec::new(); ended.len()]);
    let first = findings.into_iter().flatten().next().expect("a run that diverged is sick");
    let losses = at_work.iter().map(|at| (format!("run-{at:02}"), falling(*at))).collect();
    View {
        place: "results/quick".into(),
        progress: Some(Progress { folder, contents, states: HashMap::new(), alive, gone: Vec::new(), now: NOW }),
        problem: None,
        labels: Labels::of(&plan),
        losses,
        diagnosis: Diagnosis { examined: 9, sick: 1, found: vec![Ailing { first, runs: vec!["2x16 D 1M seed 2".into()] }] },
        expected: ExpectedEnds::default(),
    }
}

/// Curves far enough apart that a chart of six rows tells them apart.
fn falling(at: usize) -> LossTrace {
    let mut trace = LossTrace::of_at_most(100);
    (1..=1208).for_each(|step| trace.add(step, 0.9 + 0.6 * at.saturating_sub(9) as f64 + 2.0 / (step as f64).sqrt()));
    trace
}

fn line<'a>(rows: &'a [String], part: &str) -> &'a str {
    rows.iter().find(|row| row.contains(part)).unwrap_or_else(|| panic!("no {part} in\n{}", rows.join("\n")))
}

#[test]
fn a_sweep_at_work_shows_all_its_parts_on_80_by_24() {
    let rows = drawn(&view(&[9, 10]), LOOK, [80, 24]);
    assert!(rows[0].starts_with("results/quick") && rows[0].ends_with("runs: 2 at work"), "{}", rows[0]);
    assert!(rows[1].contains("9 of 12 runs ended: 7 finished, 1 diverged, 1 failed"), "{}", rows[1]);
    assert_eq!(rows[2], "31 s since it began, about 49 s left at the speed of the runs so far");
    let worker = line(&rows, "1 2x8 D 1M seed 3");
    for part in ["[███░░░]", "1208/2000", "train loss 0.851", "88k tokens/s"] {
        assert!(worker.contains(part), "no {part} in {worker}");
    }
    line(&rows, "2 2x16 D 1M seed 3");
    let title = line(&rows, "train loss (nats) over log steps");
    assert!(title.contains("best held-out A 0.840 2x8 D 1M seed 2"), "{title}");
    let below = &rows[rows.iter().position(|row| row == title).expect("there") + 1..];
    let chart: String = below.iter().take_while(|row| !row.contains('└')).cloned().collect();
    assert!(chart.contains('1') && chart.contains('2') && chart.contains('A'), "curves and reference by their marks: {chart}");
    assert!(line(&rows, "doctor: 1 of 9 runs sick").contains("scalelab doctor results/quick"));
    line(&rows, "! diverges: 2x16 D 1M seed 2");
    assert!(line(&rows, "✗ 2x32 D 1M seed 2").contains("failed: its worker was killed by"));
    line(&rows, "✓ 2x8 D 1M seed 2");
    assert!(rows[23].starts_with("q leaves"), "{}", rows[23]);
}

#[test]
fn what_a_run_at_work_will_end_at_stands_below_it() {
    let mut view = view(&[9]);
    let progress = view.progress.clone().expect("a sweep");
    let mut ended: Vec<RunRecord> = progress.ended().into_iter().cloned().collect();
    ended.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    // Each loses a fifth of its loss on the second half of its way, give or take a hundredth.
    let curve = |(at, record): (usize, &RunRecord)| -> Vec<CurvePoint> {
        let end = record.loss_nats.map_or(1.0, |loss| loss.0) * (1.0 + 0.01 * (at as f64).sin());
        (1..=200)
            .map(|at| CurvePoint { step: 10 * at, train_loss_nats: Some(end * (1.4 - 0.002 * at as f64)), ..CurvePoint::default() })
            .collect()
    };
    let curves: Vec<Vec<CurvePoint>> = ended.iter().enumerate().map(curve).collect();
    view.expected = ExpectedEnds::of(&progress, &ended, &curves, |_| (100..=1208).map(|step| (step, 1.17)).collect());
    let loss = view.expected.get("run-09").expect("seven runs ended");
    let interval = loss.uncertainty.expect("known");
    assert!((loss.value - 1.0).abs() < 0.03 && interval.low < 1.0 && interval.high > 1.0 && interval.high < 1.1, "{loss}");
    let rows = drawn(&view, LOOK, [120, 24]);
    line(&rows, "final loss by the curves of runs that ended (95 %): 2x8 D 1M seed 3");
    assert!(!drawn(&self::view(&[9]), LOOK, [120, 24]).concat().contains("final loss by"));
}

#[test]
fn a_large_screen_shows_more_and_a_tiny_one_what_fits() {
    let view = view(&[9, 10]);
    let large = drawn(&view, LOOK, [200, 50]);
    let held_out = |rows: &[String]| rows.iter().filter(|row| row.contains("held-out loss")).count();
    assert!(held_out(&large) > held_out(&drawn(&view, LOOK, [80, 24])));
    let colour = Look { colour: true, ..LOOK };
    assert!(drawn(&view, colour, [200, 50]).concat().chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "curves in dots");
    for size in [[1, 1], [20, 3], [40, 8], [80, 10], [500, 100]] {
        assert_eq!(drawn(&view, LOOK, size).len(), size[1] as usize);
    }
    line(&drawn(&view, LOOK, [80, 10]), "1 2x8 D 1M seed 3");
}

#[test]
fn more_workers_than_rows_are_counted() {
    let rows = drawn(&view(&[9, 10, 11, 0, 1, 2, 3, 4, 5, 6]), LOOK, [80, 24]);
    line(&rows, "… and 7 more at work");
}

#[test]
fn a_terminal_without_unicode_gets_ascii_alone() {
    let rows = drawn(&view(&[9, 10]), Look { unicode: false, ..LOOK }, [80, 24]);
    assert!(rows.concat().is_ascii() && line(&rows, "1208/2000").contains("[###...]"), "{}", rows.join("\n"));
    line(&rows, "x 2x32 D 1M seed 2");
}

#[test]
fn where_no_sweep_runs_the_screen_says_how_to_resume() {
    let rows = drawn(&view(&[]), LOOK, [80, 24]);
    assert!(rows[0].ends_with("no sweep runs here"), "{}", rows[0]);
    assert_eq!(rows[2], "3 runs are left; resume with scalelab sweep quick");
    assert!(!rows.concat().contains("train loss"), "no curve of a run that nobody is at");
    let mut stopped = view(&[]);
    stopped.progress.as_mut().expect("there").gone = vec![Heartbeat { written_at: NOW - 90, ..heartbeat(&[9]) }];
    line(&drawn(&stopped, LOOK, [80, 24]), "! a driver stopped responding: process 7 on here, last heartbeat 1 min 30 s ago");
}

#[test]
fn the_axis_of_steps_is_logarithmic_or_linear() {
    let of = |log_steps: bool| drawn(&view(&[9]), Look { log_steps, ..LOOK }, [80, 24]);
    let [log, linear] = [of(true), of(false)];
    assert!(line(&log, "over log steps").len() > 40 && log != linear);
    line(&linear, "train loss (nats) over steps");
    line(&linear, "605");
    line(&log, " 35");
}

#[test]
fn a_folder_is_watched_from_before_its_sweep_until_after_its_end() {
    let place = tempfile::tempdir().expect("temporary folder");
    let named = Target::of(Some(Path::new("quick")), place.path());
    let mut gatherer = Gatherer::of(named);
    let rows = drawn(&gatherer.look(NOW), LOOK, [80, 24]).join(" ");
    assert!(rows.contains("quick has no plan.csv"), "{rows}");
    let mut newest = Gatherer::of(Target::of(None, place.path()));
    assert!(newest.look(NOW).problem.expect("nothing is there").contains("holds no sweep yet"));

    let folder = SweepFolder::at(place.path().join("quick"));
    folder.write_plan(&(0..12).map(planned).collect::<Vec<_>>()).expect("written");
    let beat = |step: u64, loss: f64| {
        let mut beat = Heartbeat { host: "elsewhere".into(), ..heartbeat(&[0]) };
        (beat.running[0].step, beat.running[0].train_loss_nats) = (step, Some(loss));
        folder.write_pulse(Claim::Whole, &beat).expect("written");
    };
    beat(100, 2.0);
    gatherer.look(NOW);
    beat(200, 1.5);
    let view = gatherer.look(NOW);
    assert_eq!(view.losses["run-00"].points(), [(100, 2.0), (200, 1.5)], "what earlier heartbeats told");
    assert_eq!(newest.look(NOW).progress.expect("found").running().count(), 1);
    let later = gatherer.look(NOW + 600).progress.expect("found");
    assert_eq!((later.alive.len(), later.gone.len()), (0, 1), "a heartbeat of another machine grows old");
    folder.drop_pulse(Claim::Whole);
    assert!(gatherer.look(NOW).losses.is_empty());
}
