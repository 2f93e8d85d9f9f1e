//! The ways in which a text is a prefix.
//!
//! Names are the client's to choose, and so may hold what the rest of a prefix looks like. All ways are looked for: only
//! if there is one, the text says who did something.

use super::clock::{is_time, shape, starts_as};
use super::tag::is_tag;
use super::template::{Prefix, TOKENS, Token};
use crate::entry::Parts;
use crate::text::Text;

/// Steps that one line may take in all: a hostile name must not cost more.
pub(crate) const STEPS: u32 = 50_000;

/// A name that the server did not cut (`NAMEDATALEN`).
const NAME: usize = 63;

/// No time with its zone is longer: see [`Matching::time`].
const TIME: usize = 40;

/// Nor the number of a process, a line, a transaction or a session.
const NUMBER_LENGTH: usize = 40;

/// No other field is longer.
const FIELD: usize = 128;

/// From PostgreSQL 16 on, a byte of `application_name` that is not ASCII is written as four.
const ESCAPED_NAME: usize = 4 * NAME;

/// Which names are taken for names of users and databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Those that hold no spaces; a database holds no `@`, either. `%a %u %d` and `%u@%d` do not show where a name ends.
    Usual,
    /// Those that may be on one line.
    Line,
    /// The same, also of a prefix that nobody gave: with the signs that stand between its parts.
    Possible,
    /// Any bytes: whoever connects may send a name that holds line feeds, before a password is asked for, and so may a role or a
    /// database have one.
    Any,
}

/// One way in which a text is a prefix.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading<'a> {
    pub(crate) parts: Parts<'a>,
    /// Whether `%p` is the process of `%c`, and `%i` a command tag.
    pub(crate) is_consistent: bool,
}

impl Prefix {
    /// Calls for each way in which a text is wholly a prefix of this kind, while there are steps left.
    pub(crate) fn read<'a>(
        &self,
        text: &'a [u8],
        names: Names,
        steps: &mut u32,
        found: &mut impl FnMut(&Reading<'a>),
    ) {
        if !self.can_be(text) {
            return;
        }
        let guessed = self.guessed && names != Names::Possible;
        // Only a name holds a line feed.
        let line_feed = if names == Names::Any { memchr::memrchr(b'\n', text) } else { None };
        if line_feed.is_some_and(|at| longest_names(&self.tokens) <= at) {
            return;
        }
        let mut matching = Matching {
            text,
            reaches: line_feed.map_or(0, |at| at + 1),
            names,
            guessed,
            steps: *steps,
            spans: [Span::default(); TOKENS],
            depth: 0,
            found,
        };
        matching.tokens(&self.tokens, 0);
        *steps = matching.steps;
    }

    /// Returns how long a text of this kind may be.
    pub(crate) fn longest(&self) -> usize {
        longest(&self.tokens)
    }

    /// Returns quickly whether a text may be such a prefix: it ends as one does.
    fn can_be(&self, text: &[u8]) -> bool {
        match self.tokens.as_slice() {
            [] => text.is_empty(),
            [.., Token::Literal(end)] if !self.stops => text.ends_with(end),
            _ => true,
        }
    }
}

struct Matching<'a, 'f, F> {
    text: &'a [u8],
    /// So far the last name must reach.
    reaches: usize,
    names: Names,
    /// Whether the prefix is one of those that are tried.
    guessed: bool,
    steps: u32,
    /// The fields so far.
    spans: [Span; TOKENS],
    depth: usize,
    found: &'f mut F,
}

const DIGIT: u8 = 1;
/// Digits with what stands between them.
const NUMBER: u8 = 2;
const SESSION: u8 = 4;
const LETTER: u8 = 8;
/// A host's name or address, with its port.
const HOST: u8 = 16;
/// A usual name in a prefix that is tried, and any name there.
const WORD: u8 = 32;
const NAMED: u8 = 64;

/// What each byte can be part of.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let c = byte as u8;
        let (digit, letter) = (c.is_ascii_digit(), c.is_ascii_alphanumeric());
        let is_host =
            letter || matches!(c, b'.' | b':' | b'-' | b'_' | b'%' | b'[' | b']' | b'(' | b')' | b'?');
        let is_named = c != b',' && c != b'=';
        classes[byte] = (if digit { DIGIT } else { 0 })
            | (if digit || matches!(c, b'-' | b'.' | b'/') { NUMBER } else { 0 })
            | (if c.is_ascii_hexdigit() || c == b'.' { SESSION } else { 0 })
            | (if letter { LETTER } else { 0 })
            | (if is_host { HOST } else { 0 })
            | (if is_named && c != b' ' { WORD } else { 0 })
            | (if is_named { NAMED } else { 0 });
        byte += 1;
    }
    classes
};

/// Where a field is.
#[derive(Clone, Copy, Default)]
struct Span {
    escape: u8,
    start: usize,
    end: usize,
}

impl<'a, F: FnMut(&Reading<'a>)> Matching<'a, '_, F> {
    fn tokens(&mut self, tokens: &[Token], at: usize) {
        let Some(steps) = self.steps.checked_sub(1) else { return };
        self.steps = steps;
        let text = self.text;
        let Some((token, rest)) = tokens.split_first() else {
            if at == text.len() {
                self.end();
            }
            return;
        };
        match token {
            Token::Literal(literal) => {
                if text[at..].starts_with(literal) {
                    self.tokens(rest, at + literal.len());
                }
            }
            Token::Stop if at == text.len() => self.end(),
            Token::Stop => self.tokens(rest, at),
            &Token::Field { escape, padded } => self.field(escape, padded, rest, at),
        }
    }

    fn field(&mut self, escape: u8, padded: bool, rest: &[Token], at: usize) {
        let text = self.text;
        let spaces = |at: usize| text[at..].iter().take_while(|b| **b == b' ').count();
        let start = at + if padded { spaces(at) } else { 0 };
        if self.reaches > at
            && matches!(escape, b'u' | b'd')
            && start + NAME + longest_names(rest) < self.reaches
        {
            return;
        }
        let most = start + self.reach(escape, &text[start..]);
        if padded {
            for end in start..=most {
                let field = &text[start..end];
                if field.ends_with(b" ") || !self.is(escape, field) {
                    continue;
                }
                // A width may end before the space of a literal does.
                for trail in 0..=spaces(end) {
                    self.take(escape, start, end, rest, end + trail);
                }
            }
            return;
        }
        match rest.first() {
            None => self.candidate(escape, rest, start, Some(text.len()).filter(|end| *end <= most)),
            Some(Token::Literal(literal)) => {
                let within = &text[start..text.len().min(most + 1)];
                for found in memchr::memchr_iter(literal[0], within) {
                    let end = start + found;
                    let is_here = literal.len() == 1 || text[end..].starts_with(literal);
                    if is_here && self.is(escape, &text[start..end]) {
                        self.take(escape, start, end, &rest[1..], end + literal.len());
                    }
                }
            }
            Some(_) => {
                for end in start..=most {
                    self.candidate(escape, rest, start, Some(end));
                }
            }
        }
    }

    fn candidate(&mut self, escape: u8, rest: &[Token], start: usize, end: Option<usize>) {
        let text = self.text;
        if let Some(end) = end
            && self.is(escape, &text[start..end])
        {
            self.take(escape, start, end, rest, end);
        }
    }

    fn take(&mut self, escape: u8, start: usize, end: usize, rest: &[Token], next: usize) {
        self.spans[self.depth] = Span { escape, start, end };
        self.depth += 1;
        self.tokens(rest, next);
        self.depth -= 1;
    }

    fn end(&mut self) {
        let mut reading = Reading { is_consistent: true, ..Reading::default() };
        let mut process = None;
        for span in &self.spans[..self.depth] {
            note(&mut reading, &mut process, span.escape, &self.text[span.start..span.end]);
        }
        let pid = reading.parts.pid.map(|pid| pid.bytes());
        let pid = pid.and_then(|pid| std::str::from_utf8(&pid).ok()?.parse::<u32>().ok());
        reading.is_consistent &= pid.is_none() || process.is_none() || pid == process;
        (self.found)(&reading);
    }

    /// Returns how many bytes such a field may have.
    fn reach(&self, escape: u8, text: &[u8]) -> usize {
        let within = |most: usize| text.len().min(most);
        // The server replaces a line feed in them, or has none.
        let line = |most: usize| memchr::memchr(b'\n', &text[..within(most)]).unwrap_or(within(most));
        match escape {
            b'u' | b'd' if self.names == Names::Any => within(NAME),
            b'a' => {
                let most = line(ESCAPED_NAME);
                if memchr::memchr(b'\\', &text[..most]).is_some() { most } else { line(NAME) }
            }
            b'u' | b'd' if self.names == Names::Usual && !self.guessed => {
                let most = within(NAME);
                memchr::memchr(b' ', &text[..most]).unwrap_or(most)
            }
            b'u' | b'd' => self.run(escape, &text[..within(NAME)]),
            b'i' | b'b' => line(NAME + 1),
            b't' | b's' => self.time(text, false),
            b'm' => self.time(text, true),
            _ => self.run(escape, &text[..within(FIELD)]),
        }
    }

    fn run(&self, escape: u8, text: &[u8]) -> usize {
        let class = match escape {
            b'p' | b'P' | b'l' | b'x' => DIGIT,
            b'Q' | b'n' | b'v' => NUMBER,
            b'c' => SESSION,
            b'e' => LETTER,
            b'r' | b'h' | b'L' => HOST,
            b'u' | b'd' if self.guessed && self.names == Names::Usual => WORD,
            b'u' | b'd' if self.guessed => NAMED,
            _ => return text.len(),
        };
        text.iter().take_while(|byte| CLASSES[usize::from(**byte)] & class != 0).count()
    }

    /// Returns how far a time reaches with its zone.
    fn time(&self, text: &[u8], milliseconds: bool) -> usize {
        let shape = shape(milliseconds);
        if !starts_as(text, shape) {
            return 0;
        }
        let zone = text[shape.len()..].iter().take(12);
        shape.len() + zone.take_while(|byte| byte.is_ascii_alphanumeric() || b"-+:".contains(byte)).count()
    }

    /// Returns whether a name that may hold anything is left out: one with spaces behind an application with spaces, if no line
    /// feed is in it. Both of them together with a third name that holds a line feed may be any line of the log.
    fn is_far_fetched(&self, name: &[u8]) -> bool {
        let has = |text: &[u8], byte| memchr::memchr(byte, text).is_some();
        let mut spans = self.spans[..self.depth].iter().filter(|span| span.escape == b'a');
        spans.any(|span| has(&self.text[span.start..span.end], b' ')) && has(name, b' ') && !has(name, b'\n')
    }

    /// Returns whether a text is such a field as a whole.
    fn is(&self, escape: u8, text: &[u8]) -> bool {
        match escape {
            b'p' | b'l' | b'x' => !text.is_empty(),
            b't' | b's' => is_time(text, false),
            b'm' => is_time(text, true),
            b'e' => text.len() == 5,
            b'c' => session(text).is_some(),
            b'h' | b'L' => !text.iter().any(|byte| matches!(byte, b'(' | b')')),
            b'r' => matches!(text, b"" | b"[local]" | b"???") || remote(text).is_some(),
            b'a' => text.len() <= NAME || text.windows(2).any(|pair| pair == b"\\x"),
            b'd' if self.names == Names::Usual && text.contains(&b'@') => false,
            b'u' | b'd' => text.len() <= NAME && !(self.names == Names::Any && self.is_far_fetched(text)),
            _ => true,
        }
    }
}

/// Returns how long a text may be up to the last name in it.
fn longest_names(tokens: &[Token]) -> usize {
    let is_name = |token: &Token| matches!(token, Token::Field { escape: b'u' | b'd', .. });
    let last = tokens.iter().rposition(is_name).map_or(0, |at| at + 1);
    longest(&tokens[..last])
}

/// Returns how long a text may be.
fn longest(tokens: &[Token]) -> usize {
    let longest = |token: &Token| match token {
        Token::Literal(literal) => literal.len(),
        Token::Field { escape: b'u' | b'd' | b'a', padded: false } => NAME,
        // A width may be any.
        Token::Field { padded: true, .. } => 1024,
        Token::Field { escape: b'm' | b't' | b's', .. } => TIME,
        Token::Field { escape: b'p' | b'l' | b'x' | b'c', .. } => NUMBER_LENGTH,
        Token::Field { .. } => FIELD,
        Token::Stop => 0,
    };
    tokens.iter().map(longest).sum()
}

/// Keeps a field of a reading.
fn note<'a>(reading: &mut Reading<'a>, process: &mut Option<u32>, escape: u8, text: &'a [u8]) {
    let parts = &mut reading.parts;
    // The server writes this for a name that is empty, which is not the same as one that the prefix does not have.
    let is_name = matches!(escape, b'a' | b'u' | b'd');
    let text = if is_name && text == b"[unknown]" { &text[..0] } else { text };
    let some = (is_name || !text.is_empty()).then_some(Text::plain(text));
    match escape {
        b't' | b'm' | b'n' => parts.time = some,
        b'u' => parts.user = some,
        b'd' => parts.database = some,
        b'a' => parts.application = some,
        b'p' => parts.pid = some,
        b'c' => {
            parts.session = some;
            *process = session(text);
        }
        b'i' => reading.is_consistent &= is_tag(text),
        b'h' => parts.host = some,
        b'r' => match remote(text) {
            Some((host, port)) => {
                parts.host = Some(Text::plain(host));
                parts.port = Some(Text::plain(port));
            }
            None => (parts.host, parts.port) = (some, None),
        },
        _ => {}
    }
}

/// Returns the process of a session's id: `6b0370cb.6b8d`.
fn session(text: &[u8]) -> Option<u32> {
    let dot = memchr::memchr(b'.', text).filter(|dot| *dot > 0)?;
    u32::from_str_radix(std::str::from_utf8(&text[dot + 1..]).ok()?, 16).ok()
}

/// Splits `host(port)`.
fn remote(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_suffix(b")")?;
    let open = inside.iter().rposition(|b| *b == b'(')?;
    let port = &inside[open + 1..];
    (open > 0 && crate::message::is_number(port)).then_some((&inside[..open], port))
}
