//! The `scalelab` program: parse, run, say what went wrong.

fn main() {}
