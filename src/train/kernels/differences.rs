//! Every operation's backward against finite differences of its forward: for random inputs x, random direction u and
//! random weights w of the output, (f(x + εu) − f(x − εu))·w / 2ε must be the backward's gradient for w, times u.

use super::attention::{HeadGradients, Scores, attend, attend_backward};
use super::cross_entropy::{losses, losses_and_gradient};
use super::embedding::{gather, scatter_add};
use super::head::{HeadView, Sight};
use super::matmul::{Into, Matrix, multiply};
use super::norm::{norm, norm_backward};
use super::panels::Factors;
use super::rotary::{Heads, rotate, rotate_backward};
use super::swiglu::{swiglu, swiglu_backward};
use crate::spec::Random;
use crate::train::transformer::rope_tables;

fn numbers(name: &str, count: usize) -> Vec<f32> {
    let mut random = Random::new(1, name);
    (0..count).map(|_| random.normal() as f32).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Compares the slope of `forward`·w at x along a random direction with gradient·direction. The step leaves an error of
/// ε² from the third derivative and 1e-7/ε from rounding, in sums of some hundred terms of order one.
fn check(name: &str, x: &[f32], w: &[f32], gradient: &[f32], forward: impl Fn(&[f32]) -> Vec<f32>) {
    const STEP: f32 = 1e-2;
    let direction = numbers("direction", x.len());
    let moved = |by: f32| -> Vec<f32> { x.iter().zip(&direction).map(|(x, u)| x + by * u).collect() };
    let slope = (dot(&forward(&moved(STEP)), w) - dot(&forward(&moved(-STEP)), w)) / (2.0 * f64::from(STEP));
    let expected = dot(gradient, &direction);
    let size = dot(gradient, gradient).sqrt();
    assert!((slope - expected).abs() < 5e-3 * size.max(0.1), "{name}: slope {slope}, gradient says {expected}, size {size}");
}

#[test]
fn norm_has_the_gradient_of_its_differences() {
    let (rows, width) = (5, 19);
    let (x, gain, w) = (numbers("x", rows * width), numbers("gain", width), numbers("w", rows * width));
    let forward = |x: &[f32], gain: &[f32]| {
        let (mut y, mut inverse) = (vec![0.0; x.len()], vec![0.0; rows]);
        norm(x, gain, &mut y, &mut inverse);
        (y, inverse)
    };
    let inverse = forward(&x, &gain).1;
    let (mut dx, mut dgain) = (vec![0.0; x.len()], vec![0.0; width]);
    norm_backward(&w, &x, &inverse, &gain, &mut dx, &mut dgain);
    check("x", &x, &w, &dx, |x| forward(x, &gain).0);
    check("gain", &gain, &w, &dgain, |gain| forward(&x, gain).0);
}

#[test]
fn rotary_positions_with_and_without_norm_have_the_gradient_of_their_differences() {
    for (width, normed) in [(6, true), (24, true), (32, false)] {
        let (tokens, count, context) = (6, 2, 3);
        let stride = count * width;
        let heads = Heads { count, width, context, raw_stride: stride, rotated_stride: stride, scale: 0.7 };
        let (cos, sin) = rope_tables(context, width / 2);
        let (x, w) = (numbers("x", tokens * stride), numbers("w", tokens * stride));
        let gain = if normed { numbers("gain", width) } else { Vec::new() };
        let forward = |x: &[f32], gain: &[f32]| {
            let (mut y, mut inverse) = (vec![0.0; x.len()], vec![0.0; tokens * count]);
            rotate(heads, tokens, x, gain, &cos, &sin, &mut y, &mut inverse);
            (y, inverse)
        };
        let inverse = forward(&x, &gain).1;
        let (mut dx, mut dgain) = (w.clone(), vec![0.0; gain.len()]);
        rotate_backward(heads, tokens, &x, &gain, &cos, &sin, &inverse, &mut dx, &mut dgain);
        check("x", &x, &w, &dx, |x| forward(x, &gain).0);
        if normed {
            check("gain", &gain, &w, &dgain, |gain| forward(&x, gain).0);
        }
    }
}

#[test]
fn swiglu_has_the_gradient_of_its_differences() {
    let (rows, ffn) = (4, 21);
    let (x, w) = (numbers("x", rows * 2 * ffn), numbers("w", rows * ffn));
    let mut dx = x.clone();
    swiglu_backward(&w, ffn, &mut dx);
    check("gate and up", &x, &w, &dx, |x| {
        let mut hidden = vec![0.0; rows * ffn];
        swiglu(x, ffn, &mut hidden);
        hidden
    });
}

/// Rows whose target is not counted lose nothing, whatever stands in them, and have no gradient.
#[test]
fn cross_entropy_of_some_targets_has_the_gradient_of_its_differences() {
    let (rows, vocabulary) = (7, 37);
    let targets: Vec<u32> = (0..rows as u32).map(|row| if row % 3 == 1 { crate::corpus::NOT_COUNTED } else { row * 5 }).collect();
    let (x, w) = (numbers("x", rows * vocabulary), vec![1.0; rows]);
    let forward = |x: &[f32]| {
        let (mut logits, mut of_rows) = (x.to_vec(), vec![9.0; rows]);
        losses(&mut logits, &targets, vocabulary, &mut of_rows);
        of_rows
    };
    let (mut gradient, mut of_rows) = (x.clone(), vec![9.0; rows]);
    losses_and_gradient(&mut gradient, &targets, vocabulary, 1.0, &mut of_rows);
    assert_eq!(of_rows, forward(&x));
    for (row, target) in targets.iter().enumerate() {
        let nothing = *target == crate::corpus::NOT_COUNTED;
        assert_eq!(of_rows[row] == 0.0, nothing);
        assert_eq!(gradient[row * vocabulary..][..vocabulary].iter().all(|g| *g == 0.0), nothing);
    }
    check("logits of counted rows", &x, &w, &gradient, forward);
}

#[test]
fn cross_entropy_has_the_gradient_of_its_differences() {
    let (rows, vocabulary) = (5, 37);
    let logits = numbers("logits", rows * vocabulary);
    let targets = [0, 36, 7, 7, 20];
    let (mut gradient, mut unused) = (logits.clone(), vec![0.0; rows]);
    losses_and_gradient(&mut gradient, &targets, vocabulary, 0.5, &mut unused);
    check("logits", &logits, &[0.5; 5], &gradient, |z| {
        let mut of_rows = vec![0.0; rows];
        losses(&mut z.to_vec(), &targets, vocabulary, &mut of_rows);
        of_rows
    });
}

#[test]
fn attention_has_the_gradient_of_its_differences() {
    [Sight::Before, Sight::Whole].into_iter().for_each(attention_has_its_gradient);
}

fn attention_has_its_gradient(sight: Sight) {
    // More than one block of queries, the last one not whole; numbers that are no multiple of a register.
    let (context, width) = (83, 6);
    let stride = 3 * width;
    let (x, w) = (numbers("qkv", context * stride), numbers("w", context * width));
    let forward = |x: &[f32]| {
        let (mut mixed, mut log_sums) = (vec![0.0; context * width], vec![0.0; context]);
        let views = [0, 1, 2].map(|i| HeadView { data: &x[i * width..], stride });
        attend(views, width, &mut mixed, width, &mut log_sums, &mut Scores::new(context, width, Factors::F32).seeing(sight));
        (mixed, log_sums)
    };
    let (mixed, log_sums) = forward(&x);
    let mut dx = vec![f32::NAN; x.len()];
    let gradients = HeadGradients { data: &mut dx, stride, offsets: [0, width, 2 * width], keys_and_values: Into::Replace };
    let views = [0, 1, 2].map(|i| HeadView { data: &x[i * width..], stride });
    let of = |data| HeadView { data, stride: width };
    let mut scores = Scores::new(context, width, Factors::F32).seeing(sight);
    attend_backward(views, width, of(&mixed), of(&w), &log_sums, gradients, &mut scores);
    check(&format!("query, key, value, {sight:?}"), &x, &w, &dx, |x| forward(x).0);
    // The last token moves the first result where the whole sequence is seen, and there alone.
    let mut moved = x.clone();
    moved[(context - 1) * stride + width..].iter_mut().for_each(|number| *number += 1.0);
    assert_eq!(forward(&moved).0[..width] != forward(&x).0[..width], sight == Sight::Whole);
}

#[test]
fn embedding_and_linear_layers_have_the_gradient_of_their_differences() {
    let (vocabulary, width, ids) = (5, 7, [3u32, 0, 3, 4]);
    let (table, w) = (numbers("table", vocabulary * width), numbers("w", ids.len() * width));
    let mut dtable = vec![0.0; table.len()];
    scatter_add(&w, &ids, width, &mut dtable);
    check("table", &table, &w, &dtable, |table| {
        let mut x = vec![0.0; ids.len() * width];
        gather(table, &ids, width, &mut x);
        x
    });
    let (rows, out) = (4, 9);
    let (x, weight, w) = (numbers("x", rows * width), numbers("weight", out * width), numbers("w", rows * out));
    let mut dweight = vec![0.0; weight.len()];
    multiply(&mut dweight, width, Into::Replace, Matrix::new(&w, rows, out).t(), Matrix::new(&x, rows, width));
    check("weight", &weight, &w, &dweight, |weight| {
        let mut y = vec![0.0; rows * out];
        multiply(&mut y, out, Into::Replace, Matrix::new(&x, rows, width), Matrix::new(weight, out, width).t());
        y
    });
}
