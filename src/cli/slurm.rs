//! `scalelab slurm`: the scripts that run a sweep as a job array, and their submission.

use super::failure::{Failure, OrInput, OrWork, Outcome};
use super::folders::Folders;
use super::load::read_grid;
use super::program;
use crate::results::write_whole;
use crate::sweep::{SlurmJob, SlurmTime};
use anyhow::{Context, anyhow};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab slurm sweeps/grid.toml --shards 8\n  scalelab slurm sweeps/grid.toml --shards 8 --cpus 4 --time 2:00:00 --submit\n\nTasks share the results folder, which must be on a disk that all nodes see."
)]
pub(super) struct SlurmArgs {
    /// Grid file, or the name of a sweep
    grid: PathBuf,
    /// Tasks of the array
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    shards: u64,
    /// Cores, and workers, of a task
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=1024))]
    cpus: u64,
    /// Longest time of a task
    ///
    /// As SLURM writes it: minutes, 90:00, 1:30:00, 1-12 or 1-12:30:00; what it does not finish is resumed when it is requeued.
    #[arg(long, value_name = "TIME", default_value = "1:00:00")]
    time: SlurmTime,
    /// Memory of a task, such as 4G [default: the cluster's]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory: Option<String>,
    /// Partition, or several with commas [default: the cluster's]
    #[arg(long, value_name = "NAME", value_parser = partition)]
    partition: Option<String>,
    /// GPUs of a task, and of the job that gathers and fits
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=64))]
    gpus: u64,
    /// Hand the scripts to sbatch instead of only writing them
    #[arg(long)]
    submit: bool,
    /// Further arguments of `scalelab sweep`, after --
    #[arg(last = true)]
    sweep_args: Vec<String>,
    #[command(flatten, next_help_heading = "Folders")]
    folders: Folders,
}

/// Memory as `sbatch --mem` takes it.
fn memory(text: &str) -> Result<String, String> {
    let digits = text.strip_suffix(['K', 'M', 'G', 'T']).unwrap_or(text);
    let fine = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if fine { Ok(text.to_owned()) } else { Err("a whole number of megabytes, or with K, M, G or T, is wanted, such as 4G".into()) }
}

/// Partitions as `sbatch --partition` takes them.
fn partition(text: &str) -> Result<String, String> {
    let fine = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-,".contains(c));
    if fine { Ok(text.to_owned()) } else { Err("a name of a partition is wanted, such as gpu, without blanks".into()) }
}

/// Refuses arguments of the sweep that the scripts give themselves, and GPUs that they do not ask for.
fn check_sweep_args(args: &SlurmArgs) -> Outcome {
    let given = |name: &str| args.sweep_args.iter().find(|arg| *arg == name || arg.starts_with(&format!("{name}=")));
    for (name, instead) in [
        ("--shard", "the scripts give each task its own; say how many with --shards"),
        ("--fit", "the job after the array fits"),
        ("--results", "give it before --"),
        ("--plots", "give it before --"),
    ] {
        if let Some(arg) = given(name) {
            return Err(Failure::Input(anyhow!("{arg} after --: {instead}")));
        }
    }
    let cuda = given("--device").is_some() && args.sweep_args.iter().any(|arg| arg.contains("cuda"));
    if cuda && args.gpus == 0 {
        return Err(Failure::Input(anyhow!("--device after -- names GPUs and the scripts ask for none: say --gpus N")));
    }
    Ok(())
}

pub(super) fn run(args: &SlurmArgs) -> Outcome {
    check_sweep_args(args)?;
    let name = read_grid(&args.grid)?.name;
    let logs = args.folders.results.join(&name).join("slurm");
    let job = SlurmJob {
        program: program::words().or_work()?.iter().map(|word| text(Path::new(word))).collect::<Result<_, _>>()?,
        folder: text(&std::env::current_dir().or_work()?)?,
        grid: text(&args.grid)?,
        results: text(&args.folders.results)?,
        plots: args.folders.plots.as_deref().map(text).transpose()?,
        shards: args.shards,
        cpus: args.cpus,
        time: args.time.clone(),
        memory: args.memory.clone(),
        partition: args.partition.clone(),
        gpus: args.gpus,
        sweep_args: args.sweep_args.clone(),
        name,
    };
    let [array, gather] = [("array.sh", job.array_script()), ("fit.sh", job.gather_script())].map(|(name, script)| {
        let path = logs.join(name);
        write_whole(&path, script.as_bytes()).with_context(|| format!("{} cannot be written", path.display())).map(|()| path)
    });
    let (array, gather) = (array.or_work()?, gather.or_work()?);
    if !args.submit {
        println!("scripts: {} and {}", array.display(), gather.display());
        println!("submit them with --submit, or by hand:");
        println!("  job=$(sbatch --parsable {})", array.display());
        println!("  sbatch --dependency=afterany:$job {}", gather.display());
        return Ok(());
    }
    let job = sbatch(&[], &array)?;
    let after = sbatch(&[format!("--dependency=afterany:{job}")], &gather)?;
    println!("array job {job} with {} tasks; job {after} gathers and fits when it is over", args.shards);
    println!("next: squeue --jobs={job},{after}; scalelab status {}", args.folders.results.join(&read_grid(&args.grid)?.name).display());
    Ok(())
}

/// The number of the job that a script became.
fn sbatch(options: &[String], script: &Path) -> Result<String, Failure> {
    let output = Command::new("sbatch")
        .arg("--parsable")
        .args(options)
        .arg(script)
        .output()
        .context("sbatch cannot be run: is this a machine of a SLURM cluster?")
        .or_work()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::Work(anyhow!("sbatch refused {}: {}", script.display(), said.trim())));
    }
    // `number` or `number;cluster`.
    Ok(String::from_utf8_lossy(&output.stdout).trim().split(';').next().unwrap_or_default().to_owned())
}

fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| anyhow!("{} is not valid UTF-8; use another path", path.display())).or_input()
}
