//! The figures of a study, in the order in which a reader wants them.

use super::figure::{Figure, Picture, Subject};
use super::{
    curves, exponents, floor_profile, frontier, heat_map, hyperparams, influence, isoflop, loss_compute, matrix, recipe_laws, residual_map,
    residuals, slices, surface,
};
use rayon::prelude::*;

/// Every figure that there is of a study.
pub const FIGURES: [Figure; 15] = [
    slices::FIGURE,
    curves::FIGURE,
    isoflop::FIGURE,
    hyperparams::FIGURE,
    heat_map::FIGURE,
    recipe_laws::FIGURE,
    frontier::FIGURE,
    loss_compute::FIGURE,
    surface::FIGURE,
    exponents::FIGURE,
    residuals::FIGURE,
    residual_map::FIGURE,
    influence::FIGURE,
    floor_profile::FIGURE,
    matrix::FIGURE,
];

/// Draws, on every core, those that the runs allow.
pub fn figures(subject: &Subject<'_>) -> Vec<(Figure, Picture)> {
    // What several are drawn of is computed before: a core that computes it, itself on all cores, may take up another figure
    // meanwhile, which would wait for it for ever.
    subject.frontier();
    FIGURES.into_par_iter().filter_map(|figure| (figure.of)(subject).map(|picture| (figure, picture))).collect()
}

/// Draws one by the name of its file; `None` where the runs have nothing of its kind.
pub fn figure(subject: &Subject<'_>, file: &str) -> Option<Picture> {
    let figure = FIGURES.iter().find(|figure| figure.file == file)?;
    (figure.of)(subject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_figure_has_a_file_and_a_caption_of_its_own() {
        let files: BTreeSet<&str> = FIGURES.iter().map(|figure| figure.file).collect();
        let captions: BTreeSet<&str> = FIGURES.iter().map(|figure| figure.caption).collect();
        assert_eq!((files.len(), captions.len()), (FIGURES.len(), FIGURES.len()));
        assert!(files.iter().all(|file| file.ends_with(".png")) && captions.iter().all(|caption| caption.len() > 10));
    }
}
