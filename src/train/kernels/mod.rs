//! Fused operations of the processor with hand-written backward, one file each. All work on f32 slices,
//! row-major, one thread; every sum has a fixed order, so a repeat is bit-identical on one kind of processor.
//! Loops are compiled for several instruction sets and chosen at run time (simd.rs); matrix products are ours too (panels.rs, of
//! tiles in tile.rs), and those of the `gemm` crate on processors without such tiles. What is written is 0 or at least 2^-60 (simd.rs), so that no denormal arises.

pub(crate) mod adamw;
mod ahead;
#[cfg(target_arch = "x86_64")]
mod amx;
pub(crate) mod attention;
mod attention_pairs;
pub(crate) mod bf16;
pub(crate) mod cross_entropy;
pub(crate) mod embedding;
pub(crate) mod head;
pub(crate) mod matmul;
pub(crate) mod norm;
pub(crate) mod pairs;
pub(crate) mod panels;
pub(crate) mod rotary;
pub(crate) mod simd;
pub(crate) mod swiglu;
pub(crate) mod tile;

#[cfg(test)]
mod denormals;
#[cfg(test)]
mod differences;
#[cfg(test)]
mod guarded;
#[cfg(test)]
mod rounding;

/// Numbers about 0 for tests, other ones for other salts.
#[cfg(test)]
fn numbers(count: usize, salt: usize) -> Vec<f32> {
    (0..count).map(|i| (((i + salt) * 37 % 101) as f32 - 50.0) * 0.01).collect()
}
