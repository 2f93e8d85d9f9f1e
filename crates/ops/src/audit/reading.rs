//! What becomes of each entry that is read.

use auditlog::{AuditEntry, Reason, Scanner, Visitor};

use super::filter::Verdict;
use super::once::Once;
use super::{Counts, Filter, LogSettings};

/// What entries are counted as of which the log leaves open who did it.
const UNCERTAIN: &[u8] = b"(uncertain)";

/// What stands behind a key that is only the most likely name. No name holds it.
const LIKELY: &[u8] = b"\0";

/// So many faults of a file are named; all are counted.
const NAMED: usize = 5;

/// What is asked for.
#[derive(Debug)]
pub struct Query {
    /// Which entries.
    pub filter: Filter,
    /// What becomes of them.
    pub view: View,
}

/// What entries are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountBy {
    /// pgaudit's class.
    Class,
    /// The hour in which they were logged.
    Hour,
    /// The role.
    User,
    /// The object.
    Object,
    /// The command.
    Command,
    /// The database.
    Database,
}

/// What becomes of the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Each is shown.
    Entries,
    /// They are counted by one of their fields.
    Count(CountBy),
    /// They are summed up.
    Summary,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Tally {
    /// All that were read.
    pub entries: u64,
    /// Those that the filter wants.
    pub wanted: u64,
    /// Longer than is read.
    pub cut: u64,
    /// Without a time, where a time is asked for.
    pub undated: u64,
    /// In a zone that is not known, where a moment is asked for.
    pub unzoned: u64,
    /// Of a log that does not have the names by which entries are asked for.
    pub unnamed: u64,
    /// Hidden only for what their clients call themselves.
    pub hidden: u64,
    /// How many are hidden of each user.
    pub hidden_users: Counts,
    /// Wanted ones of which the log leaves open who did it.
    pub uncertain: u64,
    /// Those that another file of the same entries has shown.
    pub repeated: u64,
    /// Whether entries are of a log in words whose lines hold names that clients choose.
    pub has_client_names: bool,
    /// What could not be read.
    pub faults: u64,
    /// The first faults, with their lines.
    pub named: Vec<(u64, Reason)>,
    /// How often each key came.
    pub counts: Counts,
    /// The first and the last of the wanted entries, by their moment; as they are written.
    pub span: Option<[(i64, String); 2]>,
}

impl Tally {
    /// Adds what was found behind this, in the same file from this line on.
    pub fn merge(&mut self, other: Self, lines: u64) {
        self.entries += other.entries;
        self.wanted += other.wanted;
        self.cut += other.cut;
        self.undated += other.undated;
        self.unzoned += other.unzoned;
        self.unnamed += other.unnamed;
        self.hidden += other.hidden;
        self.hidden_users.merge(other.hidden_users);
        self.uncertain += other.uncertain;
        self.repeated += other.repeated;
        self.has_client_names |= other.has_client_names;
        self.faults += other.faults;
        let room = NAMED.saturating_sub(self.named.len());
        self.named.extend(other.named.into_iter().take(room).map(|(line, reason)| (line + lines, reason)));
        self.counts.merge(other.counts);
        for (moment, text) in other.span.into_iter().flatten() {
            self.reach(moment, || text.clone());
        }
    }

    /// Returns whether something could not be read, or not wholly, or not for certain.
    pub fn is_incomplete(&self) -> bool {
        let all = [self.faults, self.cut, self.uncertain, self.undated, self.unzoned, self.unnamed];
        all.iter().any(|count| *count > 0)
    }

    fn reach(&mut self, moment: i64, text: impl Fn() -> String) {
        match &mut self.span {
            None => self.span = Some([(moment, text()), (moment, text())]),
            Some([first, last]) => {
                if moment < first.0 {
                    *first = (moment, text());
                }
                if moment >= last.0 {
                    *last = (moment, text());
                }
            }
        }
    }
}

/// Reads entries into a [`Tally`], and gives those that are wanted to whoever shows them.
pub(crate) struct Reading<'a, S> {
    pub(crate) query: &'a Query,
    settings: &'a LogSettings,
    pub(crate) tally: Tally,
    /// What other files of the same entries have shown.
    pub(crate) once: Option<&'a mut Once>,
    pub(crate) show: S,
}

impl<'a, S: FnMut(&AuditEntry<'_>)> Reading<'a, S> {
    pub(crate) fn new(query: &'a Query, settings: &'a LogSettings, show: S) -> Self {
        Self { query, settings, tally: Tally::default(), once: None, show }
    }

    /// Ends the reading, and returns what came of it.
    pub(crate) fn finish(self, scanner: &Scanner) -> Tally {
        let mut tally = self.tally;
        tally.has_client_names = tally.entries > 0 && scanner.has_client_names();
        tally
    }

    /// Accepts an entry whose zone the server's settings may tell. It is apart from [`Reading::take`] so that the entries of a
    /// log that needs no zone are never put together in memory.
    #[cold]
    #[inline(never)]
    fn zoned(&mut self, entry: &AuditEntry<'_>) {
        let in_zone = self.settings.in_zone(entry);
        self.take(in_zone.as_ref().unwrap_or(entry));
    }

    #[inline(always)]
    fn take(&mut self, entry: &AuditEntry<'_>) {
        let tally = &mut self.tally;
        if let Some(once) = &mut self.once
            && once.is_repeated(entry)
        {
            tally.repeated += 1;
            return;
        }
        tally.entries += 1;
        tally.cut += u64::from(entry.is_cut());
        // Also one that is not wanted: it may be for its zone.
        tally.unzoned += u64::from(self.query.filter.lacks_zone(entry));
        match self.query.filter.judge(entry) {
            Verdict::Wanted => {}
            Verdict::Unwanted => return,
            Verdict::Undated => {
                tally.undated += 1;
                return;
            }
            Verdict::Unnamed => {
                tally.unnamed += 1;
                return;
            }
            Verdict::Hidden => {
                tally.hidden += 1;
                count(&mut tally.hidden_users, CountBy::User, entry);
                return;
            }
        }
        tally.wanted += 1;
        tally.uncertain += u64::from(entry.is_uncertain());
        match self.query.view {
            View::Entries => (self.show)(entry),
            View::Count(by) => count(&mut tally.counts, by, entry),
            View::Summary => {
                tally.counts.add(entry.class(), 1);
                if let Some(time) = entry.timestamp() {
                    let text = || entry.time_text().unwrap_or_default();
                    tally.reach(time.moment(), || String::from_utf8_lossy(&text()).into_owned());
                }
            }
        }
    }
}

impl<S: FnMut(&AuditEntry<'_>)> Visitor for Reading<'_, S> {
    #[inline]
    fn entry(&mut self, entry: &AuditEntry<'_>) {
        if self.settings.has_timezone() { self.zoned(entry) } else { self.take(entry) }
    }

    fn fault(&mut self, line: u64, reason: Reason) {
        self.tally.faults += 1;
        if self.tally.named.len() < NAMED {
            self.tally.named.push((line, reason));
        }
    }
}

#[inline]
fn count(counts: &mut Counts, by: CountBy, entry: &AuditEntry<'_>) {
    let open = || entry.is_name_open().then(|| entry.likely()).flatten();
    let mut head = |name: Option<auditlog::Text<'_>>, likely: Option<auditlog::Text<'_>>| match (name, likely)
    {
        (Some(name), _) => counts.add(&name.bytes(), 1),
        (None, Some(likely)) => counts.add(&[&*likely.bytes(), LIKELY].concat(), 1),
        (None, None) => counts.add(if entry.is_uncertain() { UNCERTAIN } else { b"" }, 1),
    };
    match by {
        CountBy::Class => counts.add(entry.class(), 1),
        CountBy::User => head(entry.user(), open().and_then(|likely| likely.user())),
        CountBy::Database => head(entry.database(), open().and_then(|likely| likely.database())),
        CountBy::Command => counts.add(&entry.fields().command(), 1),
        CountBy::Object => counts.add(&entry.fields().object_name(), 1),
        CountBy::Hour => match entry.time_text() {
            Some(time) => counts.add(&hour(&time), 1),
            None => counts.add(b"", 1),
        },
    }
}

/// Returns the hour of a time with its zone, both as they are written; empty if it is not a date.
fn hour(time: &[u8]) -> Vec<u8> {
    let is_date = time.len() > 13 && time[4] == b'-' && time[10] == b' ';
    if !is_date {
        return Vec::new();
    }
    let zone = time.iter().rposition(|b| *b == b' ').filter(|at| *at > 13).map_or(&b""[..], |at| &time[at..]);
    [&time[..13], b":00", zone].concat()
}
