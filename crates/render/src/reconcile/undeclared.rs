//! A plan that also takes back what is no longer declared.
//!
//! What is undeclared is restored first, in memory; then the rest is planned as if it had never been set. So the checks see
//! the files as they will be, and a removal that goes back to what worked raises no blocker.

use std::collections::BTreeMap;

use model::{Code, DesiredState, Diagnostic, Image, Location, Release, Series};

use super::draft::Draft;
use super::image;
use super::no_longer_declared::{Restored, restore};
use super::preload::usable;
use super::settings::PRELOAD;
use crate::file_kind::FileKind;
use crate::observe::{ObservedDatabase, ObservedState, observe_again};
use crate::plan::{Action, FileChange, Needs, Plan, ValueChange};
use crate::redact;
use crate::restore::{Back, Record, edit_between};
use crate::source::Bytes;
use crate::target::TargetKind;

/// Plans the way to a document, and the way back of what it no longer declares; `draft` plans the former.
pub(super) fn plan(
    desired: &DesiredState,
    observed: &ObservedState,
    record: &Record,
    draft: impl Fn(&ObservedState) -> Draft,
) -> Plan {
    let Restored { files, changes, findings } = restore(desired, observed, record);
    if files.is_empty() {
        let mut plan = draft(observed).plan(observed);
        plan.findings.extend(findings);
        return plan;
    }
    let snapshot = observed.snapshot.with(files.iter().map(|(path, _, bytes)| (path.clone(), bytes.clone())));
    let middle = observe_again(observed, &snapshot, &|_| true);
    let mut plan = draft(&middle).plan(&middle);
    let back = files.iter().map(|(path, _, bytes)| {
        let before = observed.snapshot.bytes(path).unwrap_or_default();
        (path.as_str(), (before, Back::new(edit_between(before, bytes))))
    });
    let back: BTreeMap<&str, (&[u8], Back)> = back.collect();
    for finding in &mut plan.findings {
        let places = finding.location.iter_mut().chain(finding.related.iter_mut().map(|(place, _)| place));
        places.for_each(|place| move_back(place, &back));
    }
    let mut own = Draft::new(findings);
    let mut all = changes;
    all.extend(images(desired, observed, &middle, &mut own));
    if loses_pgaudit(observed, &middle, &plan) {
        own.find(
            Diagnostic::warning(
                Code::ExtensionLeft,
                "pgaudit is no longer preloaded: every DDL statement fails in a database that still has its extension",
            )
            .help("run `DROP EXTENSION pgaudit;` in each database that has it, before the restart"),
        );
    }
    plan.findings.extend(own.findings);
    let is_written = |change: &&ValueChange| plan.changes.iter().any(|one| one.subject == change.subject);
    plan.restored =
        all.iter().filter(|change| !is_written(change)).map(|change| change.subject.clone()).collect();
    plan.changes = merged(all, std::mem::take(&mut plan.changes));
    plan.files = whole(observed, files, std::mem::take(&mut plan.files));
    plan.in_order.retain(|path| plan.files.iter().all(|file| file.path != *path));
    plan
}

/// Returns a place in the file as it is, for one in the file as it was restored in memory.
fn move_back(place: &mut Location, back: &BTreeMap<&str, (&[u8], Back)>) {
    if let Some((bytes, back)) = back.get(place.path.as_str()) {
        let span = back.offset(place.span.start)..back.offset(place.span.end);
        *place = Location::new(&place.path, bytes, span);
    }
}

/// Returns what changes in the images of the databases.
fn images(
    desired: &DesiredState,
    observed: &ObservedState,
    middle: &ObservedState,
    draft: &mut Draft,
) -> Vec<ValueChange> {
    let mut changes = Vec::new();
    for before in &observed.databases {
        let after = middle.databases.iter().find(|after| after.project == before.project);
        let Some(after) = after else { continue };
        let text = |database: &ObservedDatabase| {
            let site = database.database.site.as_ref().ok()?;
            Some(site.text()?.raw.trim().to_owned())
        };
        let (old, new) = (text(before), text(after));
        let Ok(site) = &before.database.site else { continue };
        if old == new {
            continue;
        }
        let found = image::current(&before.database);
        let restored = image::current(&after.database);
        let wanted = restored.as_ref().and_then(|image: &Image| Release::of(image).series);
        let wanted = wanted.or(desired.postgres_major().map(Series::from));
        image::majors(desired, wanted, found.as_ref(), before, observed, draft);
        let shown = |text: String| {
            let has_user = redact::has_user(&text);
            redact::split(text, has_user)
        };
        let (old, secret) = old.map(shown).map_or((None, None), |(shown, secret)| (Some(shown), secret));
        let new = new.map(|text| shown(text).0);
        changes.push(ValueChange {
            path: before.database.file(site).path.clone(),
            line: before.database.image_location(site).line,
            subject: format!("services.{}.image", before.database.service),
            action: if new.is_none() { Action::Remove } else { Action::Change },
            before: old,
            secret,
            after: new,
            needs: match observed.target.kind {
                TargetKind::Installer => Needs::Nothing,
                _ if before.project.runs => Needs::Recreate,
                _ => Needs::Nothing,
            },
            why: Some("no longer declared".into()),
        });
    }
    changes
}

/// Returns whether pgaudit is in the list that is there and not in the one that will be.
fn loses_pgaudit(observed: &ObservedState, middle: &ObservedState, plan: &Plan) -> bool {
    let preloads = |state: &ObservedState| {
        let now = state.conf.as_ref().and_then(|conf| conf.set.effective(PRELOAD));
        let list = now.and_then(|now| usable(&now.value())).unwrap_or_default();
        list.iter().any(|library| pgconf::same_library(library, b"pgaudit"))
    };
    let is_set_again = plan.changes.iter().any(|change| change.subject == PRELOAD);
    observed.target.kind.has_data() && preloads(observed) && !preloads(middle) && !is_set_again
}

/// Joins what is restored with what is written over it: one change for each value.
fn merged(restored: Vec<ValueChange>, written: Vec<ValueChange>) -> Vec<ValueChange> {
    let mut all = restored;
    for change in written {
        let same = |one: &&mut ValueChange| one.path == change.path && one.subject == change.subject;
        match all.iter_mut().find(same) {
            Some(one) => {
                one.after.clone_from(&change.after);
                one.action = match (&one.before, &one.after) {
                    (Some(_), Some(_)) => Action::Change,
                    (None, _) => Action::Add,
                    (_, None) => Action::Remove,
                };
                one.needs = one.needs.max(change.needs);
            }
            None => all.push(change),
        }
    }
    all.retain(|change| change.before != change.after || change.secret.is_some());
    all.dedup();
    all
}

/// Returns the files from what is there to what will be.
fn whole(
    observed: &ObservedState,
    restored: Vec<(String, FileKind, Bytes)>,
    written: Vec<FileChange>,
) -> Vec<FileChange> {
    let mut files: BTreeMap<String, (FileKind, Bytes)> = BTreeMap::new();
    files.extend(restored.into_iter().map(|(path, kind, bytes)| (path, (kind, bytes))));
    let mut all = Vec::new();
    for file in written {
        match files.get_mut(&file.path) {
            Some((_, bytes)) => *bytes = file.after,
            None => all.push(file),
        }
    }
    all.extend(files.into_iter().filter_map(|(path, (kind, after))| {
        let before = observed.snapshot.shared(&path).cloned().unwrap_or_default();
        let edit = edit_between(&before, &after);
        (!edit.is_empty()).then(|| FileChange::new(path, kind, before, edit).restoring())
    }));
    all.sort_by(|one, other| one.path.cmp(&other.path));
    all
}

#[cfg(test)]
mod tests;
