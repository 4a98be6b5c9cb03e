//! How a text is cut into fields: by what they are separated, where its header stands, and which lines are about the table and not
//! in it.

/// Lines that are looked at.
const SAMPLE: usize = 200;
/// What fields may be separated by, the usual first; blanks where nothing else separates any.
const SEPARATORS: [u8; 5] = [b',', b';', b'\t', b'|', b' '];

/// How a text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    /// Between two fields; a blank stands for any number of them.
    pub(super) separator: u8,
    /// Where the header begins, bytes from the beginning of the text.
    pub(super) header_at: usize,
    /// Lines before it that are passed over.
    pub(super) before: usize,
}

impl Dialect {
    /// Commas, and a header in the first line.
    pub(super) const PLAIN: Self = Self { separator: b',', header_at: 0, before: 0 };

    /// Finds out how a text is cut.
    pub(super) fn of(text: &str) -> Self {
        let lines = lines(text);
        let named = lines.first().and_then(|(_, line)| line.trim().strip_prefix("sep=")).and_then(|rest| rest.bytes().next());
        let lines = if named.is_some() { &lines[1..] } else { &lines[..] };
        let body: Vec<&str> = lines.iter().map(|(_, line)| *line).filter(|line| !line.starts_with('#')).collect();
        let separator = named.unwrap_or_else(|| separator(&body));
        let width = usual(&body, separator).0;
        // A title has one field where the table has several.
        let is_header = |line: &str| !line.starts_with('#') && (width < 2 || fields(line, separator) > 1);
        let Some(first) = lines.iter().position(|(_, line)| is_header(line)) else { return Self { separator, ..Self::PLAIN } };
        let passed = usize::from(named.is_some());
        // `# a,b` above numbers is a header, as some libraries write it.
        let marked = first.checked_sub(1).map(|at| (at, lines[at])).filter(|(_, (_, line))| {
            let bare = line.trim_start_matches(['#', ' ']);
            line.starts_with('#') && width > 1 && fields(bare, separator) == width && is_numbers(lines[first].1, separator)
        });
        match marked {
            Some((at, (start, line))) => {
                let header_at = start + line.len() - line.trim_start_matches(['#', ' ']).len();
                Self { separator, header_at, before: passed + at }
            }
            None => Self { separator, header_at: lines[first].0, before: passed + first },
        }
    }

    /// What separates fields, in words; nothing of commas.
    pub(super) fn said(self) -> Option<&'static str> {
        match self.separator {
            b',' => None,
            b';' => Some("fields separated by semicolons"),
            b'\t' => Some("fields separated by tabs"),
            b'|' => Some("fields separated by |"),
            b' ' => Some("fields separated by blanks"),
            _ => Some("fields separated as the line sep= says"),
        }
    }
}

/// The first lines that are not blank, each with where it begins.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let all = text.split('\n').map(|line| {
        let start = at;
        at += line.len() + 1;
        (start, line.trim_end_matches('\r'))
    });
    all.filter(|(_, line)| !line.trim().is_empty()).take(SAMPLE).collect()
}

/// The separator by which most lines have the same number of fields, more than one.
fn separator(lines: &[&str]) -> u8 {
    let usual = SEPARATORS[..4].iter().map(|&by| (usual(lines, by), by)).filter(|((width, _), _)| *width > 1);
    let best = usual.reduce(|best, next| if next.0.1 > best.0.1 { next } else { best });
    let of_blanks = || usual_blank(lines).then_some(b' ');
    best.map(|(_, by)| by).or_else(of_blanks).unwrap_or(b',')
}

fn usual_blank(lines: &[&str]) -> bool {
    let (width, count) = usual(lines, b' ');
    width > 1 && count == lines.len() && count > 1
}

/// The number of fields that most lines have, and how many do.
fn usual(lines: &[&str], separator: u8) -> (usize, usize) {
    let mut counts = std::collections::BTreeMap::new();
    lines.iter().for_each(|line| *counts.entry(fields(line, separator)).or_insert(0) += 1);
    counts.into_iter().max_by_key(|&(width, count)| (count, width)).unwrap_or((1, 0))
}

/// Fields of a line; what stands in quotes separates nothing.
fn fields(line: &str, separator: u8) -> usize {
    if separator == b' ' {
        return line.split_whitespace().count();
    }
    let mut quoted = false;
    let cuts = line.bytes().filter(|&byte| {
        quoted ^= byte == b'"';
        byte == separator && !quoted
    });
    cuts.count() + 1
}

fn is_numbers(line: &str, separator: u8) -> bool {
    line.split(char::from(separator)).all(|cell| cell.trim().is_empty() || cell.trim().parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (char, &str) {
        let found = Dialect::of(text);
        (char::from(found.separator), text[found.header_at..].lines().next().unwrap_or_default())
    }

    #[test]
    fn separators_are_those_by_which_the_lines_are_alike() {
        assert_eq!(of("a,b,c\n1,2,3\n"), (',', "a,b,c"));
        assert_eq!(of("a;b;c\n1;2;3,5\n4;5;6,5\n"), (';', "a;b;c"));
        assert_eq!(of("a\tb, c\n1\t2\n"), ('\t', "a\tb, c"));
        assert_eq!(of("a|b\n1|2\n"), ('|', "a|b"));
        assert_eq!(of("a  b c\n1 2   3\n"), (' ', "a  b c"));
        assert_eq!(of("only\n1\n2\n"), (',', "only"));
        assert_eq!(of("a,\"b;c;d\"\n1,2\n"), (',', "a,\"b;c;d\""));
        assert_eq!(of("sep=;\na;b\n1;2\n"), (';', "a;b"));
    }

    #[test]
    fn titles_and_comments_stand_before_a_header_and_a_header_may_be_marked_as_one() {
        assert_eq!(of("# of march, seed 0\na,b,c\n1,2,3\n"), (',', "a,b,c"));
        assert_eq!(of("My runs\n\na,b\n1,2\n3,4\n"), (',', "a,b"));
        assert_eq!(of("# a,b\n1,2\n3,4\n"), (',', "a,b"));
        assert_eq!(Dialect::of("x\ny\na,b\n1,2\n3,4\n5,6\n").before, 2);
        assert_eq!(of(""), (',', ""));
    }
}
