//! Which entries are wanted.

use std::borrow::Cow;

use auditlog::time::Timestamp;
use auditlog::{Entry, Fields, Kind, Text};

use super::bound::{Bound, parse_bound};
use crate::args::{Audit, AuditType};
use crate::exit::{Exit, Failure};
use crate::target::matches;

/// The filters of a run: an entry must pass each kind of them.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    classes: Vec<String>,
    kind: Option<Kind>,
    users: Vec<String>,
    databases: Vec<String>,
    sessions: Vec<String>,
    commands: Vec<String>,
    types: Vec<String>,
    objects: Vec<String>,
    texts: Vec<String>,
    since: Option<Bound>,
    until: Option<Bound>,
}

/// What a filter says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wanted,
    Unwanted,
    /// It has no time that could be read, and a time is asked for.
    Undated,
}

impl Filter {
    /// Reads the filters of the command line.
    pub(crate) fn new(args: &Audit) -> Result<Self, Failure> {
        let upper = |texts: &[String]| texts.iter().map(|text| text.to_uppercase()).collect();
        Ok(Self {
            classes: upper(&args.class),
            kind: args.kind.map(|kind| match kind {
                AuditType::Session => Kind::Session,
                AuditType::Object => Kind::Object,
            }),
            users: args.user.clone(),
            databases: args.database.clone(),
            sessions: args.session.clone(),
            commands: upper(&args.command),
            types: upper(&args.object_type),
            objects: args.object.clone(),
            texts: args.grep.clone(),
            since: bound("--since", args.since.as_deref())?,
            until: bound("--until", args.until.as_deref())?,
        })
    }

    /// Judges an entry.
    #[inline]
    pub(crate) fn judge(&self, entry: &Entry<'_>) -> Verdict {
        // What costs least comes first.
        let is_class =
            self.classes.is_empty() || self.classes.iter().any(|class| class.as_bytes() == entry.class());
        if !is_class || self.kind.is_some_and(|kind| kind != entry.kind()) {
            return Verdict::Unwanted;
        }
        if self.since.is_some() || self.until.is_some() {
            let Some(time) = entry.time().and_then(|time| Timestamp::parse(&time.bytes())) else {
                return Verdict::Undated;
            };
            let early = self.since.is_some_and(|since| since.is_after(&time));
            if early || self.until.is_some_and(|until| !until.is_after(&time)) {
                return Verdict::Unwanted;
            }
        }
        if self.wants_head(entry) && self.wants_fields(entry) { Verdict::Wanted } else { Verdict::Unwanted }
    }

    /// Tells whether a filter by time is about moments, and this entry's zone is not known.
    pub(crate) fn lacks_zone(&self, entry: &Entry<'_>) -> bool {
        let needs = [self.since, self.until].into_iter().flatten().any(Bound::needs_zone);
        needs
            && entry
                .time()
                .and_then(|time| Timestamp::parse(&time.bytes()))
                .is_some_and(|time| time.offset.is_none())
    }

    fn wants_head<'b>(&self, entry: &Entry<'b>) -> bool {
        // To find a part costs more than all the rest: it is looked for only where a pattern asks for it.
        let passes = |patterns: &[String], parts: &[&dyn Fn() -> Option<Text<'b>>]| {
            let is = |part: Option<Text<'_>>| part.is_some_and(|text| any(patterns, &text.bytes()));
            patterns.is_empty() || parts.iter().any(|part| is(part()))
        };
        passes(&self.users, &[&|| entry.user()])
            && passes(&self.databases, &[&|| entry.database()])
            && passes(&self.sessions, &[&|| entry.session(), &|| entry.pid()])
    }

    fn wants_fields(&self, entry: &Entry<'_>) -> bool {
        let filters = [&self.commands, &self.types, &self.objects, &self.texts];
        if filters.iter().all(|filter| filter.is_empty()) {
            return true;
        }
        let fields: Fields<'_> = entry.fields();
        let passes = |patterns: &[String], text: Cow<'_, [u8]>| patterns.is_empty() || any(patterns, &text);
        let statement = fields.statement();
        let holds = |text: &String| {
            text.is_empty() || statement.windows(text.len()).any(|window| window == text.as_bytes())
        };
        passes(&self.commands, fields.command())
            && passes(&self.types, fields.object_type())
            && passes(&self.objects, fields.object_name())
            && self.texts.iter().all(holds)
    }
}

fn bound(option: &str, text: Option<&str>) -> Result<Option<Bound>, Failure> {
    let Some(text) = text else { return Ok(None) };
    parse_bound(text).map(Some).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{option}: `{text}` is no time")).help(
            "write how long ago (90s, 30m, 2h, 7d, 1w) or a date: 2026-11-22, 2026-11-22T10:30, \
             2026-11-22T10:30+02:00",
        )
    })
}

fn any(patterns: &[String], text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    patterns.iter().any(|pattern| matches(pattern, &text))
}
