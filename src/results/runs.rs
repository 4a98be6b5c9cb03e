//! Which rows of a table are points of one run: told apart by a column of runs, or by what changes where steps fall back. Points of a
//! curve are no runs of their own, so a table whose rows look like points and belong to no run is refused.

use super::columns::Columns;
use super::known::{LOSS, PARAMS, RUN, STEPS, TOKENS, canonical};
use super::table::{RawTable, TableError};
use crate::spec::parse_quantity;
use std::collections::HashMap;

/// Points of a run on average, from which rows are those of curves; fewer where their places are called steps and runs have names.
const POINTS: usize = 3;
const POINTS_OF_NAMED: usize = 2;
/// Of how many places of runs one may stand twice: where a run was resumed, and no more.
const RESUMED: usize = 4;
/// The same where runs have names and their places are called steps.
const RESUMED_NAMED: usize = 1;

/// The run of each row that is wanted.
pub(super) struct Runs {
    /// Number of the run of each row; none of a row that names no run.
    pub(super) of: Vec<Option<usize>>,
    /// The runs, in the order in which they first appear.
    pub(super) names: Vec<String>,
    /// Whether nothing names the runs, so that their columns do.
    pub(super) unnamed: bool,
}

/// A table whose rows may be points of runs.
struct Points<'a> {
    table: &'a RawTable,
    kept: &'a [usize],
    /// Where each row stands in its run; none where it cannot be used.
    places: Vec<Option<u64>>,
    /// Number of parameters of each row.
    sizes: Vec<Option<u64>>,
    loss: Option<usize>,
}

/// Rows in groups that may be runs.
struct Groups {
    of: Vec<Option<usize>>,
    count: usize,
    /// Different places in their groups.
    distinct: usize,
    /// Rows that stand where another of their group does, with another loss.
    conflicts: usize,
    /// Lines of the first two that do.
    first: Option<(u64, u64)>,
    /// Whether all rows of a group have one size.
    same_sizes: bool,
}

impl Runs {
    /// `None` where every row is a run of its own.
    pub(super) fn of(table: &RawTable, columns: &Columns, kept: &[usize], choices: &[usize]) -> Result<Option<Self>, TableError> {
        let run = columns.place(RUN).filter(|&at| 2 * filled(table, kept, at) > kept.len());
        let place = columns.place(STEPS).filter(|_| columns.is_along).or(columns.place(TOKENS)).or(columns.place(STEPS));
        let Some(place) = place else { return Ok(None) };
        if run.is_none() && !columns.is_along {
            return Ok(None);
        }
        // A name a row: nothing comes back.
        let named = run.map(|at| cells(table, kept, at).collect::<std::collections::HashSet<_>>().len());
        if named.is_some_and(|names| names * POINTS_OF_NAMED > kept.len()) {
            return Ok(None);
        }
        let mut points = Points::of(table, columns, kept, place);
        if let (true, Some(tokens)) = (points.places.iter().all(Option::is_none), columns.place(TOKENS)) {
            points = Points::of(table, columns, kept, tokens);
        }
        let size = columns.place(PARAMS);
        let is_choice = |at: &usize| choices.contains(at) || canonical(&table.headers[*at]).contains("seed");
        let choices: Vec<usize> = (0..table.headers.len()).filter(is_choice).collect();
        let with =
            |columns: &[Option<usize>], more: &[usize]| columns.iter().copied().flatten().chain(more.iter().copied()).collect::<Vec<_>>();
        let mut ways = vec![with(&[run.or(size)], &[]), with(&[run.or(size)], &choices)];
        if columns.is_along && run.is_some() {
            ways.extend([with(&[run, size], &[]), with(&[run, size], &choices)]);
        }
        if run.is_none() {
            ways.push(with(&[size], &points.constant_in_segments(columns)));
        }
        let fewest = if columns.is_along && run.is_some() { POINTS_OF_NAMED } else { POINTS };
        let allowed = if columns.is_along && run.is_some() { RESUMED_NAMED } else { RESUMED };
        let mut best: Option<(Groups, &Vec<usize>)> = None;
        let mut doubtful = None;
        for way in &ways {
            let groups = points.grouped(way);
            let is_curves = groups.same_sizes && groups.distinct >= fewest * groups.count;
            if is_curves && allowed * groups.conflicts <= groups.distinct {
                let is_better = best.as_ref().is_none_or(|(best, _)| groups.conflicts < best.conflicts);
                if is_better {
                    let is_clear = groups.conflicts == 0;
                    best = Some((groups, way));
                    if is_clear {
                        break;
                    }
                }
            } else if is_curves && columns.is_along {
                doubtful = doubtful.or(groups.first);
            }
        }
        match (best, doubtful) {
            (Some((groups, way)), _) => Ok(Some(points.named(groups, way, run.is_none()))),
            (None, Some((first, second))) => {
                let found = format!("lines {first} and {second} are of the same step and have other losses");
                Err(TableError::NoRuns { path: table.path.clone(), found })
            }
            (None, None) => Ok(None),
        }
    }
}

fn cells<'a>(table: &'a RawTable, kept: &'a [usize], at: usize) -> impl Iterator<Item = &'a str> {
    kept.iter().map(move |&row| table.rows[row].1.get(at).unwrap_or_default())
}

fn filled(table: &RawTable, kept: &[usize], at: usize) -> usize {
    cells(table, kept, at).filter(|cell| !cell.is_empty()).count()
}

impl<'a> Points<'a> {
    fn of(table: &'a RawTable, columns: &Columns, kept: &'a [usize], place: usize) -> Self {
        let size = columns.place(PARAMS);
        let number = |row: usize, at: usize| {
            let cell = columns.clean(at, table.rows[row].1.get(at).unwrap_or_default());
            parse_quantity(&cell).ok().map(f64::to_bits)
        };
        let places = kept.iter().map(|&row| number(row, place)).collect();
        let sizes = kept.iter().map(|&row| size.and_then(|at| number(row, at))).collect();
        Self { table, kept, places, sizes, loss: columns.place(LOSS) }
    }

    fn cell(&self, row: usize, at: usize) -> &'a str {
        self.table.rows[self.kept[row]].1.get(at).unwrap_or_default()
    }

    fn line(&self, row: usize) -> u64 {
        self.table.rows[self.kept[row]].0
    }

    /// Rows by what they have in some columns.
    fn grouped(&self, columns: &[usize]) -> Groups {
        let mut of: Vec<Option<usize>> = vec![Some(0); self.kept.len()];
        let mut count = usize::from(!self.kept.is_empty());
        for (nth, &at) in columns.iter().enumerate() {
            let mut known: HashMap<(usize, &str), usize> = HashMap::new();
            for (row, group) in of.iter_mut().enumerate() {
                let cell = self.cell(row, at);
                // What names a run must be there.
                *group = group.filter(|_| nth > 0 || !cell.is_empty()).map(|group| {
                    let next = known.len();
                    *known.entry((group, cell)).or_insert(next)
                });
            }
            count = known.len();
        }
        let mut found = Groups { of, count, distinct: 0, conflicts: 0, first: None, same_sizes: true };
        self.count(&mut found);
        found
    }

    /// Counts places, and looks for rows that contradict each other.
    fn count(&self, groups: &mut Groups) {
        let mut seen: HashMap<(usize, u64), usize> = HashMap::new();
        let mut sizes: Vec<Option<u64>> = vec![None; groups.count];
        for (row, group) in groups.of.iter().enumerate() {
            let (Some(group), Some(place)) = (*group, self.places[row]) else { continue };
            if let Some(size) = self.sizes[row] {
                groups.same_sizes &= *sizes[group].get_or_insert(size) == size;
            }
            match seen.insert((group, place), row) {
                None => groups.distinct += 1,
                Some(before) if self.loss.is_some_and(|at| self.cell(before, at) != self.cell(row, at)) => {
                    groups.conflicts += 1;
                    groups.first.get_or_insert((self.line(before), self.line(row)));
                }
                Some(_) => {}
            }
        }
    }

    /// Columns that stay the same from one fall of steps to the next.
    fn constant_in_segments(&self, columns: &Columns) -> Vec<usize> {
        let begins = |row: usize| row == 0 || self.sizes[row] != self.sizes[row - 1] || self.places[row] < self.places[row - 1];
        let measured = [LOSS, TOKENS, STEPS].map(|ours| columns.place(ours));
        let is_constant = |at: &usize| {
            !measured.contains(&Some(*at)) && (1..self.kept.len()).all(|row| begins(row) || self.cell(row, *at) == self.cell(row - 1, *at))
        };
        (0..self.table.headers.len()).filter(is_constant).collect()
    }

    /// Runs with their names: what their rows have in the columns that tell them apart.
    fn named(&self, groups: Groups, columns: &[usize], unnamed: bool) -> Runs {
        let mut names: Vec<Option<String>> = vec![None; groups.count];
        for (row, group) in groups.of.iter().enumerate() {
            let Some(group) = *group else { continue };
            names[group].get_or_insert_with(|| {
                let said = |at: &usize| {
                    let cell = self.cell(row, *at);
                    if unnamed { format!("{} {cell}", self.table.headers[*at]) } else { cell.to_owned() }
                };
                columns.iter().map(said).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(", ")
            });
        }
        let name = |name: Option<String>| name.filter(|name| !name.is_empty()).unwrap_or_else(|| "the run".to_owned());
        Runs { of: groups.of, names: names.into_iter().map(name).collect(), unnamed }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Imported, Wanted, import_bytes};
    use std::fmt::Write;
    use std::path::Path;

    /// Points of curves with columns of one's own making before step and loss.
    fn table(header: &str, runs: &[(&str, &[u32])]) -> String {
        let mut text = format!("{header},step,loss\n");
        for (cells, steps) in runs {
            // Runs that differ in anything differ in their losses.
            let own = f64::from(cells.bytes().map(u32::from).sum::<u32>());
            let loss = |step: u32| 4.0 - 0.001 * f64::from(step) + 1e-5 * own;
            steps.iter().for_each(|step| writeln!(text, "{cells},{step},{:.5}", loss(*step)).expect("memory"));
        }
        text
    }

    fn read(text: &str) -> Result<Imported, String> {
        import_bytes(Path::new("x.csv"), text.as_bytes(), Wanted::default()).map_err(|error| error.to_string())
    }

    fn curves(text: &str) -> usize {
        read(text).unwrap_or_else(|error| panic!("{error}")).trajectories.len()
    }

    const STEPS: &[u32] = &[100, 200, 300, 400, 500];

    #[test]
    fn runs_without_names_are_told_apart_by_what_changes_where_steps_fall_back() {
        assert_eq!(curves(&table("params", &[("1e6", STEPS), ("2e6", STEPS)])), 2);
        assert_eq!(curves(&table("params,lr", &[("1e6,1e-3", STEPS), ("1e6,2e-3", STEPS), ("2e6,1e-3", STEPS)])), 3);
        assert_eq!(curves(&table("params,seed", &[("1e6,0", STEPS), ("1e6,1", STEPS)])), 2);
        // A run that was resumed is one.
        assert_eq!(curves(&table("params", &[("1e6", STEPS), ("2e6", STEPS), ("2e6", &[600, 700, 800])])), 2);
    }

    #[test]
    fn rows_that_look_like_points_and_belong_to_no_run_are_refused() {
        let twice = table("params", &[("1e6", STEPS), ("2e6", STEPS), ("2e6", STEPS)]);
        // The same losses at the same steps are copies.
        assert_eq!(curves(&twice), 2);
        let apart =
            STEPS.iter().fold(table("params", &[("1e6", STEPS), ("2e6", STEPS)]), |text, step| text + &format!("2e6,{step},3.5{step}\n"));
        let error = read(&apart).expect_err("refused");
        assert!(error.contains("--columns run=NAME") && error.contains("--columns steps=none"), "{error}");
    }

    #[test]
    fn names_that_come_back_with_other_sizes_are_those_of_runs_where_steps_say_so() {
        assert_eq!(curves(&table("run,params", &[("base,1e6", STEPS), ("base,2e6", STEPS)])), 2);
        assert_eq!(curves("run,params,tokens,loss\nbase,1e6,1e8,3\nbase,2e6,2e8,2.9\nbase,4e6,3e8,2.8\n"), 0);
    }
}
