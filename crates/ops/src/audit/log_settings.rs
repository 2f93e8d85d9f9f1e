//! The settings of a server that decide how its log is read.

use auditlog::{AuditEntry, Prefix};

use super::Logs;
use super::log_timezone::LogTimezone;
use crate::error::Error;

/// `log_line_prefix` and `log_timezone` of the server that wrote a log, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct LogSettings {
    prefix: Option<Prefix>,
    timezone: Option<LogTimezone>,
}

impl LogSettings {
    /// Reads what was given on the command line; it holds for all logs of a run.
    ///
    /// # Errors
    /// This host knows no such time zone.
    pub fn given(log_line_prefix: Option<&str>, log_timezone: Option<&str>) -> Result<Self, Error> {
        let prefix = log_line_prefix.map(|text| Prefix::new(text.as_bytes()));
        Ok(Self { prefix, timezone: log_timezone.map(LogTimezone::new).transpose()? })
    }

    /// Completes it with the configuration of a target. A time zone that this host does not know is left open.
    #[must_use]
    pub fn or_of(self, logs: &Logs) -> Self {
        let configured = || LogTimezone::new(logs.timezone()?).ok();
        Self {
            prefix: self.prefix.or_else(|| Some(logs.prefix())),
            timezone: self.timezone.or_else(configured),
        }
    }

    pub(crate) fn prefix(&self) -> Option<&Prefix> {
        self.prefix.as_ref()
    }

    /// Returns whether a zone is known that entries without one are in.
    #[inline]
    pub(crate) fn has_timezone(&self) -> bool {
        self.timezone.is_some()
    }

    /// Returns an entry with what its zone means; `None` if its text says it, or if nothing does.
    pub(crate) fn in_zone<'a>(&self, entry: &AuditEntry<'a>) -> Option<AuditEntry<'a>> {
        let timezone = self.timezone.as_ref()?;
        let time = entry.timestamp().filter(|time| time.offset.is_none())?;
        Some(entry.in_offset(timezone.offset(time.wall, &entry.time()?.bytes())?))
    }
}
