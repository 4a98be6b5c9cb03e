//! Columns of tasks in tables of others: which hold the bits per byte of right answers, which the share of right ones, and of which task.

use super::import::STANDARD_INPUT;
use super::sheet::Sheet;
use super::table::{RawTable, TableError};
use std::path::Path;

/// The columns of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskColumns {
    /// Name of the task, as its columns spell it.
    pub name: String,
    /// Header of the bits per byte of right answers.
    pub answer_loss: Option<String>,
    /// Header of the share of right answers.
    pub accuracy: Option<String>,
    /// Whether that column counts in per cent: a number in it is above 1.
    pub in_percent: bool,
}

/// What tables call bits per byte of the right answer, the clearest first.
const LOSSES: [&str; 5] = ["bits per byte", "answer bpb", "correct bpb", "bpb", "answer loss"];
/// What they call the share of right answers.
const ACCURACIES: [&str; 9] =
    ["accuracy", "acc", "exact match", "exact match none", "acc none", "acc raw", "em", "acc norm", "acc norm none"];
/// What stands before or after a metric and names no task.
const NO_TASK: [&str; 12] = ["", "train", "training", "val", "valid", "validation", "eval", "test", "loss", "final", "mean", "average"];
/// Words before the name of a task.
const BEFORE: [&str; 3] = ["eval", "downstream", "metrics"];

impl TaskColumns {
    /// The tasks that headers name, in their order.
    pub fn of<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let mut found: Vec<(Self, [usize; 2])> = Vec::new();
        for header in headers {
            let of = |metrics: &[&str]| {
                metrics
                    .iter()
                    .enumerate()
                    .filter_map(|(rank, metric)| Some((split(header, metric)?, rank)))
                    .min_by_key(|((_, rest), _)| *rest)
            };
            let (name, rank, is_loss) = match (of(&LOSSES), of(&ACCURACIES)) {
                (Some(((name, _), rank)), _) => (name, rank, true),
                (None, Some(((name, _), rank))) => (name, rank, false),
                (None, None) => continue,
            };
            let at = found.iter().position(|(task, _)| task.name.eq_ignore_ascii_case(&name)).unwrap_or_else(|| {
                found.push((Self { name, answer_loss: None, accuracy: None, in_percent: false }, [usize::MAX; 2]));
                found.len() - 1
            });
            let (task, ranks) = &mut found[at];
            if rank < ranks[usize::from(is_loss)] {
                ranks[usize::from(is_loss)] = rank;
                *(if is_loss { &mut task.answer_loss } else { &mut task.accuracy }) = Some(header.to_owned());
            }
        }
        found.into_iter().map(|(task, _)| task).collect()
    }
}

/// The task of a header that ends or begins with a metric, and how long its name is.
fn split(header: &str, metric: &str) -> Option<(String, usize)> {
    let is_mark = |c: char| !c.is_alphanumeric();
    let words: Vec<&str> = header.split(is_mark).filter(|word| !word.is_empty()).collect();
    let wanted: Vec<&str> = metric.split(' ').collect();
    let same = |part: &[&str]| part.iter().zip(&wanted).all(|(one, other)| one.eq_ignore_ascii_case(other));
    let rest = words.len().checked_sub(wanted.len())?;
    let name = if same(&words[rest..]) {
        &words[..rest]
    } else if same(&words[..wanted.len()]) {
        &words[wanted.len()..]
    } else {
        return None;
    };
    let name = match name {
        [first, others @ ..] if !others.is_empty() && BEFORE.iter().any(|word| first.eq_ignore_ascii_case(word)) => others,
        all => all,
    };
    let name = name.join("_");
    (!NO_TASK.iter().any(|word| name.eq_ignore_ascii_case(word))).then(|| {
        let length = name.len();
        (name, length)
    })
}

/// The tasks of a table of others.
pub fn task_columns(path: &Path) -> Result<Vec<TaskColumns>, TableError> {
    let unreadable = |source| TableError::Unreadable { path: path.to_owned(), source };
    if path == Path::new(STANDARD_INPUT) || path.is_dir() {
        return Err(unreadable(std::io::Error::other("tasks are read from one table; name its file")));
    }
    let sheet = Sheet::of(path, &std::fs::read(path).map_err(unreadable)?)?;
    let RawTable { headers, rows, .. } = &sheet.table;
    let mut tasks = TaskColumns::of(headers.iter().map(String::as_str));
    for task in &mut tasks {
        let Some(at) = headers.iter().position(|header| task.accuracy.as_ref() == Some(header)) else { continue };
        task.in_percent =
            rows.iter().any(|(_, row)| row.get(at).and_then(|cell| cell.parse::<f64>().ok()).is_some_and(|share| share > 1.0));
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[&str]) -> Vec<[String; 3]> {
        let text = |one: Option<String>| one.unwrap_or_default();
        TaskColumns::of(headers.iter().copied()).into_iter().map(|task| [task.name, text(task.answer_loss), text(task.accuracy)]).collect()
    }

    #[test]
    fn columns_of_tasks_are_recognised_however_they_are_spelt() {
        let all = found(&["params", "hellaswag_bpb", "hellaswag_accuracy", "arc_easy_acc", "c4_loss"]);
        assert_eq!(all, [["hellaswag", "hellaswag_bpb", "hellaswag_accuracy"], ["arc_easy", "", "arc_easy_acc"]]);
        assert_eq!(found(&["acc_hellaswag", "bits_per_byte/hellaswag"]), [["hellaswag", "bits_per_byte/hellaswag", "acc_hellaswag"]]);
        assert_eq!(found(&["piqa/acc,none", "piqa/acc_norm,none"]), [["piqa", "", "piqa/acc,none"]], "the plain one of two");
        assert_eq!(found(&["copy exact_match", "eval/downstream_bpb"])[0], ["copy", "", "copy exact_match"]);
    }

    #[test]
    fn metrics_of_no_task_are_none() {
        assert_eq!(
            found(&["bits_per_byte", "exact_match", "val_accuracy", "train/acc", "loss", "tokens", "", "___"]),
            [] as [[String; 3]; 0]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_header_is_too_strange(headers in proptest::collection::vec(".{0,30}", 0..6)) {
            for task in TaskColumns::of(headers.iter().map(String::as_str)) {
                proptest::prop_assert!(task.answer_loss.is_some() || task.accuracy.is_some());
                proptest::prop_assert!(!task.name.is_empty());
            }
        }
    }
}
