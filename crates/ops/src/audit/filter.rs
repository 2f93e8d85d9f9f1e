//! Which entries are wanted.

use std::borrow::Cow;

use auditlog::{AuditEntry, AuditType, Fields, Text};

use super::time_bound::{Bound, not_a_bound, parse_bound};
use crate::error::Error;
use crate::glob::matches;

/// What is asked of entries, as it was written; nothing asks for all.
#[derive(Clone, Debug, Default)]
pub struct Criteria {
    /// What an entry must be: one of each kind that is named.
    pub only: Choice,
    /// What it must not be: none of all that are named.
    pub not: Choice,
    /// A time from which on.
    pub since: Option<String>,
    /// A time before which.
    pub until: Option<String>,
}

/// Properties of entries, by their kinds.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Classes.
    pub classes: Vec<String>,
    /// Session or object auditing.
    pub kind: Option<AuditType>,
    /// Patterns of users.
    pub users: Vec<String>,
    /// Patterns of databases.
    pub databases: Vec<String>,
    /// Patterns of what clients call themselves.
    pub applications: Vec<String>,
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
}

/// The filters of a run.
#[derive(Debug, Default)]
pub struct Filter {
    only: Choice,
    not: Choice,
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
    /// The log does not have the name that is asked for.
    Unnamed,
    /// It would be wanted, but for what its client calls itself.
    Hidden,
}

impl Filter {
    /// Reads what is asked.
    ///
    /// # Errors
    /// A time is not one.
    pub fn new(criteria: &Criteria) -> Result<Self, Error> {
        let since = bound("--since", criteria.since.as_deref())?;
        let until = bound("--until", criteria.until.as_deref())?;
        Ok(Self { only: criteria.only.upper(), not: criteria.not.upper(), since, until })
    }

    /// Judges an entry.
    #[inline]
    pub(crate) fn judge(&self, entry: &AuditEntry<'_>) -> Verdict {
        let Self { only, not, .. } = self;
        // What costs least comes first.
        let is_class = only.classes.is_empty() || only.has_class(entry);
        if !is_class || not.has_class(entry) || only.kind.is_some_and(|kind| kind != entry.kind()) {
            return Verdict::Unwanted;
        }
        if not.kind == Some(entry.kind()) {
            return Verdict::Unwanted;
        }
        if self.since.is_some() || self.until.is_some() {
            let Some(time) = entry.timestamp() else { return Verdict::Undated };
            let early = self.since.is_some_and(|since| since.is_after(&time));
            if early || self.until.is_some_and(|until| !until.is_after(&time)) {
                return Verdict::Unwanted;
            }
        }
        // An uncertain entry may be of anybody whom its line does not exclude; one with names in doubt is most likely of whom
        // the usual names say.
        let is_uncertain = entry.is_uncertain();
        let wants_head = match (is_uncertain || entry.is_name_open()).then(|| entry.likely()) {
            None => only.wants_head(entry),
            Some(likely) => likely.is_none_or(|likely| only.wants_head(&likely)),
        };
        if !wants_head {
            let is_told = is_uncertain || only.is_told(entry);
            return if is_told { Verdict::Unwanted } else { Verdict::Unnamed };
        }
        // And it may be of somebody else than the one who is not asked for.
        if !only.wants_fields(entry) || !is_uncertain && not.is_of(entry) || not.has_field(entry) {
            return Verdict::Unwanted;
        }
        let is_hidden =
            !is_uncertain && !not.applications.is_empty() && is(&not.applications, entry.application());
        if is_hidden { Verdict::Hidden } else { Verdict::Wanted }
    }

    /// Returns whether a filter by time is about moments, and this entry's zone is not known.
    pub(crate) fn lacks_zone(&self, entry: &AuditEntry<'_>) -> bool {
        let needs = [self.since, self.until].into_iter().flatten().any(Bound::needs_zone);
        needs && entry.timestamp().is_some_and(|time| time.offset.is_none())
    }
}

impl Choice {
    /// Returns it with what pgaudit writes in capital letters in them.
    fn upper(&self) -> Self {
        let upper = |texts: &[String]| texts.iter().map(|text| text.to_uppercase()).collect();
        Self {
            classes: upper(&self.classes),
            commands: upper(&self.commands),
            object_types: upper(&self.object_types),
            ..self.clone()
        }
    }

    #[inline]
    fn has_class(&self, entry: &AuditEntry<'_>) -> bool {
        self.classes.iter().any(|class| class.as_bytes() == entry.class())
    }

    fn wants_head<'b>(&self, entry: &AuditEntry<'b>) -> bool {
        // To find a part costs more than all the rest: it is looked for only where a pattern asks for it.
        let passes = |patterns: &[String], parts: &[&dyn Fn() -> Option<Text<'b>>]| {
            patterns.is_empty() || parts.iter().any(|part| is(patterns, part()))
        };
        passes(&self.users, &[&|| entry.user()])
            && passes(&self.databases, &[&|| entry.database()])
            && passes(&self.applications, &[&|| entry.application()])
            && passes(&self.sessions, &[&|| entry.session(), &|| entry.pid()])
    }

    /// Returns whether the log has every name that is asked for.
    fn is_told(&self, entry: &AuditEntry<'_>) -> bool {
        (self.users.is_empty() || entry.tells_user())
            && (self.databases.is_empty() || entry.tells_database())
            && (self.applications.is_empty() || entry.tells_application())
            && (self.sessions.is_empty() || entry.tells_session())
    }

    /// Returns whether an entry is of one of these users, databases or sessions.
    fn is_of(&self, entry: &AuditEntry<'_>) -> bool {
        let has = |patterns: &[String]| !patterns.is_empty();
        has(&self.users) && is(&self.users, entry.user())
            || has(&self.databases) && is(&self.databases, entry.database())
            || has(&self.sessions) && (is(&self.sessions, entry.session()) || is(&self.sessions, entry.pid()))
    }

    fn has_fields(&self) -> bool {
        [&self.commands, &self.object_types, &self.objects, &self.texts]
            .iter()
            .any(|filter| !filter.is_empty())
    }

    fn wants_fields(&self, entry: &AuditEntry<'_>) -> bool {
        if !self.has_fields() {
            return true;
        }
        let fields: Fields<'_> = entry.fields();
        let passes = |patterns: &[String], text: Cow<'_, [u8]>| patterns.is_empty() || any(patterns, &text);
        let statement = fields.statement();
        passes(&self.commands, fields.command())
            && passes(&self.object_types, fields.object_type())
            && passes(&self.objects, fields.object_name())
            && self.texts.iter().all(|text| holds(&statement, text))
    }

    /// Returns whether one of these commands, types, objects or texts is in an entry.
    fn has_field(&self, entry: &AuditEntry<'_>) -> bool {
        if !self.has_fields() {
            return false;
        }
        let fields: Fields<'_> = entry.fields();
        let statement = fields.statement();
        any(&self.commands, &fields.command())
            || any(&self.object_types, &fields.object_type())
            || any(&self.objects, &fields.object_name())
            || self.texts.iter().any(|text| holds(&statement, text))
    }
}

fn is(patterns: &[String], part: Option<Text<'_>>) -> bool {
    part.is_some_and(|text| any(patterns, &text.bytes()))
}

fn holds(statement: &[u8], text: &str) -> bool {
    text.is_empty() || statement.windows(text.len()).any(|window| window == text.as_bytes())
}

fn bound(option: &str, text: Option<&str>) -> Result<Option<Bound>, Error> {
    let Some(text) = text else { return Ok(None) };
    parse_bound(text).map(Some).ok_or_else(|| {
        let (why, help) = not_a_bound(text);
        Error::usage(format!("invalid value `{text}` for `{option}`: {why}")).help(help)
    })
}

fn any(patterns: &[String], text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    patterns.iter().any(|pattern| matches(pattern, &text))
}
