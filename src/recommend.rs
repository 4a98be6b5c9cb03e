//! What to do: from a fitted law and a budget to an allocation with its uncertainty.
