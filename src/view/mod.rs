//! What it looks like: values in, pictures out; the only room that imports plotters.
