//! What a network that is served for long should be, for a person.

use super::text::{Piece, counts, number, tokens_per};
use crate::recommend::{Served, Serving};
use crate::spec::{Flops, SizeMeasure, short};

/// Sizes that reach one loss, side by side, the cheapest over training and service first.
pub(super) fn serving_pieces(found: &Serving, measure: SizeMeasure) -> Vec<Piece> {
    let price = if found.serve_price == 1.0 { String::new() } else { format!(", a FLOP of it at {} times the price", found.serve_price) };
    let title = format!("to reach a loss of {} and serve {} tokens{price}", number(found.loss), short(found.serve_tokens));
    let row = |one: &Served| {
        vec![
            one.name.clone(),
            short(one.params),
            short(one.tokens),
            short(one.tokens / one.params),
            Flops(one.training).to_string(),
            Flops(one.serving).to_string(),
            format!("{:+.1} %", 100.0 * (one.over_least - 1.0)),
        ]
    };
    let header = vec!["", "N", "D", tokens_per(measure), "training, FLOPs", "serving, FLOPs", "cost over the least"];
    let mut pieces = vec![Piece::Title(title), Piece::Table(header, found.sizes.iter().map(row).collect())];
    if found.params.uncertainty.is_some() {
        let level = found.params.level().map_or_else(String::new, |level| format!(" ({:.0} % intervals)", 100.0 * level));
        let [params, tokens, cost] = [&found.params, &found.tokens, &found.cost].map(counts);
        let line = format!("least cost: N {params}, D {tokens}, {cost} FLOPs of training and serving{level}");
        pieces.push(Piece::Line(1, line));
    }
    pieces
}
