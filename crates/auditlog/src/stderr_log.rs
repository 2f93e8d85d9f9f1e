//! The server's log in words: `log_line_prefix`, a severity in the server's language, and the message.
//!
//! A message of several lines continues in lines that start with a tab, and so no message can forge the start of an entry.
//! Names of users and databases in the prefix can: they hold what a client sends, line feeds included, also if it has no
//! password. And what a function writes looks as an entry of pgaudit does, but for the lines that follow it. So an entry is
//! certain only if neither can be the case.

mod damage;
mod doubt;
mod head;
mod severity;

use crate::entry::{AuditEntry, Head, Parts, Visitor};
use crate::fault::Reason;
use crate::format::{Ending, LIMIT};
use crate::lines::{Lines, Next, Passed, count_lines, line_end, trim_end};
use crate::message::has_open_line;
use crate::prefix::Prefix;
use crate::text::Text;

use damage::Damage;
use doubt::{AHEAD, BACK, Behind};
use head::{Found, Heads, REACH};
use severity::Kind;

/// Reads a log in words.
#[derive(Debug)]
pub(crate) struct StderrLog {
    lines: Lines,
    heads: Heads,
    damage: Damage,
    scratch: Vec<u8>,
    /// What stands before the bytes that come next.
    before: Vec<u8>,
    /// The last entry, if nothing was there behind it when it was shown: its line, and its process.
    last: Option<(u64, Option<Vec<u8>>)>,
}

/// What stands around an entry.
#[derive(Clone, Copy)]
struct Around<'a> {
    before: &'a [u8],
    /// The log from the entry on, as far as it is known.
    text: &'a [u8],
    /// Where the entry ends in it.
    end: usize,
}

impl StderrLog {
    pub(crate) fn new(prefix: Option<&Prefix>) -> Self {
        Self {
            lines: Lines::new(REACH),
            heads: Heads::new(prefix),
            damage: Damage::default(),
            scratch: Vec::new(),
            before: Vec::new(),
            last: None,
        }
    }

    /// Returns whether clients choose a part of the prefix, or may do so.
    pub(crate) fn has_client_names(&self) -> bool {
        self.heads.has_client_names()
    }

    /// Returns whether a line is one of such a log: a prefix, a severity, and a message.
    pub(crate) fn is_line(&self, line: &[u8]) -> bool {
        self.heads.is_line(line)
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
        self.look_back(bytes, ending, visitor);
        let done = self.lines(bytes, ending, line, visitor);
        self.before = self.before(&bytes[..done]);
        done
    }

    /// Returns what stands before the place up to which these bytes reach.
    fn before(&self, bytes: &[u8]) -> Vec<u8> {
        let missing = BACK.saturating_sub(bytes.len()).min(self.before.len());
        [&self.before[self.before.len() - missing..], &bytes[bytes.len().saturating_sub(BACK)..]].concat()
    }

    /// Looks at what follows an entry that was shown before anything followed it.
    fn look_back(&mut self, bytes: &[u8], ending: Ending, visitor: &mut impl Visitor) {
        if bytes.is_empty() || ending == Ending::More && line_end(bytes).is_none() {
            return;
        }
        let Some((line, process)) = self.last.take() else { return };
        let process = process.as_deref().map(Text::plain);
        if self.heads.behind(bytes, process) == Behind::Function {
            visitor.fault(line, Reason::Function);
        }
    }

    fn lines(&mut self, bytes: &[u8], ending: Ending, line: &mut u64, visitor: &mut impl Visitor) -> usize {
        let last = ending == Ending::End;
        let mut at = 0;
        loop {
            let Self { lines, heads, damage, .. } = self;
            let mut passes = |passed: Passed<'_>, line: u64| damage.look(passed, line, heads, visitor);
            match lines.next(bytes, at, last, line, &mut passes) {
                Next::Line(start) => at = start,
                Next::Nothing(done) => {
                    if last {
                        self.damage.end(visitor);
                    }
                    return done;
                }
            }
            let rest = &bytes[at..];
            if rest[0] == b'\t' {
                self.damage.first(rest, *line, &self.heads);
                self.lines.leave();
                continue;
            }
            let (end, lines, is_whole) = entry_end(&rest[..rest.len().min(LIMIT)]);
            let text = &rest[..rest.len().min(LIMIT)];
            let before = self.before(&bytes[..at]);
            let around = Around { before: &before, text, end };
            if !is_whole && rest.len() >= LIMIT {
                self.entry(&rest[..LIMIT], around, true, Reason::Quotes, *line, visitor);
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
                if ending != Ending::Pause || !is_line || !self.is_well_formed(rest, around) {
                    return at;
                }
            }
            if is_whole && !last && rest.len() < LIMIT {
                let has_next = rest.len() - end >= REACH || line_end(&rest[end..]).is_some();
                if !has_next || ending == Ending::More && rest.len() < AHEAD {
                    return at;
                }
            }
            let end = if last && !is_whole { rest.len() } else { end };
            let record = &rest[..end];
            if let Some(hole) = memchr::memchr(0, record) {
                // What the zeros touch is lost. A line may start behind them.
                self.damage.first(record, *line, &self.heads);
                visitor.fault(*line, Reason::Zeros);
                let zeros = record[hole..].iter().take_while(|byte| **byte == 0).count();
                *line += count_lines(&record[..hole]);
                at += hole + zeros;
                self.lines.behind_zeros();
                continue;
            }
            let is_cut = last && !record.ends_with(b"\n");
            let broken = if is_cut { Reason::End } else { Reason::Quotes };
            let process = self.entry(record, Around { end, ..around }, false, broken, *line, visitor);
            self.last = (end == rest.len()).then_some((*line, process));
            *line += lines;
            at += end;
        }
    }

    fn is_well_formed(&mut self, record: &[u8], around: Around<'_>) -> bool {
        #[derive(Default)]
        struct Count(usize, usize);
        impl Visitor for Count {
            fn entry(&mut self, _: &AuditEntry<'_>) {
                self.0 += 1;
            }
            fn fault(&mut self, _: u64, _: Reason) {
                self.1 += 1;
            }
        }
        let mut count = Count::default();
        let before = self.damage.clone();
        self.entry(record, around, false, Reason::Quotes, 0, &mut count);
        self.damage = before;
        count.0 > 0 && count.1 == 0
    }

    /// Reads an entry, and what a torn one has on its line from the next one. Returns the entry's process.
    fn entry(
        &mut self,
        mut record: &[u8],
        around: Around<'_>,
        cut: bool,
        broken: Reason,
        mut line: u64,
        visitor: &mut impl Visitor,
    ) -> Option<Vec<u8>> {
        let mut around = Some(around);
        loop {
            let reason = match self.read(record, around, cut, line, visitor) {
                Ok(process) => return process,
                Err(reason) => reason,
            };
            let other = matches!(reason, Reason::Prefix | Reason::Syslog | Reason::Function);
            visitor.fault(line, if broken == Reason::End && !other { broken } else { reason });
            // In an error a client may quote anything.
            let is_whole = matches!(reason, Reason::Prefix | Reason::Function);
            let start = if is_whole { None } else { self.heads.start_within(record) }?;
            line += count_lines(&record[..start]);
            record = &record[start..];
            around = None;
        }
    }

    /// Reads an entry. One that is not a whole line, of which nothing is known around it, may be a client's words: it is
    /// uncertain.
    fn read(
        &mut self,
        record: &[u8],
        around: Option<Around<'_>>,
        cut: bool,
        line: u64,
        visitor: &mut impl Visitor,
    ) -> Result<Option<Vec<u8>>, Reason> {
        let first = trim_end(&record[..line_end(record).unwrap_or(record.len())]);
        if around.is_some() {
            self.damage.first(record, line, &self.heads);
        }
        let was_in_doubt = self.damage.is_in_doubt();
        let mut located = self.heads.locate(first);
        if let (Err(Reason::Prefix), Some(Around { before, text, .. })) = (&located, around)
            && self.heads.is_other(first, before, &text[..text.len().min(AHEAD)])
        {
            located = Ok(None);
        }
        let mut is_own = match &located {
            Ok(Some(found)) => found.prefix.is_some_and(|prefix| self.heads.is_own(prefix)),
            Err(Reason::Torn) => false,
            // The statement of an error may hold anything.
            Ok(None) | Err(_) => self.heads.starts_as_own(first),
        };
        if let Ok(Some(Found { prefix: Some(prefix), .. })) = &located
            && !is_own
            && self.damage.changes(*prefix)
        {
            self.heads.adopt(*prefix);
            is_own = true;
        }
        self.damage.pass(record, is_own || !self.heads.is_confirmed());
        let Some(found) = located? else { return Ok(None) };
        if around.is_some() && self.heads.prefix().is_some() {
            self.damage.start(visitor);
        }
        let Found { parts, message, other, mut likely, is_certain, colon, kind, .. } = found;
        let is_alone = || {
            around.is_some_and(|Around { before, text, .. }| {
                !self.heads.may_be_within(before, &text[..text.len().min(AHEAD)], colon)
            })
        };
        // A statement that could not be parsed may be an entry, word for word.
        if matches!(kind, Kind::Belonging | Kind::Place) {
            return if is_certain && is_alone() { Ok(None) } else { Err(Reason::Prefix) };
        }
        let process = parts.process();
        let behind = around.map(|around| match &around.text[around.end..] {
            [] => Behind::Message,
            next => self.heads.behind(next, process),
        });
        if behind == Some(Behind::Function) {
            return Err(Reason::Function);
        }
        let is_sure =
            is_own && !was_in_doubt && kind == Kind::Message && behind == Some(Behind::Message) && is_alone();
        let head = if is_certain && is_sure {
            self.heads.learn(first);
            match likely {
                None => Head::Parts(parts),
                Some(likely) => Head::Named { common: parts, likely },
            }
        } else {
            likely = likely.or_else(|| is_certain.then(|| Box::new(parts)));
            let common = if is_sure { parts } else { Parts { time: parts.time, ..Parts::default() } };
            Head::Uncertain { common, likely }
        };
        let process = process.map(|process| process.bytes().into_owned());
        self.unfold(record, message, cut);
        let Some(other) = other else { return self.hand(visitor, line, head, cut).map(|()| process) };
        if self.hand(visitor, line, head.clone(), cut).is_err() {
            self.unfold(record, other, cut);
            self.hand(visitor, line, head, cut)?;
        }
        Ok(process)
    }

    /// Hands out the entry of the message that was taken out of its lines.
    fn hand(&self, visitor: &mut impl Visitor, line: u64, head: Head<'_>, cut: bool) -> Result<(), Reason> {
        // pgaudit puts a field that holds a line feed in quotes.
        if !cut && has_open_line(&self.scratch) {
            return Err(Reason::Quotes);
        }
        AuditEntry::hand(visitor, line, head, &self.scratch, cut)
    }

    /// Extracts a message from its lines.
    fn unfold(&mut self, record: &[u8], message: usize, cut: bool) {
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
    }
}

/// Returns the end of an entry, its lines, and whether what follows shows that it ends there.
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
    use crate::{AuditEntry, Ending, Reason, Scanner, Visitor};

    #[derive(Default)]
    struct Counted(usize, Vec<Reason>);

    impl Visitor for Counted {
        fn entry(&mut self, entry: &AuditEntry<'_>) {
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
