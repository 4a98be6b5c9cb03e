//! How laws are estimated. Pure and seeded; the only room that imports argmin.
