//! The table: the only room that knows `results/` on disk.
