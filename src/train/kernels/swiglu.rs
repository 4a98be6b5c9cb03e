//! SwiGLU (Shazeer 2002.05202): hidden = silu(gate) ⊙ up, silu(g) = g·σ(g).

use super::simd::{LANES, counted, exp, fma, padded, vectorised};

/// 1 / (1 + e⁻ˣ), written so that it is eˣ, and in the end 0, where x is far below 0.
#[inline(always)]
fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    let tail = exp::<FMA>(-x.abs());
    (if x < 0.0 { tail } else { 1.0 }) / (1.0 + tail)
}

vectorised! {
    /// `gate_up` [rows, 2f] (gate first) → `hidden` [rows, f].
    pub(crate) fn swiglu(gate_up: &[f32], ffn: usize, hidden: &mut [f32]) {
        for (gate_up, hidden) in gate_up.chunks_exact(2 * ffn).zip(hidden.chunks_exact_mut(ffn)) {
            let (gate, up) = gate_up.split_at(ffn);
            for ((h, g), u) in hidden.iter_mut().zip(gate).zip(up) {
                *h = counted(*g * sigmoid::<FMA>(*g) * *u);
            }
        }
    }

    /// Backward of [`swiglu`]; `gate_up` is replaced by its gradient.
    /// With σ = σ(g): dg = dh·u·σ·(1 + g·(1 − σ)), du = dh·g·σ.
    pub(crate) fn swiglu_backward(dhidden: &[f32], ffn: usize, gate_up: &mut [f32]) {
        for (dhidden, gate_up) in dhidden.chunks_exact(ffn).zip(gate_up.chunks_exact_mut(2 * ffn)) {
            let (gate, up) = gate_up.split_at_mut(ffn);
            let (gate_wide, gate_rest) = gate.as_chunks_mut::<LANES>();
            let (up_wide, up_rest) = up.as_chunks_mut::<LANES>();
            let (d_wide, d_rest) = dhidden.as_chunks::<LANES>();
            for ((g, u), d) in gate_wide.iter_mut().zip(up_wide).zip(d_wide) {
                (*g, *u) = backward_lanes::<FMA>(*d, *g, *u);
            }
            if !d_rest.is_empty() {
                let (g, u) = backward_lanes::<FMA>(padded(d_rest, 0.0), padded(gate_rest, 0.0), padded(up_rest, 0.0));
                gate_rest.copy_from_slice(&g[..d_rest.len()]);
                up_rest.copy_from_slice(&u[..d_rest.len()]);
            }
        }
    }
}

/// Gradients of gate and up. On arrays, not slices: gate and up of many rows interleave in memory, so the compiler
/// cannot prove of slices that they are apart, and falls back to one number at a time.
#[inline(always)]
fn backward_lanes<const FMA: bool>(d: [f32; LANES], g: [f32; LANES], u: [f32; LANES]) -> ([f32; LANES], [f32; LANES]) {
    let (mut dg, mut du) = ([0.0; LANES], [0.0; LANES]);
    for i in 0..LANES {
        let s = sigmoid::<FMA>(g[i]);
        let silu = g[i] * s;
        dg[i] = counted(d[i] * u[i] * fma::<FMA>(silu, 1.0 - s, s));
        du[i] = counted(d[i] * silu);
    }
    (dg, du)
}
