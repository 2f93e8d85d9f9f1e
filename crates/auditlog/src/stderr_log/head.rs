//! What stands before a message: the prefix, and the severity.

use memchr::memmem::{self, Finder};

use super::severity::{Kind, ends_with_log, is_known, kind, severities};
use crate::entry::Parts;
use crate::fault::Reason;
use crate::lines::trim_end;
use crate::message::MARK;
use crate::prefix::{Names, Prefix, Reading, STEPS, guess, known};

/// What stands before a message is shorter.
pub(super) const REACH: usize = 4096;

/// What stands between a severity and its message.
pub(super) const COLON: &[u8] = b":  ";

/// Finds where a message starts, and who caused it.
#[derive(Debug)]
pub(super) struct Heads {
    /// The prefix of the server's configuration, and those that are widely used.
    prefixes: Vec<Prefix>,
    /// Which of them are the log's, as far as its lines show it.
    own: Vec<bool>,
    /// The one of them that fitted last.
    fitting: usize,
    /// Whether one fitted.
    is_confirmed: bool,
    pub(super) colon: Finder<'static>,
    mark: Finder<'static>,
}

/// An entry's head.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// What holds in each way of reading it.
    pub(super) parts: Parts<'a>,
    /// Where the message starts, behind [`MARK`].
    pub(super) message: usize,
    /// Where it starts if it is none there.
    pub(super) other: Option<usize>,
    /// What holds in the only way that does not contradict itself, if there are others; of a certain one, what holds with the
    /// names that are usual, if others may have made the line.
    pub(super) likely: Option<Box<Parts<'a>>>,
    pub(super) is_certain: bool,
    /// Where the severity's colon is, and what the severity says of the line.
    pub(super) colon: usize,
    pub(super) kind: Kind,
    /// The prefix that it has; `None` if none of those that are known fits.
    pub(super) prefix: Option<usize>,
}

/// The ways in which a line fits one prefix.
#[derive(Debug, Default)]
pub(super) struct Ways<'a> {
    pub(super) count: usize,
    /// Where the severity starts that stands behind the first one, and where it ends.
    pub(super) start: usize,
    pub(super) colon: usize,
    pub(super) first: Reading<'a>,
    common: Parts<'a>,
    /// The first one with an entry behind it.
    pub(super) message: Option<usize>,
    /// Another one.
    other: Option<usize>,
    consistent: Option<(Parts<'a>, Option<usize>)>,
    /// Whether there are several that do not contradict themselves.
    is_open: bool,
}

impl Heads {
    pub(super) fn new(prefix: Option<&Prefix>) -> Self {
        let prefixes: Vec<Prefix> = prefix.cloned().into_iter().chain(known()).collect();
        let own = (0..prefixes.len()).map(|index| prefix.is_none() || index == 0).collect();
        let (colon, mark) = (Finder::new(COLON), Finder::new(MARK));
        Self { prefixes, own, fitting: 0, is_confirmed: false, colon, mark }
    }

    /// Returns whether a line of this log had a prefix that is known.
    pub(super) fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }

    /// Returns the prefix of this log, if lines had it and show by its time where they start.
    pub(super) fn prefix(&self) -> Option<&Prefix> {
        self.prefixes.get(self.fitting).filter(|prefix| self.is_confirmed && prefix.has_lead())
    }

    /// Returns whether a line starts as one of a prefix that may be this log's.
    pub(super) fn has_lead(&self, line: &[u8]) -> bool {
        self.prefixes.iter().any(|prefix| prefix.lead(line).is_some())
    }

    /// Returns whether a line is the start of such a start, and no more.
    pub(super) fn is_start_of_lead(&self, line: &[u8]) -> bool {
        self.prefixes.iter().any(|prefix| prefix.has_lead() && prefix.is_start_of_lead(trim_end(line)))
    }

    /// Finds where another line starts within a torn one.
    pub(super) fn start_within(&self, line: &[u8]) -> Option<usize> {
        let within = |prefix: &Prefix| prefix.lead_within(line);
        match self.prefix() {
            Some(prefix) => within(prefix),
            // Other programs may write before each line: only a line that starts as it should may be torn.
            None if self.is_confirmed => None,
            None => self.prefixes.iter().filter(|prefix| prefix.lead(line).is_some()).find_map(within),
        }
    }

    /// Returns whether a line has a prefix that is known, other than the empty one, which any line may have.
    pub(super) fn is_line(&self, line: &[u8]) -> bool {
        let head = &line[..line.len().min(REACH)];
        let mut steps = STEPS;
        self.colon.find(head).is_some_and(|colon| {
            let mut prefixes = self.prefixes.iter().filter(|prefix| !prefix.is_empty());
            prefixes.any(|prefix| is_head(prefix, head, colon, &mut steps))
        })
    }

    /// Learns the prefix from a line of any kind, which is not within another one for sure.
    pub(super) fn learn(&mut self, line: &[u8]) {
        let head = &line[..line.len().min(REACH)];
        if self.is_confirmed && self.own_prefixes().nth(1).is_none() {
            return;
        }
        let Some(colon) = self.colon.find(head) else { return };
        let mut steps = STEPS;
        let mut fits = |(prefix, own): (&Prefix, &bool)| {
            (*own || !self.is_confirmed) && is_head(prefix, head, colon, &mut steps)
        };
        let fits: Vec<bool> = self.prefixes.iter().zip(&self.own).map(&mut fits).collect();
        self.narrow(&fits);
    }

    /// Keeps those of the log's prefixes that fit another of its lines. If no line has shown yet which they are, one that was
    /// given may not be among them: it may have been another one when the log was written.
    fn narrow(&mut self, fits: &[bool]) {
        let both: Vec<bool> = self.own.iter().zip(fits).map(|(own, fits)| *own && *fits).collect();
        if both.contains(&true) {
            self.own = both;
        } else if !self.is_confirmed && fits.contains(&true) {
            self.own = fits.to_vec();
        } else {
            return;
        }
        self.is_confirmed = true;
        if !self.own[self.fitting] {
            self.fitting = self.own.iter().position(|own| *own).unwrap_or(0);
        }
    }

    /// Accepts another prefix for the log's.
    pub(super) fn adopt(&mut self, prefix: usize) {
        self.own.fill(false);
        self.own[prefix] = true;
        self.fitting = prefix;
    }

    /// Returns whether a prefix is the log's.
    pub(super) fn is_own(&self, prefix: usize) -> bool {
        self.own[prefix]
    }

    /// Returns whether a line starts as those of the log do, as far as a quick look shows it.
    pub(super) fn starts_as_own(&self, line: &[u8]) -> bool {
        let head = &line[..line.len().min(REACH)];
        let Some(first) = self.colon.find(head) else { return false };
        self.own_prefixes().any(|(_, prefix)| {
            if prefix.has_lead() {
                return prefix.lead(head).is_some();
            }
            let mut steps = STEPS;
            let mut colons = self.colon.find_iter(&head[first..]).map(|colon| first + colon);
            colons.any(|colon| is_head(prefix, head, colon, &mut steps))
        })
    }

    /// Returns whether clients choose a part of the prefix, or may do so, as it is not known.
    pub(super) fn has_client_names(&self) -> bool {
        !self.is_confirmed || self.own_prefixes().any(|(_, prefix)| prefix.has_client_names())
    }

    pub(super) fn own_prefixes(&self) -> impl Iterator<Item = (usize, &Prefix)> {
        self.prefixes.iter().enumerate().filter(|(index, _)| self.own[*index])
    }

    /// Finds where the message behind [`MARK`] starts; `None` where the line is another message.
    ///
    /// Where something looks like an entry and is not taken for one, that is an error: names that a client chooses are
    /// part of some prefixes, and must not hide an entry.
    pub(super) fn locate<'a>(&mut self, line: &'a [u8]) -> Result<Option<Found<'a>>, Reason> {
        let is_audit = looks_like_audit(line, &self.mark);
        if !is_audit && !is_message(line) {
            return Ok(None);
        }
        let head = &line[..line.len().min(REACH + MARK.len())];
        let mut steps = STEPS;
        if let Some((index, ways)) = self.fitting(line, head, &mut steps) {
            if !self.is_confirmed {
                self.learn(line);
            }
            if self.own[index] {
                self.fitting = index;
            }
            // One that is torn behind its mark does not look like an entry any more.
            if !is_audit && ways.message.is_none() {
                return Ok(None);
            }
            // A head that holds the start of another one is rather a torn line, and the next one behind it; so is a
            // message of the log that starts as a line does.
            let prefix = &self.prefixes[index];
            let (before, message) = (&line[..ways.start], self.colon.find(&line[ways.start..]));
            let is_torn = message.map(|colon| ways.start + colon).is_some_and(|colon| {
                let message = &line[colon + COLON.len()..];
                let mark = message.iter().zip(MARK).take_while(|(byte, mark)| byte == mark).count();
                ends_with_log(&line[..colon]) && prefix.lead(&message[mark..]).is_some()
            });
            if is_torn || prefix.lead_within(before).is_some() {
                return Err(Reason::Torn);
            }
            let mut found = ways.found(steps > 0, index, line)?;
            if found.is_certain {
                self.doubt_names(&mut found, line, head, &mut steps);
            }
            return Ok(Some(found));
        }
        if !is_audit {
            return Ok(None);
        }
        let colon = self.colon.find(head).ok_or(Reason::Prefix)?;
        let start = severities(&head[..colon]).next().unwrap_or(colon);
        if is_syslog(&line[..start]) {
            return Err(Reason::Syslog);
        }
        // A line that was torn has the next one behind it.
        if self.start_within(head).is_some() {
            return Err(Reason::Torn);
        }
        let message = audit_at(line, colon)?;
        let (parts, is_certain) = guess(&line[..start]);
        let likely = is_certain.then(|| Box::new(parts));
        // Whatever a client calls itself may be part of a prefix that is not known.
        let kind = kind(&line[start..colon]);
        Ok(Some(Found { parts, message, other: None, likely, is_certain: false, colon, kind, prefix: None }))
    }

    /// Looks for other names that may have made a line which has only one way of being read with those that are usual. Whoever
    /// may create a role or a database chooses their names.
    fn doubt_names<'a>(&self, found: &mut Found<'a>, line: &'a [u8], head: &[u8], steps: &mut u32) {
        let Some(own) = found.prefix else { return };
        // If nobody gave the prefix, the line may have another one that is widely used, in which names have signs that those
        // of the log do not seem to have.
        let is_guessed = self.prefixes[own].is_guessed();
        let prefixes = self.prefixes.iter().enumerate();
        let prefixes =
            prefixes.filter(|(index, prefix)| *index == own || (is_guessed && prefix.is_guessed()));
        let usual = found.parts;
        for (index, prefix) in prefixes.filter(|(_, prefix)| prefix.has_names()) {
            for colon in self.colon.find_iter(head) {
                let is_here = audit_at(line, colon).ok() == Some(found.message);
                for start in severities(&head[..colon]).filter(|start| is_known(&head[*start..colon])) {
                    prefix.read(&line[..start], Names::Possible, steps, &mut |reading| {
                        if reading.is_consistent {
                            found.is_certain &= is_here;
                            if index == own {
                                found.parts = found.parts.common(&reading.parts);
                            }
                        }
                    });
                }
            }
        }
        found.is_certain &= *steps > 0;
        if !found.is_certain || found.parts != usual {
            found.likely = Some(Box::new(usual));
        }
    }

    /// Returns the first prefix that a line fits, and how: tried are the one that fitted last, the log's, and the others.
    fn fitting<'a>(&self, line: &'a [u8], head: &'a [u8], steps: &mut u32) -> Option<(usize, Ways<'a>)> {
        let first = self.own[self.fitting].then_some(self.fitting);
        let own = (0..self.prefixes.len()).filter(|index| self.own[*index] && *index != self.fitting);
        let others = (0..self.prefixes.len()).filter(|index| !self.own[*index]);
        first.into_iter().chain(own).chain(others).find_map(|index| {
            let ways = ways(&self.prefixes[index], line, head, &self.colon, steps);
            (ways.count > 0).then_some((index, ways))
        })
    }
}

/// Returns whether what stands before a colon is this prefix and a severity.
fn is_head(prefix: &Prefix, head: &[u8], colon: usize, steps: &mut u32) -> bool {
    severities(&head[..colon]).any(|start| {
        // Behind nothing, any word may stand before a colon.
        if prefix.is_empty() && kind(&head[start..colon]) == Kind::Unknown {
            return false;
        }
        [Names::Usual, Names::Line].into_iter().any(|names| {
            let mut fits = false;
            prefix.read(&head[..start], names, steps, &mut |_| fits = true);
            fits
        })
    })
}

/// Looks for all ways in which a line fits a prefix.
pub(super) fn ways<'a>(
    prefix: &Prefix,
    line: &'a [u8],
    head: &'a [u8],
    colon: &Finder<'_>,
    steps: &mut u32,
) -> Ways<'a> {
    let mut ways = Ways::default();
    for names in [Names::Usual, Names::Line] {
        for colon in colon.find_iter(head) {
            for start in severities(&head[..colon]) {
                // Behind a prefix stands a severity; further in, any word may stand before a colon.
                if ways.count > 0 && !is_known(&head[start..colon]) {
                    continue;
                }
                let message = audit_at(line, colon).ok();
                let before = ways.count;
                prefix.read(&line[..start], names, steps, &mut |reading| ways.add(reading, message));
                if ways.count > before {
                    (ways.start, ways.colon) =
                        if before == 0 { (start, colon) } else { (ways.start, ways.colon) };
                    break;
                }
            }
        }
        if ways.count > 0 {
            break;
        }
    }
    ways
}

impl<'a> Ways<'a> {
    fn add(&mut self, reading: &Reading<'a>, message: Option<usize>) {
        let is_same = self.first.parts == reading.parts && self.message == message;
        if self.count == 0 {
            (self.first, self.common, self.message) = (*reading, reading.parts, message);
            self.count = 1;
        } else if !is_same {
            self.common = self.common.common(&reading.parts);
            if self.message.is_some() && self.message != message {
                self.other = self.other.or(message);
            }
            self.message = self.message.or(message);
            self.count += 1;
        } else {
            // The same in all that is shown: one that does not contradict itself is enough.
            self.first.is_consistent |= reading.is_consistent;
        }
        if reading.is_consistent {
            match &self.consistent {
                None => self.consistent = Some((reading.parts, message)),
                Some((parts, place)) => self.is_open |= *parts != reading.parts || *place != message,
            }
        }
    }

    fn found(self, is_complete: bool, prefix: usize, line: &[u8]) -> Result<Found<'a>, Reason> {
        let message = self.message.ok_or(Reason::Prefix)?;
        let (colon, prefix) = (self.colon, Some(prefix));
        let kind = kind(&line[self.start..colon]);
        if self.count == 1 && self.first.is_consistent && is_complete {
            let parts = self.first.parts;
            return Ok(Found {
                parts,
                message,
                other: None,
                likely: None,
                is_certain: true,
                colon,
                kind,
                prefix,
            });
        }
        let consistent = self.consistent.filter(|_| !self.is_open && is_complete);
        let likely = consistent.map(|(parts, _)| Box::new(parts));
        let (parts, other) = (self.common, self.other);
        Ok(Found { parts, message, other, likely, is_certain: false, colon, kind, prefix })
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

/// Returns whether a line holds `AUDIT: SESSION,1` or `AUDIT: OBJECT,1`.
fn looks_like_audit(line: &[u8], mark: &Finder<'_>) -> bool {
    mark.find_iter(line).any(|at| {
        let rest = &line[at + MARK.len()..];
        let rest = rest.strip_prefix(b"SESSION,").or_else(|| rest.strip_prefix(b"OBJECT,"));
        rest.and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
    })
}

/// Returns whether a message of a line starts with [`MARK`].
fn is_message(line: &[u8]) -> bool {
    memmem::find_iter(line, COLON).any(|at| line[at + COLON.len()..].starts_with(MARK))
}

/// Returns whether syslog wrote what stands before a severity: `Nov 22 22:41:34 db postgres[123]: [4-1] `.
///
/// The program's name stands before its process id. In a `log_line_prefix` such as `%t [%p]: [%l-1] ` there is a space.
fn is_syslog(head: &[u8]) -> bool {
    let Some(at) = memmem::find(head, b"]: [") else { return false };
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = &head[at + 4..];
    let first = digits(rest);
    let Some(rest) = rest[first..].strip_prefix(b"-") else { return false };
    let second = digits(rest);
    let is_numbered = first > 0 && second > 0 && rest[second..].starts_with(b"] ");
    let process = head[..at].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let named = head[..at - process].strip_suffix(b"[").is_some_and(|name| !name.ends_with(b" "));
    is_numbered && process > 0 && named
}
