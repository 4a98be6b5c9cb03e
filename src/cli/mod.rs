//! The front door: the only room that speaks to a person.
