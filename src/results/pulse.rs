//! What a driver is doing right now, as a file that anybody may read: `running/<claim>.json`. Written every second or so
//! and never flushed to the disk: it is worth nothing after the driver ended.

use super::atomic::replace;
use super::folder::{FolderError, SweepFolder};
use super::lock::Claim;
use serde::{Deserialize, Serialize};
use std::fs;

/// A driver's heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Host name of the machine.
    pub host: String,
    /// Process of the driver.
    pub process: u32,
    /// When it was written, seconds since 1970.
    pub written_at: u64,
    /// When its runs began, seconds since 1970; absent in what earlier versions wrote.
    #[serde(default)]
    pub started_at: Option<u64>,
    /// Seconds that its runs will take, as far as it knows.
    pub seconds_left: f64,
    /// What its workers do.
    pub running: Vec<RunningRun>,
}

/// A run that a worker is at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningRun {
    /// Number of the worker, from 0.
    pub worker: usize,
    /// Identifier of the run.
    pub run_id: String,
    /// Steps made.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Rate of this worker; absent until it is known.
    pub tokens_per_second: Option<f64>,
    /// Loss of the latest batch, nats per token; absent where it is not finite, and in what earlier versions wrote.
    #[serde(default)]
    pub train_loss_nats: Option<f64>,
    /// The same along the run, some tens of (step, loss): its curve is written when it ends.
    #[serde(default)]
    pub train_losses: Vec<(u64, f64)>,
}

impl SweepFolder {
    /// Leaves a heartbeat.
    pub fn write_pulse(&self, claim: Claim, pulse: &Heartbeat) -> Result<(), FolderError> {
        let path = self.path.join(format!("running/{}.json", claim.name()));
        let text = serde_json::to_vec_pretty(pulse).expect("numbers and names");
        replace(&path, &text).map_err(|source| FolderError::Io { path, source })
    }

    /// Removes the heartbeat.
    pub fn drop_pulse(&self, claim: Claim) {
        let _ = fs::remove_file(self.path.join(format!("running/{}.json", claim.name())));
        // Goes when the last driver has.
        let _ = fs::remove_dir(self.path.join("running"));
    }

    /// Heartbeats of all drivers, those of killed ones too.
    pub fn pulses(&self) -> Vec<Heartbeat> {
        let entries = fs::read_dir(self.path.join("running")).into_iter().flatten().filter_map(Result::ok);
        let mut pulses: Vec<Heartbeat> = entries
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
            .filter_map(|entry| serde_json::from_slice(&fs::read(entry.path()).ok()?).ok())
            .collect();
        pulses.sort_by(|a, b| (&a.host, a.process).cmp(&(&b.host, b.process)));
        pulses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Shard;

    #[test]
    fn drivers_leave_one_sign_each_and_take_it_back() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        let run = RunningRun {
            worker: 1,
            run_id: "a".into(),
            step: 3,
            steps: 9,
            tokens_per_second: Some(1e4),
            train_loss_nats: Some(2.5),
            train_losses: vec![(1, 4.0), (3, 2.5)],
        };
        let pulse = |process| Heartbeat {
            host: "h".into(),
            process,
            written_at: 5,
            started_at: Some(2),
            seconds_left: 1.5,
            running: vec![run.clone()],
        };
        let shard = Claim::Shard(Shard { number: 2, count: 3 });
        folder.write_pulse(Claim::Whole, &pulse(1)).expect("written");
        folder.write_pulse(shard, &pulse(2)).expect("written");
        folder.write_pulse(shard, &pulse(3)).expect("written");
        assert_eq!(folder.pulses(), [pulse(1), pulse(3)]);
        folder.drop_pulse(Claim::Whole);
        folder.drop_pulse(shard);
        assert!(folder.pulses().is_empty() && !place.path().join("running").exists());
    }

    #[test]
    fn a_heartbeat_of_an_earlier_version_tells_no_loss_and_no_beginning() {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = SweepFolder::at(place.path());
        let text = r#"{ "host": "h", "process": 7, "written_at": 5, "seconds_left": 1.5,
            "running": [{ "worker": 0, "run_id": "a", "step": 3, "steps": 9, "tokens_per_second": null }] }"#;
        folder.write("running/driver.json", text.as_bytes()).expect("written");
        let pulses = folder.pulses();
        let run = &pulses[0].running[0];
        assert_eq!((pulses[0].started_at, run.train_loss_nats, run.train_losses.len()), (None, None, 0));
    }
}
