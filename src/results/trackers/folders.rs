//! Where trackers and trainers put their files: which of a folder are of one run, and what stands beside them.

use super::super::table::TableError;
use super::config::{Config, flatten, of_yaml};
use super::cut::BUFFER;
use super::run::{Asked, Tracked, TrackedRun};
use super::{columns, hugging_face, mlflow, tensorboard, text_log, wandb};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// What Lightning's logger of tables writes.
pub(super) const LIGHTNING: &str = "metrics.csv";
const STATE: &str = "trainer_state.json";
/// How a checkpoint of the Hugging Face trainer is called before its step.
const CHECKPOINT: &str = "checkpoint-";
/// How deep folders are gone into, and how many entries are looked at.
const DEEPEST: usize = 12;
const MOST: usize = 200_000;

/// Who wrote a file; what is found twice is read from the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Wandb,
    HuggingFace,
    TensorBoard,
    Lightning,
    Mlflow,
    Log,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Wandb => "offline runs of W&B",
            Self::HuggingFace => "states of the Hugging Face trainer",
            Self::TensorBoard => "event files of TensorBoard",
            Self::Lightning => "tables of Lightning",
            Self::Mlflow => "runs of MLflow",
            Self::Log => "logs",
        }
    }

    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy();
        match name.as_ref() {
            STATE => Some(Self::HuggingFace),
            LIGHTNING if is_of_lightning(path) => Some(Self::Lightning),
            "meta.yaml" if mlflow::is_run(path.parent()?) => Some(Self::Mlflow),
            name if name.ends_with(".wandb") => Some(Self::Wandb),
            name if tensorboard::is_events(name) => Some(Self::TensorBoard),
            name if [".log", ".out"].iter().any(|end| name.ends_with(end)) || name == "log.txt" => Some(Self::Log),
            _ => None,
        }
    }

    /// The folder or file that a run of this kind is.
    fn run_of(self, path: &Path) -> PathBuf {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        match self {
            Self::Wandb | Self::Log => path.to_owned(),
            Self::HuggingFace if is_checkpoint(&folder) => folder.parent().unwrap_or(Path::new("")).to_owned(),
            _ => folder,
        }
    }
}

fn is_checkpoint(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(CHECKPOINT))
}

/// Whether a table lies where Lightning puts it: beside its hyperparameters, or in a folder of a version.
pub(super) fn is_of_lightning(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(Path::new(""));
    folder.join("hparams.yaml").is_file() || folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("version_"))
}

/// Whether files of trackers stand in a folder itself.
pub(in crate::results) fn holds_files(folder: &Path) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| entry.path().is_file() && Kind::of(&entry.path()).is_some_and(|kind| kind != Kind::Log))
}

/// Whether trackers wrote into a folder or those in it; a log is one of them where it reads as one.
pub(in crate::results) fn holds_runs(root: &Path) -> bool {
    let found = found_in(root);
    found.keys().any(|kind| *kind != Kind::Log) || !found.is_empty() && of_folder(root, &[]).is_ok_and(|found| found.is_some())
}

/// Files of trackers in a folder, by who wrote them and by run; symbolic links are not followed.
fn found_in(root: &Path) -> BTreeMap<Kind, BTreeMap<PathBuf, Vec<PathBuf>>> {
    let (mut found, mut open, mut seen) = (BTreeMap::<Kind, BTreeMap<PathBuf, Vec<PathBuf>>>::new(), vec![(root.to_owned(), 0)], 0);
    while let Some((folder, depth)) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > MOST || entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < DEEPEST => open.push((entry.path(), depth + 1)),
                Ok(kind) if kind.is_file() => {
                    if let Some(kind) = Kind::of(&entry.path()) {
                        found.entry(kind).or_default().entry(kind.run_of(&entry.path())).or_default().push(entry.path());
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// The runs of a folder; `None` where no tracker wrote into it.
pub(in crate::results) fn of_folder(root: &Path, asked: Asked<'_>) -> Result<Option<Tracked>, TableError> {
    let mut found = found_in(root);
    // W&B and MLflow keep logs of their own.
    if found.len() > 1 {
        found.remove(&Kind::Log);
    }
    let Some((&kind, _)) = found.iter().max_by_key(|(kind, runs)| (runs.len(), std::cmp::Reverse(**kind))) else { return Ok(None) };
    let runs = found.remove(&kind).unwrap_or_default();
    let mut all = Tracked::default();
    for (other, runs) in &found {
        all.notes.push(format!("{} {} in it are passed over: name their folder to read them", runs.len(), other.name()));
    }
    let mut by_id: Vec<String> = Vec::new();
    for (place, mut files) in runs {
        files.sort_by_key(|path| order(path));
        let (mut run, id) = match read(kind, &place, &files, asked) {
            Ok(Some(read)) => read,
            Ok(None) => continue,
            Err(source) => return Err(TableError::Unreadable { path: files[0].clone(), source }),
        };
        if run.is_empty() {
            let said = run.notes.first().map_or("nothing was measured", String::as_str);
            all.notes.push(format!("{} passed over: {said}", place.display()));
            continue;
        }
        if run.name.is_empty() {
            run.name = relative(&place, root);
        }
        match id.as_ref().and_then(|id| by_id.iter().position(|other| other == id)) {
            // Files of W&B that one run wrote before it was stopped, and after.
            Some(at) => all.runs[at].resumed_as(run),
            None => {
                all.runs.push(run);
                by_id.push(id.unwrap_or_default());
            }
        }
    }
    apart(&mut all.runs);
    Ok((!all.runs.is_empty() || kind != Kind::Log && !all.notes.is_empty()).then_some(all))
}

/// Reads the files of a run, with what tells files of one run by.
fn read(kind: Kind, place: &Path, files: &[PathBuf], asked: Asked<'_>) -> std::io::Result<Option<(TrackedRun, Option<String>)>> {
    let open = |path: &Path| File::open(path).map(|file| BufReader::with_capacity(BUFFER, file));
    let mut run = TrackedRun::default();
    let mut id = None;
    match kind {
        Kind::Wandb => {
            let Some(found) = wandb::read(open(place)?, asked) else { return Ok(None) };
            (run, id) = (found.run, Some(found.id).filter(|id| !id.is_empty()));
        }
        Kind::TensorBoard => {
            for path in files {
                let mut one = tensorboard::read(open(path)?, fs::metadata(path)?.len(), asked);
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                one.notes.iter_mut().for_each(|note| *note = format!("{name}: {note}"));
                run.resumed_as(one);
            }
        }
        Kind::HuggingFace => {
            // The state that has seen most steps tells of all before it.
            let mut best: Option<(u64, TrackedRun, &PathBuf)> = None;
            for path in files {
                match hugging_face::read(&String::from_utf8_lossy(&fs::read(path)?), asked) {
                    Ok((one, steps)) if best.as_ref().is_none_or(|(most, ..)| steps >= *most) => best = Some((steps, one, path)),
                    Ok(_) => {}
                    Err(problem) => run.note(format!("{}: {problem}", path.display())),
                }
            }
            let Some((_, mut newest, path)) = best else { return Ok(Some((run, None))) };
            newest.notes.extend(run.notes);
            run = newest;
            configure(&mut run, path.parent().unwrap_or(place));
        }
        Kind::Lightning => {
            let path = &files[0];
            match columns::sparse(path, &fs::read(path)?, asked) {
                Ok(one) => run = one,
                Err(error) => run.note(error.to_string()),
            }
        }
        Kind::Mlflow => run = mlflow::read(place, asked),
        Kind::Log => match text_log::read(&String::from_utf8_lossy(&fs::read(place)?), asked) {
            Some(one) => run = one,
            None => return Ok(None),
        },
    }
    configure(&mut run, if place.is_dir() { place } else { place.parent().unwrap_or(place) });
    Ok(Some((run, id)))
}

/// Event files by the time in their names, everything by its name.
fn order(path: &Path) -> (u64, PathBuf) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let time = name.split("tfevents.").nth(1).and_then(|rest| rest.split('.').next()?.parse().ok()).unwrap_or_default();
    (time, path.to_owned())
}

fn relative(place: &Path, root: &Path) -> String {
    let inside = place.strip_prefix(root).unwrap_or(place);
    if inside.as_os_str().is_empty() { name_of(place) } else { inside.with_extension("").display().to_string() }
}

/// What a run is called after: its file, or the folder of one whose name is always the same.
pub(super) fn name_of(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let own = name(&path);
    let is_same = [STATE, LIGHTNING, "log.txt", "main.log"].contains(&own.as_str()) || tensorboard::is_events(&own);
    if !is_same {
        return path.file_stem().map_or(own, |stem| if path.is_dir() { name(&path) } else { stem.to_string_lossy().into_owned() });
    }
    let folder = path.parent().unwrap_or(&path);
    let folder = if is_checkpoint(folder) { folder.parent().unwrap_or(folder) } else { folder };
    Some(name(folder)).filter(|name| !name.is_empty()).unwrap_or(own)
}

/// Runs of one name are numbered.
pub(in crate::results) fn apart(runs: &mut [TrackedRun]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for run in runs {
        let times = seen.entry(run.name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            run.name = format!("{} ({times})", run.name);
        }
    }
}

/// Runs of a file with the configuration that stands beside it.
pub(super) fn beside(path: &Path, mut tracked: Tracked) -> Tracked {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let ([run], true) = (tracked.runs.as_mut_slice(), Kind::of(path).is_some()) {
        configure(run, folder);
    }
    apart(&mut tracked.runs);
    tracked
}

/// Files that tell of the run beside them, by their names.
const CONFIGS: [&str; 9] = [
    "hparams.yaml",
    "config.yaml",
    "files/config.yaml",
    ".hydra/config.yaml",
    "config.json",
    "params.json",
    "args.json",
    "training_args.json",
    "hparams.json",
];
/// Bytes of such a file that are read.
const LONGEST: u64 = 10_000_000;
/// Names under which a configuration tells how large a network is.
const SIZES: [&str; 4] = ["num_parameters", "n_params", "params", "num_params"];

/// Adds what stands in a folder about its run; what the tracker itself says goes before.
fn configure(run: &mut TrackedRun, folder: &Path) {
    let small = |path: &Path| fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() < LONGEST);
    for path in CONFIGS.iter().map(|name| folder.join(name)).filter(|path| small(path)) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
        let mut config = Config::new();
        if path.extension().is_some_and(|end| end == "json") {
            serde_json::from_str(&text).iter().for_each(|value| flatten(&mut config, "", value));
        } else {
            config = of_yaml(&text);
        }
        for (name, value) in config {
            run.config.entry(name).or_insert(value);
        }
    }
    if !SIZES.iter().any(|name| run.config.contains_key(*name)) {
        let weights = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let weights = weights.filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with("model") && name.ends_with(".safetensors")
        });
        let counts: Option<Vec<u64>> = weights.map(|path| hugging_face::parameters(&mut File::open(path).ok()?)).collect();
        if let Some(counts) = counts.filter(|counts| !counts.is_empty()) {
            run.config.insert("num_parameters".to_owned(), counts.iter().sum::<u64>().to_string());
        }
    }
}
