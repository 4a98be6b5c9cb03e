//! `scalelab watch`: a sweep as it goes, on a screen that is drawn again every second. Reads files alone: it never touches the sweep,
//! and shows as well what another machine writes into the folder.

mod chart;
mod gather;
mod look;
mod screen;
#[cfg(test)]
mod tests;
mod text;
mod view;

pub(super) use text::show_text;

use super::failure::{Failure, OrWork, Outcome};
use super::folders::Folders;
use super::pulse::now;
use super::signals::{end_with_terminal, on_request};
use anyhow::{Context, anyhow};
use clap::Args;
use gather::{Gatherer, Target};
use look::Look;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use view::View;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  scalelab watch\n  scalelab watch quick\n\nq, Esc or Ctrl-C leave; the sweep continues. l changes between a logarithmic\nand a linear axis of steps. NO_COLOR=1 draws without colour."
)]
pub(super) struct WatchArgs {
    /// Results folder of a sweep, or its name [default: the newest]
    folder: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Folders")]
    folders: Folders,
}

/// Time between two readings of the folder.
const READ_EVERY: Duration = Duration::from_secs(1);
/// Time after which a key is answered at the latest.
const ANSWER_WITHIN: Duration = Duration::from_millis(100);

pub(super) fn run(args: &WatchArgs) -> Outcome {
    show(args.folder.as_deref(), &args.folders.results)
}

/// Shows a sweep, or the newest below `results`, until somebody has seen enough.
pub(super) fn show(named: Option<&Path>, results: &Path) -> Outcome {
    let asked = named.map_or(String::new(), |path| format!(" {}", path.display()));
    let target = Target::of(named, results);
    on_screen(&format!("`scalelab status{asked}` says once how far the sweep is"), |terminal, asked| {
        let views = read_again_and_again(target);
        until_left(terminal, &views, asked)
    })
}

/// Draws on the whole terminal and gives it back as it was; what is drawn ends soon after somebody asks for it. Without a terminal it is
/// refused, and `instead` says what to type.
fn on_screen(instead: &str, drawn: impl FnOnce(&mut DefaultTerminal, &AtomicBool) -> Outcome) -> Outcome {
    if !std::io::stdout().is_terminal() || std::env::var("TERM").is_ok_and(|name| name == "dumb") {
        return Err(Failure::Input(anyhow!("a live screen needs a terminal, and standard output is none that can be drawn on; {instead}")));
    }
    let asked = Arc::new(AtomicBool::new(false));
    let leave = Arc::clone(&asked);
    on_request(move || leave.store(true, Ordering::SeqCst))?;
    end_with_terminal();
    // On a panic, too, the terminal is put back: a hook that this call sets does it.
    let mut terminal = ratatui::try_init().context("the terminal cannot be drawn on").or_work()?;
    let left = drawn(&mut terminal, &asked);
    ratatui::restore();
    left
}

/// Reads on a thread of its own: a disk that does not answer keeps nobody from leaving.
fn read_again_and_again(target: Target) -> Receiver<View> {
    let (sender, views) = sync_channel(1);
    thread::spawn(move || {
        let mut gatherer = Gatherer::of(target);
        while sender.send(gatherer.look(now())).is_ok() {
            thread::sleep(READ_EVERY);
        }
    });
    views
}

fn until_left(terminal: &mut DefaultTerminal, views: &Receiver<View>, asked: &AtomicBool) -> Outcome {
    let (mut view, mut look, mut drawn) = (View::default(), Look::of_environment(), None::<Instant>);
    let mut read = Instant::now();
    while !asked.load(Ordering::SeqCst) {
        let mut new = drawn.is_none_or(|at| at.elapsed() >= READ_EVERY);
        match views.try_recv() {
            Ok(next) => (view, read, new) = (next, Instant::now(), true),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Err(Failure::Work(anyhow!("the folder's reader stopped; please report it"))),
        }
        if new {
            let lost = || "the terminal cannot be drawn on any more";
            terminal
                .draw(|frame| screen::draw(&view, read.elapsed(), look, frame.area(), frame.buffer_mut()))
                .with_context(lost)
                .or_work()?;
            drawn = Some(Instant::now());
        }
        if event::poll(ANSWER_WITHIN).or_work()? {
            match event::read().or_work()? {
                Event::Key(key) if leaves(&key) => break,
                Event::Key(key) if key.kind == KeyEventKind::Press && key.code == KeyCode::Char('l') => look.log_steps = !look.log_steps,
                _ => {}
            }
            drawn = None;
        }
    }
    Ok(())
}

/// Whether a key ends the screen.
fn leaves(key: &KeyEvent) -> bool {
    let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press && (ctrl_c || matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc))
}
