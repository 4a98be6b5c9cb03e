//! "Did you mean …": the nearest known name to a misspelt one.

use strsim::levenshtein;

/// Adds "did you mean …" to an error about an unknown name that lists the known ones.
pub(super) fn with_suggestion(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let unknown = message.contains("unknown field") || message.contains("unknown variant");
    let (Some(position), true) = (message.find("unknown "), unknown) else {
        return message.to_owned();
    };
    let before = message[..position].matches('`').count() / 2;
    let Some((found, known)) = quoted.get(before..).and_then(<[&str]>::split_first) else {
        return message.to_owned();
    };
    nearest(found, known.iter().copied())
        .map_or_else(|| message.to_owned(), |name| format!("{}\ndid you mean `{name}`?", message.trim_end()))
}

/// The known name that is nearest to a misspelt one; `None` where more than half of it would have to change.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, name) = known.into_iter().map(|name| (levenshtein(found, name), name)).min()?;
    (distance <= found.len().max(name.len()) / 2).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_about_unknown_names_get_a_suggestion_and_only_a_near_one() {
        let message = "unknown field `shape`, expected one of `kind`, `shapes`";
        assert!(with_suggestion(message).ends_with("did you mean `shapes`?"));
        let far = "unknown field `zzzzzzzzzz`, expected one of `kind`, `shapes`";
        assert_eq!(with_suggestion(far), far);
        assert_eq!(with_suggestion("missing field `name`"), "missing field `name`");
    }
}
