//! No operation writes a denormal, whatever it is given of numbers that count: magnitudes from [`LEAST`] up, sharp softmaxes over long
//! contexts, gates far from 0, gradients next to nothing.

use super::adamw::update;
use super::attention::{HeadGradients, Scores, attend, attend_backward};
use super::cross_entropy::losses_and_gradient;
use super::embedding::scatter_add;
use super::head::HeadView;
use super::matmul::{Into, Matrix, multiply};
use super::norm::{add_norm, norm, norm_backward};
use super::panels::Factors;
use super::rotary::{Heads, rotate, rotate_backward};
use super::simd::{LEAST, counted};
use super::swiglu::{swiglu, swiglu_backward};
use crate::spec::{AdamW, Random};
use crate::train::adamw::Update;
use crate::train::transformer::rope_tables;

/// Numbers of either sign whose sizes lie evenly, by logarithm, from [`LEAST`] to `largest`; every eighth is 0.
fn wide(name: &str, count: usize, largest: f32) -> Vec<f32> {
    let mut random = Random::new(2, name);
    let octaves = f64::from(largest / LEAST).log2();
    let mut number = |i: usize| {
        let size = LEAST * (random.uniform() * octaves).exp2() as f32;
        if i % 8 == 7 { 0.0 } else { size.copysign(random.normal() as f32) }
    };
    (0..count).map(&mut number).collect()
}

fn normal(name: &str, count: usize, size: f32) -> Vec<f32> {
    let mut random = Random::new(2, name);
    (0..count).map(|_| random.normal() as f32 * size).collect()
}

/// No number is denormal, and none is lost in what is not finite.
#[track_caller]
fn none(name: &str, values: &[f32]) {
    let found = values.iter().filter(|value| value.is_subnormal()).count();
    assert_eq!(found, 0, "{name}: {found} of {} numbers are denormal", values.len());
    assert!(values.iter().all(|value| value.is_finite()), "{name}: all are finite");
}

/// Every number is 0 or counts, so that what is next computed of it is not denormal either.
#[track_caller]
fn all_count(name: &str, values: &[f32]) {
    none(name, values);
    let found = values.iter().filter(|value| counted(**value) != **value).count();
    assert_eq!(found, 0, "{name}: {found} of {} numbers are neither 0 nor at least {LEAST:e}", values.len());
}

#[test]
fn norms_make_none() {
    let (rows, width) = (64, 40);
    let (a, b, gain) = (wide("a", rows * width, 1.0), wide("b", rows * width, 1e-3), wide("gain", width, 2.0));
    let (mut x, mut y, mut inverse) = (vec![0.0; rows * width], vec![0.0; rows * width], vec![0.0; rows]);
    norm(&a, &gain, &mut y, &mut inverse);
    all_count("y", &y);
    add_norm(&a, &b, &gain, &mut x, &mut y, &mut inverse);
    let (mut dx, mut dgain) = (vec![0.0; rows * width], vec![0.0; width]);
    norm_backward(&wide("dy", rows * width, 1e-9), &x, &inverse, &gain, &mut dx, &mut dgain);
    for (name, values) in [("x", x), ("y", y), ("dx", dx), ("dgain", dgain)] {
        all_count(name, &values);
    }
}

#[test]
fn rotary_positions_make_none() {
    let (tokens, count, context, width) = (64, 2, 64, 26);
    let stride = count * width;
    let heads = Heads { count, width, context, raw_stride: stride, rotated_stride: stride, scale: 0.2 };
    let (cos, sin) = rope_tables(context, width / 2);
    let x = wide("x", tokens * stride, 1.0);
    for gain in [wide("gain", width, 2.0), Vec::new()] {
        let (mut y, mut inverse, mut dgain) = (vec![0.0; x.len()], vec![0.0; tokens * count], vec![0.0; gain.len()]);
        rotate(heads, tokens, &x, &gain, &cos, &sin, &mut y, &mut inverse);
        let mut dx = wide("dy", x.len(), 1e-9);
        rotate_backward(heads, tokens, &x, &gain, &cos, &sin, &inverse, &mut dx, &mut dgain);
        for (name, values) in [("y", y), ("dx", dx), ("dgain", dgain)] {
            all_count(name, &values);
        }
    }
}

#[test]
fn swiglu_makes_none() {
    let (rows, ffn) = (64, 43);
    let mut gate_up = normal("gates", rows * 2 * ffn, 60.0);
    gate_up.iter_mut().zip(wide("ups", rows * 2 * ffn, 1.0)).enumerate().for_each(|(i, (x, up))| {
        if i % (2 * ffn) >= ffn {
            *x = up;
        }
    });
    let mut hidden = vec![0.0; rows * ffn];
    swiglu(&gate_up, ffn, &mut hidden);
    all_count("hidden", &hidden);
    swiglu_backward(&wide("dhidden", rows * ffn, 1e-6), ffn, &mut gate_up);
    all_count("gradient of gate and up", &gate_up);
}

#[test]
fn cross_entropy_makes_none() {
    let (rows, vocabulary) = (64, 259);
    let mut logits = normal("logits", rows * vocabulary, 40.0);
    let targets: Vec<u32> = (0..rows as u32).collect();
    let mut losses = vec![0.0; rows];
    losses_and_gradient(&mut logits, &targets, vocabulary, 1.0 / 2048.0, &mut losses);
    all_count("losses", &losses);
    all_count("gradient", &logits);
}

/// Queries and keys whose scores are some 60 apart, over more keys than any sum keeps digits of; gradients of every size.
#[test]
fn sharp_attention_over_a_long_context_makes_none() {
    let (context, width) = (1000, 24);
    let stride = 3 * width;
    let sharp = normal("query and key", context * stride, 5.0);
    let values = wide("value", context * stride, 1.0);
    let qkv: Vec<f32> = (0..context * stride).map(|i| if i % stride < 2 * width { sharp[i] } else { values[i] }).collect();
    let views = [0, 1, 2].map(|i| HeadView { data: &qkv[i * width..], stride });
    let (mut mixed, mut log_sums, mut scores) = (vec![0.0; context * width], vec![0.0; context], Scores::new(context, width, Factors::F32));
    attend(views, width, &mut mixed, width, &mut log_sums, &mut scores);
    all_count("mixed", &mixed);
    scores.buffers().iter().for_each(|(name, values)| all_count(name, values));
    for largest in [1.0, 1e-12, 2.0 * LEAST] {
        let mut dqkv = vec![0.0; qkv.len()];
        let dmixed = wide("dmixed", context * width, largest);
        let gradients = HeadGradients { data: &mut dqkv, stride, offsets: [0, width, 2 * width], keys_and_values: Into::Replace };
        let of = |data| HeadView { data, stride: width };
        attend_backward(views, width, of(&mixed), of(&dmixed), &log_sums, gradients, &mut scores);
        all_count("gradient of query, key, value", &dqkv);
        scores.buffers().iter().for_each(|(name, values)| all_count(name, values));
    }
}

#[test]
fn embedding_and_products_make_none_of_numbers_that_count() {
    let (vocabulary, width, rows) = (5, 32, 200);
    let dx = wide("dx", rows * width, 1e-9);
    let ids: Vec<u32> = (0..rows as u32).map(|i| i % vocabulary).collect();
    let mut dtable = vec![0.0; vocabulary as usize * width];
    scatter_add(&dx, &ids, width, &mut dtable);
    none("gradient of the table", &dtable);
    let smallest = wide("weight", width * width, 2.0 * LEAST);
    let mut product = vec![0.0; rows * width];
    multiply(&mut product, width, Into::Replace, Matrix::new(&dx, rows, width), Matrix::new(&smallest, width, width));
    none("product", &product);
}

/// A token seen once: its moments decay for as long as it takes both to vanish, and end as 0. Beside it gradients of every size.
#[test]
fn moments_that_decay_end_as_0_and_tiny_gradients_make_none() {
    let count = 64;
    let once = wide("gradient", count, 1.0);
    let steady = wide("gradient", count, 1e-9);
    let mut state = [vec![0.1; 2 * count], vec![0.0; 2 * count], vec![0.0; 2 * count]];
    for step in 0..12_000 {
        let seen = if step == 0 { once.clone() } else { vec![0.0; count] };
        let gradient = [seen, steady.clone()].concat();
        let [weights, mean, square] = &mut state;
        let constants = Update { clip: 0.01, ..Update::new(&AdamW::default(), step, 1e-3) };
        update(&constants, weights, &gradient, mean, square);
        all_count("weights", weights);
        all_count("first moments", mean);
        none("second moments", square);
    }
    assert_eq!([&state[1][..count], &state[2][..count]], [&[0.0; 64], &[0.0; 64]], "moments of what is not seen");
    assert!(state[1][count..].iter().any(|m| *m != 0.0) && state[2][count..].iter().any(|v| *v != 0.0), "gradients of 1e-9 count");
}
