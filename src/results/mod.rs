//! The table: the only room that knows `results/` on disk. One whole file a run, renamed into place,
//! gathered into `runs.csv`; foreign tables are read by the same reader.
#![expect(clippy::disallowed_methods, reason = "this room reads and writes results folders")]

mod atomic;
mod checkpoints;
mod choices;
mod columns;
mod constants;
mod covariates;
mod curve_table;
mod damage;
mod decode;
mod dialect;
mod export;
mod filter;
mod folder;
mod import;
mod imported;
mod json;
mod known;
mod left_out;
mod lock;
mod mixed;
mod numerals;
mod packed;
mod paths;
mod pulse;
mod reader;
mod repair;
mod runs;
mod sheet;
mod table;
mod tables;
mod trackers;
mod trajectories;
mod units;
mod wanted;
mod wide;

pub use atomic::write_whole;
pub use checkpoints::StoredCheckpoint;
pub use columns::Variables;
pub use curve_table::{RateCurve, RateCurves, curves_of, import_curves};
pub use export::{Format, exported};
pub use filter::{Comparison, Filter};
pub use folder::{Conflict, DamagedRun, FolderError, SweepFolder, newest_sweep};
pub use import::{STANDARD_INPUT, filtered_records, import_bytes, import_table};
pub use imported::Imported;
pub use known::ColumnMap;
pub use lock::{Claim, SweepLock};
pub use packed::{Packed, RunCurves};
pub use paths::{import_paths, is_of_others, tracker_bytes};
pub use pulse::{Heartbeat, RunningRun};
pub use reader::{FolderContents, FolderReader, liveliest_sweep};
pub use repair::{Mend, MendEnd};
pub use table::{TableError, records_to_csv, to_csv};
pub use trajectories::Trajectory;
pub use wanted::Wanted;
