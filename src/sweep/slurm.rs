//! The scripts that run a sweep under SLURM: a job array whose tasks are shards, and a job after it that gathers and fits.

use std::fmt;
use std::str::FromStr;

/// What the scripts need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlurmJob {
    /// Name of the sweep.
    pub name: String,
    /// The words that start the program, as the nodes find it.
    pub program: Vec<String>,
    /// Folder in which it runs.
    pub folder: String,
    /// Grid file.
    pub grid: String,
    /// Folder that holds the folders of sweeps.
    pub results: String,
    /// Folder that holds the folders of pictures, where it is not the usual one.
    pub plots: Option<String>,
    /// Tasks of the array.
    pub shards: u64,
    /// Cores of a task.
    pub cpus: u64,
    /// Longest time of a task; one that needs longer is requeued and resumes.
    pub time: SlurmTime,
    /// Memory of a task, as SLURM writes it (`4G`).
    pub memory: Option<String>,
    /// Partition that the job is submitted to.
    pub partition: Option<String>,
    /// GPUs of a task; 0: none.
    pub gpus: u64,
    /// Further arguments of `scalelab sweep`.
    pub sweep_args: Vec<String>,
}

/// A time limit as SLURM writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlurmTime(String);

/// A text that is no time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time of SLURM above {} minutes is wanted: minutes (90), minutes:seconds (90:00), hours:minutes:seconds (1:30:00), days-hours (1-12), days-hours:minutes or days-hours:minutes:seconds",
    NOTICE / 60
)]
pub struct NoSlurmTime;

impl FromStr for SlurmTime {
    type Err = NoSlurmTime;

    fn from_str(text: &str) -> Result<Self, NoSlurmTime> {
        let seconds = seconds_of(text).ok_or(NoSlurmTime)?;
        if seconds > NOTICE { Ok(Self(text.to_owned())) } else { Err(NoSlurmTime) }
    }
}

impl fmt::Display for SlurmTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Seconds of a time as SLURM writes it.
fn seconds_of(text: &str) -> Option<u64> {
    let (days, clock) = text.split_once('-').map_or((None, text), |(days, clock)| (Some(days), clock));
    let is_number = |part: &&str| (1..=6).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<u64> = clock.split(':').map(|part| Some(part).filter(is_number)?.parse().ok()).collect::<Option<_>>()?;
    let factors: &[u64] = match (days, parts.len()) {
        (Some(_), 1..=3) => &[3600, 60, 1],
        (None, 3) => &[3600, 60, 1],
        (None, 1 | 2) => &[60, 1],
        _ => return None,
    };
    let days: u64 = days.map_or(Some(0), |days| Some(days).filter(is_number)?.parse().ok())?;
    Some(86_400 * days + parts.iter().zip(factors).map(|(part, factor)| part * factor).sum::<u64>())
}

/// Seconds before the end of its time at which a task is told to end. (When it is preempted or cancelled it gets what
/// the cluster gives, 30 by default.)
const NOTICE: u64 = 120;

impl SlurmJob {
    /// The script of the job array: task k of n trains shard k/n. When it is signalled to end, it keeps the state of its runs and asks for
    /// another turn.
    pub fn array_script(&self) -> String {
        let Self { shards, .. } = self;
        let header = self.header("", &format!("#SBATCH --array=1-{shards}\n"));
        let sweep = self.sweep(&format!("--shard \"$SLURM_ARRAY_TASK_ID/{shards}\""));
        format!(
            "{header}#SBATCH --requeue\n\
             #SBATCH --signal=B:TERM@{NOTICE}\n\
             #SBATCH --open-mode=append\n\
             set -u\n\
             cd {}\n\
             # The shell passes the signal on and waits until every run has kept its state.\n\
             {sweep} &\n\
             sweep=$!\n\
             trap 'kill -TERM \"$sweep\" 2>/dev/null' TERM INT\n\
             wait \"$sweep\"; code=$?\n\
             while kill -0 \"$sweep\" 2>/dev/null; do wait \"$sweep\"; code=$?; done\n\
             # 75: interrupted, run the same command again to resume.\n\
             if [ \"$code\" -eq 75 ]; then\n    \
             scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\" && sleep 60\n\
             fi\n\
             exit \"$code\"\n",
            quoted(&self.folder)
        )
    }

    /// The script of the job that comes after the array: it trains what may be missing still, on the same devices, gathers and fits.
    pub fn gather_script(&self) -> String {
        let plots = self.plots.as_ref().map_or(String::new(), |plots| format!(" --plots {}", quoted(plots)));
        format!("{}cd {}\nexec {}\n", self.header("-fit", ""), quoted(&self.folder), self.sweep(&format!("--fit{plots}")))
    }

    /// Where the runs of a job are trained, as `scalelab sweep` is told; nothing where the further arguments say.
    fn devices(&self) -> String {
        let told = |name: &str| self.sweep_args.iter().any(|arg| arg == name || arg.starts_with(&format!("{name}=")));
        if told("--device") || told("--workers") {
            return String::new();
        }
        match self.gpus {
            0 => format!(" --workers {}", self.cpus),
            gpus => format!(" --device {}", (0..gpus).map(|number| format!("cuda:{number}")).collect::<Vec<_>>().join(",")),
        }
    }

    fn header(&self, suffix: &str, resources: &str) -> String {
        let Self { name, time, results, cpus, gpus, .. } = self;
        let place = if suffix.is_empty() { "%A_%a" } else { "%j" };
        let optional =
            |flag: &str, value: &Option<String>| value.as_ref().map_or(String::new(), |value| format!("#SBATCH --{flag}={value}\n"));
        let gpus = if *gpus > 0 { format!("#SBATCH --gpus-per-task={gpus} --ntasks=1\n") } else { String::new() };
        format!(
            "#!/bin/bash\n#SBATCH --job-name=scalelab-{name}{suffix}\n{resources}#SBATCH --cpus-per-task={cpus}\n{gpus}#SBATCH --time={time}\n{}{}#SBATCH --output={}\n",
            optional("mem", &self.memory),
            optional("partition", &self.partition),
            quoted(&format!("{}/{name}/slurm/{place}.log", absolute(&self.folder, results))),
        )
    }

    fn sweep(&self, more: &str) -> String {
        let Self { program, grid, results, .. } = self;
        let args: String = self.sweep_args.iter().map(|arg| format!(" {}", quoted(arg))).collect();
        let devices = self.devices();
        let program = program.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        format!("{program} sweep {} --results {} {more}{devices}{args}", quoted(grid), quoted(results))
    }
}

/// A path below the folder, unless it stands alone.
fn absolute(folder: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") }
}

/// A word that the shell reads as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> SlurmJob {
        SlurmJob {
            name: "quick".into(),
            program: vec!["/opt/scalelab".into()],
            folder: "/home/me/my lab".into(),
            grid: "sweeps/quick.toml".into(),
            results: "results".into(),
            plots: None,
            shards: 8,
            cpus: 2,
            time: "1:00:00".parse().expect("a time"),
            memory: None,
            partition: Some("main".into()),
            gpus: 0,
            sweep_args: vec!["--fail-fast".into()],
        }
    }

    #[test]
    fn every_task_trains_its_shard_and_is_told_to_end_in_time() {
        let script = job().array_script();
        for line in [
            "#SBATCH --array=1-8",
            "#SBATCH --cpus-per-task=2",
            "#SBATCH --partition=main",
            "#SBATCH --requeue",
            "#SBATCH --signal=B:TERM@120",
            "#SBATCH --output='/home/me/my lab/results/quick/slurm/%A_%a.log'",
            "cd '/home/me/my lab'",
            "/opt/scalelab sweep sweeps/quick.toml --results results --shard \"$SLURM_ARRAY_TASK_ID/8\" --workers 2 --fail-fast &",
        ] {
            assert!(script.lines().any(|found| found == line), "{line} is not in\n{script}");
        }
        let last_setting = script.lines().position(|line| line.starts_with("#SBATCH --open-mode")).expect("set");
        let first_command = script.lines().position(|line| !line.starts_with('#')).expect("has commands");
        assert!(last_setting < first_command, "SLURM reads no setting after the first command");
    }

    #[test]
    fn gpus_are_asked_for_and_used_by_both_jobs_and_devices_are_said_once() {
        let job = SlurmJob { gpus: 2, ..job() };
        for script in [job.array_script(), job.gather_script()] {
            assert!(script.contains("#SBATCH --gpus-per-task=2") && script.contains(" --device cuda:0,cuda:1 "), "{script}");
            assert!(!script.contains("--workers"), "{script}");
        }
        let told = SlurmJob { sweep_args: vec!["--device=cuda:1".into()], ..job };
        for script in [told.array_script(), told.gather_script()] {
            assert_eq!(script.matches("--device").count(), 1, "{script}");
        }
    }

    #[test]
    fn the_last_job_gathers_and_fits() {
        let script = SlurmJob { plots: Some("my plots".into()), ..job() }.gather_script();
        assert!(script.contains("#SBATCH --job-name=scalelab-quick-fit") && !script.contains("--array"), "{script}");
        assert!(script.contains("sweep sweeps/quick.toml --results results --fit --plots 'my plots' --workers 2 --fail-fast"), "{script}");
        assert!(!script.contains("gpus"), "{script}");
    }

    #[test]
    fn times_are_those_of_slurm() {
        let seconds = ["90", "90:30", "1:30:00", "1-12", "1-12:30", "0-0:5:1"].map(seconds_of);
        assert_eq!(seconds, [5400, 5430, 5400, 129_600, 131_400, 301].map(Some));
        for text in ["", "1h", "-1", "1:2:3:4", "1-", "1--2", "1.5", "nan", "9999999", "1-1:1:1:1", "12:", " 90"] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
        assert!("2".parse::<SlurmTime>().is_err() && "3".parse::<SlurmTime>().is_ok());
        assert!("tomorrow".parse::<SlurmTime>().expect_err("no time").to_string().contains("above 2 minutes"));
    }

    #[test]
    fn words_with_blanks_and_quotes_reach_the_program_as_they_are() {
        assert_eq!(quoted("it's here"), "'it'\\''s here'");
        assert_eq!((quoted("a/b-c.toml").as_str(), quoted("").as_str()), ("a/b-c.toml", "''"));
    }
}
