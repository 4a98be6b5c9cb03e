//! Batches of a run in order. On the processor they are made when they are needed; for another device a thread
//! makes them ahead, so that the device does not wait for the corpus.

use crate::corpus::{Corpus, Masks, Order};
use crate::spec::RunSpec;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

/// Batches that are made before they are asked for.
const AHEAD: usize = 4;

/// What every batch of a run is made of.
#[derive(Clone, Copy)]
pub(crate) struct BatchSource<'a> {
    pub(crate) corpus: &'a Corpus,
    pub(crate) order: Order<'a>,
    pub(crate) sequences: usize,
    pub(crate) context: usize,
    /// What is hidden of them, where the next token is not what is predicted.
    masks: Option<Masks>,
}

/// The ids of one step, whole sequences one after the other.
pub(crate) struct Batch {
    pub(crate) inputs: Vec<u32>,
    pub(crate) targets: Vec<u32>,
}

impl<'a> BatchSource<'a> {
    /// That of a run, its windows in an order.
    pub(crate) fn of(spec: &RunSpec, corpus: &'a Corpus, order: Order<'a>) -> Self {
        let masks = Masks::of(&spec.objective, corpus.vocabulary(), spec.seeds.data);
        Self { corpus, order, sequences: spec.batch_sequences(), context: spec.shape.context, masks }
    }

    pub(crate) fn fill(&self, step: u64, batch: &mut Batch) {
        let Batch { inputs, targets } = batch;
        self.corpus.fill_batch(self.order, step, self.sequences, self.context, inputs, targets);
        if let Some(masks) = self.masks {
            masks.hide_batch(step, self.context, inputs, targets);
        }
    }

    pub(crate) fn empty(&self) -> Batch {
        let inputs = vec![0; self.sequences * self.context];
        Batch { targets: inputs.clone(), inputs }
    }
}

/// Batches from a step on.
pub(crate) enum Batches<'a> {
    /// Made when asked for, in place.
    InPlace(BatchSource<'a>, Batch),
    /// Made by a thread.
    Ahead(Receiver<Batch>, Batch),
}

impl<'a> Batches<'a> {
    pub(crate) fn in_place(source: BatchSource<'a>) -> Self {
        Self::InPlace(source, source.empty())
    }

    /// Starts a thread that ends when it has made the last of `steps`, or when nobody asks any more.
    pub(crate) fn ahead<'scope>(source: BatchSource<'a>, steps: std::ops::Range<u64>, scope: &'scope Scope<'scope, '_>) -> Self
    where
        'a: 'scope,
    {
        let (sender, receiver) = sync_channel(AHEAD);
        scope.spawn(move || {
            for step in steps {
                let mut batch = source.empty();
                source.fill(step, &mut batch);
                if sender.send(batch).is_err() {
                    break;
                }
            }
        });
        Self::Ahead(receiver, source.empty())
    }

    /// The batch of a step; steps are asked for one after the other.
    pub(crate) fn of(&mut self, step: u64) -> &Batch {
        match self {
            Self::InPlace(source, batch) => {
                source.fill(step, batch);
                batch
            }
            Self::Ahead(receiver, batch) => {
                *batch = receiver.recv().expect("the thread makes as many batches as there are steps");
                batch
            }
        }
    }
}
