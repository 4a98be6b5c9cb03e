//! Stages of training: what the weights of a run begin as, and what of its text it learns.

use super::CorpusSpec;
use super::mixture::WHOLE;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};

/// A stage of training.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The next token of a text, from weights that are drawn.
    #[default]
    PreTraining,
    /// The responses of pairs, from the weights of a run that finished.
    FineTuning(Box<FineTuning>),
}

/// How a run is fine-tuned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FineTuning {
    /// The run whose network it has.
    pub base: BaseRun,
    /// What its weights begin as.
    pub start: Start,
    /// Pairs that it is trained on: the first so many of one seeded order.
    pub examples: u64,
    /// Windows that these pairs fill: an epoch of them.
    pub windows: u64,
    /// Share of its windows that are text of the base, in 1/100 000.
    pub replay: u32,
    /// Rank of what is added to the matrices and alone is trained (LoRA, 2106.09685); 0 where all weights are trained.
    #[serde(default)]
    pub rank: u32,
}

/// A run that finished, whose weights were kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaseRun {
    /// The results folder of its sweep (not part of a run's identity).
    pub results: String,
    /// Its name, a hash of all that it is.
    pub run_id: String,
    /// SHA-256 of its weights, hexadecimal.
    pub weights_sha256: String,
    /// Tokens that it was trained on, D.
    pub tokens: f64,
    /// What it read.
    pub corpus: CorpusSpec,
    /// SHA-256 of that, hexadecimal.
    pub corpus_sha256: String,
    /// Held-out windows of it that its loss was measured on.
    pub eval_windows: u64,
    /// Seed of these windows.
    pub seed_eval: u64,
}

/// What the weights of a run that is fine-tuned begin as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The weights that its base ended with.
    #[default]
    Base,
    /// Weights drawn anew: what the same network learns from the task alone.
    Scratch,
}

impl Start {
    /// What a row calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Scratch => "scratch",
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Stage {
    /// How a run is fine-tuned, where it is.
    pub fn fine_tuning(&self) -> Option<&FineTuning> {
        match self {
            Self::PreTraining => None,
            Self::FineTuning(fine_tuning) => Some(fine_tuning),
        }
    }

    /// What of it can change the result of a run, a line each; nothing of a run that is not fine-tuned.
    pub(super) fn canonical_text(&self) -> String {
        let Some(FineTuning { base, start, examples, windows: _, replay, rank }) = self.fine_tuning() else { return String::new() };
        let BaseRun { results: _, run_id, weights_sha256, tokens: _, corpus: _, corpus_sha256, eval_windows, seed_eval } = base;
        let mut text = "stage fine-tuning\n".to_owned();
        let _ = match start {
            Start::Base => writeln!(text, "start {run_id} {weights_sha256}"),
            Start::Scratch => writeln!(text, "start scratch"),
        };
        let _ = writeln!(text, "examples {examples}\nreplay {replay}\nbase {corpus_sha256} {eval_windows} {seed_eval}");
        if *rank > 0 {
            let _ = writeln!(text, "rank {rank}");
        }
        text
    }
}

impl FineTuning {
    /// Tokens that a run sees until it has seen each of its pairs once, text of the base among them.
    pub fn epoch_tokens(&self, context: usize) -> u64 {
        let of_pairs = u128::from(WHOLE - self.replay.min(WHOLE - 1));
        (u128::from(self.windows) * context as u128 * u128::from(WHOLE) / of_pairs) as u64
    }

    /// Share of its windows that are text of the base, from 0 to 1.
    pub fn replay_share(&self) -> f64 {
        f64::from(self.replay) / f64::from(WHOLE)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::run::tests::example;
    use super::super::{RunSpec, TextSpec};
    use super::*;

    pub(crate) fn fine_tuning() -> FineTuning {
        let base = BaseRun {
            results: "results/base".into(),
            run_id: "a base".into(),
            weights_sha256: "12".repeat(32),
            tokens: 1e6,
            corpus: CorpusSpec::Text(TextSpec::of("corpora/sotu.txt")),
            corpus_sha256: "34".repeat(32),
            eval_windows: 64,
            seed_eval: 0,
        };
        FineTuning { base, start: Start::Base, examples: 100, windows: 40, replay: 0, rank: 0 }
    }

    fn run(change: impl Fn(&mut FineTuning)) -> RunSpec {
        let mut fine_tuning = fine_tuning();
        change(&mut fine_tuning);
        RunSpec { stage: Stage::FineTuning(Box::new(fine_tuning)), ..example() }
    }

    #[test]
    fn base_weights_examples_and_replay_name_a_run_and_where_they_lie_does_not() {
        let one = run(|_| ());
        assert_ne!(one.id(), example().id());
        let changes: [fn(&mut FineTuning); 7] = [
            |it| it.base.weights_sha256 = "56".repeat(32),
            |it| it.base.run_id = "another base".into(),
            |it| it.start = Start::Scratch,
            |it| it.examples = 50,
            |it| it.replay = 5000,
            |it| it.rank = 4,
            |it| it.base.corpus_sha256 = "78".repeat(32),
        ];
        for change in changes {
            assert_ne!(run(change).id(), one.id());
            assert_ne!(run(change).trunk_id(), one.trunk_id());
        }
        assert_eq!(run(|it| it.base.results = "elsewhere".into()).id(), one.id());
        let scratch =
            |weights: &str| run(|it| (it.start, it.base.weights_sha256, it.base.run_id) = (Start::Scratch, weights.into(), weights.into()));
        assert_eq!(scratch("one").id(), scratch("other").id(), "weights drawn anew know no base");
    }

    #[test]
    fn an_epoch_is_as_much_longer_as_text_of_the_base_is_among_it() {
        let of = |replay| FineTuning { replay, ..fine_tuning() }.epoch_tokens(10);
        assert_eq!((of(0), of(20_000), of(50_000)), (400, 500, 800));
    }

    #[test]
    fn a_stage_is_written_and_read_back() {
        let spec = run(|it| it.replay = 5000);
        let text = serde_json::to_string(&spec).expect("writes");
        assert_eq!(serde_json::from_str::<RunSpec>(&text).expect("reads"), spec);
        let mut older = serde_json::to_value(example()).expect("writes");
        older.as_object_mut().expect("fields").remove("stage");
        assert_eq!(serde_json::from_value::<RunSpec>(older).expect("reads"), example(), "a run of before there were stages");
    }
}
