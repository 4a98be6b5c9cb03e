//! The table: the only room that knows `results/` on disk. One whole file a run, renamed into place,
//! gathered into `runs.csv`; foreign tables are read by the same reader.
#![expect(clippy::disallowed_methods, reason = "this room reads and writes results folders")]

mod atomic;
mod checkpoints;
mod choices;
mod columns;
mod damage;
mod filter;
mod folder;
mod import;
mod lock;
mod packed;
mod pulse;
mod reader;
mod repair;
mod table;
mod trajectories;
mod wanted;

pub use atomic::write_whole;
pub use checkpoints::StoredCheckpoint;
pub use columns::ColumnMap;
pub use filter::{Comparison, Filter};
pub use folder::{Conflict, DamagedRun, FolderError, SweepFolder, newest_sweep};
pub use import::{Imported, filtered_records, import_bytes, import_folder, import_table, is_folder_of_tables};
pub use lock::{Claim, SweepLock};
pub use packed::{Packed, RunCurves};
pub use pulse::{Heartbeat, RunningRun};
pub use reader::{FolderContents, FolderReader, liveliest_sweep};
pub use repair::{Mend, MendEnd};
pub use table::{TableError, records_to_csv, to_csv};
pub use trajectories::Trajectory;
pub use wanted::Wanted;
