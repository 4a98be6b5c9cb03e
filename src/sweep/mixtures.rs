//! The mixtures of a grid: from what it says of shares to the shares of every run, and how often a run sees each part.

use super::grid::{CorpusFacts, Grid, PartFacts};
use crate::spec::{MixSpec, MixedPart, PartSpec, Random, SharesSpec, Tokens, WHOLE, apportioned, dirichlet_draw, simplex_grid};
use std::collections::{BTreeMap, HashSet};

/// A mixture that runs of a grid are trained on.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Mixture {
    /// Parts with their shares; none where the corpus is no mixture.
    pub(super) parts: Vec<MixedPart>,
    /// Whether the user wrote these very shares, so that leaving them out silently would be wrong.
    pub(super) listed: bool,
}

/// Every mixture of a grid, each once, in the order in which the grid names them; one without parts where the corpus is no mixture.
pub(super) fn mixtures(grid: &Grid, facts: &CorpusFacts) -> Vec<Mixture> {
    let Some(mix) = grid.corpus.mix() else { return vec![Mixture::default()] };
    let unique: Vec<f64> = mix.parts.keys().map(|name| of_part(facts, name).map_or(0.0, |part| part.unique_tokens as f64)).collect();
    let natural = apportioned(&unique).unwrap_or_else(|| equal(mix.parts.len()));
    let weights = mix.target.as_ref().and_then(|target| by_name(mix, target)).unwrap_or_else(|| natural.clone());
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for (shares, listed) in written(mix).iter().flat_map(|rule| resolved(mix, rule, &natural)) {
        if seen.insert(shares.clone()) {
            let of = |((name, share), weight): ((&String, u32), &u32)| MixedPart { name: name.clone(), share, weight: *weight };
            all.push(Mixture { parts: mix.parts.keys().zip(shares).zip(&weights).map(of).collect(), listed });
        }
    }
    all
}

fn of_part<'a>(facts: &'a CorpusFacts, name: &str) -> Option<&'a PartFacts> {
    facts.parts.iter().find(|part| part.name == name)
}

/// What the grid says of shares, or its default.
fn written(mix: &MixSpec) -> Vec<SharesSpec> {
    if !mix.shares.is_empty() {
        return mix.shares.clone();
    }
    let share = |(name, part): (&String, &PartSpec)| match part {
        PartSpec::Share(share) => Some((name.clone(), *share)),
        PartSpec::Text(_) => None,
    };
    match mix.parts.iter().map(share).collect::<Option<BTreeMap<String, f64>>>() {
        Some(shares) => vec![SharesSpec::Of(shares)],
        None => vec![SharesSpec::Natural],
    }
}

/// The shares that a rule stands for, and whether they are written out in it.
fn resolved(mix: &MixSpec, rule: &SharesSpec, natural: &[u32]) -> Vec<(Vec<u32>, bool)> {
    let parts = mix.parts.len();
    match rule {
        SharesSpec::Natural => vec![(natural.to_vec(), true)],
        SharesSpec::Equal => vec![(equal(parts), true)],
        SharesSpec::Of(shares) => by_name(mix, shares).map(|shares| (shares, true)).into_iter().collect(),
        SharesSpec::Simplex(steps) => {
            let whole = |shares: Vec<u32>| apportioned(&shares.iter().map(|share| f64::from(*share)).collect::<Vec<_>>());
            simplex_grid(parts, *steps as u32).into_iter().filter_map(whole).map(|shares| (shares, false)).collect()
        }
        SharesSpec::Dirichlet { draws, seed, alpha } => {
            let mut random = Random::new(*seed as u64, "mixtures of a grid");
            (0..*draws as u32).map(|_| (dirichlet_draw(&mut random, parts, *alpha), false)).collect()
        }
    }
}

fn equal(parts: usize) -> Vec<u32> {
    apportioned(&vec![1.0; parts]).unwrap_or_default()
}

fn by_name(mix: &MixSpec, shares: &BTreeMap<String, f64>) -> Option<Vec<u32>> {
    apportioned(&mix.parts.keys().map(|name| shares.get(name).copied().unwrap_or(0.0)).collect::<Vec<_>>())
}

/// Why a run of so many tokens cannot have these shares: the part that it would see too often.
pub(super) fn too_often(grid: &Grid, facts: &CorpusFacts, parts: &[MixedPart], tokens: f64) -> Option<String> {
    let allowed = grid.corpus.mix().into_iter().flat_map(MixSpec::max_epochs);
    parts.iter().zip(allowed).find_map(|(part, most)| {
        let unique = of_part(facts, &part.name)?.unique_tokens as f64;
        let share = f64::from(part.share) / f64::from(WHOLE);
        let epochs = share * tokens / unique;
        (epochs > most).then(|| {
            format!(
                "a share of {share} for {} is {epochs:.2} epochs of its {} tokens, at most {most} are allowed: lower its share, use more text or raise corpus.max_epochs",
                part.name,
                Tokens(unique)
            )
        })
    })
}

/// The mean length of a token of what the loss is measured on, bytes.
pub(super) fn bytes_per_token(facts: &CorpusFacts, parts: &[MixedPart]) -> Option<f64> {
    let of = |part: &MixedPart| Some(f64::from(part.weight) / f64::from(WHOLE) * of_part(facts, &part.name)?.bytes_per_token);
    if parts.is_empty() { None } else { parts.iter().map(of).sum() }
}

#[cfg(test)]
mod tests {
    use super::super::expand::expand;
    use super::super::grid::tests::SMALL;
    use super::super::plan::Plan;
    use super::*;
    use crate::spec::RunRecord;

    fn facts() -> CorpusFacts {
        let part = |(name, unique_tokens): (&str, u64)| PartFacts { name: name.into(), unique_tokens, bytes_per_token: 1.0 };
        CorpusFacts {
            sha256: "ab".repeat(32),
            vocabulary: 256,
            unique_tokens: Some(400_000),
            held_out_windows: Some(900),
            parts: [("code", 100_000), ("web", 300_000)].map(part).into(),
            ..CorpusFacts::default()
        }
    }

    fn planned(corpus: &str) -> Result<Plan, String> {
        let text = SMALL.replace("{ kind = \"zipf-facts\", a = 0.5, keys = 4096 }", corpus);
        let grid = Grid::parse(&text).map_err(|error| error.to_string())?;
        expand(&grid, &facts(), &|_| 1e-5).map_err(|error| error.to_string())
    }

    fn shares(plan: &Plan) -> Vec<u32> {
        let mut all: Vec<u32> = plan.runs.iter().map(|run| run.spec.mixture[0].share).collect();
        all.dedup();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn mix(more: &str) -> String {
        format!("{{ kind = \"mix\", parts = {{ web = {{ path = \"w.txt\" }}, code = {{ path = \"c.txt\" }} }}{more} }}")
    }

    #[test]
    fn mixtures_are_an_axis_written_out_on_a_grid_or_drawn() {
        let of = |shares_of: &str| planned(&mix(&format!(", max_epochs = 9, shares = {shares_of}"))).map(|plan| shares(&plan));
        assert_eq!(planned(&mix(", max_epochs = 9")).map(|plan| shares(&plan)), Ok(vec![25_000]), "by unique tokens");
        assert_eq!(of("{ code = 3, web = 1 }"), Ok(vec![75_000]));
        assert_eq!(of("[\"natural\", \"equal\", { web = 1 }, { simplex = 4 }]"), Ok(vec![0, 25_000, 50_000, 75_000, WHOLE]));
        let drawn = of("{ dirichlet = 5, seed = 1 }").expect("a plan");
        assert_eq!(drawn.len(), 5);
        assert_eq!(of("{ dirichlet = 5, seed = 1 }"), Ok(drawn.clone()));
        assert_ne!(of("{ dirichlet = 5, seed = 2 }"), Ok(drawn));
        // Short: each text lies in corpora/.
        let plan = planned("{ kind = \"mix\", max_epochs = 9, parts = { code = 0.1, web = 0.9 } }").expect("a plan");
        assert_eq!(shares(&plan), [10_000]);
        assert_eq!(plan.runs.len(), 2 * 2);
    }

    #[test]
    fn what_a_loss_is_weighed_by_is_the_natural_mixture_or_the_target() {
        let rows = |more: &str| planned(&mix(&format!(", max_epochs = 9{more}"))).expect("a plan").records();
        let weights = |rows: &[RunRecord]| rows[0].parts.iter().map(|part| (part.name.clone(), part.weight)).collect::<Vec<_>>();
        assert_eq!(weights(&rows(", shares = \"equal\"")), [("code".to_owned(), Some(0.25)), ("web".to_owned(), Some(0.75))]);
        let targeted = rows(", shares = \"equal\", target = { code = 1 }");
        assert_eq!(weights(&targeted), [("code".to_owned(), Some(1.0)), ("web".to_owned(), Some(0.0))]);
        assert_ne!(targeted[0].run_id, rows(", shares = \"equal\"")[0].run_id);
        assert_eq!(targeted[0].covariates()[..2], [("share_code".to_owned(), 0.5), ("share_web".to_owned(), 0.5)]);
    }

    #[test]
    fn a_part_seen_too_often_is_refused_where_it_was_asked_for_and_left_out_where_a_rule_made_it() {
        let message = planned(&mix(", shares = { code = 0.9, web = 0.1 }")).expect_err("200k tokens of it");
        assert!(message.contains("a share of 0.9 for code is 1.81 epochs of its 100k tokens, at most 1 are allowed"), "{message}");
        assert!(message.contains("raise corpus.max_epochs"), "{message}");
        let plan = planned(&mix(", shares = { simplex = 2 }")).expect("a plan");
        assert_eq!((shares(&plan), plan.left_out.len()), (vec![0, 50_000, WHOLE], 4), "all and half code of 200k tokens, two shapes");
        let own = mix(", shares = { code = 0.9, web = 0.1 }").replace("path = \"c.txt\"", "path = \"c.txt\", max_epochs = 2");
        assert!(planned(&own).is_ok(), "a limit of its own");
    }

    #[test]
    fn what_cannot_be_mixed_is_refused_with_the_key_that_is_meant() {
        let refused = |corpus: &str| planned(corpus).expect_err("refused");
        assert!(refused("{ kind = \"mix\", parts = { code = 1 } }").contains("corpus.parts"));
        assert!(refused(&mix(", shares = { cod = 1 }")).contains("corpus.shares = cod"));
        assert!(refused(&mix(", shares = { code = -1 }")).contains("corpus.shares"));
        assert!(refused(&mix(", shares = { simplex = 0.5 }")).contains("corpus.shares"));
        assert!(refused(&mix(", shares = { simplex = 1e9 }")).contains("at most"));
        assert!(refused(&mix(", shares = { dirichlet = 3, alpha = 0 }")).contains("alpha"));
        assert!(refused(&mix(", target = { other = 1 }")).contains("corpus.target"));
        assert!(refused(&mix(", max_epochs = 0")).contains("corpus.max_epochs"));
        assert!(refused("{ kind = \"mix\", parts = { nats = 0.5, web = 0.5 } }").contains("corpus.parts = nats"));
        assert!(refused("{ kind = \"mix\", parts = { a = 0.5, web = { path = \"w\" } } }").contains("corpus.shares"));
        let repeated = SMALL.replace("tokens = [", "epochs = [2], tokens = [");
        let text = repeated.replace("{ kind = \"zipf-facts\", a = 0.5, keys = 4096 }", &mix(""));
        assert!(Grid::parse(&text).expect_err("refused").to_string().contains("budget.epochs"));
    }
}
