//! What a run is: the vocabulary of the laboratory and its arithmetic. Pure: no file, clock,
//! environment or unseeded randomness; imports no other room.

mod accounting;
mod corpus;
mod dtype;
mod ladder;
mod memory;
mod optimizer;
mod random;
mod record;
mod run;
mod schedule;
mod search;
mod shape;
mod trunk;
mod units;

pub use accounting::{FlopRule, ParamCounts, SizeMeasure, UnknownConvention};
pub use corpus::{CorpusSpec, TextSpec, Tokenizer};
pub use dtype::Dtype;
pub use ladder::Ladder;
pub use memory::{piece_tokens, training_bytes};
pub use optimizer::{AdamW, AdamWRule, Beta2, GroupFactors, OptimizerGroups, ParamGroup, WeightDecay};
pub use random::Random;
pub use record::{CurvePoint, Progress, RunRecord, RunStatus, TrainedRun};
pub use run::{InitRule, Recipe, RunId, RunSpec, Seeds};
pub use schedule::{DecayShape, Schedule, ScheduleError, ScheduleName};
pub use search::{SearchFamily, SearchSpace, Tried};
pub use shape::{ModelShape, ShapeError, derived_ffn, derived_heads, parse_layers_by_width};
pub use units::{BitsPerByte, Flops, Nats, Params, QuantityError, Tokens, parse_quantity, short};
