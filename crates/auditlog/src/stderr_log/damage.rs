//! Lines without an entry: whether one was there.

use memchr::{memchr, memmem};

use super::head::{COLON, Heads, REACH};
use super::severity::ends_with_log;
use crate::entry::Visitor;
use crate::fault::Reason;
use crate::lines::{Passed, behind_zeros, trim_end};
use crate::message::MARK;

/// So many lines are looked at to learn the prefix of a log.
const LESSONS: u32 = 50;

/// Behind a line that starts as none of the log, entries are uncertain for so many bytes: two names are shorter.
const DOUBT: usize = 200;

/// What is known of the damage of a log.
#[derive(Clone, Debug)]
pub(super) struct Damage {
    /// Whether the log starts with what may be the rest of a line.
    starts_within: bool,
    /// Whether it is hardly anything else.
    is_rest: bool,
    /// Whether its first line starts as none of the server.
    is_headless: bool,
    lessons: u32,
    /// So many bytes on, lines may still be part of the one that starts as none of this log.
    doubt: usize,
    /// Another prefix that entries have, and how many bytes ago the first of them started.
    run: Option<(usize, usize)>,
}

impl Default for Damage {
    fn default() -> Self {
        Self {
            starts_within: false,
            is_rest: false,
            is_headless: false,
            lessons: LESSONS,
            doubt: 0,
            run: None,
        }
    }
}

impl Damage {
    /// Looks at what holds no mark of an entry.
    pub(super) fn look(
        &mut self,
        passed: Passed<'_>,
        line: u64,
        heads: &mut Heads,
        visitor: &mut impl Visitor,
    ) {
        let lines = match passed {
            Passed::Lines(lines) => lines,
            Passed::Long(head) => {
                self.line(head, line, heads, visitor);
                return;
            }
            Passed::Zeros => return visitor.fault(line, Reason::Zeros),
        };
        for (text, line) in lines.split_inclusive(|byte| *byte == b'\n').zip(line..) {
            let (text, has_hole) = behind_zeros(text);
            if has_hole {
                visitor.fault(line, Reason::Zeros);
            }
            if text.len() < REACH + MARK.len() {
                self.line(text, line, heads, visitor);
                continue;
            }
            let has_hole = self.line(&text[..REACH], line, heads, visitor) || has_hole;
            if !has_hole && memchr(0, &text[REACH..]).is_some() {
                visitor.fault(line, Reason::Zeros);
            }
        }
    }

    /// Looks at a line, or the start of a long one, and returns whether it has a hole.
    fn line(&mut self, text: &[u8], line: u64, heads: &mut Heads, visitor: &mut impl Visitor) -> bool {
        self.first(text, line, heads);
        if memchr(0, text).is_some() {
            visitor.fault(line, Reason::Zeros);
            return true;
        }
        if text.starts_with(b"\t") {
            self.spend(text.len());
            return false;
        }
        let is_own = !heads.is_confirmed() || heads.starts_as_own(text);
        let was_confirmed = heads.is_confirmed();
        if is_own && self.lessons > 0 && self.doubt == 0 {
            self.lessons -= 1;
            heads.learn(text);
            if !was_confirmed && heads.prefix().is_some() {
                self.start(visitor);
            }
        }
        self.pass(text, is_own);
        if is_torn(text, heads) {
            visitor.fault(line, Reason::Torn);
        }
        false
    }

    /// Passes a line: behind one that starts as none of this log, the next ones may be part of it.
    pub(super) fn pass(&mut self, text: &[u8], is_own: bool) {
        self.spend(text.len());
        if is_own {
            self.run = None;
        } else {
            self.doubt = DOUBT;
        }
    }

    fn spend(&mut self, length: usize) {
        self.doubt = self.doubt.saturating_sub(length);
        if let Some((_, ago)) = &mut self.run {
            *ago += length;
        }
    }

    /// Returns whether a line that starts here may be part of one before it.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt > 0
    }

    /// Accepts an entry with another prefix than the log's. Returns whether that has become the log's: for longer than a name
    /// can be, its entries have no other one.
    pub(super) fn changes(&mut self, prefix: usize) -> bool {
        match self.run {
            Some((index, ago)) if index == prefix => {
                if ago > DOUBT {
                    (self.doubt, self.run) = (0, None);
                }
                ago > DOUBT
            }
            _ => {
                self.run = Some((prefix, 0));
                false
            }
        }
    }

    /// Accepts the first line of a log.
    pub(super) fn first(&mut self, text: &[u8], line: u64, heads: &Heads) {
        if line == 2 && std::mem::take(&mut self.is_headless) && text.starts_with(b"\t") {
            (self.starts_within, self.is_rest) = (true, true);
        }
        if line == 1 {
            self.is_headless = !heads.has_lead(text);
            let text = trim_end(text);
            // What a container prints before the server starts are sentences.
            let looks_like_a_rest = text.starts_with(b"\t")
                || memchr(b',', text).is_some()
                || text.last().is_some_and(|end| matches!(end, b'>' | b'"') || end.is_ascii_digit())
                || !text.is_empty() && memchr(b' ', text).is_none()
                || heads.is_start_of_lead(text);
            self.starts_within = looks_like_a_rest && !heads.has_lead(text);
            self.is_rest = self.starts_within && memmem::find(text, COLON).is_none();
        }
    }

    /// Reports that the log starts within a line, now that its lines are known to start otherwise.
    pub(super) fn start(&mut self, visitor: &mut impl Visitor) {
        if std::mem::take(&mut self.starts_within) {
            visitor.fault(1, Reason::Start);
        }
    }

    /// Reports at the end of a log what was left open.
    pub(super) fn end(&mut self, visitor: &mut impl Visitor) {
        self.starts_within &= self.is_rest;
        self.start(visitor);
    }
}

/// Returns whether a line may be the rest of an entry; other programs write to the log, too, and about other things.
fn is_rest(line: &[u8]) -> bool {
    let parts = [&b"SESSION,"[..], b"OBJECT,", b",<none>", b",<not logged>", b",<previously logged>"];
    parts.iter().any(|part| memmem::find(line, part).is_some())
}

/// Returns whether a line without the mark of an entry may be the start of one, with another line behind it or none.
fn is_torn(line: &[u8], heads: &Heads) -> bool {
    let text = trim_end(line);
    let Some(prefix) = heads.prefix() else {
        return memmem::find(text, COLON).is_none() && heads.has_lead(text);
    };
    let Some(lead) = prefix.lead(text) else {
        return prefix.is_start_of_lead(text) || heads.start_within(text).is_some() || is_rest(text);
    };
    let Some(colon) = memmem::find(text, COLON) else { return true };
    let message = &text[colon + COLON.len()..];
    // The server's own messages start with small letters.
    let may_be_ours = message.starts_with(&MARK[..2]) || message.is_empty();
    if may_be_ours && ends_with_log(&text[..colon]) || !message.is_empty() && MARK.starts_with(message) {
        return true;
    }
    // The zone and what stands behind it are the same on all lines.
    let zone = text[..lead].iter().rposition(|byte| *byte == b' ').unwrap_or(0);
    let rest = &text[lead..];
    memmem::find_iter(rest, &text[zone..=lead])
        .any(|found| (0..=found.min(40)).any(|back| prefix.lead(&rest[found - back..]).is_some()))
}
