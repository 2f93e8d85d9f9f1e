//! What the database needs for files that change without a document, as in a rollback.

use std::collections::BTreeSet;

use model::postgres;

use crate::conf::ObservedConf;
use crate::observe::ObservedState;
use crate::plan::Needs;
use crate::reconcile::{in_force, needs_of};
use crate::redact;
use crate::source::{Bytes, Found, Source as _};
use crate::target::TargetKind;

/// Returns what the database needs if the files of a target, as `before` saw them, become what `after` saw.
///
/// Any change of a compose file that Compose runs counts as one of the container. A setting counts by its value in force,
/// and one that is not known as one that needs a restart.
pub fn needs_between(before: &ObservedState, after: &ObservedState) -> Needs {
    if before.target.kind == TargetKind::Installer {
        return Needs::Nothing;
    }
    if compose_files(before) != compose_files(after) {
        return Needs::Recreate;
    }
    let major = major(before, after);
    let (Some(first), Some(second)) = (&before.conf, &after.conf) else {
        return if before.conf.is_some() == after.conf.is_some() { Needs::Nothing } else { Needs::Restart };
    };
    if !first.is_readable() || !second.is_readable() {
        return if conf_files(before) == conf_files(after) { Needs::Nothing } else { Needs::Restart };
    }
    changed(before, first, after, second, major)
        .map(|name| needs_of_change(&name, major))
        .max()
        .unwrap_or(Needs::Nothing)
}

/// A setting whose value in force is another one with other files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueBetween {
    /// Its name, in lower case.
    pub name: String,
    /// The value that it gets; `None` if nothing sets it any longer.
    pub after: Option<Vec<u8>>,
    /// Whether this value or the one before may be a secret.
    pub may_be_secret: bool,
}

/// Returns the settings that get another value if the files of a target, as `before` saw them, become what `after` saw; none
/// if the files of one of them cannot be read.
pub fn values_between(before: &ObservedState, after: &ObservedState) -> Vec<ValueBetween> {
    let (Some(first), Some(second)) = (&before.conf, &after.conf) else { return Vec::new() };
    if !first.is_readable() || !second.is_readable() {
        return Vec::new();
    }
    let major = major(before, after);
    let value = |name: &str, observed, conf| in_force(name, major, observed, conf).map(|(value, _)| value);
    let between = |name: String| {
        let (old, new) = (value(&name, before, first), value(&name, after, second));
        let is_secret = |value: &Option<Vec<u8>>| {
            value.as_ref().is_some_and(|value| redact::may_be_secret_before(&name, value))
        };
        let may_be_secret = is_secret(&old) || is_secret(&new);
        ValueBetween { name, after: new, may_be_secret }
    };
    changed(before, first, after, second, major).map(between).collect()
}

/// Lists the settings whose value in force differs.
fn changed(
    before: &ObservedState,
    first: &ObservedConf,
    after: &ObservedState,
    second: &ObservedConf,
    major: Option<u16>,
) -> impl Iterator<Item = String> {
    let names: BTreeSet<String> = [first, second].into_iter().flat_map(names).collect();
    names.into_iter().filter(move |name| {
        let value = |observed, conf| in_force(name, major, observed, conf).map(|(value, _)| value);
        value(before, first) != value(after, second)
    })
}

fn major(before: &ObservedState, after: &ObservedState) -> Option<u16> {
    [before, after].into_iter().find_map(|observed| Some(observed.data.as_ref()?.series.major()))
}

/// Returns the compose files of the projects that run, with their content.
fn compose_files(observed: &ObservedState) -> Vec<(&str, &[u8])> {
    let running = observed.databases.iter().filter(|database| database.project.runs);
    let files = running.flat_map(|database| &database.database.stack.files);
    files.map(|file| (file.path.as_str(), &*file.bytes)).collect()
}

fn conf_files(observed: &ObservedState) -> Vec<(&str, Found<Bytes>)> {
    observed.conf_files().map(|(path, here)| (path, observed.snapshot().read(here))).collect()
}

fn names(conf: &ObservedConf) -> Vec<String> {
    let names = conf.set.assignments().map(|assignment| assignment.name().to_ascii_lowercase());
    names.map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
}

fn needs_of_change(name: &str, major: Option<u16>) -> Needs {
    let is_known = name.contains('.') || postgres::lookup_in(name, major).is_some();
    if is_known { needs_of(name, major) } else { Needs::Restart }
}
