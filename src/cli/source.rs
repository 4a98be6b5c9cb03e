//! What a command of the analysis wing works on: a results folder, a CSV, or the newest sweep.

use super::column_map::{column_map, parse_pair};
use super::failure::{Failure, OrInput, Outcome};
use super::folders::{Folders, plots_beside};
use super::names::results_of;
use crate::results::{
    Filter, Imported, NamePattern, STANDARD_INPUT, SweepFolder, Trajectory, Variables, Wanted, filtered_records, import_bytes,
    import_paths, is_of_others, newest_sweep,
};
use crate::spec::{CurvePoint, Flops, LossUnit, Metric, RunRecord};
use anyhow::anyhow;
use clap::Args;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which runs a command reads.
#[derive(Args, Clone)]
pub(super) struct SourceArgs {
    /// Results folder, CSV of runs, or what a tracker left [default: the newest sweep]
    ///
    /// Results folder of a sweep, or its name, or a table with columns params, tokens, loss and perhaps flops (CSV however separated, JSON
    /// or JSON Lines, compressed by gzip or zstd or not; - is standard input), or a folder of such tables; rows may be whole runs or, where
    /// a column `run` names them, points of loss curves. Or files and folders of W&B, TensorBoard, the Hugging Face trainer, Lightning,
    /// MLflow, logs; several tables, or several of these, are read as one.
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Where runs lie whose files' names hold values
    ///
    /// A path below PATH, or below the current folder, with columns in braces and * for what does not matter:
    /// 'runs/{params}/lr{lr}_*/log.csv', '**/{params}.jsonl'. Each file or folder that fits is read as a run or its rows, with the values
    /// in its name (125M, 7e9, seed_0) as columns; all are one table. Known are the columns of --columns.
    #[arg(long, value_name = "PATTERN", hide_short_help = true, help_heading = "Runs that are read, and folders")]
    pub(super) params_from: Option<NamePattern>,
    #[command(flatten)]
    pub(super) rows: RowArgs,
    #[command(flatten)]
    pub(super) folders: Folders,
    /// A table that is at hand and not read; the path is then what it is called.
    #[arg(skip)]
    pub(super) at_hand: Option<Arc<[u8]>>,
}

/// Which rows of a table are read, and how.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Runs that are read, and folders")]
pub(super) struct RowArgs {
    /// Keep only rows in which this holds
    ///
    /// A column has a value, compares with one by !=, <, <=, > or >=, or has one of several, 'dataset in c4,pile'; may be given several
    /// times, and all must hold.
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    pub(super) filters: Vec<Filter>,
    /// Which columns of a CSV are params, tokens, loss, …
    ///
    /// OURS=THEIRS for each whose name differs of params, tokens, loss, flops, budget, unique_tokens, batch_tokens, steps,
    /// learning_rate, schedule, corpus, seed and run (one may be both flops and budget), and of experts, bits, layers, width,
    /// vocabulary, examples, replay and rank for laws of these. THEIRS may be times a number, params=size*1e6, or none for what is not to be read. Or a TOML file of such pairs, `params = "N"`
    #[arg(long, value_name = "PAIRS|FILE", value_delimiter = ',')]
    pub(super) columns: Vec<String>,
    /// A value of every row in a column that a CSV lacks
    ///
    /// Such as params=7e9, one a run, params=m0:50M,m1:100M, or a table of run and params, params=sizes.csv; may be given several times.
    #[arg(long = "set", value_name = "COLUMN=VALUE", value_parser = parse_pair, hide_short_help = true)]
    pub(super) constants: Vec<(String, String)>,
    /// What a CSV has in place of losses: error-rate, …
    ///
    /// One of error-rate, accuracy (laws are then about 1 - accuracy) and other (above 0, better the lower). Of the column of losses, which
    /// --columns loss=NAME names; headings and figures then say the metric. Laws take logarithms, so 0 and below is left out.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(super) metric: Option<Metric>,
}

/// Runs whose lines are kept for messages.
const MOST_LINES: usize = 10_000;

/// The runs that a command reads, and where they came from.
#[derive(Clone)]
pub(super) struct Source {
    /// Name for titles and folders: of the sweep, or the stem of the CSV.
    pub(super) name: String,
    /// Path as a person would type it.
    pub(super) path: PathBuf,
    /// The options that chose runs and columns, as a person would type them.
    pub(super) choices: String,
    /// Compute beyond which runs are hidden, where some are.
    pub(super) max_compute: Option<Flops>,
    /// Runs of the plan (for a folder) or of the file.
    pub(super) records: Vec<RunRecord>,
    /// Rows left out before anything was counted: (run, reason).
    pub(super) left_out: Vec<(String, String)>,
    /// The group of each record, where groups were asked for.
    pub(super) groups: Vec<String>,
    /// The line of each record in a table of others.
    pub(super) lines: Vec<u64>,
    /// The share of the parameters of each record that each token meets, where a table tells active ones.
    pub(super) active_shares: Vec<Option<f64>>,
    /// What losses are counted in.
    pub(super) loss_unit: LossUnit,
    /// How a table of others was read, in words.
    pub(super) reading: Vec<String>,
    /// What a reader must know of the table itself.
    pub(super) notes: Vec<String>,
    /// Loss along each run, where a table of others holds curves.
    pub(super) trajectories: Vec<Trajectory>,
    /// All that was measured along each run of others, in the order of the records, where whole curves were asked for.
    pub(super) curves: Vec<Vec<CurvePoint>>,
    /// The sweep's folder, if it is one.
    pub(super) folder: Option<SweepFolder>,
    /// Whether the rows name shapes, so that every convention can be counted.
    pub(super) own: bool,
}

impl Source {
    /// Takes runs away, with their groups and curves, and names them among those left out.
    pub(super) fn hide(&mut self, is_hidden: impl Fn(&RunRecord) -> bool, reason: &str) -> Vec<RunRecord> {
        let hides: Vec<bool> = self.records.iter().map(is_hidden).collect();
        fn seen<T>(all: &mut Vec<T>, hides: &[bool]) {
            let mut hides = hides.iter();
            all.retain(|_| !hides.next().copied().unwrap_or(false));
        }
        seen(&mut self.groups, &hides);
        seen(&mut self.lines, &hides);
        seen(&mut self.curves, &hides);
        seen(&mut self.active_shares, &hides);
        let (hidden, seen): (Vec<_>, Vec<_>) = self.records.drain(..).zip(hides).partition(|(_, hides)| *hides);
        self.records = seen.into_iter().map(|(record, _)| record).collect();
        let hidden: Vec<RunRecord> = hidden.into_iter().map(|(record, _)| record).collect();
        let names: HashSet<&str> = hidden.iter().map(|record| record.run_id.as_str()).collect();
        self.trajectories.retain(|one| !names.contains(one.run.as_str()));
        self.left_out.extend(hidden.iter().map(|record| (record.run_id.clone(), reason.to_owned())));
        hidden
    }

    /// The whole curve of each run, empty where it has none.
    pub(super) fn whole_curves(&self) -> Result<Vec<Vec<CurvePoint>>, Failure> {
        let kept = self.folder.as_ref().map(SweepFolder::curves);
        let one = |(at, record): (usize, &RunRecord)| {
            Ok(match &kept {
                Some(kept) => kept.of(record)?.unwrap_or_default(),
                None => self.curves.get(at).cloned().unwrap_or_default(),
            })
        };
        self.records.iter().enumerate().map(one).collect()
    }

    /// Where runs stand that have names of their own; nobody looks for one among many thousands.
    pub(super) fn named_lines(&self) -> HashMap<String, u64> {
        let few = self.records.len() <= MOST_LINES;
        let runs = self.records.iter().filter(|record| few && !record.run_id.starts_with("line "));
        runs.map(|record| record.run_id.clone()).zip(self.lines.iter().copied()).collect()
    }

    /// Refuses to write over the table that is read.
    pub(super) fn spared_by(&self, out: Option<&Path>) -> Outcome {
        let same = |out: &Path| matches!((out.canonicalize(), self.path.canonicalize()), (Ok(out), Ok(own)) if out == own);
        match out.filter(|out| same(out)) {
            Some(out) => {
                Err(Failure::Input(anyhow!("{} is the table that is read and would be overwritten; name another file", out.display())))
            }
            None => Ok(()),
        }
    }
}

impl SourceArgs {
    /// The source that stands at a path, with nothing filtered.
    pub(super) fn of_folder(folder: &SweepFolder, folders: &Folders) -> Self {
        Self::of_path(&folder.path, RowArgs::default(), folders)
    }

    /// The source that stands at a path.
    pub(super) fn of_path(path: &Path, rows: RowArgs, folders: &Folders) -> Self {
        Self { paths: vec![path.to_owned()], params_from: None, rows, folders: folders.clone(), at_hand: None }
    }

    /// The same with other paths.
    pub(super) fn of_paths(&self, paths: Vec<PathBuf>) -> Self {
        Self { paths, ..self.clone() }
    }

    /// Further paths, and the options that choose runs and columns, each after a space.
    fn choices(&self) -> String {
        let others = self.paths.iter().skip(1).map(|path| format!(" {}", quoted(&path.display().to_string())));
        let pattern = self.params_from.as_ref().map(|pattern| format!(" --params-from {}", quoted(&self.placed(pattern).split().1)));
        let filters = self.rows.filters.iter().map(|one| format!(" --where {}", quoted(&one.to_string())));
        let columns = (!self.rows.columns.is_empty()).then(|| format!(" --columns {}", quoted(&self.rows.columns.join(","))));
        let constants = self.rows.constants.iter().map(|(name, value)| format!(" --set {}", quoted(&format!("{name}={value}"))));
        let metric = self.rows.metric.map(|metric| format!(" --metric {}", metric.name()));
        others.chain(pattern).chain(filters).chain(columns).chain(constants).chain(metric).collect()
    }

    /// Reads the runs of a folder or table, filtered and with the columns named.
    pub(super) fn read(&self) -> Result<Source, Failure> {
        self.read_as(None, Variables::Two)
    }

    /// Reads the runs, those of one variable too where no other column could be the second.
    pub(super) fn read_of_any(&self) -> Result<Source, Failure> {
        self.read_as(None, Variables::OneIfAlone)
    }

    /// Reads the runs with the groups that a column names.
    pub(super) fn read_by(&self, by: Option<&str>) -> Result<Source, Failure> {
        self.read_as(by, Variables::Two)
    }

    /// Reads runs of which one of params, tokens and FLOPs is enough.
    pub(super) fn read_one_variable(&self) -> Result<Source, Failure> {
        self.read_as(None, Variables::One)
    }

    /// Reads runs with their whole curves, whatever is known of their sizes.
    pub(super) fn read_curves(&self) -> Result<Source, Failure> {
        self.read_as(None, Variables::None)
    }

    fn read_as(&self, by: Option<&str>, variables: Variables) -> Result<Source, Failure> {
        let RowArgs { filters, constants, metric, .. } = &self.rows;
        let wanted = Wanted { filters, constants, by, variables, metric: *metric, ..Wanted::default() };
        if let Some(pattern) = &self.params_from {
            return self.read_named(pattern, wanted);
        }
        let path = match self.paths.as_slice() {
            [] => newest_sweep(&self.folders.results)?.path,
            [path] if path == Path::new(STANDARD_INPUT) || self.at_hand.is_some() => path.clone(),
            [path] => results_of(path, &self.folders.results),
            [path, ..] => path.clone(),
        };
        match self.paths.as_slice() {
            several @ [_, _, ..] => self.read_several(several, wanted),
            _ if path.is_dir() && self.at_hand.is_none() => self.read_folder(&path, wanted),
            _ => self.read_of_others(std::slice::from_ref(&path), wanted),
        }
    }

    /// Folder for the pictures of a source: beside the results folder, or where `--plots` says.
    pub(super) fn plots_of(&self, source: &Source) -> PathBuf {
        // The path as it was written, where it names a parent folder; else the whole path.
        let names_parents = source.path.parent().and_then(Path::file_name).is_some();
        let whole = source.path.canonicalize().unwrap_or_else(|_| source.path.clone());
        let path = if names_parents { &source.path } else { &whole };
        let beside = || plots_beside(path.parent().unwrap_or(Path::new("")));
        self.folders.plots.clone().unwrap_or_else(beside).join(&source.name)
    }

    /// Tables and files of trackers as one; each sweep has a law of its own.
    fn read_several(&self, paths: &[PathBuf], wanted: Wanted<'_>) -> Result<Source, Failure> {
        if let Some(sweep) = paths.iter().find(|path| is_sweep(&results_of(path, &self.folders.results))) {
            return Err(Failure::Input(anyhow!(
                "{} is a sweep, and each has a law of its own: name it alone, or compare several with `scalelab compare`",
                sweep.display()
            )));
        }
        self.read_of_others(paths, wanted)
    }

    fn read_folder(&self, path: &Path, wanted: Wanted<'_>) -> Result<Source, Failure> {
        let folder = SweepFolder::at(path);
        if let (Some(metric), true) = (self.rows.metric, is_sweep(path)) {
            let (path, name) = (path.display(), metric.name());
            return Err(Failure::Input(anyhow!(
                "--metric {name} is of tables of others: {path} is a sweep, whose losses are in nats per token; leave it out"
            )));
        }
        let ((gathered, damaged), planned) = (folder.gathered_and_damaged()?, folder.plan()?);
        if let Some(lost) = folder.lost_rows()? {
            return Err(lost.into());
        }
        for (_, error) in &damaged {
            eprintln!("damaged: {error}; `scalelab repair {}` mends it, or the next sweep", path.display());
        }
        if gathered.is_empty() && planned.is_none() && is_of_others(path) {
            return self.read_of_others(std::slice::from_ref(&path.to_owned()), wanted);
        }
        if gathered.is_empty() {
            return Err(Failure::Input(anyhow!(
                "{} has no runs.csv and no finished run: it is no results folder (nor one of tables or of a tracker), or its sweep was stopped before anything ended (run the sweep again)",
                path.display()
            )));
        }
        let imported = filtered_records(path, &gathered, wanted).or_input()?;
        let planned: Option<HashSet<String>> = planned.map(|plan| plan.into_iter().map(|record| record.run_id).collect());
        let in_plan = |record: &RunRecord| planned.as_ref().is_none_or(|planned| planned.contains(&record.run_id));
        let missing =
            planned.as_ref().map_or(0, |planned| planned.len() - gathered.iter().filter(|record| planned.contains(&record.run_id)).count());
        let mut notes =
            if missing > 0 { vec![format!("{missing} planned runs are not done yet: the sweep is not complete")] } else { Vec::new() };
        let kept: Vec<bool> = imported.records.iter().map(in_plan).collect();
        let groups = imported.groups.into_iter().zip(&kept).filter(|(_, kept)| **kept).map(|(group, _)| group).collect();
        let (records, orphaned): (Vec<RunRecord>, Vec<RunRecord>) = imported.records.into_iter().partition(in_plan);
        if !orphaned.is_empty() {
            notes.push(format!("{} runs are left out: plan.csv does not name them, as after a change of the grid", orphaned.len()));
        }
        let left_out = orphaned.into_iter().map(|record| (record.run_id, "not in the plan of the sweep any more".to_owned())).collect();
        let name = path
            .canonicalize()
            .unwrap_or_else(|_| path.to_owned())
            .file_name()
            .map_or("sweep".into(), |name| name.to_string_lossy().into_owned());
        Ok(Source {
            name,
            path: path.to_owned(),
            choices: self.choices(),
            max_compute: None,
            records,
            left_out,
            groups,
            lines: Vec::new(),
            active_shares: Vec::new(),
            loss_unit: LossUnit::Nats,
            reading: Vec::new(),
            notes,
            trajectories: Vec::new(),
            curves: Vec::new(),
            folder: Some(folder),
            own: imported.own,
        })
    }

    fn read_of_others(&self, paths: &[PathBuf], wanted: Wanted<'_>) -> Result<Source, Failure> {
        let path = paths.first().map_or(Path::new(""), PathBuf::as_path);
        let columns = column_map(&self.rows.columns)?;
        let wanted = Wanted { columns: &columns, ..wanted };
        let imported = match &self.at_hand {
            Some(bytes) => import_bytes(path, bytes, wanted),
            None => import_paths(paths, wanted),
        };
        let imported = imported.or_input()?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = stem.filter(|stem| stem != STANDARD_INPUT).unwrap_or_else(|| "runs".to_owned());
        Ok(self.source_of(path, name, imported))
    }

    /// What a table of others held, as a source.
    pub(super) fn source_of(&self, path: &Path, name: String, imported: Imported) -> Source {
        Source {
            name,
            path: path.to_owned(),
            choices: self.choices(),
            max_compute: None,
            records: imported.records,
            left_out: imported.left_out,
            groups: imported.groups,
            lines: imported.lines,
            active_shares: imported.active_shares,
            loss_unit: imported.loss_unit,
            reading: imported.reading,
            notes: imported.notes,
            trajectories: imported.trajectories,
            curves: imported.curves,
            folder: None,
            own: imported.own,
        }
    }
}

/// Whether a folder is that of a sweep.
pub(super) fn is_sweep(path: &Path) -> bool {
    path.is_dir()
        && ["plan.csv", "runs.csv", "runs"].iter().any(|name| path.join(name).exists())
        && SweepFolder::at(path).gathered_and_damaged().is_ok_and(|(rows, _)| !rows.is_empty())
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-+=.,:/@%".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chose_the_runs_is_said_as_a_shell_takes_it() {
        let rows = RowArgs {
            filters: ["corpus=the pile", "learning_rate<0.01", "by!=it's; $HOME"].map(|text| text.parse().expect("a filter")).into(),
            columns: vec!["params=N".into(), "loss=final loss".into()],
            constants: vec![("tokens".into(), "2e10".into())],
            metric: Some(Metric::Accuracy),
        };
        let args = SourceArgs {
            paths: Vec::new(),
            params_from: None,
            rows,
            folders: Folders { results: "results".into(), plots: None },
            at_hand: None,
        };
        let said = r" --where 'corpus=the pile' --where 'learning_rate<0.01' --where 'by!=it'\''s; $HOME' --columns 'params=N,loss=final loss' --set tokens=2e10 --metric accuracy";
        assert_eq!(args.choices(), said);
        assert_eq!([quoted(""), quoted("results/grid")], ["''", "results/grid"]);
    }
}
