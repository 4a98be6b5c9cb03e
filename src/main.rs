//! The `scalelab` program: everything is in [`scalelab::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    scalelab::cli::run()
}
