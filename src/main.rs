//! The `scalelab` program: everything is in [`scalelab::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    scalelab::cli::run(std::env::args_os().collect()).into()
}
