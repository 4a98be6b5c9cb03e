//! `scalelab completions`: what a shell must know to complete commands and options.

use super::failure::Outcome;
use clap::{Args, Command};
use clap_complete::{Shell, generate};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab completions bash > scalelab.bash\n  scalelab completions zsh > ~/.zfunc/_scalelab\n  scalelab completions fish > ~/.config/fish/completions/scalelab.fish\n\nIn bash `source <(scalelab completions bash)` in ~/.bashrc does it, too; docs/src/shell.md has other shells."
)]
pub(super) struct CompletionsArgs {
    /// Shell to complete in
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, command: &Command) -> Outcome {
    let visible = command.get_subcommands().filter(|below| !below.is_hide_set()).cloned();
    let mut visible =
        Command::new("scalelab").args(command.get_arguments().cloned()).version(env!("CARGO_PKG_VERSION")).subcommands(visible);
    let mut script = Vec::new();
    generate(args.shell, &mut visible, "scalelab", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
    Ok(())
}
