//! The plan of a target: its row, and all that is to be said of it.

use std::collections::BTreeSet;

use maud::{Markup, html};
use ops::FollowUp;
use render::{Action, ChangeKind, ManagedKind, Needs, Plan, TargetKind, ValueChange};

use super::diff;
use super::finding::{error_item, findings};
use super::kept::{Entry, Rank};
use super::text::{badge, code, shown, value, words};
use crate::output::emitter::{PlanRow, SavedRow};
use crate::output::human::follow_up;
use crate::output::human::plan::cost;
use crate::output::{Detail, count, inspect};

/// The columns of the table.
pub(super) const COLUMNS: &[&str] =
    &["target", "result", "database", "image", "preload", "settings", "findings"];

/// The values that are listed of a target.
const CHANGES: usize = 500;

/// The digits of a digest that the table has room for.
const DIGEST: usize = 7;

/// Returns the row and the section of a target.
pub(super) fn entry(row: &PlanRow<'_>, detail: Detail) -> Entry {
    let plan = row.plan;
    let rank = match row.saved {
        Some(SavedRow::Stale(_)) => Rank::Bad,
        _ if plan.is_blocked() || row.interrupted.is_some() => Rank::Bad,
        _ if !plan.is_empty() => Rank::Changes,
        _ if !plan.findings.is_empty() => Rank::Warned,
        _ => Rank::Same,
    };
    let cells = vec![
        result(row),
        database(plan),
        values(row, &[ChangeKind::Image], &[ManagedKind::Image]),
        values(row, &[ChangeKind::Preload], &[ManagedKind::Preload]),
        settings(row),
        found(plan),
    ];
    let has_section = rank != Rank::Same || !row.newly_ignored.is_empty() || !row.images.is_empty();
    Entry { name: row.name(), rank, cells, section: has_section.then(|| section(row, detail)) }
}

/// Writes what becomes of the target.
fn result(row: &PlanRow<'_>) -> Markup {
    let plan = row.plan;
    let saved = match &row.saved {
        Some(SavedRow::Stale(_)) => Some(("stale", "bad")),
        Some(SavedRow::Applied) => Some(("already applied", "good")),
        Some(SavedRow::OtherStale) => Some(("stale: another target changed", "warned")),
        Some(SavedRow::Unknown) => Some(("not compared", "warned")),
        Some(SavedRow::Fresh) | None => None,
    };
    html! {
        @if let Some((text, class)) = saved { (badge(text, class)) " " }
        @if plan.is_blocked() { (badge("blocked", "bad")) }
        @else if plan.is_empty() { (badge("no changes", "good")) }
        @else { (badge("changes", "changed")) " in " (count(row.files(), "file", "files")) }
    }
}

/// Writes what the database needs.
fn database(plan: &Plan) -> Markup {
    if plan.is_blocked() || plan.is_empty() {
        return html! { span.quiet { "stays as it is" } };
    }
    needs(plan.needs()).unwrap_or_else(|| html! { span.quiet { "is not affected" } })
}

/// Returns what a change costs; `None` for nothing.
fn needs(needs: Needs) -> Option<Markup> {
    match needs {
        Needs::Nothing => None,
        Needs::Reload => Some(badge("reload", "plain")),
        Needs::Restart => Some(badge("restart", "warned")),
        Needs::Recreate => Some(badge("new container", "warned")),
    }
}

/// Writes what changes of some kinds of values, or else how they are.
fn values(row: &PlanRow<'_>, kinds: &[ChangeKind], managed: &[ManagedKind]) -> Markup {
    let changes = row.plan.changes.iter().filter(|change| kinds.contains(&change.kind()));
    // Copies of a compose file change alike.
    let distinct: BTreeSet<_> = changes.map(|change| (&change.before, &change.after)).collect();
    if let Some((before, after)) = distinct.first() {
        let short = |text: &Option<String>| value(text.as_deref().map(short_digest).as_ref());
        return html! {
            del { (short(before)) } br; ins { (short(after)) }
            @if distinct.len() > 1 { br; "and " (distinct.len() - 1) " more" }
        };
    }
    standing(row, managed)
}

/// Returns an image with the beginning of its digest; the whole one is among the values.
fn short_digest(image: &str) -> String {
    match image.split_once("@sha256:") {
        Some((name, digest)) if digest.len() > DIGEST && digest.is_ascii() => {
            format!("{name}@sha256:{}…", &digest[..DIGEST])
        }
        _ => image.to_owned(),
    }
}

/// Writes how many settings change, or how they are.
fn settings(row: &PlanRow<'_>) -> Markup {
    let kinds = [ChangeKind::Setting, ChangeKind::Unset];
    let of = |action| {
        let changes = row.plan.changes.iter();
        changes.filter(|change| kinds.contains(&change.kind()) && change.action == action).count()
    };
    let counts =
        [(of(Action::Add), "to add"), (of(Action::Change), "to change"), (of(Action::Remove), "to remove")];
    let counts: Vec<_> = counts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    match counts.is_empty() {
        false => html! { (counts.join(", ")) },
        true => standing(row, &[ManagedKind::Setting, ManagedKind::Unset]),
    }
}

/// Writes how values are that do not change.
fn standing(row: &PlanRow<'_>, kinds: &[ManagedKind]) -> Markup {
    let Some(managed) = row.managed else { return html! { span.quiet { "no change" } } };
    let of_these: Vec<_> = managed.iter().filter(|one| kinds.contains(&one.kind)).collect();
    let text = match &of_these[..] {
        [] => "not managed",
        all if all.iter().any(|one| one.in_sync == Some(false)) => "differs",
        all if all.iter().any(|one| one.in_sync.is_none()) => "not known",
        _ => "in sync",
    };
    match &of_these[..] {
        [one, ..] if one.kind == ManagedKind::Image && text == "in sync" => {
            html! { span.quiet { (value(one.declared.as_deref().map(short_digest).as_ref())) } }
        }
        _ => html! { span.quiet { (text) } },
    }
}

/// Writes how many findings there are.
fn found(plan: &Plan) -> Markup {
    let (errors, warnings) = (plan.blockers().count(), plan.warnings().count());
    html! {
        @if errors > 0 { (badge(&count(errors, "error", "errors"), "bad")) " " }
        @if warnings > 0 { (badge(&count(warnings, "warning", "warnings"), "warned")) }
        @if errors + warnings == 0 { span.quiet { "none" } }
    }
}

/// Writes all that is to be said of the target.
fn section(row: &PlanRow<'_>, detail: Detail) -> Markup {
    let plan = row.plan;
    let kind = match plan.target.kind {
        TargetKind::Deployment => "A deployment",
        TargetKind::Installer => "An installer",
        TargetKind::Files { .. } => "Files by name",
    };
    let mut left = diff::LINES;
    html! {
        p {
            (kind) " of " (code(row.document)) ". "
            @if !plan.is_empty() && !plan.is_blocked() { (cost(plan.needs(), &plan.target.kind)) }
        }
        @if let Some(error) = row.interrupted { p { (error_item(error)) } }
        @if !plan.findings.is_empty() { h3 { "Findings" } (findings(&plan.findings)) }
        @if !plan.changes.is_empty() { h3 { "Values" } (changes(&plan.changes)) }
        @if !plan.files.is_empty() { h3 { "Files" } }
        @for file in &plan.files { (diff::file(file, detail, &mut left)) }
        @if let Some(steps) = row.follow_up { h3 { "After the files" } (follows(steps)) }
        @if !row.images.is_empty() {
            h3 { "Images" }
            ul { @for image in row.images { li { (shown(&inspect::line(image))) } } }
        }
        (ignored(row))
    }
}

/// Writes values that change, or that differ, as a table.
pub(super) fn changes(all: &[ValueChange]) -> Markup {
    let left_out = all.len().saturating_sub(CHANGES);
    html! {
        table.values {
            thead {
                tr {
                    @for column in ["value", "before", "after", "place", "needs"] { th scope="col" { (column) } }
                }
            }
            tbody {
                @for change in all.iter().take(CHANGES) {
                    tr {
                        th scope="row" { (code(&change.subject)) }
                        td data-label="before" { (value(change.before.as_ref())) }
                        td data-label="after" { (value(change.after.as_ref())) }
                        td data-label="place" { (code(&format!("{}:{}", change.path, change.line))) }
                        td data-label="needs" {
                            @match needs(change.needs) { Some(needs) => (needs), None => { span.quiet { "nothing" } } }
                            @if let Some(why) = &change.why { " " span.quiet { (words(why)) } }
                        }
                    }
                }
            }
        }
        @if left_out > 0 { p.more { "and " (count(left_out, "more value", "more values")) } }
    }
}

/// Writes what an apply does after the files.
fn follows(follow_up: &FollowUp) -> Markup {
    let text = follow_up::text(follow_up, "the user who applies it");
    html! { ul { @for line in text.lines().skip(1) { li { (shown(line.trim_start())) } } } }
}

/// Writes which warnings are silenced.
fn ignored(row: &PlanRow<'_>) -> Markup {
    let counts = row.ignored();
    html! {
        @if !counts.is_empty() {
            p { "Ignored warnings: " @for (index, (name, number)) in counts.iter().enumerate() {
                @if index > 0 { ", " } (code(name)) " (" (number) ")"
            } "." }
        }
        @if !row.newly_ignored.is_empty() {
            p { (badge("new", "warned")) " in " code { "ignore:" } " since the last apply: "
                @for (index, one) in row.newly_ignored.iter().enumerate() {
                    @if index > 0 { ", " } (code(one.name()))
                } "." }
        }
    }
}
