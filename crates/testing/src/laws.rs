//! The laws, asserted for one document, one target and its files.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use model::document::Mode;
use model::{Code, Compare, DesiredState};
use pgconf::ConfSet;
use render::{Action, ChangeKind, FileKind, Plan, Record, Target, TargetKind, Written};

use crate::{ConfFiles, Memory, desired, plan};

/// A document that asks for nothing.
pub static NOTHING: LazyLock<DesiredState> = LazyLock::new(|| desired("schema: kasm-db/v1\n"));

/// Asserts every law; gives the plan and the files after it.
pub fn laws(desired: &DesiredState, target: &Target, files: &Memory) -> (Plan, Memory) {
    untouched(target, files);
    let plan = reproducible(desired, target, files);
    refusals(&plan);
    let after = apply(&plan, files);
    locality(&plan, target, files);
    let second = reproducible(desired, target, &after);
    assert!(second.is_empty(), "the second plan is not empty: {:#?} {:#?}", plan.changes, second.changes);
    if !plan.is_blocked() {
        assert!(!second.is_blocked(), "the result is refused: {:#?}", second.findings);
    }
    reverted(&plan, target, files, &after);
    if let TargetKind::Files { postgresql_conf: Some(path), .. } = &target.kind {
        conf(desired, &plan, path, files, &after);
    }
    (plan, after)
}

/// A document that manages nothing plans nothing, whatever is there.
pub fn untouched(target: &Target, files: &Memory) {
    let plan = plan(&NOTHING, target, files);
    assert!(plan.is_empty(), "nothing was asked for: {:#?}", plan.changes);
}

/// The same document and the same bytes give the same plan, byte for byte.
fn reproducible(desired: &DesiredState, target: &Target, files: &Memory) -> Plan {
    let (first, second) = (plan(desired, target, files), plan(desired, target, files));
    assert_eq!(format!("{first:?}"), format!("{second:?}"), "two plans of the same thing differ");
    first
}

/// A plan that is refused says where, and leaves alone what could not be read.
fn refusals(plan: &Plan) {
    let unproved = plan.findings.iter().find(|finding| finding.code == Code::NotProved);
    assert!(unproved.is_none(), "an edit that does not hold: {unproved:#?}");
    let unreadable = plan.blockers().any(|f| matches!(f.code, Code::ConfSyntax | Code::ConfInclude));
    let writes = plan.files.iter().any(|file| file.kind == FileKind::Conf);
    assert!(!(unreadable && writes), "a conf is edited that the server does not read");
    let named = |finding: &model::Diagnostic| {
        finding.location.as_ref().is_some_and(|place| place.line > 0 && !place.path.is_empty())
            || finding.message.contains(['/', '.'])
            // What is written nowhere has no place: there the message says what to write.
            || finding.help.is_some()
    };
    assert!(plan.blockers().all(named), "a blocker without a place: {:#?}", plan.findings);
}

/// Replaces the planned ranges, and nothing else.
fn apply(plan: &Plan, files: &Memory) -> Memory {
    let mut after = files.clone();
    for file in &plan.files {
        assert_eq!(*file.before, *files.get(&file.path), "{} is not what was read", file.path);
        assert_ne!(file.before, file.after, "{} changes into itself", file.path);
        let mut bytes = Vec::new();
        let mut at = 0;
        for replacement in file.edit.replacements() {
            assert!(replacement.range.start >= at && replacement.range.end <= file.before.len());
            bytes.extend(&file.before[at..replacement.range.start]);
            bytes.extend(&replacement.text);
            at = replacement.range.end;
        }
        bytes.extend(&file.before[at..]);
        assert!(*bytes == *file.after, "{}: the edit does not lead to the planned bytes", file.path);
        after.0.insert(file.path.clone(), bytes);
    }
    after
}

/// A document that declares nothing any more brings back the bytes from before.
fn reverted(plan: &Plan, target: &Target, files: &Memory, after: &Memory) {
    let mut record = Record::default();
    let image = plan.changes.iter().find(|change| change.kind() == ChangeKind::Image);
    let image = image.map_or("services.db.image", |change| change.subject.as_str());
    for file in &plan.files {
        let written = Written {
            path: &file.path,
            kind: file.kind,
            before: &file.before,
            after: &file.after,
            image: (file.kind == FileKind::Compose).then_some(image),
            restored: &[],
        };
        record.write(&written, 1);
    }
    let observed = render::observe(target, after);
    let back = render::reconcile_with(&NOTHING, &observed, &record);
    let reverted = apply(&back, after);
    for file in &plan.files {
        let shown = String::from_utf8_lossy;
        let (is, was) = (reverted.get(&file.path), files.get(&file.path));
        assert!(
            is == was,
            "{}: {}\nis not\n{}\n{record:#?}\n{:#?}",
            file.path,
            shown(is),
            shown(was),
            back.findings
        );
    }
    let again = render::reconcile_with(&NOTHING, &render::observe(target, &reverted), &record);
    assert!(again.is_empty(), "the way back is planned twice: {:#?}", again.changes);
}

/// One setting changes at most one line and adds at most one; an image one line for each service
/// that stays with what it had.
fn locality(plan: &Plan, target: &Target, files: &Memory) {
    for file in &plan.files {
        let feeds = |bytes: &[u8]| bytes.iter().filter(|&&b| b == b'\n').count();
        let line_of = |at: usize| feeds(&file.before[..at]);
        let mut touched = Vec::new();
        let mut added = 0;
        for replacement in file.edit.replacements() {
            let replaced = &file.before[replacement.range.clone()];
            added += feeds(&replacement.text).saturating_sub(feeds(replaced));
            if !replaced.is_empty() || feeds(&replacement.text) == 0 {
                touched.extend(line_of(replacement.range.start)..=line_of(replacement.range.end));
            }
        }
        touched.sort_unstable();
        touched.dedup();
        let changes = plan.changes.iter().filter(|change| change.path == file.path);
        let allowed: usize = match file.kind {
            FileKind::Conf => changes
                .map(|change| match change.action {
                    Action::Remove => assignments(target, files, &change.subject),
                    Action::Add | Action::Change => 1,
                })
                .sum(),
            // The image, a line for each service that keeps what it had, and a scalar over several lines.
            FileKind::Compose => {
                let of = |r: &render::Replacement| {
                    let (old, new) = (feeds(&file.before[r.range.clone()]), feeds(&r.text));
                    assert!(new <= old + 1, "{}: more than a line is added", file.path);
                    1 + old
                };
                file.edit.replacements().iter().map(of).sum()
            }
        };
        let lines = touched.len() + added;
        assert!(lines <= allowed, "{}: {lines} lines change, not {allowed}", file.path);
        assert!(
            !file.before.ends_with(b"\n") || file.after.ends_with(b"\n"),
            "{}: the final line feed is lost",
            file.path
        );
        let is_crlf = |bytes: &[u8]| {
            let mut lines = bytes.split_inclusive(|&b| b == b'\n').filter(|line| line.ends_with(b"\n"));
            lines.all(|line| line.ends_with(b"\r\n"))
        };
        let was_crlf = feeds(&file.before) > 0 && is_crlf(&file.before);
        assert!(!was_crlf || is_crlf(&file.after), "{}: not all lines end in CRLF", file.path);
    }
}

fn assignments(target: &Target, files: &Memory, name: &str) -> usize {
    let path = match &target.kind {
        TargetKind::Files { postgresql_conf, .. } => postgresql_conf.as_deref().unwrap_or_default(),
        TargetKind::Deployment | TargetKind::Installer => "conf/database/postgresql.conf",
    };
    read(path, files).assignments().filter(|a| a.name().eq_ignore_ascii_case(name.as_bytes())).count()
}

fn read(path: &str, files: &Memory) -> ConfSet {
    ConfSet::read(path, files.get(path), &ConfFiles(files))
}

/// Asks the conf itself, and not another plan, whether it says what was wanted.
fn conf(desired: &DesiredState, plan: &Plan, path: &str, before: &Memory, after: &Memory) {
    let (before, after) = (read(path, before), read(path, after));
    let changed = |name: &str| plan.changes.iter().any(|change| change.subject == name);
    let now = |name: &str| after.effective(name).map(|a| a.value());
    for (index, assignment) in before.assignments().enumerate() {
        let name = String::from_utf8_lossy(assignment.name()).to_ascii_lowercase();
        if !changed(&name) {
            let same = |set: &ConfSet| -> Vec<_> {
                set.assignments().filter(|a| is(a.name(), &name)).map(|a| a.value()).collect()
            };
            assert_eq!(same(&before), same(&after), "`{name}` changed (setting {index})");
        }
    }
    assert_eq!(before.problems().len(), after.problems().len(), "the server sees other problems");
    if plan.is_blocked() {
        return;
    }
    for setting in desired.settings() {
        let found = now(&setting.name);
        let wanted = setting.value.as_bytes();
        let same = found.as_deref().is_some_and(|found| match setting.compare {
            Compare::Classes(set) => model::audit::ClassSet::parse(found) == Some(set),
            Compare::Typed(kind) => pgconf::value::same(&kind, found, wanted),
            Compare::Words { ordered } => {
                let words = |text: &[u8]| {
                    let mut words = pgconf::split_identifiers(text).unwrap_or_else(|| vec![text.to_vec()]);
                    if !ordered {
                        words = words.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
                    }
                    words
                };
                words(found) == words(wanted)
            }
            Compare::Text => found == wanted,
        });
        assert!(same, "`{}` is {found:?}, not {}", setting.name, setting.value);
    }
    for name in desired.unset() {
        assert_eq!(now(name), None, "`{name}` is still set");
    }
    if let Some(preload) = desired.preload() {
        let list = |value: Option<Vec<u8>>| pgconf::split_libraries(&value.unwrap_or_default());
        let (was, is) = (list(before.effective(PRELOAD).map(|a| a.value())), list(now(PRELOAD)).unwrap());
        let has = |items: &[Vec<u8>], name: &[u8]| items.iter().any(|item| pgconf::same_library(item, name));
        assert!(preload.libraries.iter().all(|library| has(&is, library.as_bytes())));
        match preload.mode {
            Mode::Exact => {
                let same =
                    |(item, library): (&Vec<u8>, &String)| pgconf::same_library(item, library.as_bytes());
                assert!(is.len() == preload.libraries.len() && is.iter().zip(&preload.libraries).all(same));
            }
            Mode::Ensure => assert!(is.starts_with(&was.unwrap()), "a library was lost or moved"),
        }
    }
}

const PRELOAD: &str = "shared_preload_libraries";

fn is(name: &[u8], wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted.as_bytes())
}
