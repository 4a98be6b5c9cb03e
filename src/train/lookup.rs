//! Rows of the embedding by token id. candle's own gradient of such a look-up adds row by row, on a GPU in as
//! few threads as the embedding has columns; where the vocabulary is small the same sum is a product,
//! one_hot(ids)ᵀ · gradient, at the speed of the head and in an order that is always the same.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp2, DType, Layout, MetalStorage, Result, Shape, Tensor};

/// Largest vocabulary whose gradient is a product: one-hot rows are as large as the logits.
const LARGEST_ONE_HOT: usize = 1024;

/// Rows `ids` [n] of `embedding` [V, d], [n, d].
pub(crate) fn look_up(embedding: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let vocabulary = embedding.dim(0)?;
    if vocabulary > LARGEST_ONE_HOT {
        return embedding.index_select(ids, 0);
    }
    embedding.apply_op2(ids, LookUp { vocabulary })
}

struct LookUp {
    vocabulary: usize,
}

/// The rows, as every backend selects them.
fn rows<S: BackendStorage>(embedding: &S, of_embedding: &Layout, ids: &S, of_ids: &Layout) -> Result<(S, Shape)> {
    let shape = Shape::from((of_ids.shape().elem_count(), of_embedding.dims()[1]));
    Ok((embedding.index_select(ids, of_embedding, of_ids, 0)?, shape))
}

impl CustomOp2 for LookUp {
    fn name(&self) -> &'static str {
        "look-up"
    }

    fn cpu_fwd(&self, embedding: &CpuStorage, l1: &Layout, ids: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        rows(embedding, l1, ids, l2)
    }

    fn cuda_fwd(&self, embedding: &CudaStorage, l1: &Layout, ids: &CudaStorage, l2: &Layout) -> Result<(CudaStorage, Shape)> {
        rows(embedding, l1, ids, l2)
    }

    fn metal_fwd(&self, embedding: &MetalStorage, l1: &Layout, ids: &MetalStorage, l2: &Layout) -> Result<(MetalStorage, Shape)> {
        rows(embedding, l1, ids, l2)
    }

    fn bwd(&self, _: &Tensor, ids: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let every = Tensor::arange(0u32, self.vocabulary as u32, ids.device())?.unsqueeze(1)?; // [V, 1]
        let one_hot = every.broadcast_eq(&ids.unsqueeze(0)?)?.to_dtype(DType::F32)?; // [V, n], transposed
        Ok((Some(one_hot.matmul(&gradient.contiguous()?)?), None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Random;
    use candle_core::{Device, Var};

    #[test]
    fn the_product_is_the_gradient_of_selecting_rows() {
        let (vocabulary, width) = (37, 8);
        let mut random = Random::new(1, "look-up");
        let mut numbers = |n: usize| -> Vec<f32> { (0..n).map(|_| random.normal() as f32).collect() };
        let embedding = Var::from_vec(numbers(vocabulary * width), (vocabulary, width), &Device::Cpu).expect("made");
        let weights = Tensor::from_vec(numbers(60 * width), (60, width), &Device::Cpu).expect("made");
        let ids = Tensor::from_vec((0..60u32).map(|i| i * i % 29).collect::<Vec<_>>(), 60, &Device::Cpu).expect("made");
        let gradient = |rows: Tensor| {
            let store = (rows * &weights).and_then(|product| product.sum_all()?.backward()).expect("computes");
            store.get(&embedding).expect("has one").to_vec2::<f32>().expect("reads").concat()
        };
        let found = gradient(look_up(&embedding, &ids).expect("computes"));
        let expected = gradient(embedding.index_select(&ids, 0).expect("computes"));
        assert!(expected.iter().any(|g| *g != 0.0) && expected[36 * width..].iter().all(|g| *g == 0.0));
        let largest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-5, "{largest:e}");
        let rows = look_up(&embedding, &ids).and_then(|rows| rows.to_vec2::<f32>()).expect("computes");
        assert_eq!(rows, embedding.index_select(&ids, 0).and_then(|rows| rows.to_vec2::<f32>()).expect("computes"));
    }
}
