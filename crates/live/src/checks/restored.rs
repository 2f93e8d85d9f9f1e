//! Judges a server after files of an earlier apply came back: whether it is on them.

use model::{Code, Image};

use super::files::{conf, image};
use super::fixes::RESTART;
use super::setting::{effective, unset};
use crate::check::{Check, Remedy, Subject};
use crate::facts::{Facts, Server};

/// A setting that has another value with the files that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Its name.
    pub name: String,
    /// The value that the files give it; `None` if no file sets it any longer.
    pub value: Option<String>,
    /// Whether neither this value nor the one before may be said.
    pub is_hidden: bool,
}

/// Judges whether a server runs from the image of its files and has the values of its files, those that came back first.
///
/// A document is not asked: it may declare what was there before.
pub fn restored_checks(wanted: Option<&Image>, values: &[Restored], facts: &Facts) -> Vec<Check> {
    let image = wanted.and_then(|wanted| image(wanted, facts));
    let server = match &facts.server {
        Ok(server) => server,
        Err(unreachable) => {
            let (why, fix) = (&unreachable.why, &unreachable.fix);
            let connect = Check::fail(Subject::Connect, Code::Unreachable, why, fix, Remedy::Hand);
            return std::iter::once(connect).chain(image).collect();
        }
    };
    let mut checks: Vec<_> = image.into_iter().collect();
    checks.extend(conf(server));
    checks.extend(values.iter().map(|restored| value(restored, server)));
    checks.push(pending(values, server));
    checks
}

fn value(restored: &Restored, server: &Server) -> Check {
    let Restored { name, value, is_hidden } = restored;
    let check = match value {
        Some(wanted) => effective(name, wanted, &|text| is_same(name, wanted, text, server), server),
        None => unset(name, server),
    };
    if !is_hidden {
        return check;
    }
    let says = match check.is_failure() {
        true => "it does not have the value of the files",
        false => "it has the value of the files",
    };
    Check { says: says.into(), expected: None, actual: None, ..check }
}

/// Returns whether two texts give a setting the same value.
fn is_same(name: &str, wanted: &str, text: &str, server: &Server) -> bool {
    let (vartype, unit) =
        server.setting(name).map_or(("", ""), |now| (now.vartype.as_str(), now.unit.as_str()));
    wanted == text || model::is_shown_value(name, wanted, text, (vartype, unit), Some(server.major()))
}

/// Looks for settings that still wait for a restart; those that came back have a check of their own.
fn pending(values: &[Restored], server: &Server) -> Check {
    let is_other = |name: &&str| !values.iter().any(|value| value.name.eq_ignore_ascii_case(name));
    let others: Vec<_> = server.all_waiting().into_iter().filter(is_other).collect();
    if others.is_empty() {
        return Check::ok(Subject::PendingRestart, "nothing waits for a restart");
    }
    let why = format!("in the files, and pending until a restart: {}", others.join(", "));
    Check::fail(Subject::PendingRestart, Code::RestartPending, why, RESTART, Remedy::Restart)
}
