//! Colour of what a person reads on a terminal, in five roles. A text carries its colours from where it is made, whole lines or words
//! after they were laid out, and loses them where it is written into a pipe or a file (voice.rs): no word depends on them.

use clap::ColorChoice;
use clap::builder::styling::{AnsiColor, Style};
use std::ffi::OsString;

/// The answer, and titles.
const HEADING: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// Says for the whole program when there is colour; `auto` heeds NO_COLOR, CLICOLOR_FORCE and whether somebody looks.
pub(super) fn choose(when: ColorChoice) {
    match when {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// What `--color` of a command line says, before the rest of it is understood or refused.
pub(super) fn asked_in(line: impl IntoIterator<Item = OsString>) -> ColorChoice {
    let words = line.into_iter().map(|word| word.to_string_lossy().into_owned());
    let mut words = words.take_while(|word| word != "--");
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--color=") {
            Some(value) => Some(value.to_owned()),
            None if word == "--color" => words.next(),
            None => continue,
        };
        return value.and_then(|value| value.parse().ok()).unwrap_or_default();
    }
    ColorChoice::default()
}

/// A title, or the answer of a command.
pub(super) fn heading(text: &str) -> String {
    painted(HEADING, text)
}

/// An answer that is what one hopes for.
pub(super) fn good(text: &str) -> String {
    painted(GOOD, text)
}

/// What speaks against an answer.
pub(super) fn warning(text: &str) -> String {
    painted(WARNING, text)
}

/// What went wrong.
pub(super) fn error(text: &str) -> String {
    painted(ERROR, text)
}

/// What is looked at last, such as heads of columns.
pub(super) fn dim(text: &str) -> String {
    painted(DIM, text)
}

/// Every line that is not empty, each by itself.
fn painted(style: Style, text: &str) -> String {
    let line = |line: &str| match line.trim_end_matches('\n') {
        "" => line.to_owned(),
        bare => format!("{style}{bare}{style:#}{}", &line[bare.len()..]),
    };
    text.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_colour_is_the_text_when_the_colour_is_taken_off() {
        let text = "one\n\n  two\nthree";
        for role in [heading, good, warning, error, dim] {
            let shown = role(text);
            assert_ne!(shown, text);
            assert_eq!(anstream::adapter::strip_str(&shown).to_string(), text);
            assert_eq!(shown.lines().filter(|line| line.starts_with('\u{1b}')).count(), 3, "lines are painted one by one: {shown:?}");
        }
    }

    #[test]
    fn what_color_says_is_found_wherever_it_stands() {
        let asked = |line: &str| asked_in(line.split(' ').map(OsString::from));
        assert_eq!(asked("scalelab fit --color always"), ColorChoice::Always);
        assert_eq!(asked("scalelab --color=never fit x"), ColorChoice::Never);
        for line in ["scalelab fit", "scalelab --color", "scalelab --color blue", "scalelab slurm x -- --color always"] {
            assert_eq!(asked(line), ColorChoice::Auto, "{line}");
        }
    }
}
