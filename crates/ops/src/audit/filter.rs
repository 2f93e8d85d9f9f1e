//! Which entries are wanted.

use std::borrow::Cow;

use auditlog::{AuditEntry, AuditType, Fields, Text};

use super::time_bound::{Bound, parse_bound};
use crate::error::Error;
use crate::glob::matches;

/// What is asked of entries, as it was written; nothing asks for all.
#[derive(Clone, Debug, Default)]
pub struct Criteria {
    /// Classes.
    pub classes: Vec<String>,
    /// Session or object auditing.
    pub kind: Option<AuditType>,
    /// Patterns of users.
    pub users: Vec<String>,
    /// Patterns of databases.
    pub databases: Vec<String>,
    /// Session ids or process ids.
    pub sessions: Vec<String>,
    /// Patterns of commands.
    pub commands: Vec<String>,
    /// Patterns of object types.
    pub object_types: Vec<String>,
    /// Patterns of objects.
    pub objects: Vec<String>,
    /// Texts in statements.
    pub texts: Vec<String>,
    /// A time from which on.
    pub since: Option<String>,
    /// A time before which.
    pub until: Option<String>,
}

/// The filters of a run: an entry must pass each kind of them.
#[derive(Debug, Default)]
pub struct Filter {
    classes: Vec<String>,
    kind: Option<AuditType>,
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
    /// Reads what is asked.
    ///
    /// # Errors
    /// A time is not one.
    pub fn new(criteria: &Criteria) -> Result<Self, Error> {
        let upper = |texts: &[String]| texts.iter().map(|text| text.to_uppercase()).collect();
        Ok(Self {
            classes: upper(&criteria.classes),
            kind: criteria.kind,
            users: criteria.users.clone(),
            databases: criteria.databases.clone(),
            sessions: criteria.sessions.clone(),
            commands: upper(&criteria.commands),
            types: upper(&criteria.object_types),
            objects: criteria.objects.clone(),
            texts: criteria.texts.clone(),
            since: bound("--since", criteria.since.as_deref())?,
            until: bound("--until", criteria.until.as_deref())?,
        })
    }

    /// Judges an entry.
    #[inline]
    pub(crate) fn judge(&self, entry: &AuditEntry<'_>) -> Verdict {
        // What costs least comes first.
        let is_class =
            self.classes.is_empty() || self.classes.iter().any(|class| class.as_bytes() == entry.class());
        if !is_class || self.kind.is_some_and(|kind| kind != entry.kind()) {
            return Verdict::Unwanted;
        }
        if self.since.is_some() || self.until.is_some() {
            let Some(time) = entry.timestamp() else { return Verdict::Undated };
            let early = self.since.is_some_and(|since| since.is_after(&time));
            if early || self.until.is_some_and(|until| !until.is_after(&time)) {
                return Verdict::Unwanted;
            }
        }
        // An uncertain entry may be of anybody whom its line does not exclude.
        let wants_head = match entry.is_uncertain().then(|| entry.likely()) {
            None => self.wants_head(entry),
            Some(likely) => likely.is_none_or(|likely| self.wants_head(&likely)),
        };
        if wants_head && self.wants_fields(entry) { Verdict::Wanted } else { Verdict::Unwanted }
    }

    /// Tells whether a filter by time is about moments, and this entry's zone is not known.
    pub(crate) fn lacks_zone(&self, entry: &AuditEntry<'_>) -> bool {
        let needs = [self.since, self.until].into_iter().flatten().any(Bound::needs_zone);
        needs && entry.timestamp().is_some_and(|time| time.offset.is_none())
    }

    fn wants_head<'b>(&self, entry: &AuditEntry<'b>) -> bool {
        // To find a part costs more than all the rest: it is looked for only where a pattern asks for it.
        let passes = |patterns: &[String], parts: &[&dyn Fn() -> Option<Text<'b>>]| {
            let is = |part: Option<Text<'_>>| part.is_some_and(|text| any(patterns, &text.bytes()));
            patterns.is_empty() || parts.iter().any(|part| is(part()))
        };
        passes(&self.users, &[&|| entry.user()])
            && passes(&self.databases, &[&|| entry.database()])
            && passes(&self.sessions, &[&|| entry.session(), &|| entry.pid()])
    }

    fn wants_fields(&self, entry: &AuditEntry<'_>) -> bool {
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

fn bound(option: &str, text: Option<&str>) -> Result<Option<Bound>, Error> {
    let Some(text) = text else { return Ok(None) };
    parse_bound(text).map(Some).ok_or_else(|| {
        Error::usage(format!("{option}: `{text}` is no time")).help(
            "write how long ago (90s, 30m, 2h, 7d, 1w) or a date: 2026-11-22, 2026-11-22T10:30, \
             2026-11-22T10:30+02:00",
        )
    })
}

fn any(patterns: &[String], text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    patterns.iter().any(|pattern| matches(pattern, &text))
}
