//! What the laws say: formulas with named coefficients. Pure.
