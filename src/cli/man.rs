//! `scalelab man`: a page of the manual for every command.

use super::failure::{OrWork, Outcome};
use crate::results::write_whole;
use anyhow::Context;
use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::io;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab man ~/.local/share/man/man1\n  scalelab man > scalelab.1\n\nAfter the first `man scalelab-fit` shows the page of `scalelab fit`."
)]
pub(super) struct ManArgs {
    /// Folder for a page of each command [default: print the main page]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, command: Command) -> Outcome {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let Some(folder) = &args.folder else {
        let (_, page) = page(&command).or_work()?;
        print!("{page}");
        return Ok(());
    };
    let pages = pages(&command).or_work()?;
    for (name, page) in &pages {
        let file = folder.join(name);
        write_whole(&file, page.as_bytes()).with_context(|| format!("{} cannot be written", file.display())).or_work()?;
    }
    println!("{}: {} pages; man scalelab is the first", folder.display(), pages.len());
    Ok(())
}

/// File names and texts: of a command, and of every command below it that is not hidden.
fn pages(command: &Command) -> io::Result<Vec<(String, String)>> {
    let mut all = vec![page(command)?];
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        all.extend(pages(below)?);
    }
    Ok(all)
}

/// How an apostrophe is written, which each section says anew.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

fn page(command: &Command) -> io::Result<(String, String)> {
    // Of an option that short help leaves out the writer would leave out what it does, too.
    let told = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let man = Man::new(told).manual("scalelab").source(concat!("scalelab ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    examples(command).to_writer(&mut page)?;
    Ok((man.get_filename(), PREAMBLE.to_owned() + &String::from_utf8_lossy(&page).replace(PREAMBLE, "")))
}

/// What stands after the options of a help, line by line as it is there: its examples, then its remarks.
fn examples(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let text = command.get_after_long_help().or_else(|| command.get_after_help()).map(ToString::to_string).unwrap_or_default();
    let (examples, remarks) = text.split_once("\n\n").unwrap_or((&text, ""));
    let examples: Vec<&str> = examples.lines().skip(1).collect();
    for (heading, lines) in [("EXAMPLES", examples), ("NOTES", remarks.lines().collect())] {
        if !lines.is_empty() {
            roff.control("SH", [heading]);
        }
        for line in lines {
            roff.text([roman(line.trim_start())]).control("br", []);
        }
    }
    roff
}
