//! Help as a user meets it: a screen for `-h`, everything for `--help`, examples that the program would take.

use super::{Cli, overview};
use clap::{Command, CommandFactory, Parser};

/// Lines and columns of a screen that everyone has.
const SCREEN: [usize; 2] = [40, 80];

/// Every command with all that is below it, as built for a terminal of 80 columns; hidden ones are nobody's.
fn commands() -> Vec<Command> {
    fn below(command: &Command, all: &mut Vec<Command>) {
        for one in command.get_subcommands().filter(|one| !one.is_hide_set() && one.get_name() != "help") {
            all.push(one.clone());
            below(one, all);
        }
    }
    let mut whole = overview::grouped(Cli::command()).term_width(SCREEN[1]);
    whole.build();
    let mut all = vec![whole.clone()];
    below(&whole, &mut all);
    all
}

/// The words of a line as a shell splits them.
fn words(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate();
    let parts = quoted.flat_map(|(at, part)| if at % 2 == 1 { vec![part] } else { part.split_whitespace().collect() });
    parts.take_while(|word| *word != ">").map(str::to_owned).collect()
}

#[test]
fn short_help_is_a_screen_and_has_an_example() {
    for mut command in commands() {
        let (name, help) = (command.get_display_name().map(str::to_owned), command.render_help().to_string());
        let (lines, widest) = (help.lines().count(), help.lines().map(|line| line.chars().count()).max());
        assert!(lines <= SCREEN[0] && widest <= Some(SCREEN[1]), "{name:?} has {lines} lines of up to {widest:?} columns:\n{help}");
        assert!(help.contains("Example"), "{name:?}:\n{help}");
    }
}

#[test]
fn long_help_has_all_that_short_help_has() {
    for mut command in commands() {
        let long = command.render_long_help().to_string();
        let options = command.get_arguments().filter(|one| !one.is_hide_set());
        for option in options.filter_map(clap::Arg::get_long) {
            assert!(long.contains(&format!("--{option}")), "--{option} is not in\n{long}");
        }
        let widest = long.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{widest:?} columns:\n{long}");
    }
}

#[test]
fn examples_parse() {
    let mut tried = 0;
    for command in commands() {
        let texts = [command.get_after_help(), command.get_after_long_help()].into_iter().flatten().map(ToString::to_string);
        for line in texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
            if line.trim().starts_with("scalelab ") {
                tried += 1;
                let parsed = Cli::try_parse_from(words(&line));
                assert!(parsed.is_ok(), "{line}: {}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
            }
        }
    }
    assert!(tried > 50, "only {tried} examples were found");
    assert!(Cli::try_parse_from(words("scalelab fit --no-such-option")).is_err());
    assert_eq!(words("a 'b c' d > e"), ["a", "b c", "d"]);
}

#[test]
fn every_command_is_in_one_group() {
    let mut grouped = overview::named();
    let whole = Cli::command();
    let mut known: Vec<&str> = whole.get_subcommands().filter(|one| !one.is_hide_set()).map(Command::get_name).collect();
    grouped.retain(|name| *name != "bench" || cfg!(feature = "train"));
    grouped.sort_unstable();
    known.sort_unstable();
    assert_eq!(grouped, known);
}

#[test]
fn options_of_a_command_stand_before_those_it_shares() {
    let position = |help: &str, option: &str| help.find(option).unwrap_or_else(|| panic!("no {option} in\n{help}"));
    for mut command in commands().into_iter().filter(|one| ["fit", "recommend", "forecast"].contains(&one.get_name())) {
        let help = command.render_long_help().to_string();
        assert!(position(&help, "--json") < position(&help, "--where") && position(&help, "--where") < position(&help, "--law "), "{help}");
    }
}
