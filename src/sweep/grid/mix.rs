//! What a grid says of mixtures, checked before the texts are opened.

use super::error::{GridError, field, in_range};
use crate::spec::{MixSpec, PartSpec, RULES, SharesSpec, simplex_points};
use std::collections::BTreeMap;

/// Parts beyond which nobody can tell what one is worth.
const MOST_PARTS: usize = 64;
/// Mixtures of one rule beyond which a number is a slip of the pen.
const MOST_MIXTURES: f64 = 200_000.0;
/// Names that columns of a table have already: the loss of a part stands in `loss_NAME`.
const TAKEN: [&str; 2] = ["nats", "se_nats"];

/// Refuses what no mixture can be, with the key that is meant.
pub(super) fn check(mix: &MixSpec) -> Result<(), GridError> {
    let parts = mix.parts.len();
    if !(2..=MOST_PARTS).contains(&parts) {
        return Err(field("corpus.parts", format!("({parts} of them)"), "from 2 to 64 texts by name"));
    }
    mix.parts.iter().try_for_each(|(name, part)| check_part(name, part))?;
    in_range("corpus.max_epochs", mix.max_epochs, mix.max_epochs > 0.0 && mix.max_epochs.is_finite(), "above 0")?;
    if let Some(target) = &mix.target {
        check_shares("corpus.target", mix, target)?;
    }
    let numbers = mix.parts.values().filter(|part| matches!(part, PartSpec::Share(_))).count();
    if mix.shares.is_empty() && numbers > 0 {
        let own = |(name, part): (&String, &PartSpec)| match part {
            PartSpec::Share(share) => Some((name.clone(), *share)),
            PartSpec::Text(_) => None,
        };
        if numbers < parts {
            return Err(field("corpus.shares", "(nothing)", "written where some parts are tables and some are shares"));
        }
        check_shares("corpus.parts", mix, &mix.parts.iter().filter_map(own).collect())?;
    }
    mix.shares.iter().try_for_each(|shares| check_rule(mix, shares))
}

fn check_part(name: &str, part: &PartSpec) -> Result<(), GridError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if name.is_empty() || !name.chars().all(fine) || TAKEN.contains(&name) || RULES.contains(&name) {
        let allowed = "named with letters, digits, underscores and dashes, and not nats, se_nats, simplex or dirichlet: columns of tables are named after parts";
        return Err(field("corpus.parts", name, allowed));
    }
    let PartSpec::Text(text) = part else { return Ok(()) };
    if text.path.is_empty() || text.path.iter().any(String::is_empty) {
        return Err(field(
            "corpus.parts.NAME.path",
            format!("{:?} of {name}", text.path),
            "a path, a pattern such as docs/*.md, or a list of them",
        ));
    }
    in_range("corpus.parts.NAME.max_epochs", text.max_epochs, text.max_epochs > 0.0 && text.max_epochs.is_finite(), "above 0")
}

/// Refuses shares of what is no part, below 0, or of nothing at all.
fn check_shares(key: &'static str, mix: &MixSpec, shares: &BTreeMap<String, f64>) -> Result<(), GridError> {
    if let Some(unknown) = shares.keys().find(|name| !mix.parts.contains_key(*name)) {
        let parts = mix.parts.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(field(key, unknown, &format!("by the names of the parts: {parts}")));
    }
    if let Some((name, share)) = shares.iter().find(|(_, share)| !(**share >= 0.0 && share.is_finite())) {
        return Err(field(key, format!("{share} of {name}"), "at least 0"));
    }
    in_range(key, shares.values().sum(), shares.values().sum::<f64>() > 0.0, "together above 0; they are divided by their sum")
}

fn check_rule(mix: &MixSpec, shares: &SharesSpec) -> Result<(), GridError> {
    let whole = |value: f64, least: f64, most: f64| value.fract() == 0.0 && (least..=most).contains(&value);
    match shares {
        SharesSpec::Natural | SharesSpec::Equal => Ok(()),
        SharesSpec::Of(shares) => check_shares("corpus.shares", mix, shares),
        SharesSpec::Simplex(steps) => {
            let steps_of =
                |ok| in_range("corpus.shares.simplex", *steps, ok, "a whole number k from 1 to 1000, for shares in steps of 1/k");
            steps_of(whole(*steps, 1.0, 1000.0) || *steps > 1000.0)?;
            let points = if *steps > 1000.0 { f64::INFINITY } else { simplex_points(mix.parts.len(), *steps as u32) };
            let allowed = "so large that at most 200000 mixtures come of it";
            in_range("corpus.shares.simplex", *steps, points <= MOST_MIXTURES, allowed)
        }
        SharesSpec::Dirichlet { draws, seed, alpha } => {
            in_range("corpus.shares.dirichlet", *draws, whole(*draws, 1.0, MOST_MIXTURES), "a whole number of draws from 1 to 200000")?;
            in_range("corpus.shares.seed", *seed, whole(*seed, 0.0, 9e15), "a whole number from 0")?;
            in_range("corpus.shares.alpha", *alpha, (1e-3..=1e3).contains(alpha), "from 0.001 to 1000; 1 draws from all mixtures alike")
        }
    }
}

/// How many mixtures a grid has, those that come twice counted twice; 1 where there is none.
pub(super) fn count(mix: Option<&MixSpec>) -> usize {
    let Some(mix) = mix else { return 1 };
    let of = |shares: &SharesSpec| match shares {
        SharesSpec::Natural | SharesSpec::Equal | SharesSpec::Of(_) => 1.0,
        SharesSpec::Simplex(steps) => simplex_points(mix.parts.len(), *steps as u32),
        SharesSpec::Dirichlet { draws, .. } => *draws,
    };
    (mix.shares.iter().map(of).sum::<f64>() as usize).max(1)
}
