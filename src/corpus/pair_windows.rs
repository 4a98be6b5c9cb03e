//! Windows of pairs: which pairs stand in which, and their tokens. A pair stands in one window whole; what is left of a window is filled up
//! with tokens that no loss counts.

use super::batches::window_at;
use super::counted::read_alone;
use super::pairs::{Pair, Pairs};
use super::text::choose;
use super::{CorpusError, HeldOut};

/// Seed of the order of which the first pairs are the fewer examples.
const SUBSETS: u64 = 0x0070_6169_7273;
/// What a window is filled up with.
const FILLER: u32 = 0;

/// The windows of some pairs in a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairWindows {
    /// Places of the pairs among those of their side, in the order of the files.
    pairs: Vec<u32>,
    /// Where among them each window begins, and where the last ends.
    begins: Vec<u32>,
}

impl PairWindows {
    /// The windows of the first so many of one seeded order of the pairs that fit; of all where there are no more.
    pub(super) fn of_some(all: &Pairs, examples: u64, context: usize) -> Self {
        let fit: Vec<u32> = fitting(&all.train, context);
        let n = fit.len() as u64;
        let mut some: Vec<u32> =
            if examples >= n { fit } else { (0..examples).map(|position| fit[window_at(SUBSETS, position, n) as usize]).collect() };
        some.sort_unstable();
        Self::new(&all.train, some, context, all.packed)
    }

    fn of_held_out(all: &Pairs, context: usize) -> Self {
        Self::new(&all.held_out, fitting(&all.held_out, context), context, all.packed)
    }

    fn new(side: &[Pair], pairs: Vec<u32>, context: usize, packed: bool) -> Self {
        let mut begins = Vec::new();
        let mut room = 0;
        for (at, pair) in pairs.iter().enumerate() {
            let tokens = side[*pair as usize].tokens.len();
            if !packed || tokens > room {
                begins.push(at as u32);
                room = context + 1;
            }
            room -= tokens;
        }
        begins.push(pairs.len() as u32);
        Self { pairs, begins }
    }

    /// Pairs that stand in them.
    pub fn examples(&self) -> u64 {
        self.pairs.len() as u64
    }

    /// How many windows there are.
    pub fn windows(&self) -> u64 {
        self.begins.len() as u64 - 1
    }

    /// The tokens of a window, those that no loss counts marked.
    fn fill(&self, side: &[Pair], at: u64, window: &mut [u32]) {
        let mut rest = window;
        let [begin, end] = [at as usize, at as usize + 1].map(|at| self.begins[at] as usize);
        for pair in &self.pairs[begin..end] {
            let tokens = &side[*pair as usize].tokens;
            let (now, later) = rest.split_at_mut(tokens.len());
            now.copy_from_slice(tokens);
            rest = later;
        }
        rest.fill(read_alone(FILLER));
    }
}

fn fitting(side: &[Pair], context: usize) -> Vec<u32> {
    (0..side.len() as u32).filter(|at| side[*at as usize].fits(context)).collect()
}

impl Pairs {
    /// Fills `window` (context + 1 tokens) with the training window at a position of the shuffled stream.
    pub(super) fn fill_train_window(&self, windows: &PairWindows, seed: u64, position: u64, window: &mut [u32]) {
        windows.fill(&self.train, window_at(seed, position, windows.windows()), window);
    }

    /// Windows of the pairs that no run trains on.
    pub(super) fn held_out_windows(&self, context: usize) -> u64 {
        PairWindows::of_held_out(self, context).windows()
    }

    pub(super) fn held_out(&self, seed: u64, windows: usize, context: usize) -> Result<HeldOut, CorpusError> {
        let all = PairWindows::of_held_out(self, context);
        let available = all.windows();
        if windows as u64 > available {
            return Err(CorpusError::TooFewWindows { asked: windows, available, context });
        }
        let mut tokens = vec![0; windows * (context + 1)];
        for (row, chosen) in tokens.chunks_exact_mut(context + 1).zip(choose(seed, windows, available)) {
            all.fill(&self.held_out, chosen, row);
        }
        Ok(HeldOut { tokens, windows, floor_nats: None })
    }
}

#[cfg(test)]
mod tests {
    use super::super::counted::{NOT_COUNTED, split_window};
    use super::super::{Cache, Corpus, Order};
    use super::*;
    use crate::spec::{CorpusSpec, PairsSpec};
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::path::Path;

    const BASE: CorpusSpec = CorpusSpec::ZipfFacts { a: 0.5, keys: 64, seed: 0 };

    fn lines(count: usize, line: impl Fn(usize) -> (String, String)) -> String {
        let json = |(prompt, response)| serde_json::json!({ "prompt": prompt, "response": response }).to_string() + "\n";
        (0..count).map(|at| json(line(at))).collect()
    }

    fn open(folder: &Path, text: &str, change: impl Fn(&mut PairsSpec)) -> Result<Corpus, CorpusError> {
        let path = folder.join("pairs.jsonl");
        std::fs::write(&path, text).expect("written");
        let mut spec = PairsSpec::of(path.display().to_string());
        change(&mut spec);
        Corpus::open_on(&CorpusSpec::Pairs(Box::new(spec)), Some(&BASE), &Cache::quiet(folder))
    }

    fn some(count: usize) -> String {
        lines(count, |at| (format!("key {at}"), format!("value {}", at * 7)))
    }

    /// A window as text: `·` where nothing is predicted, and what is predicted from the token before.
    fn predicted(window: &[u32]) -> String {
        let (mut inputs, mut targets) = (vec![0; window.len() - 1], vec![0; window.len() - 1]);
        split_window(window, &mut inputs, &mut targets);
        targets.iter().map(|target| if *target == NOT_COUNTED { '·' } else { char::from(*target as u8) }).collect()
    }

    #[test]
    fn prompts_and_filling_are_read_alone_and_pairs_stand_whole_in_windows() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let others = folder.path().join("others.jsonl");
        std::fs::write(&others, lines(1, |_| ("p".into(), "r".into()))).expect("written");
        let text = lines(3, |at| (format!("{at}"), "ab".into()));
        let apart = |spec: &mut PairsSpec| spec.held_out = vec![others.display().to_string()];
        let windows = |corpus: &Corpus, context: usize| {
            let all = corpus.pair_windows(9, context).expect("pairs");
            let pairs = corpus.pairs().expect("pairs");
            let fill = |at| {
                let mut window = vec![0; context + 1];
                all.fill(&pairs.train, at, &mut window);
                predicted(&window)
            };
            (0..all.windows()).map(fill).collect::<Vec<_>>()
        };
        // "0\nab\n" is five tokens; two of them fill ten of eleven.
        let packed = open(folder.path(), &text, apart).expect("opens");
        assert_eq!(windows(&packed, 10), ["·ab\n··ab\n·", "·ab\n······"]);
        let single = open(folder.path(), &text, |spec| {
            apart(spec);
            spec.packed = false;
        });
        assert_eq!(windows(&single.expect("opens"), 10), ["·ab\n······"; 3]);
        let whole = open(folder.path(), &text, |spec| {
            apart(spec);
            (spec.count_prompts, spec.separator, spec.end) = (true, " ".into(), String::new());
        });
        let whole = whole.expect("opens");
        assert_eq!(windows(&whole, 4), [" ab·", " ab·", " ab·"], "the first token of a window has nothing before it");
        assert_ne!(whole.sha256(), packed.sha256());
        assert_eq!(packed.held_out(0, 1, 10).map(|held_out| predicted(&held_out.tokens)).expect("one"), "·r\n·······");
    }

    #[test]
    fn fewer_examples_are_nested_and_the_same_for_every_seed_of_the_data() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let corpus = open(folder.path(), &some(300), |_| ()).expect("opens");
        let counts = corpus.pair_counts(32).expect("pairs");
        assert_eq!(counts.train + counts.held_out, 300);
        assert!((15..50).contains(&counts.held_out), "about a tenth: {counts:?}");
        let of = |examples| corpus.pair_windows(examples, 32).expect("pairs").pairs.into_iter().collect::<HashSet<u32>>();
        let sizes = [1, 7, 50, 200, counts.train, 1000];
        for pair in sizes.windows(2) {
            assert!(of(pair[0]).is_subset(&of(pair[1])) && of(pair[0]).len() as u64 == pair[0].min(counts.train), "{pair:?}");
        }
        assert!(of(50) != (0..50).collect(), "no run of neighbours");
    }

    #[test]
    fn an_epoch_sees_every_window_once_and_held_out_pairs_never() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let corpus = open(folder.path(), &some(200), |_| ()).expect("opens");
        let windows = corpus.pair_windows(100, 24).expect("pairs");
        let order = Order { seed: 3, pairs: Some(&windows), ..Order::default() };
        let count = windows.windows() as usize;
        let (mut inputs, mut targets) = (vec![0; 24], vec![0; 24]);
        let mut window_at = |position: usize| {
            corpus.fill_batch(order, position as u64, 1, 24, &mut inputs, &mut targets);
            inputs.clone()
        };
        let mut epoch = |number: usize| (0..count).map(|at| window_at(number * count + at)).collect::<Vec<_>>();
        let (first, second) = (epoch(0), epoch(1));
        assert_ne!(first, second);
        let seen: HashSet<Vec<u32>> = first.into_iter().collect();
        assert_eq!((seen.len(), second.into_iter().collect::<HashSet<_>>()), (count, seen.clone()));
        let held_out = corpus.held_out(0, corpus.held_out_windows(24).expect("pairs") as usize, 24).expect("all");
        let lines = |tokens: &[u32]| -> HashSet<String> {
            let text: String = tokens.iter().map(|token| char::from((token & 0xff) as u8)).collect();
            text.split('\n').filter(|line| line.starts_with("key ")).map(str::to_owned).collect()
        };
        let trained: HashSet<String> = seen.iter().flat_map(|window| lines(window)).collect();
        let held: HashSet<String> = held_out.tokens.chunks_exact(25).flat_map(lines).collect();
        assert!(trained.len() > 50 && !held.is_empty() && trained.is_disjoint(&held));
    }

    #[test]
    fn text_of_the_base_comes_in_its_share_between_pairs() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let corpus = open(folder.path(), &some(200), |_| ()).expect("opens");
        let windows = corpus.pair_windows(100, 24).expect("pairs");
        let part = |share| crate::spec::MixedPart { name: String::new(), share, weight: 0 };
        let interleaving = super::super::Interleaving::of(&[part(80_000), part(20_000)], 0).expect("shares");
        let order = Order { seed: 3, pairs: Some(&windows), interleaving: Some(&interleaving), ..Order::default() };
        let (mut inputs, mut targets) = (vec![0; 50 * 24], vec![0; 50 * 24]);
        corpus.fill_batch(order, 0, 50, 24, &mut inputs, &mut targets);
        let of_base: Vec<usize> = (0..50).filter(|row| !targets[row * 24..][..24].contains(&NOT_COUNTED)).collect();
        assert_eq!(of_base.len(), 10);
        let mut alone = (vec![0; 24], vec![0; 24]);
        let base = corpus.base().expect("a base");
        for (at, row) in of_base.into_iter().enumerate() {
            base.fill_batch(Order { seed: 3, ..Order::default() }, at as u64, 1, 24, &mut alone.0, &mut alone.1);
            assert_eq!((&inputs[row * 24..][..24], &targets[row * 24..][..24]), (&alone.0[..], &alone.1[..]), "the base's own windows");
        }
    }

    #[test]
    fn what_cannot_be_trained_on_is_counted_or_refused_with_its_line() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let text = some(100) + "\n{\"prompt\": \"p\", \"response\": \"\"}\n" + &lines(1, |_| ("x".repeat(90), "y".into()));
        let counts = open(folder.path(), &text, |_| ()).expect("opens").pair_counts(32).expect("pairs");
        assert_eq!((counts.train + counts.held_out, counts.without_response.count, counts.too_long.count), (100, 1, 1));
        assert!(counts.without_response.first.ends_with("pairs.jsonl, line 102"), "{counts:?}");
        assert_eq!(counts.too_long.first, "line 103 of 93 tokens");
        let error = |text: &str, change: &dyn Fn(&mut PairsSpec)| open(folder.path(), text, change).err().expect("refused").to_string();
        let plain: &dyn Fn(&mut PairsSpec) = &|_| ();
        assert!(error("", plain).contains("no pair to train on: the file is empty"));
        assert!(error("{\"prompt\": \"a\", \"response\": \"\"}", plain).contains("1 lines have no response"), "{}", error("", plain));
        let wrong = |line: &str| error(&format!("{}{line}\n", some(2)), plain);
        assert!(wrong("{\"prompt\": \"a\"}").contains("line 3: there is no `response` in it, only prompt; corpus.response names"));
        assert!(wrong("{\"prompt\": 3, \"response\": \"a\"}").contains("line 3: `prompt` is 3, not text"));
        assert!(wrong("[1]").contains("line 3: a JSON object was expected"));
        assert!(wrong("{\"prompt\": \"a").contains("line 3: no JSON"));
        assert!(error(&some(1), plain).contains("none is held out") || error(&some(1), plain).contains("no pair to train on"));
        let templates =
            [("plain", "at least one member"), ("{en", "every { has its }"), ("{}", "names of members"), ("{a{b}}", "names of")];
        for (template, expected) in templates {
            let message = error(&some(9), &|spec| spec.template = Some(template.into()));
            assert!(message.contains("corpus.template") && message.contains(expected), "{message}");
        }
        let message = error(&some(9), &|spec| spec.template = Some("{en}".into()));
        assert!(message.contains("line 1: there is no `en`") && message.contains("corpus.template names"), "{message}");
    }

    #[test]
    fn a_template_puts_members_into_the_prompt() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let of_template = open(folder.path(), &some(200), |spec| spec.template = Some("say {prompt}!".into())).expect("opens");
        let written = lines(200, |at| (format!("say key {at}!"), format!("value {}", at * 7)));
        assert_eq!(open(folder.path(), &written, |_| ()).expect("opens").sha256(), of_template.sha256());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn no_file_of_lines_brings_the_reader_down(text in "(\\{\"prompt\": ?\"[a-z]{0,3}\", ?\"response\": ?\"[a-zé]{0,9}\"\\}?\n|.{0,12}\n){0,30}", context in 2usize..20) {
            let folder = tempfile::tempdir().expect("temporary folder");
            if let Ok(corpus) = open(folder.path(), &text, |_| ()) {
                let counts = corpus.pair_counts(context).expect("pairs");
                let windows = corpus.pair_windows(u64::MAX, context).expect("pairs");
                prop_assert_eq!(windows.examples(), counts.train);
                prop_assert!(windows.windows() <= counts.train);
                let available = corpus.held_out_windows(context).expect("pairs") as usize;
                prop_assert_eq!(corpus.held_out(1, available, context).expect("all").windows, available);
            }
        }
    }
}
