//! Token embedding: rows of a table by id, and their gradient.

/// x [tokens, d] ← table [V, d] at `ids`.
pub(crate) fn gather(table: &[f32], ids: &[u32], width: usize, x: &mut [f32]) {
    for (row, id) in x.chunks_exact_mut(width).zip(ids) {
        let at = *id as usize * width;
        row.copy_from_slice(&table[at..at + width]);
    }
}

/// dtable at `ids` += dx, in the order of tokens.
pub(crate) fn scatter_add(dx: &[f32], ids: &[u32], width: usize, dtable: &mut [f32]) {
    for (row, id) in dx.chunks_exact(width).zip(ids) {
        let at = *id as usize * width;
        dtable[at..at + width].iter_mut().zip(row).for_each(|(sum, d)| *sum += *d);
    }
}
