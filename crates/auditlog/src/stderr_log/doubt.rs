//! Whether a line is what it looks like: it may be part of a name that holds line feeds, or a function may have written it.

use super::head::{Heads, REACH, ways};
use super::severity::{Kind, kind, severities};
use crate::lines::{line_end, trim_end};
use crate::prefix::{Names, Prefix, STEPS};
use crate::text::Text;

/// So many bytes before a line may hold the start of the line that it is part of.
pub(super) const BACK: usize = 512;

/// So many bytes from a line on may hold the end of a prefix that starts in or before it.
pub(super) const AHEAD: usize = 1024;

/// No severity has more bytes, with its colon.
const SEVERITY: usize = 64;

/// What the line behind an entry says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// Nothing: it is another message.
    Message,
    /// A function wrote the entry.
    Function,
    /// The line may belong to the entry, or not be one.
    Strange,
}

impl Heads {
    /// Returns whether a line may be part of a name of the line before it, or its message may start elsewhere: names of users
    /// and databases may hold line feeds and whatever else looks like a line.
    ///
    /// `text` is the log from the line on, `before` what stands before it.
    pub(super) fn may_be_within(&self, before: &[u8], text: &[u8], colon: usize) -> bool {
        let names = self.own_prefixes().filter(|(_, prefix)| prefix.has_names());
        let prefixes: Vec<&Prefix> = names.map(|(_, prefix)| prefix).collect();
        if prefixes.is_empty() {
            return false;
        }
        // No prefix is longer, and so no severity is further away.
        let most = prefixes.iter().map(|prefix| prefix.longest()).max().unwrap_or(0) + SEVERITY;
        let is_start = before.len() < BACK.min(most);
        let before = &before[before.len().saturating_sub(most)..];
        let text = &text[..text.len().min(most)];
        let start = before.len();
        let all = [before, text].concat();
        let lines = memchr::memchr_iter(b'\n', before).map(|at| at + 1);
        let starts: Vec<usize> = lines.chain(is_start.then_some(0)).filter(|at| *at < start).collect();
        let mut steps = STEPS;
        let mut is_found = false;
        for found in self.colon.find_iter(text) {
            let end = start + found;
            // No server has small letters in one.
            let is = |from: usize| {
                from >= start && from < end && !all[from..end].iter().any(u8::is_ascii_lowercase)
            };
            for severity in severities(&all[..end]).filter(|from| is(*from)) {
                for prefix in &prefixes {
                    let others = (found != colon).then_some(start);
                    for from in starts.iter().copied().chain(others) {
                        prefix.read(&all[from..severity], Names::Any, &mut steps, &mut |reading| {
                            is_found |= reading.is_consistent;
                        });
                    }
                }
            }
            if is_found || steps == 0 {
                return true;
            }
        }
        false
    }

    /// Returns whether a line that holds what looks like an entry is the statement of an error for sure, or what else belongs to one.
    pub(super) fn is_other(&self, line: &[u8], before: &[u8], text: &[u8]) -> bool {
        let head = &line[..line.len().min(REACH)];
        let mut steps = STEPS;
        self.own_prefixes().any(|(_, prefix)| {
            let ways = ways(prefix, line, head, &self.colon, &mut steps);
            ways.count == 1
                && self.is_confirmed()
                && ways.message.is_none()
                && ways.first.is_consistent
                && kind(&line[ways.start..ways.colon]) == Kind::Belonging
                && !self.may_be_within(before, text, ways.colon)
        })
    }

    /// Returns what the line behind an entry says of it. `process` is the entry's, if its line says it.
    pub(super) fn behind(&self, next: &[u8], process: Option<Text<'_>>) -> Behind {
        let line = trim_end(&next[..line_end(next).unwrap_or(next.len()).min(REACH)]);
        let mut steps = STEPS;
        for (_, prefix) in self.own_prefixes() {
            let ways = ways(prefix, line, line, &self.colon, &mut steps);
            if ways.count == 0 {
                continue;
            }
            let is_other = match (ways.first.parts.process(), process) {
                (Some(one), Some(other)) => one.bytes() != other.bytes(),
                _ => false,
            };
            let kind = kind(&line[ways.start..ways.colon]);
            if kind == Kind::Message
                || kind == Kind::Place && !line[ways.colon..].starts_with(b":  exec_stmt_raise")
            {
                return Behind::Message;
            }
            let is_plain = ways.count == 1
                && ways.first.is_consistent
                && prefix.has_process()
                && !self.may_be_within(b"", &next[..next.len().min(AHEAD)], ways.colon);
            return match kind {
                _ if is_plain && is_other => Behind::Message,
                Kind::Belonging | Kind::Place if is_plain => Behind::Function,
                _ => Behind::Strange,
            };
        }
        Behind::Strange
    }
}
