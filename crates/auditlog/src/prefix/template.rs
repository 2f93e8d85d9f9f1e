//! `log_line_prefix` as it is written: literals and escapes.

use super::clock::is_time;

/// A prefix, as `log_line_prefix` describes it (PostgreSQL 12 to 18, `log_status_format`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    pub(super) tokens: Vec<Token>,
    /// Whether it has a `%q`.
    pub(super) stops: bool,
    /// Whether it is one of those that are widely used, and not known to be the server's.
    pub(super) guessed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Literal(Vec<u8>),
    Field {
        escape: u8,
        /// A width was given: blanks before or behind it.
        padded: bool,
    },
    /// `%q`: processes without a session stop here.
    Stop,
}

/// Nobody writes a prefix of more pieces than this.
pub(super) const TOKENS: usize = 64;

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
        let stops = tokens.contains(&Token::Stop);
        Self { tokens, stops, guessed: false }
    }

    /// Returns whether it is one that is tried because nobody gave the log's.
    pub(crate) fn is_guessed(&self) -> bool {
        self.guessed
    }

    /// Returns whether it holds names that a client chooses freely: a user or a database.
    pub(crate) fn has_names(&self) -> bool {
        self.has_any(b"ud")
    }

    /// Returns whether it holds anything that a client chooses: a user, a database or an `application_name`.
    pub(crate) fn has_client_names(&self) -> bool {
        self.has_any(b"uda")
    }

    /// Returns whether it says which process wrote a line.
    pub(crate) fn has_process(&self) -> bool {
        self.has_any(b"pc")
    }

    fn has_any(&self, escapes: &[u8]) -> bool {
        let is = |token: &Token| matches!(token, Token::Field { escape, .. } if escapes.contains(escape));
        self.tokens.iter().any(is)
    }

    /// Returns whether it is empty: any line may start so.
    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Returns where the time ends that stands at the start of a prefix, behind a literal if it has one; `None` if a text
    /// starts otherwise.
    pub(crate) fn lead(&self, text: &[u8]) -> Option<usize> {
        let (start, escape, rest) = match self.tokens.as_slice() {
            [Token::Literal(literal), Token::Field { escape, padded: false }, rest @ ..] => {
                text.starts_with(literal).then_some((literal.len(), *escape, rest))?
            }
            [Token::Field { escape, padded: false }, rest @ ..] => (0, *escape, rest),
            _ => return None,
        };
        // Behind it stands a literal, without which any time in a statement would do.
        let Some(Token::Literal(literal)) = rest.first() else { return None };
        let milliseconds = match escape {
            b'm' => true,
            b't' => false,
            _ => return None,
        };
        // Most texts are none.
        if text.get(start + 4) != Some(&b'-') || text.get(start + 10) != Some(&b' ') {
            return None;
        }
        let zone = start + if milliseconds { 24 } else { 20 };
        (zone + 1..=text.len().min(zone + 10))
            .find(|end| text[*end..].starts_with(literal) && is_time(&text[start..*end], milliseconds))
    }

    /// Finds where a text holds such a start, but not at its own.
    pub(crate) fn lead_within(&self, text: &[u8]) -> Option<usize> {
        if !self.has_lead() {
            return None;
        }
        let year = 4 + match self.tokens.first() {
            Some(Token::Literal(literal)) => literal.len(),
            _ => 0,
        };
        let dashes = memchr::memchr_iter(b'-', text).filter_map(|dash| dash.checked_sub(year));
        dashes.filter(|at| *at > 0).find(|at| self.lead(&text[*at..]).is_some())
    }

    /// Returns whether a text is too short for [`Prefix::lead`], and starts so.
    pub(crate) fn is_start_of_lead(&self, text: &[u8]) -> bool {
        let (literal, milliseconds) = match self.tokens.as_slice() {
            [Token::Literal(literal), Token::Field { escape, .. }, ..] => {
                (literal.as_slice(), *escape == b'm')
            }
            [Token::Field { escape, .. }, ..] => (&b""[..], *escape == b'm'),
            _ => return false,
        };
        let end = if milliseconds { ".000 UTC" } else { " UTC" };
        let model = [literal, b"0000-00-00 00:00:00", end.as_bytes()].concat();
        let fits = |(byte, model): (&u8, &u8)| match model {
            b'0' => byte.is_ascii_digit(),
            b'U' | b'T' | b'C' => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'),
            _ => byte == model,
        };
        !text.is_empty() && text.len() < model.len() + 3 && text.iter().zip(&model).all(fits)
    }

    /// Returns whether [`Prefix::lead`] can find something.
    pub(crate) fn has_lead(&self) -> bool {
        let is_time = |token: &Token| matches!(token, Token::Field { escape: b'm' | b't', padded: false });
        match self.tokens.as_slice() {
            [Token::Literal(_), time, Token::Literal(_), ..] | [time, Token::Literal(_), ..] => is_time(time),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefix::{Names, STEPS};
    use crate::text::Text;

    /// Returns the ways in which a text is a prefix, with `?` before those that contradict themselves.
    fn all(prefix: &str, text: &str) -> Vec<String> {
        let prefix = Prefix::new(prefix.as_bytes());
        let mut shown = Vec::new();
        for names in [Names::Usual, Names::Line] {
            prefix.read(text.as_bytes(), names, &mut { STEPS }, &mut |reading| {
                let parts = &reading.parts;
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
                let text = |part: Option<Text<'_>>| {
                    part.map_or("-".into(), |part| String::from_utf8_lossy(&part.bytes()).into_owned())
                };
                let mark = if reading.is_consistent { "" } else { "?" };
                shown.push(format!("{mark}{}", parts.map(text).join("|")));
            });
            if !shown.is_empty() {
                break;
            }
        }
        shown
    }

    #[test]
    fn the_pieces_of_a_prefix_are_found() {
        const KASM: &str = "< %m %a %u %d %r %p %i %e %s %c:>";
        for (prefix, text, pieces) in [
            (
                KASM,
                "< 2026-11-22 22:46:35.866 UTC psql postgres kasm 10.0.0.5(53412) 27533 CREATE TABLE 00000 2026-11-22 22:46:35 UTC 6b0370cb.6b8d:>",
                "2026-11-22 22:46:35.866 UTC|postgres|kasm|10.0.0.5|53412|27533|6b0370cb.6b8d|psql",
            ),
            (
                KASM,
                "< 2026-11-22 22:46:35.866 +0330 pgAdmin 4 - DB:kasm kasmapp kasm [local] 141 idle in transaction 00000 2026-11-22 22:46:35 +0330 6b.8d:>",
                "2026-11-22 22:46:35.866 +0330|kasmapp|kasm|[local]|-|141|6b.8d|pgAdmin 4 - DB:kasm",
            ),
            (
                KASM,
                "< 2026-11-22 22:46:35.752 UTC     27524  00000 2026-11-22 22:46:35 UTC 6b0370cb.6b84:>",
                "2026-11-22 22:46:35.752 UTC|||-|-|27524|6b0370cb.6b84|",
            ),
            (
                "%m [%p] %q%u@%d ",
                "2026-11-22 22:46:35.752 CET [7] a b@c ",
                "2026-11-22 22:46:35.752 CET|a b|c|-|-|7|-|-",
            ),
            (
                "%m [%p] %q%u@%d ",
                "2026-11-22 22:46:35.752 CET [7] alice@EXAMPLE.COM@kasm ",
                "2026-11-22 22:46:35.752 CET|alice@EXAMPLE.COM|kasm|-|-|7|-|-",
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
            (
                "%t:%r:%u@%d:[%p]:",
                "2026-11-22 22:46:35 UTC:fe80::1(5):a@b:[9]:",
                "2026-11-22 22:46:35 UTC|a|b|fe80::1|5|9|-|-",
            ),
            ("%-6u|%5p|", "bob   |   42|", "-|bob|-|-|-|42|-|-"),
            ("%n %p%%%", "1700000000.123 5%", "1700000000.123|-|-|-|-|5|-|-"),
            ("", "", "-|-|-|-|-|-|-|-"),
        ] {
            assert_eq!(all(prefix, text), [pieces], "{prefix}");
        }
        assert_eq!(all("%m [%p] ", "2026-11-22 22:46:35.752 UTC [x] "), [""; 0]);
        assert_eq!(all("%m [%p] ", "2026-11-22 22:46:35.752 UTC [1] more"), [""; 0]);
    }

    #[test]
    fn a_name_that_imitates_a_prefix_gives_two_ways() {
        let text = "< 2026-11-22 22:46:35.866 UTC Kasm kasmapp kasm 10.9.9.9(5) 141 bob postgres 10.0.0.1(8) 141 SET 00000 2026-11-22 22:46:35 UTC 6b.8d:>";
        let ways = all("< %m %a %u %d %r %p %i %e %s %c:>", text);
        assert_eq!(ways.len(), 2, "{ways:#?}");
        assert!(ways[0].starts_with("?2026-11-22 22:46:35.866 UTC|kasmapp|"), "{ways:#?}");
        assert!(ways[1].starts_with("2026-11-22 22:46:35.866 UTC|bob|"), "{ways:#?}");
        let ways = all("user=%u,db=%d ", "user=x,db=y,db=kasm ");
        assert_eq!(ways, ["-|x|y,db=kasm|-|-|-|-|-", "-|x,db=y|kasm|-|-|-|-|-"]);
        assert_eq!(all("app=%a,client=%h ", "app=x,client=::1,client=10.0.0.5 ").len(), 1);
    }

    #[test]
    fn a_process_that_is_not_the_sessions_contradicts() {
        assert_eq!(all("%p %c ", "141 6b.8d "), ["-|-|-|-|-|141|6b.8d|-"]);
        assert_eq!(all("%p %c ", "142 6b.8d "), ["?-|-|-|-|-|142|6b.8d|-"]);
    }

    #[test]
    fn a_hostile_name_costs_no_more_than_others() {
        let text = "a ".repeat(2000);
        assert_eq!(all("%a %u %d %a %i %a %u %d %p", &text), [""; 0]);
        assert_eq!(all("%a%u%d%a%i%a%u%d%p", &text), [""; 0]);
    }

    #[test]
    fn where_a_prefix_starts_is_told_by_its_time() {
        let prefix = Prefix::new(b"< %m [%p] ");
        assert_eq!(prefix.lead(b"< 2026-11-22 22:46:35.752 UTC [x"), Some(29));
        assert_eq!(prefix.lead(b"2026-11-22 22:46:35.752 UTC [x"), None);
        assert!(prefix.has_lead() && !Prefix::new(b"%u %m ").has_lead());
    }
}
