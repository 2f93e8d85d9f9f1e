//! Whether the next start has the declared values.

use model::document::Mode;
use model::{Code, DesiredPreload, DesiredState, Diagnostic};

use super::reading::{MAX, NextStart};
use crate::reconcile::{PRELOAD, effective, in_force_at};
use crate::redact;

/// What of `postgresql.conf` is declared: names, and no values. Whoever applied has written the values to the target's
/// files, and what somebody corrects there counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Settings that have a value.
    pub settings: Vec<String>,
    /// Settings that no file may set.
    pub unset: Vec<String>,
    /// How the preload list is declared.
    pub preload: Option<Mode>,
}

impl Declared {
    /// Returns what a document declares.
    pub fn of(desired: &DesiredState) -> Self {
        Self {
            settings: desired.settings().iter().map(|setting| setting.name.clone()).collect(),
            unset: desired.unset().to_vec(),
            preload: desired.preload().map(|preload| preload.mode),
        }
    }

    /// Returns whether a setting is among it.
    pub fn has(&self, name: &str) -> bool {
        let mut names = self.settings.iter().chain(&self.unset);
        names.any(|declared| declared.eq_ignore_ascii_case(name))
            || self.preload.is_some() && name.eq_ignore_ascii_case(PRELOAD)
    }
}

pub(super) fn check(next: &NextStart<'_>, declared: &Declared) -> Vec<Diagnostic> {
    let preload = declared.preload.and_then(|mode| preload(next, mode));
    let settings = declared.settings.iter().filter_map(|name| setting(next, name));
    let unset = declared.unset.iter().filter_map(|name| unset(next, name));
    preload.into_iter().chain(settings).chain(unset).take(MAX).collect()
}

/// Returns the value of the target's own files.
fn own(next: &NextStart<'_>, name: &str) -> Option<Vec<u8>> {
    let conf = next.observed.conf.as_ref()?;
    effective(&conf.set, name, next.major).map(|own| own.value())
}

fn preload(next: &NextStart<'_>, mode: Mode) -> Option<Diagnostic> {
    let at = in_force_at(PRELOAD, next.major, next.observed, &next.conf)?;
    let own = own(next, PRELOAD)?;
    let items = pgconf::split_libraries(&own)?;
    let libraries = items.iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect();
    let wanted = DesiredPreload { mode, libraries };
    if model::preload_is_met(&at.value, &wanted) {
        return None;
    }
    let (shown, own) = (text(&at.value), text(&own));
    let message = format!("the next start would have {PRELOAD} = '{shown}', not '{own}'");
    Some(hidden(next, PRELOAD, message))
}

fn setting(next: &NextStart<'_>, name: &str) -> Option<Diagnostic> {
    let at = in_force_at(name, next.major, next.observed, &next.conf)?;
    // Where the target's files do not set it, what does has the declared value: the plan saw it.
    let own = own(next, name)?;
    if model::is_same_value(name, &at.value, &own, next.major) {
        return None;
    }
    let message = format!(
        "the next start would have {name} = '{}', not '{}'",
        shown(name, &at.value),
        shown(name, &own)
    );
    Some(hidden(next, name, message))
}

fn unset(next: &NextStart<'_>, name: &str) -> Option<Diagnostic> {
    let at = in_force_at(name, next.major, next.observed, &next.conf)?;
    let message = format!("the next start would have {name} = '{}', not the default", shown(name, &at.value));
    Some(hidden(next, name, message))
}

fn hidden(next: &NextStart<'_>, name: &str, message: String) -> Diagnostic {
    next.of_setting(name, Diagnostic::error(Code::NextStartDiffers, message))
}

fn shown(name: &str, value: &[u8]) -> String {
    redact::split(text(value), redact::may_be_secret_before(name, value)).0
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).escape_debug().to_string()
}
