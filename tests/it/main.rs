//! Tests of the whole program, in one program that is linked once; `cargo test --test it fit_cli::` runs a part.

#[cfg_attr(not(feature = "train"), expect(dead_code, reason = "tests of training alone use a part"))]
mod support;

mod abilities;
#[cfg(feature = "train")]
mod branch;
mod certificate;
mod cli;
mod compare;
mod corpora;
mod coverage;
mod damage;
mod doctor;
mod ends;
mod families;
mod fine_tune;
mod fine_tuned;
mod fit_cli;
mod fit_rows;
mod forecast;
mod fuzz_csv;
mod fuzz_trackers;
mod held_out;
mod help;
mod house;
mod lasting;
mod laws;
mod mangled;
mod masked;
mod metric;
mod mixtures;
mod pack;
mod parquet;
mod people;
#[cfg(feature = "train")]
mod pipeline;
mod published;
mod readme;
mod recovery;
mod report;
#[cfg(feature = "train")]
mod resume;
mod robust;
mod scale;
mod schedules;
mod schema;
mod screens;
#[cfg(feature = "train")]
mod search;
mod speedup;
mod status;
mod tables;
mod trackers;
mod trust;
