//! `log_line_prefix`: what the server writes before the severity of each message.

use crate::entry::Parts;
use crate::text::Text;

/// A prefix, as `log_line_prefix` describes it (PostgreSQL 12 to 18, `log_status_format`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(Vec<u8>),
    Field {
        escape: u8,
        /// A width was given: blanks before or behind it.
        padded: bool,
    },
    /// `%q`: processes without a session stop here.
    Stop,
}

/// Steps that one line may take in all: a hostile name must not cost more.
pub(crate) const STEPS: u32 = 50_000;

/// More pieces than that are no prefix that anybody wrote.
const TOKENS: usize = 64;

/// Tried where the configuration is not known; each must fit wholly, so that their order matters little.
const KNOWN: &[&str] = &[
    // Kasm's own postgresql.conf, 1.10 and later.
    "< %m %a %u %d %r %p %i %e %s %c:>",
    // PostgreSQL's default, and Debian's.
    "%m [%p] ",
    "%m [%p] %q%u@%d ",
    "%m [%p] %q[user=%u,db=%d,app=%a] ",
    // What pgBadger's manual recommends, and the hosted services.
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%m [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t:%r:%u@%d:[%p]:",
    "%t [%p] user=%u db=%d app=%a client=%h ",
    "%m [%p] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p] ",
    "",
];

/// Gives the prefixes that are widely used.
pub(crate) fn known() -> impl Iterator<Item = Prefix> {
    KNOWN.iter().map(|text| Prefix::new(text.as_bytes()))
}

impl Prefix {
    /// Reads the value of `log_line_prefix`.
    pub fn new(text: &[u8]) -> Self {
        let mut tokens = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text;
        while let Some((&byte, mut behind)) = rest.split_first() {
            if byte != b'%' {
                literal.push(byte);
                rest = behind;
                continue;
            }
            let width = behind.iter().take_while(|b| **b == b'-' || b.is_ascii_digit()).count();
            behind = &behind[width..];
            // The server leaves out a `%` at the end and escapes that it does not know.
            let Some((&escape, behind)) = behind.split_first() else { break };
            rest = behind;
            let token = match escape {
                b'%' => {
                    literal.push(b'%');
                    continue;
                }
                b'q' => Token::Stop,
                b'a' | b'b' | b'c' | b'd' | b'e' | b'h' | b'i' | b'l' | b'L' | b'm' | b'n' | b'p' | b'P'
                | b'Q' | b'r' | b's' | b't' | b'u' | b'v' | b'x' => {
                    Token::Field { escape, padded: width > 0 }
                }
                _ => continue,
            };
            if !literal.is_empty() {
                tokens.push(Token::Literal(std::mem::take(&mut literal)));
            }
            tokens.push(token);
        }
        if !literal.is_empty() {
            tokens.push(Token::Literal(literal));
        }
        tokens.truncate(TOKENS);
        Self { tokens }
    }

    /// Gives the pieces of a text that is wholly a prefix of this kind, where that takes no more steps.
    pub(crate) fn parts<'a>(&self, text: &'a [u8], steps: &mut u32) -> Option<Parts<'a>> {
        // Names without blanks first: `%a %u %d` says nothing about where the blanks are.
        [false, true].into_iter().find_map(|blanks| {
            let mut run = Run { text, blanks, steps: *steps, parts: Parts::default() };
            let fits = run.fits(&self.tokens, 0);
            *steps = run.steps;
            fits.then_some(run.parts)
        })
    }
}

struct Run<'a> {
    text: &'a [u8],
    blanks: bool,
    steps: u32,
    parts: Parts<'a>,
}

impl<'a> Run<'a> {
    fn fits(&mut self, tokens: &[Token], at: usize) -> bool {
        let Some(steps) = self.steps.checked_sub(1) else { return false };
        self.steps = steps;
        let text = self.text;
        let Some((token, rest)) = tokens.split_first() else { return at == text.len() };
        match token {
            Token::Literal(literal) => text[at..].starts_with(literal) && self.fits(rest, at + literal.len()),
            Token::Stop => at == text.len() || self.fits(rest, at),
            &Token::Field { escape, padded } => {
                let lead = if padded { text[at..].iter().take_while(|b| **b == b' ').count() } else { 0 };
                let start = at + lead;
                let mut length = Some(0);
                while let Some(candidate) = length {
                    let end = start + candidate;
                    if self.is(escape, &text[start..end]) {
                        let trail =
                            if padded { text[end..].iter().take_while(|b| **b == b' ').count() } else { 0 };
                        // A width may end before the blank of a literal does.
                        if (0..=trail).rev().any(|trail| self.fits(rest, end + trail)) {
                            self.note(escape, &text[start..end]);
                            return true;
                        }
                    }
                    length = (end < text.len() && self.goes_on(escape, text[end])).then_some(candidate + 1);
                }
                false
            }
        }
    }

    /// Tells whether a byte can be part of such a field.
    fn goes_on(&self, escape: u8, byte: u8) -> bool {
        match escape {
            b'p' | b'P' | b'l' | b'x' => byte.is_ascii_digit(),
            b'Q' => byte.is_ascii_digit() || byte == b'-',
            b'n' => byte.is_ascii_digit() || byte == b'.',
            b'v' => byte.is_ascii_digit() || byte == b'/',
            b'c' => byte.is_ascii_hexdigit() || byte == b'.',
            b'e' => byte.is_ascii_alphanumeric(),
            b't' | b'm' | b's' => byte.is_ascii_alphanumeric() || b"-+: .".contains(&byte),
            b'r' | b'h' | b'L' => byte != b' ',
            b'u' | b'd' => self.blanks || byte != b' ',
            _ => true,
        }
    }

    /// Tells whether a text is such a field as a whole.
    fn is(&mut self, escape: u8, text: &[u8]) -> bool {
        match escape {
            b'p' => !text.is_empty(),
            b't' | b's' => is_time(text, false),
            b'm' => is_time(text, true),
            b'e' => text.len() == 5,
            b'c' => {
                let mut halves = text.split(|b| *b == b'.');
                let full = |half: Option<&[u8]>| half.is_some_and(|half| !half.is_empty());
                full(halves.next()) && full(halves.next()) && halves.next().is_none()
            }
            b'r' => text.is_empty() || text == b"[local]" || remote(text).is_some(),
            _ => true,
        }
    }

    fn note(&mut self, escape: u8, text: &'a [u8]) {
        let parts = &mut self.parts;
        // The server writes this for a name that is empty.
        let is_nothing = text.is_empty() || matches!(escape, b'a' | b'u' | b'd') && text == b"[unknown]";
        let some = (!is_nothing).then_some(Text::plain(text));
        match escape {
            b't' | b'm' | b'n' => parts.time = some,
            b'u' => parts.user = some,
            b'd' => parts.database = some,
            b'a' => parts.application = some,
            b'p' => parts.pid = some,
            b'c' => parts.session = some,
            b'h' => parts.host = some,
            b'r' => match remote(text) {
                Some((host, port)) => {
                    parts.host = Some(Text::plain(host));
                    parts.port = Some(Text::plain(port));
                }
                None => parts.host = some,
            },
            _ => {}
        }
    }
}

/// Splits `host(port)`.
fn remote(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_suffix(b")")?;
    let open = inside.iter().rposition(|b| *b == b'(')?;
    let port = &inside[open + 1..];
    (open > 0 && crate::message::is_number(port)).then_some((&inside[..open], port))
}

/// Tells whether a text is a time with its zone, as the server writes it.
fn is_time(text: &[u8], milliseconds: bool) -> bool {
    let shape: &[u8] = if milliseconds { b"dddd-dd-dd dd:dd:dd.ddd " } else { b"dddd-dd-dd dd:dd:dd " };
    let fits = |(byte, shape): (&u8, &u8)| if *shape == b'd' { byte.is_ascii_digit() } else { byte == shape };
    if text.len() <= shape.len() || !text.iter().zip(shape).all(fits) {
        return false;
    }
    match &text[shape.len()..] {
        [b'+' | b'-', offset @ ..] => {
            let fits = |shape: &[u8]| offset.len() == shape.len() && offset.iter().zip(shape).all(fits);
            fits(b"dd") || fits(b"dddd") || fits(b"dd:dd") || fits(b"dd:dd:dd")
        }
        zone => zone.iter().all(u8::is_ascii_alphabetic),
    }
}

/// Finds what can be told apart in an unknown prefix.
pub(crate) fn guess(head: &[u8]) -> Parts<'_> {
    let mut parts = Parts::default();
    let value = |name: &str| {
        let at = memchr::memmem::find(head, name.as_bytes())? + name.len();
        let end = head[at..].iter().position(|b| b" ,;|]".contains(b)).unwrap_or(head.len() - at);
        (end > 0).then(|| Text::plain(&head[at..at + end]))
    };
    parts.time = (0..head.len()).find_map(|start| {
        let rest = head.get(start..start + 19)?;
        if !rest[0].is_ascii_digit() || rest[10] != b' ' {
            return None;
        }
        let longest = (start + 21..=head.len().min(start + 36))
            .rev()
            .find(|end| is_time(&head[start..*end], true) || is_time(&head[start..*end], false))?;
        Some(Text::plain(&head[start..longest]))
    });
    parts.user = value("user=");
    parts.database = value("db=").or_else(|| value("database="));
    parts.application = value("app=");
    parts.host = value("client=").or_else(|| value("host="));
    let bracket = head.iter().position(|b| *b == b'[').and_then(|open| {
        let close = open + 1 + head[open + 1..].iter().position(|b| *b == b']')?;
        let inside = &head[open + 1..close];
        crate::message::is_number(inside).then(|| Text::plain(inside))
    });
    parts.pid = value("pid=").or(bracket);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(prefix: &str, text: &str) -> Option<String> {
        let parts = Prefix::new(prefix.as_bytes()).parts(text.as_bytes(), &mut { STEPS })?;
        let shown = |part: Option<Text<'_>>| {
            part.map_or("-".into(), |part| String::from_utf8_lossy(&part.bytes()).into_owned())
        };
        let parts = [
            parts.time,
            parts.user,
            parts.database,
            parts.host,
            parts.port,
            parts.pid,
            parts.session,
            parts.application,
        ];
        Some(parts.map(shown).join("|"))
    }

    #[test]
    fn the_pieces_of_a_prefix_are_found() {
        for (prefix, text, pieces) in [
            (
                "< %m %a %u %d %r %p %i %e %s %c:>",
                "< 2026-11-22 22:46:35.866 UTC psql postgres kasm 10.0.0.5(53412) 27533 CREATE TABLE 00000 2026-11-22 22:46:35 UTC 6b0370cb.6b8d:>",
                "2026-11-22 22:46:35.866 UTC|postgres|kasm|10.0.0.5|53412|27533|6b0370cb.6b8d|psql",
            ),
            (
                "< %m %a %u %d %r %p %i %e %s %c:>",
                "< 2026-11-22 22:46:35.866 +0330 pgAdmin 4 - DB:kasm kasmapp kasm [local] 1 idle in transaction 00000 2026-11-22 22:46:35 +0330 6b.8d:>",
                "2026-11-22 22:46:35.866 +0330|kasmapp|kasm|[local]|-|1|6b.8d|pgAdmin 4 - DB:kasm",
            ),
            (
                "< %m %a %u %d %r %p %i %e %s %c:>",
                "< 2026-11-22 22:46:35.752 UTC     27524  00000 2026-11-22 22:46:35 UTC 6b0370cb.6b84:>",
                "2026-11-22 22:46:35.752 UTC|-|-|-|-|27524|6b0370cb.6b84|-",
            ),
            (
                "%m [%p] %q%u@%d ",
                "2026-11-22 22:46:35.752 CET [7] a b@c ",
                "2026-11-22 22:46:35.752 CET|a b|c|-|-|7|-|-",
            ),
            (
                "%m [%p] %q%u@%d ",
                "2026-11-22 22:46:35.752 CET [7] ",
                "2026-11-22 22:46:35.752 CET|-|-|-|-|7|-|-",
            ),
            (
                "%t:%r:%u@%d:[%p]:",
                "2026-11-22 22:46:35 UTC:10.0.0.1(5):a@b:[9]:",
                "2026-11-22 22:46:35 UTC|a|b|10.0.0.1|5|9|-|-",
            ),
            ("%-6u|%5p|", "bob   |   42|", "-|bob|-|-|-|42|-|-"),
            ("%n %p%%%", "1700000000.123 5%", "1700000000.123|-|-|-|-|5|-|-"),
            ("", "", "-|-|-|-|-|-|-|-"),
        ] {
            assert_eq!(show(prefix, text).as_deref(), Some(pieces), "{prefix}");
        }
        assert_eq!(show("%m [%p] ", "2026-11-22 22:46:35.752 UTC [x] "), None);
        assert_eq!(show("%m [%p] ", "2026-11-22 22:46:35.752 UTC [1] more"), None);
    }

    #[test]
    fn a_hostile_name_costs_no_more_than_others() {
        let text = "a ".repeat(2000);
        assert_eq!(show("%a %u %d %a %i %a %u %d %p", &text), None);
    }

    #[test]
    fn an_unknown_prefix_tells_what_can_be_told_apart() {
        let parts = guess(b"kasm_db | 2026-11-22 22:46:35.752 UTC [77] user=bob,db=kasm ");
        assert_eq!(&parts.time.unwrap().bytes()[..], b"2026-11-22 22:46:35.752 UTC");
        assert_eq!(&parts.user.unwrap().bytes()[..], b"bob");
        assert_eq!(&parts.database.unwrap().bytes()[..], b"kasm");
        assert_eq!(&parts.pid.unwrap().bytes()[..], b"77");
    }
}
