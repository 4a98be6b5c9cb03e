//! A square matrix product to measure the ceiling of a machine with, by the same GEMM that training uses.

use super::kernels::matmul::{Into, Matrix, multiply};

/// Two square matrices and room for their product.
#[derive(Debug)]
pub struct GemmProbe {
    size: usize,
    a: Vec<f32>,
    b: Vec<f32>,
    product: Vec<f32>,
}

impl GemmProbe {
    /// Matrices of `size` × `size`.
    pub fn new(size: usize) -> Self {
        let numbers = |factor: f32| (0..size * size).map(|at| ((at % 97) as f32 - 48.0) * factor).collect();
        Self { size, a: numbers(0.01), b: numbers(0.02), product: vec![0.0; size * size] }
    }

    /// Multiplies once, on one thread; returns the FLOPs of it, 2·size³.
    pub fn multiply(&mut self) -> f64 {
        let n = self.size;
        multiply(&mut self.product, n, Into::Replace, Matrix::new(&self.a, n, n), Matrix::new(&self.b, n, n));
        2.0 * (n as f64).powi(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_computes_the_product_and_counts_its_flops() {
        let mut probe = GemmProbe::new(5);
        assert_eq!(probe.multiply(), 250.0);
        let exact: f32 = (0..5).map(|k| probe.a[2 * 5 + k] * probe.b[k * 5 + 3]).sum();
        assert!((probe.product[2 * 5 + 3] - exact).abs() < 1e-4);
    }
}
