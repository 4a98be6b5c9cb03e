//! SwiGLU (Shazeer 2002.05202): hidden = silu(gate) ⊙ up, silu(g) = g·σ(g).

use super::simd::{exp, fma, vectorised};

#[inline(always)]
fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

vectorised! {
    /// `gate_up` [rows, 2f] (gate first) → `hidden` [rows, f].
    pub(crate) fn swiglu(gate_up: &[f32], ffn: usize, hidden: &mut [f32]) {
        for (gate_up, hidden) in gate_up.chunks_exact(2 * ffn).zip(hidden.chunks_exact_mut(ffn)) {
            let (gate, up) = gate_up.split_at(ffn);
            for ((h, g), u) in hidden.iter_mut().zip(gate).zip(up) {
                *h = *g * sigmoid::<FMA>(*g) * *u;
            }
        }
    }

    /// Backward of [`swiglu`]; `gate_up` is replaced by its gradient.
    /// With σ = σ(g): dg = dh·u·σ·(1 + g·(1 − σ)), du = dh·g·σ.
    pub(crate) fn swiglu_backward(dhidden: &[f32], ffn: usize, gate_up: &mut [f32]) {
        for (dhidden, gate_up) in dhidden.chunks_exact(ffn).zip(gate_up.chunks_exact_mut(2 * ffn)) {
            let (gate, up) = gate_up.split_at_mut(ffn);
            for ((d, g), u) in dhidden.iter().zip(gate).zip(up) {
                let s = sigmoid::<FMA>(*g);
                let silu = *g * s;
                let slope = fma::<FMA>(silu, 1.0 - s, s);
                (*g, *u) = (*d * *u * slope, *d * silu);
            }
        }
    }
}
