//! The laws, one file each. To add one, write its file beside these and add a line to the list: `fit --law`, its help,
//! comparison, forecast, figures and report then know it.

use super::any::AnyFormula;
use std::sync::Arc;

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
    farseer: farseer::Farseer;
}

pub use additive::Additive;
pub use data_constrained::{DataConstrained, repeated};
pub use farseer::Farseer;
pub use gamma::Gamma;
pub use kaplan::Kaplan;
pub use power::{Axis, PowerLaw};
pub use three_term::ThreeTerm;

/// E + A/x^α, or A/x^α.
const fn power(axis: Axis, floor: bool) -> PowerLaw {
    PowerLaw { axis, floor }
}

/// The formula of a name.
pub fn formula(name: &str) -> Option<Arc<dyn AnyFormula>> {
    formulas().into_iter().find(|formula| formula.name() == name)
}
