//! The first page of help: commands in groups, by what one does with them.

use clap::Command;
use std::fmt::Write;

/// Every command that is not hidden, in groups, in the order of the page.
const GROUPS: [(&str, &[&str]); 3] = [
    ("Design and train a grid", &["init", "plan", "selftest", "sweep", "status", "watch", "doctor", "repair", "slurm", "bench"]),
    ("Fit laws and ask them", &["fit", "recommend", "schedule", "mix", "forecast", "verify", "compare", "report", "plot"]),
    ("Files, words and help", &["corpus", "pack", "cache", "export", "explain"]),
];
/// What others read of this program, in one line at the end of the last group.
const PRINTED: [&str; 3] = ["schema", "completions", "man"];

/// The command with its help in groups.
pub(super) fn grouped(command: Command) -> Command {
    let template = format!("{{about-with-newline}}{{usage-heading}} {{usage}}\n\n{}Options:\n{{options}}{{after-help}}", groups(&command));
    command.help_template(template)
}

/// The groups with what each command is for. A build without training lacks a command.
fn groups(command: &Command) -> String {
    let styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = String::new();
    for (title, names) in GROUPS {
        let _ = writeln!(text, "{header}{title}:{header:#}");
        for below in names.iter().filter_map(|name| command.find_subcommand(name)) {
            let about = below.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {literal}{:<11}{literal:#}  {about}", below.get_name());
        }
        text.push('\n');
    }
    text.pop();
    let names = PRINTED.map(|name| format!("{literal}{name}{literal:#}")).join(", ");
    let _ = writeln!(text, "  {names}  Print files for editors, shells, man\n");
    text
}

#[cfg(test)]
pub(super) fn named() -> Vec<&'static str> {
    GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).chain(PRINTED).collect()
}
