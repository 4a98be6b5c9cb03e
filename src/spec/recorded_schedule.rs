//! The schedule of a run as a table holds it: one of ours, or the words of others, which nobody can compute with but which still
//! tell two recipes apart.

use super::Schedule;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What stands in the `schedule` column. Any text is read; what is no schedule of ours is kept word for word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum RecordedSchedule {
    /// One that can be computed with.
    Known(Schedule),
    /// Words of others, such as `cosine` without its end.
    Words(String),
}

impl RecordedSchedule {
    /// The schedule, where it is one of ours.
    pub fn known(&self) -> Option<&Schedule> {
        match self {
            Self::Known(schedule) => Some(schedule),
            Self::Words(_) => None,
        }
    }

    /// For a person: four decimals where a number has more.
    pub fn label(&self) -> String {
        self.known().map_or_else(|| self.to_string(), Schedule::label)
    }
}

impl fmt::Display for RecordedSchedule {
    /// As in the column; reads back as the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(schedule) => schedule.fmt(f),
            Self::Words(words) => f.write_str(words),
        }
    }
}

impl From<Schedule> for RecordedSchedule {
    fn from(schedule: Schedule) -> Self {
        Self::Known(schedule)
    }
}

impl From<&str> for RecordedSchedule {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Words(text.to_owned()), Self::Known)
    }
}

impl From<String> for RecordedSchedule {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<RecordedSchedule> for String {
    fn from(schedule: RecordedSchedule) -> Self {
        schedule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_reads_back_as_it_was_written_whoever_wrote_it() {
        for (text, known) in [("wsd(0.2, 1-sqrt)", true), ("cosine(to 0.1)", true), ("cosine", false), ("8 sequences a step", false)] {
            let read: RecordedSchedule = serde_json::from_value(text.into()).expect("any text is read");
            assert_eq!((read.to_string().as_str(), read.known().is_some()), (text, known));
            assert_eq!(serde_json::to_value(&read).expect("written"), text);
        }
    }

    #[test]
    fn a_label_is_short_where_the_column_is_exact() {
        let schedule = RecordedSchedule::from(Schedule::deepseek());
        assert_eq!(schedule.label(), "multi-step(0.3162 from 0.8, 0.1 from 0.9)");
        assert_eq!(RecordedSchedule::from(schedule.to_string()), schedule);
    }
}
