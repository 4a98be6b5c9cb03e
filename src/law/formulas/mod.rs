//! The laws, one file each. To add one, write its file beside these and add a line to the list: `fit --law`, its help,
//! comparison, forecast, figures and report then know it.

use super::Variable;
use super::any::AnyFormula;
use std::sync::Arc;

mod shares;

/// Declares the files and the list of formulas in one.
macro_rules! laws {
    ($($file:ident: $($formula:expr),+;)+) => {
        $(mod $file;)+

        /// Every law that can be named, in the order of the help.
        pub fn formulas() -> Vec<Arc<dyn AnyFormula>> {
            vec![$($(Arc::new($formula)),+),+]
        }
    };
}

laws! {
    additive: additive::Additive;
    gamma: gamma::Gamma;
    kaplan: kaplan::Kaplan;
    power: power(Axis::N, true), power(Axis::D, true), power(Axis::C, true),
           power(Axis::N, false), power(Axis::D, false), power(Axis::C, false);
    data_constrained: DataConstrained { base: super::Chinchilla::default() };
    three_term: three_term::ThreeTerm;
    farseer: farseer::Farseer, farseer::FarseerScaled;
    over_training: over_training::OverTraining;
    broken: Broken::<1> { axis: Axis::N }, Broken::<1> { axis: Axis::D }, Broken::<1> { axis: Axis::C },
            Broken::<2> { axis: Axis::N }, Broken::<2> { axis: Axis::D }, Broken::<2> { axis: Axis::C };
    width_depth: width_depth::WidthDepth;
    precision: precision::Precision;
    clark: clark::Clark;
    mixture: mixture::Mixture::UNKNOWN;
    mixture_additive: mixture_additive::AdditiveMixture::UNKNOWN;
    mixture_joint: mixture_joint::JointMixture::UNKNOWN;
    rectified: rectified::Rectified;
    fine_tuning: fine_tuning::FineTuning { size: Variable::N };
    forgetting: forgetting::Forgetting;
    vocabulary: vocabulary::Vocabulary;
}

pub use additive::Additive;
pub use broken::Broken;
pub use clark::Clark;
pub use data_constrained::{DataConstrained, repeated};
pub use farseer::{Farseer, FarseerScaled};
pub use fine_tuning::FineTuning;
pub use forgetting::Forgetting;
pub use gamma::Gamma;
pub use kaplan::Kaplan;
pub use mixture::Mixture;
pub use mixture_additive::AdditiveMixture;
pub use mixture_joint::JointMixture;
pub use over_training::OverTraining;
pub use power::{Axis, PowerLaw};
pub use precision::Precision;
pub use rectified::Rectified;
pub use three_term::ThreeTerm;
pub use vocabulary::Vocabulary;
pub use width_depth::WidthDepth;

/// E + A/x^α, or A/x^α.
const fn power(axis: Axis, floor: bool) -> PowerLaw {
    PowerLaw { axis, floor }
}

/// The formula of a name.
pub fn formula(name: &str) -> Option<Arc<dyn AnyFormula>> {
    formulas().into_iter().find(|formula| formula.name() == name)
}

/// Laws of N and D that a listed one contains, or all but is.
const NEAR_ANOTHER: [&str; 2] = ["over-training", "farseer-scaled"];

/// The laws of N and D of which each says what no other does: those that forecasts compare and simulated truths follow.
pub fn families() -> Vec<Arc<dyn AnyFormula>> {
    let all = formulas().into_iter();
    all.filter(|formula| formula.variables() == [Variable::N, Variable::D] && !NEAR_ANOTHER.contains(&formula.name())).collect()
}
