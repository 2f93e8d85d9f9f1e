//! What the database needs for files that change without a document, as in a rollback.

use std::collections::BTreeSet;

use model::postgres;

use crate::conf::ObservedConf;
use crate::observe::ObservedState;
use crate::plan::Needs;
use crate::reconcile::{in_force, needs_of};
use crate::source::{Found, Source as _};
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
    let major = [before, after].into_iter().find_map(|observed| Some(observed.data.as_ref()?.series.major()));
    let (Some(first), Some(second)) = (&before.conf, &after.conf) else {
        return if before.conf.is_some() == after.conf.is_some() { Needs::Nothing } else { Needs::Restart };
    };
    if !first.is_readable() || !second.is_readable() {
        return if conf_files(before) == conf_files(after) { Needs::Nothing } else { Needs::Restart };
    }
    let names: BTreeSet<String> = [first, second].into_iter().flat_map(names).collect();
    let changed = names.iter().filter(|name| {
        let value = |observed, conf| in_force(name, major, observed, conf).map(|(value, _)| value);
        value(before, first) != value(after, second)
    });
    changed.map(|name| needs_of_change(name, major)).max().unwrap_or(Needs::Nothing)
}

/// Returns the compose files of the projects that run, with their content.
fn compose_files(observed: &ObservedState) -> Vec<(&str, &[u8])> {
    let running = observed.databases.iter().filter(|database| database.project.runs);
    let files = running.flat_map(|database| &database.database.stack.files);
    files.map(|file| (file.path.as_str(), file.bytes.as_slice())).collect()
}

fn conf_files(observed: &ObservedState) -> Vec<(&str, Found<Vec<u8>>)> {
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
