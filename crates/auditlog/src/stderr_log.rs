//! The server's log in words: `log_line_prefix`, a severity in the server's language, and the message.
//!
//! A message of several lines goes on in lines that start with a tab. Nothing that a client sends makes a line
//! without one, so that no client can forge the start of an entry.

use memchr::memmem;

use crate::entry::{Entry, Head, Parts, Visitor};
use crate::fault::Reason;
use crate::lines::{Lines, Next, line_end, trim_end};
use crate::message::{self, MARK};
use crate::prefix::{Prefix, STEPS, guess, known};
use crate::scanner::{Ending, LIMIT};
use crate::text::Text;

/// What stands before a message is shorter.
const REACH: usize = 4096;

/// What stands between a severity and its message.
const COLON: &[u8] = b":  ";

/// Reads a log in words.
#[derive(Debug)]
pub(crate) struct StderrLog {
    lines: Lines,
    /// The prefix of the server's configuration, and those that are widely used.
    prefixes: Vec<Prefix>,
    /// The one that fitted last.
    fitting: usize,
    scratch: Vec<u8>,
}

impl StderrLog {
    pub(crate) fn new(prefix: Option<&Prefix>) -> Self {
        let prefixes = prefix.cloned().into_iter().chain(known()).collect();
        Self { lines: Lines::new(REACH), prefixes, fitting: 0, scratch: Vec::new() }
    }

    /// Reads what is whole, and gives the number of bytes that are done with.
    ///
    /// Only the line behind an entry tells that it is whole. At a pause, an entry that is well-formed counts
    /// as whole.
    pub(crate) fn scan(
        &mut self,
        bytes: &[u8],
        ending: Ending,
        line: &mut u64,
        visitor: &mut impl Visitor,
    ) -> usize {
        let last = ending == Ending::End;
        let mut at = 0;
        loop {
            match self.lines.next(bytes, at, last, line) {
                Next::Line(start) => at = start,
                Next::Nothing(done) => return done,
            }
            let rest = &bytes[at..];
            if rest[0] == b'\t' {
                self.lines.leave();
                continue;
            }
            let (end, lines, is_whole) = entry_end(&rest[..rest.len().min(LIMIT)]);
            if !is_whole && rest.len() >= LIMIT {
                self.entry(&rest[..LIMIT], true, Reason::Quotes, *line, visitor);
                *line += lines;
                self.lines.leave();
                at += LIMIT;
                // Behind a line feed the next line is not one that is done with.
                if rest[LIMIT - 1] == b'\n' {
                    at -= 1;
                    *line -= 1;
                }
                continue;
            }
            if !is_whole && !last {
                let is_line = end == rest.len() && rest.ends_with(b"\n");
                if ending != Ending::Pause || !is_line || !self.is_well_formed(rest) {
                    return at;
                }
            }
            let end = if last && !is_whole { rest.len() } else { end };
            let record = &rest[..end];
            let is_cut = last && !record.ends_with(b"\n");
            self.entry(record, false, if is_cut { Reason::End } else { Reason::Quotes }, *line, visitor);
            *line += lines;
            at += end;
        }
    }

    fn is_well_formed(&mut self, record: &[u8]) -> bool {
        struct Count(usize);
        impl Visitor for Count {
            fn entry(&mut self, _: &Entry<'_>) {
                self.0 += 1;
            }
            fn fault(&mut self, _: u64, _: Reason) {}
        }
        let mut count = Count(0);
        self.entry(record, false, Reason::Quotes, 0, &mut count);
        count.0 > 0
    }

    fn entry(&mut self, record: &[u8], cut: bool, broken: Reason, line: u64, visitor: &mut impl Visitor) {
        let first = line_end(record).unwrap_or(record.len());
        let (parts, message) = match self.locate(trim_end(&record[..first])) {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(reason) => return visitor.fault(line, reason),
        };
        // A file that went through Windows has carriage returns on all lines; a statement has its own.
        let windows = !cut && record.ends_with(b"\r\n");
        let rest = if cut { record } else { record.strip_suffix(b"\n").unwrap_or(record) };
        self.scratch.clear();
        for (index, piece) in rest[message..].split(|b| *b == b'\n').enumerate() {
            let piece = if windows { piece.strip_suffix(b"\r").unwrap_or(piece) } else { piece };
            if index > 0 {
                self.scratch.push(b'\n');
            }
            let piece = if index > 0 { piece.strip_prefix(b"\t").unwrap_or(piece) } else { piece };
            self.scratch.extend_from_slice(piece);
        }
        let checked = if cut { message::check_cut(&self.scratch) } else { message::check(&self.scratch) };
        match checked {
            Ok(start) => {
                let message = Text::plain(&self.scratch);
                visitor.entry(&Entry::new(line, Head::Parts(parts), message, start, cut));
            }
            Err(_) if broken == Reason::End => visitor.fault(line, Reason::End),
            Err(reason) => visitor.fault(line, reason),
        }
    }

    /// Finds where the message behind [`MARK`] starts; `None` where the line is another message.
    ///
    /// The first severity behind a prefix counts: what follows may quote anything. Where something looks
    /// like an entry and is not taken for one, that is an error: names that a client chooses are part of
    /// some prefixes, and must not hide an entry.
    fn locate<'a>(&mut self, line: &'a [u8]) -> Result<Option<(Parts<'a>, usize)>, Reason> {
        if !looks_like_audit(line) {
            return Ok(None);
        }
        if is_syslog(line) {
            return Err(Reason::Syslog);
        }
        let head = &line[..line.len().min(REACH + MARK.len())];
        let count = self.prefixes.len();
        let mut steps = STEPS;
        for turn in 0..count {
            let index = (self.fitting + turn) % count;
            for colon in memmem::find_iter(head, COLON) {
                let fitting = starts_of_word(&head[..colon])
                    .find_map(|start| self.prefixes[index].parts(&line[..start], &mut steps));
                if let Some(parts) = fitting {
                    self.fitting = index;
                    return audit_at(line, colon).map(|message| Some((parts, message)));
                }
            }
        }
        let colon = memmem::find(head, COLON).ok_or(Reason::Prefix)?;
        let start = starts_of_word(&head[..colon]).next().unwrap_or(colon);
        let parts = guess(&line[..start]);
        audit_at(line, colon).map(|message| Some((parts, message)))
    }
}

fn audit_at(line: &[u8], colon: usize) -> Result<usize, Reason> {
    let mut message = colon + COLON.len();
    // `log_error_verbosity = verbose` writes the SQLSTATE in front: `LOG:  00000: AUDIT: …`.
    let is_state = |state: &[u8]| state.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    if let Some((state, rest)) = line[message..].split_at_checked(5)
        && is_state(state)
        && rest.starts_with(b": ")
        && line[message + 7..].starts_with(MARK)
    {
        message += 7;
    }
    if line[message..].starts_with(MARK) { Ok(message + MARK.len()) } else { Err(Reason::Prefix) }
}

/// Gives the places where a severity that ends here may start, the longest first.
fn starts_of_word(head: &[u8]) -> impl Iterator<Item = usize> {
    let is_letter = |b: &u8| b.is_ascii_alphabetic() || *b >= 0x80;
    let length = head.iter().rev().take_while(|b| is_letter(b)).count();
    head.len() - length..head.len()
}

/// Tells whether a line holds `AUDIT: SESSION,1` or `AUDIT: OBJECT,1`.
fn looks_like_audit(line: &[u8]) -> bool {
    memmem::find_iter(line, MARK).any(|at| {
        let rest = &line[at + MARK.len()..];
        let rest = rest.strip_prefix(b"SESSION,").or_else(|| rest.strip_prefix(b"OBJECT,"));
        rest.and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
    })
}

/// Tells whether a line has the mark of PostgreSQL's syslog writer: `postgres[123]: [4-1] `.
fn is_syslog(line: &[u8]) -> bool {
    let Some(at) = memmem::find(line, b"]: [") else { return false };
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = &line[at + 4..];
    let first = digits(rest);
    let Some(rest) = rest[first..].strip_prefix(b"-") else { return false };
    let second = digits(rest);
    first > 0 && second > 0 && rest[second..].starts_with(b"] ")
}

/// Gives the end of an entry, its lines, and whether what follows shows that it ends there.
fn entry_end(bytes: &[u8]) -> (usize, u64, bool) {
    let (mut end, mut lines) = (0, 0);
    while let Some(found) = line_end(&bytes[end..]) {
        end += found;
        lines += 1;
        match bytes.get(end) {
            Some(b'\t') => {}
            Some(_) => return (end, lines, true),
            None => break,
        }
    }
    (end, lines, false)
}

#[cfg(test)]
mod tests {
    use crate::{Ending, Entry, Reason, Scanner, Visitor};

    #[derive(Default)]
    struct Counted(usize, Vec<Reason>);

    impl Visitor for Counted {
        fn entry(&mut self, entry: &Entry<'_>) {
            assert_eq!(entry.class(), b"READ");
            self.0 += 1;
        }
        fn fault(&mut self, _: u64, reason: Reason) {
            self.1.push(reason);
        }
    }

    #[test]
    fn a_sqlstate_in_front_of_the_message_is_part_of_neither() {
        let of = |message: &str| {
            let log = format!(
                "2026-01-01 00:00:00.000 UTC [7] LOG:  {message}SESSION,1,1,READ,SELECT,,,select 1,<none>\n"
            );
            let mut counted = Counted::default();
            Scanner::new(None).scan(log.as_bytes(), Ending::End, &mut counted);
            (counted.0, counted.1)
        };
        assert_eq!(of("AUDIT: "), (1, vec![]));
        assert_eq!(of("00000: AUDIT: "), (1, vec![]));
        for other in ["0000: AUDIT: ", "00000 AUDIT: ", "0000x: AUDIT: ", "00000: x AUDIT: "] {
            assert_eq!(of(other), (0, vec![Reason::Prefix]), "{other}");
        }
    }
}
