//! What a run is: the vocabulary of the laboratory and its arithmetic. Pure: no file, clock,
//! environment or unseeded randomness; imports no other room.

mod accounting;
mod corpus;
mod covariate;
mod device;
mod dtype;
mod exact;
mod identity;
mod ladder;
mod loss_unit;
mod memoriser;
mod memory;
mod mix;
mod mixture;
mod objective;
mod optimizer;
mod pairs;
mod random;
mod record;
mod recorded_schedule;
mod run;
pub mod sample;
mod schedule;
mod search;
mod shape;
mod shard;
mod simplex;
mod stage;
mod text;
mod trunk;
mod units;

pub use accounting::{FlopRule, ParamCounts, SizeMeasure, UnknownConvention};
pub use corpus::{CorpusSpec, Tokenizer};
pub use covariate::{
    BASE_LOSS_AFTER, BASE_LOSS_BEFORE, BITS, COVARIATES, Covariate, EXAMPLES, EXPERTS, LAYERS, RANK, REPLAY, SCRATCH, SHARE, VOCABULARY,
    VOCABULARY_PARAMS, WIDTH, covariate, is_of_fine_tuning, is_outcome, is_share,
};
pub use device::{Device, UnknownDevice};
pub use dtype::Dtype;
pub use identity::{Ignoring, NEAR_OPTIMAL, RunKey, SAME_BUDGET, SAME_BUDGET_COUNTED_ANEW, SAME_TOKENS, of_one_length, same_budget};
pub use ladder::Ladder;
pub use loss_unit::{LossUnit, Metric};
pub use memoriser::Memoriser;
pub use memory::{microbatch_tokens, training_bytes};
pub use mix::{MixSpec, PartSpec, RULES, SharesSpec};
pub use mixture::{MixedPart, PartRecord, WHOLE, apportioned, losses_of_parts, run_loss, run_loss_error, windows_of_parts};
pub use objective::{MaskRatio, Objective, ObjectiveName};
pub use optimizer::{AdamW, AdamWRule, Beta2, GroupFactors, OptimizerGroups, ParamGroup, WeightDecay};
pub use pairs::{AllExamples, Examples, PairsSpec};
pub use random::Random;
pub use record::{CurvePoint, Progress, RunRecord, RunStatus, TrainedRun};
pub use recorded_schedule::RecordedSchedule;
pub use run::{InitRule, Recipe, RunId, RunSpec, Seeds};
pub use schedule::{DecayShape, Schedule, ScheduleError, ScheduleName};
pub use search::{SearchFamily, SearchSpace, Tried};
pub use shape::{ModelShape, ShapeError, derived_ffn, derived_heads, parse_layers_by_width};
pub use shard::{Shard, ShardError};
pub use simplex::{dirichlet_draw, simplex_grid, simplex_points};
pub use stage::{BaseRun, FineTuning, Stage, Start};
pub use text::TextSpec;
pub use units::{BitsPerByte, Flops, Nats, Params, QuantityError, Tokens, parse_quantity, short};
