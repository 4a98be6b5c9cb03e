//! How a screen looks: with colour or without, in characters that the terminal has.

use anstream::{AutoStream, ColorChoice};
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

/// How a screen looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) colour: bool,
    /// Whether the terminal has more characters than ASCII.
    pub(super) unicode: bool,
    /// Whether steps stand on a logarithmic axis.
    pub(super) log_steps: bool,
}

/// Colours of curves, in turn.
const CURVES: [Color; 6] = [Color::Cyan, Color::Yellow, Color::Magenta, Color::Green, Color::Blue, Color::Red];
/// What stands for a character where there is ASCII alone.
const PLAIN: [(&str, &str); 12] = [
    ("─", "-"),
    ("│", "|"),
    ("└", "+"),
    ("█", "#"),
    ("░", "."),
    ("✓", "+"),
    ("✗", "x"),
    ("…", "~"),
    ("·", "."),
    ("—", "-"),
    ("²", "2"),
    ("×", "x"),
];

impl Look {
    /// As `--color` and the environment ask for: no colour with NO_COLOR, ASCII where the locale is not UTF-8.
    pub(super) fn of_environment() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_uppercase();
        let unicode = locale.contains("UTF-8") || locale.contains("UTF8");
        Self { colour: AutoStream::choice(&std::io::stdout()) != ColorChoice::Never, unicode, log_steps: true }
    }

    /// The style of a curve and its run, by place.
    pub(super) fn curve(self, at: usize) -> Style {
        self.coloured(CURVES[at % CURVES.len()])
    }

    /// A colour, where there are colours.
    pub(super) fn coloured(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// What stands back.
    pub(super) fn faint(self) -> Style {
        if self.colour { Style::new().add_modifier(Modifier::DIM) } else { Style::new() }
    }

    /// Puts characters that every terminal has in place of those that this one lacks.
    pub(super) fn made_plain(self, buffer: &mut Buffer) {
        if self.unicode {
            return;
        }
        for cell in &mut buffer.content {
            let symbol = cell.symbol();
            if !symbol.is_ascii() {
                let plain = PLAIN.iter().find(|(wanted, _)| *wanted == symbol).map_or("?", |(_, plain)| plain);
                cell.set_symbol(plain);
            }
        }
    }
}
