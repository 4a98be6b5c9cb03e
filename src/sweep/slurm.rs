//! The scripts that run a sweep under SLURM: a job array whose tasks are shards, and a job after it that gathers and fits.

/// What the scripts need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlurmJob {
    /// Name of the sweep.
    pub name: String,
    /// The program, as the nodes find it.
    pub program: String,
    /// Folder in which it runs.
    pub folder: String,
    /// Grid file.
    pub grid: String,
    /// Folder that holds the folders of sweeps.
    pub results: String,
    /// Tasks of the array.
    pub shards: u64,
    /// Cores of a task.
    pub cpus: u64,
    /// Longest time of a task, as SLURM writes it (`1:00:00`); a task that needs longer is requeued and resumes.
    pub time: String,
    /// Memory of a task, as SLURM writes it (`4G`).
    pub memory: Option<String>,
    /// Partition that the job is submitted to.
    pub partition: Option<String>,
    /// GPUs of a task; 0: none.
    pub gpus: u64,
    /// Further arguments of `scalelab sweep`.
    pub sweep_args: Vec<String>,
}

/// Seconds before the end of its time at which a task is told to end. (When it is preempted or cancelled it gets what
/// the cluster gives, 30 by default.)
const NOTICE: u64 = 120;

impl SlurmJob {
    /// The script of the job array: task k of n trains shard k/n. When it is signalled to end, it keeps the state of its runs and asks for
    /// another turn.
    pub fn array_script(&self) -> String {
        let Self { shards, cpus, .. } = self;
        let gpus = if self.gpus > 0 { format!("#SBATCH --gpus-per-task={} --ntasks=1\n", self.gpus) } else { String::new() };
        let workers = if self.gpus > 0 {
            let devices: Vec<String> = (0..self.gpus).map(|number| format!("cuda:{number}")).collect();
            format!("--device {}", devices.join(","))
        } else {
            format!("--workers {cpus}")
        };
        let header = self.header("", &format!("#SBATCH --array=1-{shards}\n#SBATCH --cpus-per-task={cpus}\n{gpus}"));
        let sweep = self.sweep(&format!("--shard \"$SLURM_ARRAY_TASK_ID/{shards}\" {workers}"));
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

    /// The script of the job that comes after the array: it trains what may be missing still, gathers and fits.
    pub fn gather_script(&self) -> String {
        let header = self.header("-fit", &format!("#SBATCH --cpus-per-task={}\n", self.cpus));
        format!("{header}cd {}\nexec {}\n", quoted(&self.folder), self.sweep(&format!("--workers {} --fit", self.cpus)))
    }

    fn header(&self, suffix: &str, resources: &str) -> String {
        let Self { name, time, results, .. } = self;
        let place = if suffix.is_empty() { "%A_%a" } else { "%j" };
        let optional =
            |flag: &str, value: &Option<String>| value.as_ref().map_or(String::new(), |value| format!("#SBATCH --{flag}={value}\n"));
        format!(
            "#!/bin/bash\n#SBATCH --job-name=scalelab-{name}{suffix}\n{resources}#SBATCH --time={time}\n{}{}#SBATCH --output={}\n",
            optional("mem", &self.memory),
            optional("partition", &self.partition),
            quoted(&format!("{}/{name}/slurm/{place}.log", absolute(&self.folder, results))),
        )
    }

    fn sweep(&self, more: &str) -> String {
        let Self { program, grid, results, .. } = self;
        let args: String = self.sweep_args.iter().map(|arg| format!(" {}", quoted(arg))).collect();
        format!("{} sweep {} --results {} {more}{args}", quoted(program), quoted(grid), quoted(results))
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
            program: "/opt/scalelab".into(),
            folder: "/home/me/my lab".into(),
            grid: "sweeps/quick.toml".into(),
            results: "results".into(),
            shards: 8,
            cpus: 2,
            time: "1:00:00".into(),
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
    fn gpus_are_asked_for_and_used() {
        let script = SlurmJob { gpus: 2, ..job() }.array_script();
        assert!(script.contains("#SBATCH --gpus-per-task=2") && script.contains("--device cuda:0,cuda:1"), "{script}");
    }

    #[test]
    fn the_last_job_gathers_and_fits() {
        let script = job().gather_script();
        assert!(script.contains("#SBATCH --job-name=scalelab-quick-fit") && !script.contains("--array"), "{script}");
        assert!(script.contains("sweep sweeps/quick.toml --results results --workers 2 --fit --fail-fast"), "{script}");
    }

    #[test]
    fn words_with_blanks_and_quotes_reach_the_program_as_they_are() {
        assert_eq!(quoted("it's here"), "'it'\\''s here'");
        assert_eq!((quoted("a/b-c.toml").as_str(), quoted("").as_str()), ("a/b-c.toml", "''"));
    }
}
