//! The objective of a sum of powers in vector instructions, with the same bits on every machine.

mod pass;
