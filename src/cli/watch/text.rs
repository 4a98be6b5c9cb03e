//! A text that is made again whenever files change, on a screen of its own.

use super::super::failure::{Failure, OrWork, Outcome};
use super::look::Look;
use super::{ANSWER_WITHIN, READ_EVERY, leaves, on_screen};
use anyhow::{Context, anyhow};
use ratatui::DefaultTerminal;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Of the time that passes at most one part in so many is spent on looking whether files changed.
const SHARE: u32 = 20;
/// Files that are looked at; who changes more than these is seen by the others.
const MOST_FILES: usize = 200_000;

/// Shows what `made` says of files below `paths`, anew when they change, until somebody has seen enough; `call` says it once. A file that
/// `made` writes itself is none of them.
pub(crate) fn show_text(
    paths: Vec<PathBuf>,
    written: Option<PathBuf>,
    made: impl FnMut() -> String + Send + 'static,
    call: &str,
) -> Outcome {
    on_screen(&format!("`{call}` says it once"), |terminal, asked| {
        let texts = again_and_again(paths, written, made);
        until_left(terminal, &texts, asked)
    })
}

/// Makes the text on a thread of its own: files that are slow to read keep nobody from leaving.
fn again_and_again(paths: Vec<PathBuf>, written: Option<PathBuf>, mut made: impl FnMut() -> String + Send + 'static) -> Receiver<String> {
    let (sender, texts) = sync_channel(1);
    thread::spawn(move || {
        let mut seen = None;
        loop {
            let began = Instant::now();
            let state = state_of(&paths, written.as_deref());
            let looking = began.elapsed();
            if seen != Some(state) {
                seen = Some(state);
                if sender.send(made()).is_err() {
                    return;
                }
            }
            thread::sleep(READ_EVERY.max(looking * SHARE));
        }
    });
    texts
}

/// A number that is another when a file below paths is new, gone, longer, shorter or later, but for one that is written here.
fn state_of(paths: &[PathBuf], written: Option<&Path>) -> u64 {
    let own = |path: &Path| written.is_some_and(|own| own.file_name() == path.file_name() && is_same(own, path));
    let mut folders: Vec<PathBuf> = paths.to_vec();
    let (mut state, mut files) = (DefaultHasher::new(), 0);
    while let Some(path) = folders.pop() {
        note(&path, &mut state);
        let Ok(entries) = fs::read_dir(&path) else { continue };
        let mut inside: Vec<(PathBuf, bool)> =
            entries.flatten().map(|entry| (entry.path(), entry.file_type().is_ok_and(|kind| kind.is_dir()))).collect();
        inside.sort();
        for (path, is_folder) in inside.into_iter().filter(|(path, _)| !own(path)) {
            files += 1;
            if files > MOST_FILES {
                return state.finish();
            }
            if is_folder { folders.push(path) } else { note(&path, &mut state) }
        }
    }
    state.finish()
}

fn note(path: &Path, state: &mut impl Hasher) {
    path.hash(state);
    let Ok(about) = fs::metadata(path) else { return };
    if about.is_file() {
        about.modified().ok().hash(state);
        about.len().hash(state);
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn until_left(terminal: &mut DefaultTerminal, texts: &Receiver<String>, asked: &AtomicBool) -> Outcome {
    let look = Look::of_environment();
    let (mut text, mut from) = ("reading …\n".to_owned(), 0);
    let (mut made, mut is_new) = (None::<Instant>, true);
    while !asked.load(Ordering::SeqCst) {
        match texts.try_recv() {
            Ok(next) => (text, made, is_new) = (next, Some(Instant::now()), true),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Err(Failure::Work(anyhow!("what reads the files stopped; please report it"))),
        }
        if is_new {
            let lost = || "the terminal cannot be drawn on any more";
            let age = made.map(|made| made.elapsed());
            terminal.draw(|frame| from = draw(&text, from, age, look, frame.area(), frame.buffer_mut())).with_context(lost).or_work()?;
            is_new = false;
        }
        if event::poll(ANSWER_WITHIN).or_work()? {
            match event::read().or_work()? {
                Event::Key(key) if leaves(&key) => break,
                Event::Key(key) if key.kind == KeyEventKind::Press => from = moved(from, key.code),
                _ => {}
            }
            is_new = true;
        }
        // The age of what is shown is drawn anew each second.
        is_new |= made.is_some_and(|made| made.elapsed().subsec_millis() < ANSWER_WITHIN.subsec_millis());
    }
    Ok(())
}

/// Lines that a page key moves by.
const PAGE: usize = 10;

/// The first line that is shown after a key.
fn moved(from: usize, key: KeyCode) -> usize {
    match key {
        KeyCode::Down | KeyCode::Char('j') => from + 1,
        KeyCode::Up | KeyCode::Char('k') => from.saturating_sub(1),
        KeyCode::PageDown | KeyCode::Char(' ') => from + PAGE,
        KeyCode::PageUp => from.saturating_sub(PAGE),
        KeyCode::Home => 0,
        KeyCode::End => usize::MAX - PAGE,
        _ => from,
    }
}

/// Draws a text from a line on; the line that is first, where the text has none so far down.
fn draw(text: &str, from: usize, age: Option<Duration>, look: Look, area: Rect, buffer: &mut Buffer) -> usize {
    let [body, foot] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    let lines: Vec<Line<'_>> = text.lines().map(|line| coloured(line, look)).collect();
    let rows = usize::from(body.height);
    let from = from.min(lines.len().saturating_sub(rows));
    let more = lines.len().saturating_sub(from + rows);
    Paragraph::new(lines.into_iter().skip(from).take(rows).collect::<Vec<_>>()).render(body, buffer);
    let age = age.map_or(String::new(), |age| format!("read {} s ago · ", age.as_secs()));
    let below = if more > 0 { format!(" · {more} more lines below") } else { String::new() };
    Paragraph::new(Line::styled(format!("{age}q leaves{below}"), look.faint())).render(foot, buffer);
    look.made_plain(buffer);
    from
}

/// Colours of a terminal in a line, and what they are here.
const COLOURS: [(&str, Color); 3] = [("\u{1b}[31m", Color::Red), ("\u{1b}[32m", Color::Green), ("\u{1b}[33m", Color::Yellow)];

/// A line of text in the colour that it carries.
fn coloured(line: &str, look: Look) -> Line<'static> {
    let bare = anstream::adapter::strip_str(line).to_string();
    let colour = COLOURS.iter().find(|(code, _)| line.contains(code));
    let style = colour.map_or(Style::new(), |(_, colour)| look.coloured(*colour));
    let is_bold = look.colour && line.contains("\u{1b}[1m");
    Line::styled(bare, if is_bold { style.add_modifier(Modifier::BOLD) } else { style })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    const LOOK: Look = Look { colour: true, unicode: true, log_steps: true };

    fn drawn(text: &str, from: usize, rows: u16) -> (Vec<String>, usize) {
        let mut terminal = Terminal::new(TestBackend::new(60, rows)).expect("a screen in memory");
        let mut first = 0;
        terminal
            .draw(|frame| first = draw(text, from, Some(Duration::from_secs(3)), LOOK, frame.area(), frame.buffer_mut()))
            .expect("drawn");
        let cells: Vec<String> = terminal.backend().buffer().content.iter().map(|cell| cell.symbol().to_owned()).collect();
        (cells.chunks(60).map(|row| row.concat().trim_end().to_owned()).collect(), first)
    }

    #[test]
    fn a_text_is_shown_from_a_line_on_without_its_codes() {
        let text = format!("\u{1b}[33mtwo sick\u{1b}[0m\n{}", (1..=8).map(|i| format!("line {i}\n")).collect::<String>());
        let (rows, from) = drawn(&text, 0, 5);
        assert_eq!((rows[0].as_str(), rows[3].as_str(), from), ("two sick", "line 3", 0));
        assert_eq!(rows[4], "read 3 s ago · q leaves · 5 more lines below");
        let (rows, from) = drawn(&text, moved(0, KeyCode::End), 5);
        assert_eq!((rows[3].as_str(), rows[4].as_str(), from), ("line 8", "read 3 s ago · q leaves", 5));
        assert_eq!(coloured("\u{1b}[33mtwo\u{1b}[0m", LOOK).style.fg, Some(Color::Yellow));
        assert_eq!(coloured("\u{1b}[33mtwo\u{1b}[0m", Look { colour: false, ..LOOK }).style.fg, None);
        assert_eq!([moved(4, KeyCode::Up), moved(0, KeyCode::Up), moved(4, KeyCode::PageDown)], [3, 0, 14]);
    }

    #[test]
    fn a_change_of_any_file_below_is_seen() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let paths = [folder.path().to_owned()];
        fs::create_dir(folder.path().join("deep")).expect("a folder");
        let file = folder.path().join("deep/log.csv");
        let mut states = vec![state_of(&paths, None)];
        fs::write(&file, "a").expect("written");
        states.push(state_of(&paths, None));
        assert_eq!(state_of(&paths, None), states[1], "nothing changed");
        fs::write(&file, "ab").expect("written");
        states.push(state_of(&paths, None));
        fs::rename(&file, folder.path().join("deep/other.csv")).expect("renamed");
        states.push(state_of(&paths, None));
        fs::remove_file(folder.path().join("deep/other.csv")).expect("removed");
        states.push(state_of(&paths, None));
        // The page that is written beside them changes nothing.
        let page = folder.path().join("page.html");
        fs::write(&page, "a").expect("written");
        assert_eq!(state_of(&paths, Some(&page)), *states.last().expect("a state"));
        states.push(state_of(&paths, None));
        assert!(states.windows(2).all(|pair| pair[0] != pair[1]), "{states:?}");
        assert_eq!(states[4], states[0], "the file is gone");
        assert_eq!(state_of(&[folder.path().join("gone")], None), state_of(&[folder.path().join("gone")], None));
    }
}
