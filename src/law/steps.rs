//! The arithmetic of a formula as a list of steps.

use super::Variable;

/// One step of a formula; numbers are places of earlier steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// The coefficient of this place in the list of them.
    Coefficient(usize),
    /// A quantity of the run.
    Variable(Variable),
    /// A number.
    Number(f64),
    /// x + y.
    Add(usize, usize),
    /// x − y.
    Subtract(usize, usize),
    /// x·y.
    Multiply(usize, usize),
    /// x/y.
    Divide(usize, usize),
    /// x^y, x above 0 unless y is a small whole number.
    Power(usize, usize),
    /// A quantity of the run to the power of a step.
    PowerOf(Variable, usize),
    /// −x.
    Negate(usize),
    /// eˣ.
    Exp(usize),
    /// ln x.
    Ln(usize),
    /// The larger.
    Max(usize, usize),
    /// The smaller.
    Min(usize, usize),
}

impl Step {
    /// The steps that it is made of.
    pub(super) fn parts(self) -> [Option<usize>; 2] {
        match self {
            Self::Coefficient(_) | Self::Variable(_) | Self::Number(_) => [None; 2],
            Self::PowerOf(_, x) | Self::Negate(x) | Self::Exp(x) | Self::Ln(x) => [Some(x), None],
            Self::Add(x, y) | Self::Subtract(x, y) | Self::Multiply(x, y) | Self::Divide(x, y) => [Some(x), Some(y)],
            Self::Power(x, y) | Self::Max(x, y) | Self::Min(x, y) => [Some(x), Some(y)],
        }
    }

    fn moved(self, to: &[usize]) -> Self {
        match self {
            Self::Coefficient(_) | Self::Variable(_) | Self::Number(_) => self,
            Self::PowerOf(v, x) => Self::PowerOf(v, to[x]),
            Self::Negate(x) => Self::Negate(to[x]),
            Self::Exp(x) => Self::Exp(to[x]),
            Self::Ln(x) => Self::Ln(to[x]),
            Self::Add(x, y) => Self::Add(to[x], to[y]),
            Self::Subtract(x, y) => Self::Subtract(to[x], to[y]),
            Self::Multiply(x, y) => Self::Multiply(to[x], to[y]),
            Self::Divide(x, y) => Self::Divide(to[x], to[y]),
            Self::Power(x, y) => Self::Power(to[x], to[y]),
            Self::Max(x, y) => Self::Max(to[x], to[y]),
            Self::Min(x, y) => Self::Min(to[x], to[y]),
        }
    }
}

/// The steps that the last one rests on, powers of quantities in one; refused where a step is made of later ones.
pub(super) fn needed(steps: &[Step]) -> Result<Vec<Step>, String> {
    let ahead = |at: usize, step: &Step| step.parts().into_iter().flatten().any(|part| part >= at);
    if steps.is_empty() || steps.iter().enumerate().any(|(at, step)| ahead(at, step)) {
        return Err("a formula is a list of steps, each made of earlier ones".into());
    }
    let joined = |step: &Step| match *step {
        Step::Power(x, y) => match steps[x] {
            Step::Variable(variable) => Step::PowerOf(variable, y),
            _ => *step,
        },
        other => other,
    };
    let joined: Vec<Step> = steps.iter().map(joined).collect();
    let mut wanted = vec![false; joined.len()];
    wanted[joined.len() - 1] = true;
    for at in (0..joined.len()).rev() {
        if wanted[at] {
            joined[at].parts().into_iter().flatten().for_each(|part| wanted[part] = true);
        }
    }
    let mut to = vec![0; joined.len()];
    let mut kept = Vec::new();
    for (at, step) in joined.iter().enumerate().filter(|(at, _)| wanted[*at]) {
        to[at] = kept.len();
        kept.push(step.moved(&to));
    }
    Ok(kept)
}

/// What the steps ask of a run, N before D.
pub(super) fn variables(steps: &[Step]) -> Vec<Variable> {
    let mut found = Vec::new();
    for step in steps {
        if let Step::Variable(variable) | Step::PowerOf(variable, _) = step
            && !found.contains(variable)
        {
            found.push(*variable);
        }
    }
    // N before D, as in every law of both.
    found.sort_by_key(|variable| [Variable::N, Variable::D].iter().position(|known| known == variable).unwrap_or(2));
    found
}
