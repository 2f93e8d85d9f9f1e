//! What becomes of each entry that is read.

use auditlog::time::Timestamp;
use auditlog::{Entry, Reason, Visitor};

use super::filter::Verdict;
use super::{Counts, Filter};
use crate::args::CountBy;

/// So many faults of a file are named; all are counted.
const NAMED: usize = 5;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) filter: Filter,
    pub(crate) view: View,
}

/// What becomes of the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Each is shown.
    Entries,
    Count(CountBy),
    Summary,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// All that were read.
    pub(crate) entries: u64,
    /// Those that the filter wants.
    pub(crate) wanted: u64,
    /// Longer than is read.
    pub(crate) cut: u64,
    /// Without a time, where a time is asked for.
    pub(crate) undated: u64,
    /// In a zone that is not known, where a moment is asked for.
    pub(crate) unzoned: u64,
    pub(crate) faults: u64,
    /// The first faults, with their lines.
    pub(crate) named: Vec<(u64, Reason)>,
    pub(crate) counts: Counts,
    /// The first and the last of the wanted entries, by their moment; as they are written.
    pub(crate) span: Option<[(i64, String); 2]>,
}

impl Tally {
    /// Adds what was found behind this, in the same file from this line on.
    pub(crate) fn merge(&mut self, other: Self, lines: u64) {
        self.entries += other.entries;
        self.wanted += other.wanted;
        self.cut += other.cut;
        self.undated += other.undated;
        self.unzoned += other.unzoned;
        self.faults += other.faults;
        let room = NAMED.saturating_sub(self.named.len());
        self.named.extend(other.named.into_iter().take(room).map(|(line, reason)| (line + lines, reason)));
        self.counts.merge(other.counts);
        for (moment, text) in other.span.into_iter().flatten() {
            self.reach(moment, || text.clone());
        }
    }

    /// Tells whether something could not be read, or not wholly.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.faults > 0 || self.cut > 0
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
    pub(crate) tally: Tally,
    pub(crate) show: S,
}

impl<'a, S: FnMut(&Entry<'_>)> Reading<'a, S> {
    pub(crate) fn new(query: &'a Query, show: S) -> Self {
        Self { query, tally: Tally::default(), show }
    }
}

impl<S: FnMut(&Entry<'_>)> Visitor for Reading<'_, S> {
    #[inline]
    fn entry(&mut self, entry: &Entry<'_>) {
        let tally = &mut self.tally;
        tally.entries += 1;
        tally.cut += u64::from(entry.is_cut());
        match self.query.filter.judge(entry) {
            Verdict::Wanted => {}
            Verdict::Unwanted => return,
            Verdict::Undated => {
                tally.undated += 1;
                return;
            }
        }
        tally.wanted += 1;
        tally.unzoned += u64::from(self.query.filter.lacks_zone(entry));
        match self.query.view {
            View::Entries => (self.show)(entry),
            View::Count(by) => count(&mut tally.counts, by, entry),
            View::Summary => {
                tally.counts.add(entry.class(), 1);
                if let Some(text) = entry.time().map(|time| time.bytes())
                    && let Some(time) = Timestamp::parse(&text)
                {
                    tally.reach(time.moment(), || String::from_utf8_lossy(&text).into_owned());
                }
            }
        }
    }

    fn fault(&mut self, line: u64, reason: Reason) {
        self.tally.faults += 1;
        if self.tally.named.len() < NAMED {
            self.tally.named.push((line, reason));
        }
    }
}

#[inline]
fn count(counts: &mut Counts, by: CountBy, entry: &Entry<'_>) {
    let mut head = |text: Option<auditlog::Text<'_>>| match text {
        Some(text) => counts.add(&text.bytes(), 1),
        None => counts.add(b"", 1),
    };
    match by {
        CountBy::Class => counts.add(entry.class(), 1),
        CountBy::User => head(entry.user()),
        CountBy::Database => head(entry.database()),
        CountBy::Command => counts.add(&entry.fields().command(), 1),
        CountBy::Object => counts.add(&entry.fields().object_name(), 1),
        CountBy::Hour => match entry.time().map(|time| time.bytes()) {
            Some(time) => counts.add(&hour(&time), 1),
            None => counts.add(b"", 1),
        },
    }
}

/// Gives the hour of a time with its zone, both as they are written; empty where it is no date.
fn hour(time: &[u8]) -> Vec<u8> {
    let is_date = time.len() > 13 && time[4] == b'-' && time[10] == b' ';
    if !is_date {
        return Vec::new();
    }
    let zone = time.iter().rposition(|b| *b == b' ').filter(|at| *at > 13).map_or(&b""[..], |at| &time[at..]);
    [&time[..13], b":00", zone].concat()
}
