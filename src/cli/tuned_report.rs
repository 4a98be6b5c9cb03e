//! The page of a report of runs of fine-tuning.

use super::analysis::of_source;
use super::failure::Failure;
use super::fine_tuned::{answers, base_header, base_rows, doubtful};
use super::plot::tuned_pictures;
use super::report_runs::{diagnosed, health, runs};
use super::source::Source;
use crate::spec::FlopRule;
use crate::study::{StudyOptions, fine_tuned};
use crate::view::{Block, Report, ReportTable, Section, TunedFigure};

/// What the runs say, their figures, their bases and every run.
pub(super) fn tuned_report(source: &Source, options: &StudyOptions) -> Result<Report, Failure> {
    let found = fine_tuned(&source.records, options).map_err(|error| of_source(source, error))?;
    let diagnosed = diagnosed(source)?;
    let said = answers(&found).into_iter().map(|(word, text)| Block::Verdict(format!("{word}: {text}.")));
    let notes = found.notes.iter().cloned().chain(doubtful(&found)).map(|note| Block::Text(format!("Note: {note}.")));
    let verdict = said.chain([Block::Verdict(health(&diagnosed))]).chain(notes).collect();
    let figure = |TunedFigure { file, caption, picture }: TunedFigure| Some(Block::Figure(file, caption.to_owned(), picture.ok()?));
    let figures = tuned_pictures(source, &found)?.into_iter().filter_map(figure).collect();
    let header = base_header(&found);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let bases = ReportTable::new("Bases, the one with the lowest loss first".to_owned(), &header, base_rows(&found));
    let subtitle = format!(
        "{} runs of fine-tuning from {} bases, {} from scratch; N counted as {}; losses in {}; scalelab {}",
        found.runs,
        found.bases.len(),
        found.from_scratch,
        found.size_measure.words(),
        found.loss_unit,
        env!("CARGO_PKG_VERSION")
    );
    let sections = vec![
        Section::new("Verdict", verdict),
        Section::new("Figures", figures),
        Section::new("Bases", vec![Block::Table(bases)]),
        Section::new("Runs", runs(&diagnosed, (found.size_measure, FlopRule::Exact), None)),
        Section::new("To repeat it", vec![Block::Code(format!("scalelab fit {}", source.path.display()))]),
    ];
    Ok(Report { title: format!("Fine-tuning: {}", source.name), subtitle, sections })
}
