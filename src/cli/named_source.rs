//! Runs whose files say in their names what they are, `--params-from`, as a source.

use super::column_map::column_map;
use super::failure::{Failure, OrInput};
use super::source::{Source, SourceArgs, quoted};
use crate::results::{NamePattern, Wanted, import_named};
use anyhow::anyhow;
use std::path::Path;

impl SourceArgs {
    /// A pattern below the folder that is named beside it.
    pub(super) fn placed(&self, pattern: &NamePattern) -> NamePattern {
        match self.paths.first() {
            Some(folder) => pattern.clone().within(folder),
            None => pattern.clone(),
        }
    }

    /// Files whose names hold values, as one table.
    pub(super) fn read_named(&self, pattern: &NamePattern, wanted: Wanted<'_>) -> Result<Source, Failure> {
        if self.paths.len() > 1 || self.paths.first().is_some_and(|path| path.is_file()) || self.at_hand.is_some() {
            let problem = "begins in one folder; name that alone, or none, and put the rest into the pattern";
            return Err(Failure::Input(anyhow!("--params-from {} {problem}", quoted(pattern.text()))));
        }
        let columns = column_map(&self.rows.columns)?;
        let pattern = self.placed(pattern);
        let imported = import_named(&pattern, Wanted { columns: &columns, ..wanted }).or_input()?;
        let base = pattern.split().0;
        let base = if base.as_os_str().is_empty() { Path::new(".") } else { base };
        let whole = base.canonicalize().unwrap_or_else(|_| base.to_owned());
        let name = whole.file_name().map_or("runs".into(), |name| name.to_string_lossy().into_owned());
        Ok(self.source_of(base, name, imported))
    }
}
