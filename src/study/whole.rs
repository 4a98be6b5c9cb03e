//! The study: what `scalelab fit` does before it prints, as a call.

use super::budgets::{lone_budget, parabolas, profiles};
use super::doubt::{Contradiction, contradictions, odd_compute, said_of, standing_off};
use super::envelope::fit_envelope;
use super::laws::{self, LawReport};
use super::scrutiny::scrutinise;
use super::{Curves, LawName, Mixture, Prepared, Robust, Scrutinised, Scrutiny, StudyError, StudyOptions, prepare};
use crate::fit::{
    EnvelopeFit, Estimate, FitError, FittedLaw, Interpolator, IsoflopFit, IsoflopProfile, Protocol, RecipeStudy, Search, SeedNoise,
    deepseek, fit, only_variable,
};
use crate::law::{Additive, AnyFormula, Axis, ComputeCount, Evidence, PowerLaw};
use crate::spec::{LossUnit, Memoriser, RunRecord, short};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// What the runs say.
#[derive(Debug)]
pub struct Study {
    /// The runs that the law which speaks was fitted to, or would be.
    pub evidence: Arc<Evidence>,
    /// The records behind the evidence.
    pub records: Vec<RunRecord>,
    /// The laws that were asked for, the one that speaks first; where N and D cannot be told apart, a law of compute in its place.
    pub laws: Vec<LawReport>,
    /// IsoFLOP profiles by parabolas, where runs have budgets.
    pub isoflop: Option<IsoflopFit>,
    /// Why there are none although they do.
    pub isoflop_refusal: Option<FitError>,
    /// The profile of the only budget, where all runs have one and no law can be fitted to them.
    pub lone_budget: Option<IsoflopProfile>,
    /// Why no budget has an optimum by these runs, where the law does not say so.
    pub no_optimum: Option<String>,
    /// What the table contradicts itself in, the worst first; of own runs nothing.
    pub contradictions: Vec<Contradiction>,
    /// Analyses of budgets that were named beside it.
    pub of_budgets: Vec<(&'static str, Result<OfBudgets, FitError>)>,
    /// What runs scatter by between seeds, where cells were repeated.
    pub noise: Option<SeedNoise>,
    /// What the runs say of learning rate and batch, where several were tried.
    pub hyperparameters: Option<RecipeStudy>,
    /// The lowest loss of each cell as it is, where `evidence` is corrected to the tuned frontier.
    pub untuned: Option<Arc<Evidence>>,
    /// The law which speaks, fitted to `untuned`.
    pub untuned_law: Option<FittedLaw>,
    /// The law which speaks without the runs that stand off it, where that was asked for and there are any.
    pub robust: Option<Robust>,
    /// What a reviewer would ask of the law which speaks.
    pub scrutiny: Option<Scrutiny>,
    /// What a reader must know, in words.
    pub notes: Vec<String>,
    /// Lowest possible loss on the held-out windows, nats per token, where the source is known.
    pub floor_nats: Option<f64>,
    /// Entropy rate of the source, nats per token, where it is known.
    pub entropy_nats: Option<f64>,
    /// What theory says of the source, where it is known.
    pub memoriser: Option<Memoriser>,
    /// Bytes of a token on average, where every run says so.
    pub bytes_per_token: Option<f64>,
    /// The options of the study.
    pub options: StudyOptions,
    /// Whether losses are forecast by the laws together, and those laws once they were asked.
    together: bool,
    mixture: OnceLock<Option<Mixture>>,
}

/// An analysis of budgets.
#[derive(Debug, Clone)]
pub enum OfBudgets {
    /// Profiles by one of the interpolators.
    Profiles(Box<IsoflopFit>),
    /// The envelope of curves.
    Envelope(Box<EnvelopeFit>),
}

impl Study {
    /// Studies runs. `curves` is what is known of them beside their rows and may be empty.
    ///
    /// # Errors
    /// Where the runs cannot stand in one law; a law that cannot be fitted is a [`LawReport`] with the reason.
    pub fn of(records: &[RunRecord], curves: &Curves, asked: &StudyOptions) -> Result<Self, StudyError> {
        let options = &StudyOptions { laws: asked.named(), ..asked.clone() };
        let together = asked.together();
        let prepared = prepare(records, curves, options)?;
        if options.scrutiny == Scrutinised::WithConventions && !options.own {
            return Err(StudyError::NothingToCount);
        }
        let all = Arc::new(prepared.evidence.clone());
        let once = laws::once(&all, options.own);
        let mut study = Self { together, ..Self::prepared(prepared, once.clone(), options) };
        study.fit_laws(&all, &once, curves)?;
        study.doubt(records);
        study.add_untuned(curves);
        study.fit_budgets(curves);
        if options.scrutiny != Scrutinised::No {
            study.scrutiny = study.scrutinised();
        }
        Ok(study)
    }

    fn prepared(prepared: Prepared, evidence: Arc<Evidence>, options: &StudyOptions) -> Self {
        let Prepared { untuned, records, noise, hyperparameters, notes, .. } = prepared;
        Self {
            evidence,
            laws: Vec::new(),
            isoflop: None,
            isoflop_refusal: None,
            lone_budget: None,
            no_optimum: None,
            contradictions: Vec::new(),
            of_budgets: Vec::new(),
            noise,
            hyperparameters,
            untuned: untuned.map(|all| laws::once(&Arc::new(all), options.own)),
            untuned_law: None,
            robust: None,
            scrutiny: None,
            notes,
            floor_nats: common(&records, |record| record.floor_nats),
            entropy_nats: common(&records, |record| record.entropy_nats),
            memoriser: memoriser(&records),
            bytes_per_token: common(&records, |record| record.bytes_per_token).filter(|_| options.loss_unit == LossUnit::Nats),
            records,
            options: options.clone(),
            together: false,
            mixture: OnceLock::new(),
        }
    }

    /// The laws together, which forecast losses unless one was named alone; `None` where the runs are no design for laws of N and D.
    /// Fitted when first asked for, to losses as they are: what a forecast may see.
    pub fn mixture(&self) -> Option<&Mixture> {
        self.mixture.get_or_init(|| self.as_seen().filter(|_| self.together).and_then(Mixture::of)).as_ref()
    }

    /// Why one law says what losses to expect although several were to, or that it did worse than they would have; in words.
    pub fn why_alone(&self) -> Option<String> {
        if !self.together {
            return self.worse_alone();
        }
        self.mixture().is_none().then(|| "losses by one law alone: the runs are no design that several could be fitted to and checked on (nine runs, three sizes, three ratios D/N and a factor 3.5 of compute); intervals are statistical, and hold only if the law does".to_owned())
    }

    /// a of the law that speaks and a of the minima of budgets, where their intervals exclude each other.
    pub fn exponents_apart(&self) -> Option<[&Estimate; 2]> {
        let both = [self.best_law()?.derived.get("a")?, &self.isoflop.as_ref()?.params.exponent];
        let [law, budgets] = [both[0].uncertainty?, both[1].uncertainty?];
        (budgets.high < law.low || law.high < budgets.low).then_some(both)
    }

    /// Why the law that speaks means nothing, in words; `None` where it may mean something.
    pub fn means_nothing(&self) -> Option<String> {
        super::meaning::means_nothing(self.best_law()?)
    }

    /// That the law which was named had a worse record than several together have.
    fn worse_alone(&self) -> Option<String> {
        let as_seen = self.as_seen().filter(|_| self.laws.len() == 1)?;
        let law = &self.law_with_optima()?.law;
        Mixture::of(as_seen)?.beside(law, as_seen)?.describe(law.name())
    }

    /// What forecasts may see, losses as they are; `None` where points are no runs of their own or too many for several laws.
    fn as_seen(&self) -> Option<&Evidence> {
        let as_seen = self.untuned.as_ref().unwrap_or(&self.evidence);
        // Points of one curve err by what is not known here.
        (self.options.checkpoints.is_none() && as_seen.points.len() <= super::MANY).then_some(as_seen)
    }

    /// The formulas that were named; of none the additive law.
    fn formulas(&self) -> Vec<Arc<dyn AnyFormula>> {
        let named = self.options.laws.iter();
        let formulas = named.filter_map(|name| if let LawName::Formula(formula) = name { Some(formula.clone()) } else { None });
        let formulas: Vec<Arc<dyn AnyFormula>> = formulas.collect();
        if self.options.laws.is_empty() { vec![Arc::new(Additive)] } else { formulas }
    }

    fn fit_laws(&mut self, all: &Arc<Evidence>, once: &Arc<Evidence>, curves: &Curves) -> Result<(), StudyError> {
        for formula in self.formulas() {
            let report = laws::report(&formula, all, once, curves, &self.options);
            match &report.fitted {
                // An option that no fit allows is the caller's mistake, whatever the law.
                Err(error @ FitError::Option { .. }) => return Err(error.clone().into()),
                Err(error @ (FitError::NotIdentifiable { .. } | FitError::NoVariation { .. })) if self.options.laws.is_empty() => {
                    let axis = self.lone_axis(once);
                    let of_one: Arc<dyn AnyFormula> = Arc::new(PowerLaw { axis, floor: true });
                    let instead = laws::report(&of_one, all, once, curves, &self.options);
                    let found = instead.fitted.is_ok();
                    self.no_optimum = found.then(|| self.why_one_variable(axis, once, error));
                    self.notes.extend(self.no_optimum.clone());
                    self.lone_budget = if found { None } else { lone_budget(once, &self.options) };
                    self.laws.push(if found { instead } else { report });
                }
                _ => self.laws.push(report),
            }
        }
        if let Some(fitted) = self.best_law() {
            self.evidence = fitted.evidence.clone();
        }
        Ok(())
    }

    /// The variable in which runs differ that no law of N and D can be fitted to.
    fn lone_axis(&self, evidence: &Evidence) -> Axis {
        let has = |of: fn(&RunRecord) -> bool| self.options.own || self.records.iter().any(of);
        match (has(|run| run.params_total.is_some()), has(|run| run.tokens.is_some())) {
            (false, true) => Axis::D,
            (true, false) => Axis::N,
            (false, false) => Axis::C,
            (true, true) => only_variable(&evidence.points).unwrap_or(Axis::C),
        }
    }

    /// Why a law of one variable is fitted, in words.
    fn why_one_variable(&self, axis: Axis, evidence: &Evidence, error: &FitError) -> String {
        let runs = evidence.points.len();
        let same = |of: fn(&RunRecord) -> Option<f64>| self.records.iter().find_map(of).map(short);
        let size = || same(|run| Some(run.params_total?.0));
        let tokens = || same(|run| Some(run.tokens?.0));
        match axis {
            Axis::D => {
                let why = size().map_or("the table has no sizes".to_owned(), |n| format!("all {runs} runs have one size, N = {n}"));
                format!("{why}: a law of data alone is fitted, L(D), which recommends no size; add sizes for one of both")
            }
            Axis::N => {
                let why = tokens().map_or("the table has no tokens".to_owned(), |d| format!("all {runs} runs see as many tokens, D = {d}"));
                format!("{why}: a law of size alone is fitted, L(N), which recommends no tokens; add lengths for one of both")
            }
            Axis::C if size().is_none() => "the table has neither sizes nor tokens: a law of compute alone is fitted, L(C)".to_owned(),
            Axis::C => error.to_string(),
        }
    }

    /// Says what a table of others contradicts itself in, and which of its runs stand off the law.
    fn doubt(&mut self, records: &[RunRecord]) {
        if self.options.own {
            return if self.options.robust {
                self.doubt_points()
            };
        }
        self.contradictions = contradictions(records, &self.options.active_shares);
        self.notes.splice(0..0, self.contradictions.iter().map(|one| one.said.clone()));
        self.doubt_points();
        self.notes.splice(0..0, odd_compute(records, &self.options.active_shares, |run| self.options.lines.get(run).copied()));
    }

    /// Says which runs stand off the law, and what it would be without them where that is asked for.
    fn doubt_points(&mut self) {
        let Some(fitted) = self.best_law().filter(|_| self.options.checkpoints.is_none()) else { return };
        let off = standing_off(fitted);
        let left_out: Vec<usize> = off.iter().map(|(at, _)| *at).collect();
        let options = laws::fit_options_for(&self.options, &self.evidence);
        let robust = match self.options.robust {
            true if off.is_empty() => Err("no run stands off the law, so --robust leaves none out".to_owned()),
            true => Robust::of(fitted, &left_out, &options, self.options.level)
                .map(Some)
                .map_err(|error| format!("--robust cannot refit without them: {error}")),
            false => Ok(None),
        };
        // What was asked for stands first.
        let asked = match &robust {
            Ok(found) => found.as_ref().map(|found| found.said(fitted)),
            Err(why) => Some(why.clone()),
        };
        let of_points = said_of(&off, fitted, |run| self.options.lines.get(run).copied());
        let notes: Vec<String> = asked.into_iter().chain(of_points).collect();
        self.robust = robust.unwrap_or_default();
        self.notes.splice(0..0, notes);
    }

    /// What speaks against recommending anything from these runs, unless they are to be trusted all the same.
    pub fn distrusted(&self) -> Option<&str> {
        let serious = self.contradictions.iter().find(|one| one.is_serious() && !self.options.trust)?;
        Some(&serious.said)
    }

    /// Says what the intervals lack, and adds the law of the losses as they were.
    fn add_untuned(&mut self, curves: &Curves) {
        let Some(fitted) = self.best_law().filter(|one| one.law.may_advise()) else { return };
        let without_windows = self.options.own && curves.windows_of(&fitted.evidence.points).is_none();
        let quick = crate::fit::FitOptions { search: Search::VarproOnly, ..laws::fit_options_for(&self.options, &self.evidence) };
        let refitted = |raw: &Arc<Evidence>| fit(&fitted.law, raw.clone(), &quick).and_then(|fit| fit.at(self.options.level)).ok();
        self.untuned_law = self.untuned.as_ref().and_then(refitted);
        if without_windows {
            self.notes.push(
                "the noise of the held-out windows, common to all runs, is not in the intervals of E and of losses: eval/ is not there"
                    .into(),
            );
        }
        if self.law_with_optima().is_none() {
            self.notes.push("the losses do not fall with both N and D, so no budget has an optimum and nothing is recommended".into());
        }
    }

    fn fit_budgets(&mut self, curves: &Curves) {
        let whole = |interpolator| {
            profiles(&self.evidence, &self.options, interpolator, self.noise.as_ref()).map(|found| OfBudgets::Profiles(Box::new(found)))
        };
        let by_name = |name: &LawName| match name {
            LawName::Auto | LawName::Formula(_) => None,
            LawName::Isoflop => Some((name.name(), whole(Interpolator::Parabola))),
            LawName::IsoflopAkima => Some((name.name(), whole(Interpolator::Akima))),
            LawName::Envelope => {
                let found = fit_envelope(curves, &self.evidence.points, &self.options);
                Some((name.name(), found.map(|found| OfBudgets::Envelope(Box::new(found)))))
            }
        };
        self.of_budgets = self.options.laws.iter().filter_map(by_name).collect();
        match parabolas(&self.evidence, &self.options) {
            Some(Ok(found)) => self.isoflop = Some(found),
            Some(Err(error)) => {
                self.notes.push(format!("no IsoFLOP fit: {error}"));
                self.isoflop_refusal = Some(error);
            }
            None => {}
        }
    }

    /// Profiles by parabolas with intervals of another level.
    pub fn isoflop_at(&self, level: f64) -> Option<IsoflopFit> {
        self.isoflop.as_ref()?;
        parabolas(&self.evidence, &StudyOptions { level, ..self.options.clone() })?.ok()
    }

    fn scrutinised(&self) -> Option<Scrutiny> {
        let fitted = self.best_law().filter(|one| one.law.may_advise() && self.evidence.points.len() <= super::MANY)?;
        // Each cell's best recipe comes from a surface through all runs; a forecast must not have seen those above its cut.
        let as_seen = self.untuned.as_ref().unwrap_or(&self.evidence);
        let records = (self.options.scrutiny == Scrutinised::WithConventions).then_some(self.records.as_slice());
        Some(scrutinise(fitted, as_seen, records, &self.options.fit_options()))
    }

    /// The law that speaks: the first that was asked for, where it was fitted.
    pub fn best_law(&self) -> Option<&FittedLaw> {
        self.laws.first()?.fitted.as_ref().ok()
    }

    /// The same where a budget has an optimum under it.
    pub fn law_with_optima(&self) -> Option<&FittedLaw> {
        let count = ComputeCount::of(&self.evidence.points);
        self.best_law().filter(|one| one.law.has_optimum(self.evidence.largest_compute(), &count))
    }

    /// The same study, or why no law that was asked for could be fitted.
    ///
    /// # Errors
    /// Where every law was refused.
    pub fn with_a_law(self) -> Result<Self, StudyError> {
        let of_laws = self.laws.iter().filter_map(|report| Some((report.name, report.fitted.as_ref().err()?)));
        let of_budgets = self.of_budgets.iter().filter_map(|(name, found)| Some((*name, found.as_ref().err()?)));
        let refusals: Vec<(&str, &FitError)> = of_laws.chain(of_budgets).collect();
        let asked = self.laws.len() + self.of_budgets.len();
        match refusals.as_slice() {
            [(_, error)] if asked == 1 && self.lone_budget.is_none() => Err((*error).clone().into()),
            _ if self.lone_budget.is_some() => Ok(self),
            several if several.len() == asked => {
                Err(StudyError::NoLaw(several.iter().map(|(name, error)| format!("{name} is not fitted: {error}")).collect()))
            }
            _ => Ok(self),
        }
    }

    /// How many runs each reason left out.
    pub fn exclusions_by_reason(&self) -> BTreeMap<&str, usize> {
        self.evidence.excluded.iter().fold(BTreeMap::new(), |mut counts, exclusion| {
            *counts.entry(exclusion.reason.as_str()).or_default() += 1;
            counts
        })
    }

    /// The protocol of DeepSeek LLM, followed whole.
    ///
    /// # Errors
    /// Where the runs have no IsoFLOP profiles, or no law of compute goes through their minima.
    pub fn protocol(&self) -> Result<Protocol, StudyError> {
        let isoflop = self.isoflop.as_ref().ok_or_else(|| StudyError::NoProfiles(self.isoflop_refusal.clone()))?;
        let law = self.hyperparameters.as_ref().and_then(|study| study.law("near-optimal"));
        let (rate, batch) = (law.and_then(|law| law.learning_rate.as_ref()), law.and_then(|law| law.batch.as_ref()));
        Ok(deepseek(isoflop, rate, batch, self.bytes_per_token)?)
    }
}

/// What theory says of the source that all runs that ended were trained on.
fn memoriser(records: &[RunRecord]) -> Option<Memoriser> {
    let mut corpora = records.iter().filter(|record| record.loss_nats.is_some()).map(|record| record.corpus.as_deref());
    let first = corpora.next()??;
    corpora.all(|corpus| corpus == Some(first)).then(|| Memoriser::of(first))?
}

/// A value that every record has, averaged.
fn common(records: &[RunRecord], value: impl Fn(&RunRecord) -> Option<f64>) -> Option<f64> {
    let finished: Vec<&RunRecord> = records.iter().filter(|record| record.loss_nats.is_some()).collect();
    let values: Option<Vec<f64>> = finished.iter().map(|record| value(record)).collect();
    values.filter(|values| !values.is_empty()).map(|values| values.iter().sum::<f64>() / values.len() as f64)
}
