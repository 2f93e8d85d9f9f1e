//! The settings in postgresql.conf: the preload list, pgaudit's, and others.

use std::collections::{BTreeMap, HashMap};

use model::postgres::{self, Needs as SettingNeeds};
use model::{Code, Compare, DesiredState, Diagnostic, Location};
use pgconf::value::Type;
use pgconf::{Assignment, Conf, ConfSet, Editor, Quoting};

use crate::conf::ObservedConf;
use crate::file_kind::FileKind;
use crate::observe::ObservedState;
use crate::plan::{Action, Needs, ValueChange};
use crate::reconcile::draft::Draft;
use crate::reconcile::preload;
use crate::redact;
use crate::target::TargetKind;

/// The list of libraries that the server loads at its start.
pub(crate) const PRELOAD: &str = "shared_preload_libraries";

/// One value that must become another.
struct Wanted<'a> {
    name: &'a str,
    /// The value, or `None` for a setting that must be commented out.
    value: Option<Vec<u8>>,
    quoting: Quoting,
    needs: Needs,
    why: Option<String>,
}

pub(super) fn reconcile(desired: &DesiredState, observed: &ObservedState, draft: &mut Draft) {
    let Some(conf) = &observed.conf else { return };
    if !desired.manages_conf() || !conf.is_readable() {
        return;
    }
    let major = desired.postgres_major();
    let wanted = wanted(desired, observed, conf, draft);
    let mut files: BTreeMap<&str, Edits<'_>> = BTreeMap::new();
    for (path, file) in conf.set.files() {
        files.insert(path, Edits { conf: file, editor: Editor::new(file) });
    }
    let main = conf.set.files().next().map_or("", |(path, _)| path);
    for setting in wanted {
        let before = effective(&conf.set, setting.name, major);
        let outcome = match (&setting.value, before) {
            (Some(value), Some(before)) => {
                files.get_mut(before.path).map(|edits| edits.editor.replace_value(before.entry, value))
            }
            (Some(value), None) => {
                files.get_mut(main).map(|edits| edits.editor.set_new(setting.name, value, setting.quoting))
            }
            (None, _) => {
                for assignment in conf.set.assignments_of(&spellings(setting.name, major)) {
                    if let Some(edits) = files.get_mut(assignment.path) {
                        edits.editor.comment_out(assignment.entry);
                    }
                }
                Some(Ok(()))
            }
        };
        if let Some(Err(error)) = outcome {
            draft.find(Diagnostic::error(
                Code::NotProved,
                format!("`{}` cannot be written: {error}", setting.name),
            ));
            continue;
        }
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let (shown, secret) = before.map_or((None, None), |before| {
            let value = before.value();
            let (shown, secret) =
                redact::split(text(&value), redact::may_be_secret_before(setting.name, &value));
            (Some(shown), secret)
        });
        draft.changes.push(ValueChange {
            path: conf.here(before.map_or(main, |before| before.path)).to_string(),
            line: before.map_or(0, |before| before.entry.line),
            subject: setting.name.to_string(),
            action: match (&setting.value, before) {
                (None, _) => Action::Remove,
                (Some(_), None) => Action::Add,
                (Some(_), Some(_)) => Action::Change,
            },
            before: shown,
            secret,
            after: setting.value.as_deref().map(|value| redact::declared(setting.name, text(value))),
            needs: setting.needs,
            why: setting.why,
        });
    }
    for (path, edits) in files {
        finish(conf.here(path), edits, draft);
    }
}

/// The edits of one file.
struct Edits<'a> {
    conf: &'a Conf,
    editor: Editor<'a>,
}

fn finish(path: &str, edits: Edits<'_>, draft: &mut Draft) {
    let replacements = edits.editor.finish();
    if replacements.is_empty() {
        return;
    }
    if path.starts_with('/') || path.starts_with("../") {
        draft.find(
            Diagnostic::error(
                Code::ConfInclude,
                format!("{path} lies outside the target and is not changed"),
            )
            .help("move the setting into the target's own postgresql.conf"),
        );
        return;
    }
    let mut added: Vec<_> =
        draft.changes.iter_mut().filter(|change| change.path == path && change.line == 0).collect();
    if !added.is_empty() {
        // An added line gets the number that it will have. No statement spans lines, so those that change are enough.
        let (head, changed) = changed_lines(edits.conf.bytes(), &replacements);
        let after = Conf::parse(changed);
        let mut lines = HashMap::new();
        for entry in after.entries() {
            lines.insert(after.name(entry).to_ascii_lowercase(), head + entry.line);
        }
        for change in &mut added {
            if let Some(line) = lines.get(change.subject.to_ascii_lowercase().as_bytes()) {
                change.line = *line;
            }
        }
    }
    draft.replace(path, FileKind::Conf, replacements);
}

/// Returns how many lines come before the first edit, and the new text from its line to that of the last edit.
fn changed_lines(bytes: &[u8], replacements: &[pgconf::Edit]) -> (usize, Vec<u8>) {
    let first = replacements.first().map_or(0, |edit| edit.range.start);
    let last = replacements.last().map_or(0, |edit| edit.range.end);
    let start = memchr::memrchr(b'\n', &bytes[..first]).map_or(0, |feed| feed + 1);
    let end = memchr::memchr(b'\n', &bytes[last..]).map_or(bytes.len(), |feed| last + feed + 1);
    let moved = |edit: &pgconf::Edit| pgconf::Edit {
        range: edit.range.start - start..edit.range.end - start,
        text: edit.text.clone(),
    };
    let moved: Vec<_> = replacements.iter().map(moved).collect();
    (memchr::memchr_iter(b'\n', &bytes[..start]).count(), pgconf::apply(&bytes[start..end], &moved))
}

fn wanted<'a>(
    desired: &'a DesiredState,
    observed: &ObservedState,
    conf: &ObservedConf,
    draft: &mut Draft,
) -> Vec<Wanted<'a>> {
    let mut wanted = Vec::new();
    let on_installer = observed.target.kind == TargetKind::Installer;
    let cost = |needs: Needs| if on_installer { Needs::Nothing } else { needs };
    let mut loads = false;
    if let Some(value) = preload_value(desired, observed, conf, draft) {
        loads = true;
        wanted.push(Wanted {
            name: PRELOAD,
            value: Some(value),
            quoting: Quoting::Quoted,
            needs: cost(Needs::Restart),
            why: None,
        });
    }
    let major = desired.postgres_major();
    for setting in desired.settings() {
        let same = |value: &[u8]| setting.compare.is_same(value, setting.value.as_bytes());
        let wins = overridden(&setting.name, major, &same, observed, conf, draft);
        if wins || effective(&conf.set, &setting.name, major).is_some_and(|now| same(&now.value())) {
            continue;
        }
        let of_library = loads && setting.name.starts_with("pgaudit.");
        wanted.push(Wanted {
            name: &setting.name,
            value: Some(setting.value.clone().into_bytes()),
            quoting: match setting.compare {
                Compare::Typed(kind) if kind != Type::String => Quoting::Bare,
                _ => Quoting::Quoted,
            },
            needs: cost(if of_library { Needs::Restart } else { needs_of(&setting.name, major) }),
            why: (of_library && !on_installer).then(|| "the library is loaded then".to_string()),
        });
    }
    for name in desired.unset() {
        overridden(name, major, &|_| false, observed, conf, draft);
        if effective(&conf.set, name, major).is_some() {
            wanted.push(Wanted {
                name,
                value: None,
                quoting: Quoting::Quoted,
                needs: cost(needs_of(name, major)),
                why: Some("back to the server's default".into()),
            });
        }
    }
    wanted
}

/// Returns the value that the preload list must get, if it must change.
fn preload_value(
    desired: &DesiredState,
    observed: &ObservedState,
    conf: &ObservedConf,
    draft: &mut Draft,
) -> Option<Vec<u8>> {
    let wanted = desired.preload()?;
    let has_all = |value: &[u8]| {
        preload::usable(value).is_some_and(|items| preload::merge(value, &items, wanted).is_none())
    };
    if overridden(PRELOAD, desired.postgres_major(), &has_all, observed, conf, draft) {
        return None;
    }
    let now = conf.set.effective(PRELOAD);
    let value = now.map(|now| now.value()).unwrap_or_default();
    // A list that no server starts with is reported by the checks, and nothing is built on it: only an exact list
    // replaces it.
    let items = preload::usable(&value);
    let merged = match &items {
        Some(items) => preload::merge(&value, items, wanted)?,
        None => preload::exact(wanted)?,
    };
    let items = items.unwrap_or_else(|| preload::pieces(&value));
    let removed = preload::removed(&items, wanted);
    if !removed.is_empty() {
        let names: Vec<_> = removed.iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect();
        let mut finding = Diagnostic::error(
            Code::PreloadRemoved,
            format!("the exact list would remove {} from {PRELOAD}", names.join(", ")),
        )
        .help("add what must stay to `preload.libraries`, or use `mode: ensure`");
        finding.location = now.map(|now| location(conf, now));
        draft.find_declared(finding, desired.preload_place());
    }
    Some(merged)
}

/// A value that counts over postgresql.conf.
struct Override {
    value: Vec<u8>,
    location: Option<Location>,
    /// Whether the command line sets it, rather than `postgresql.auto.conf`.
    by_command: bool,
}

impl Override {
    /// Finds what sets `name`: `postgresql.auto.conf`, and over that the command line.
    fn find(name: &str, major: Option<u16>, observed: &ObservedState, conf: &ObservedConf) -> Option<Self> {
        let of_compose =
            observed.databases.iter().filter(|d| d.project.runs).flat_map(|d| &d.database.command.options);
        let mut options = of_compose.chain(&observed.arguments);
        if let Some(option) = options.rfind(|option| sets(&option.name, name, major)) {
            let (value, location) = (option.value.clone().into_bytes(), option.location.clone());
            return Some(Self { value, location, by_command: true });
        }
        let now = effective(conf.auto.as_ref()?, name, major)?;
        Some(Self { value: now.value(), location: Some(location(conf, now)), by_command: false })
    }

    fn by(&self) -> &'static str {
        if self.by_command { "the server's command line" } else { "postgresql.auto.conf" }
    }
}

/// Returns the value that the server takes for a setting, and what sets it where that is not postgresql.conf.
pub(crate) fn in_force(
    name: &str,
    major: Option<u16>,
    observed: &ObservedState,
    conf: &ObservedConf,
) -> Option<(Vec<u8>, Option<&'static str>)> {
    match Override::find(name, major, observed, conf) {
        Some(over) => Some((over.value.clone(), Some(over.by()))),
        None => effective(&conf.set, name, major).map(|now| (now.value(), None)),
    }
}

/// A value that counts, and where it is set.
pub(crate) struct InForce {
    /// The value.
    pub(crate) value: Vec<u8>,
    /// Where it is set, if that is a file that was read.
    pub(crate) location: Option<Location>,
    /// The file, by the path that the server has for it; none for the command line.
    pub(crate) file: Option<String>,
}

/// Returns the value that the server takes for a setting, with its place.
pub(crate) fn in_force_at(
    name: &str,
    major: Option<u16>,
    observed: &ObservedState,
    conf: &ObservedConf,
) -> Option<InForce> {
    let of_file = |now: Assignment<'_>| InForce {
        value: now.value(),
        location: Some(location(conf, now)),
        file: Some(now.path.to_string()),
    };
    let Some(over) = Override::find(name, major, observed, conf) else {
        return effective(&conf.set, name, major).map(of_file);
    };
    if over.by_command {
        return Some(InForce { value: over.value, location: over.location, file: None });
    }
    effective(conf.auto.as_ref()?, name, major).map(of_file)
}

/// Reports what sets a value over postgresql.conf.
///
/// Returns whether the value that wins is the wanted one already: then the file need not change.
fn overridden(
    name: &str,
    major: Option<u16>,
    same: &dyn Fn(&[u8]) -> bool,
    observed: &ObservedState,
    conf: &ObservedConf,
    draft: &mut Draft,
) -> bool {
    let Some(over) = Override::find(name, major, observed, conf) else { return false };
    let (code, way_out) = if over.by_command {
        (
            Code::OverriddenByCommand,
            format!("remove `{name}` from `command:`, so that the value in postgresql.conf takes effect"),
        )
    } else {
        (Code::OverriddenByAutoConf, format!("run `ALTER SYSTEM RESET {name};` on the server"))
    };
    let is_same = same(&over.value);
    let message = format!("`{name}` in postgresql.conf is overridden by {}", over.by());
    let mut finding = match is_same {
        true => Diagnostic::warning(code, format!("{message}, with the wanted value")),
        false => Diagnostic::error(code, message),
    };
    finding.location = over.location;
    draft.find(finding.help(way_out));
    is_same
}

/// Returns what a change of a setting needs; a reload where nobody knows the setting.
pub(crate) fn needs_of(name: &str, major: Option<u16>) -> Needs {
    // Of a major that is not known the nearest one tells.
    let major = major.map(|major| major.clamp(*postgres::MAJORS.start(), *postgres::MAJORS.end()));
    match postgres::lookup_in(name, major).map(|row| row.context.needs()) {
        Some(SettingNeeds::Restart | SettingNeeds::Impossible) => Needs::Restart,
        Some(SettingNeeds::Reload) | None => Needs::Reload,
    }
}

/// Finds the assignment that counts: the last one, under the setting's name or an old one (`sort_mem`).
pub(crate) fn effective<'a>(set: &'a ConfSet, name: &str, major: Option<u16>) -> Option<Assignment<'a>> {
    set.assignments_of(&spellings(name, major)).pop()
}

/// Returns the names that set what `name` sets; where the major is not known, those of the newest one.
fn spellings(name: &str, major: Option<u16>) -> Vec<&str> {
    postgres::spellings(name, major.unwrap_or(*postgres::MAJORS.end()))
}

/// Returns whether a line with the name `written` sets `name`.
pub(super) fn sets(written: &str, name: &str, major: Option<u16>) -> bool {
    written.eq_ignore_ascii_case(name)
        || spellings(name, major).iter().any(|spelling| spelling.eq_ignore_ascii_case(written))
}

/// Returns the place of a setting in the file as it is named here.
pub(crate) fn location(conf: &ObservedConf, at: Assignment<'_>) -> Location {
    Location::new(conf.here(at.path), at.conf.bytes(), at.entry.name.start..at.entry.value.end)
}

/// Returns the libraries that the server will load when `draft` is applied, as far as the conf tells.
pub(super) fn resulting_libraries(desired: &DesiredState, set: &ConfSet) -> Option<Vec<Vec<u8>>> {
    let value = set.effective(PRELOAD).map(|now| now.value()).unwrap_or_default();
    let Some(items) = preload::usable(&value) else {
        return preload::usable(&preload::exact(desired.preload()?)?);
    };
    match desired.preload().and_then(|wanted| preload::merge(&value, &items, wanted)) {
        Some(merged) => preload::split(&merged),
        None => Some(items),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_sets_what_its_name_or_old_name_says() {
        assert!(sets("Work_Mem", "work_mem", None));
        assert!(sets("SORT_MEM", "work_mem", Some(15)));
        assert!(sets("work_mem", "sort_mem", None));
        assert!(sets("ssl_ecdh_curve", "ssl_groups", Some(18)));
        assert!(!sets("ssl_ecdh_curve", "ssl_groups", Some(17)));
        assert!(!sets("kasm.one", "kasm.two", Some(15)));
        assert!(!sets("no_such_setting", "work_mem", Some(15)));
    }
}
