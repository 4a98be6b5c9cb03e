//! What trackers and trainers leave on disk, read without their servers: files of events of TensorBoard, offline runs of W&B, states of
//! the Hugging Face trainer, tables of Lightning, files of MLflow, long tables such as Aim gives out, and logs for people. Each becomes
//! runs with a configuration and what was measured along them.

mod blocks;
mod columns;
mod config;
mod cut;
mod ends;
mod files;
mod folders;
mod hugging_face;
mod measured;
mod mlflow;
mod roles;
mod rows;
mod run;
mod tensorboard;
mod text_log;
mod tfrecord;
mod wandb;

pub(super) use ends::imported;
pub(super) use files::{of_bytes, of_file};
pub(super) use folders::{apart, holds_files, holds_runs, of_folder};
pub(super) use roles::{Role, role};
pub(super) use rows::curves_of;
pub(super) use run::Tracked;
pub(super) use tensorboard::written as events;
