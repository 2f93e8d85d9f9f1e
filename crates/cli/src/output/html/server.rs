//! How targets and their servers stand.

use live::{Check, Scrubber, Subject, Verdict};
use maud::{Markup, html};
use ops::TargetName;
use ops::status::{FilesStatus, ServerStatus, Status};
use ops::verify::{Looked, Verified};

use super::finding::findings;
use super::kept::{Entry, Rank};
use super::plan::changes;
use super::text::{badge, code, shown, words};
use crate::output::count;
use crate::output::human::status::words as since;

/// Returns how a target stands.
pub(super) fn status(name: &TargetName, status: &Status) -> Entry {
    let hide = |text: &str| status.scrubber.hide(&text.replace('\n', " "));
    let (files, files_rank) = files(&status.files, &hide);
    let (server, server_rank) = server(&status.server, &hide);
    let notes = notes(status, &hide);
    let rank = files_rank.min(server_rank).min(if notes.is_some() { Rank::Changes } else { Rank::Same });
    let cells = vec![files, server, notes.unwrap_or_else(|| html! { span.quiet { "none" } })];
    let section = match &status.files {
        FilesStatus::InSync => None,
        FilesStatus::Differ { changes: all, .. } => Some(changes(all)),
        FilesStatus::Blocked { blockers, .. } => Some(findings(blockers)),
    };
    Entry { name: name.label(), rank, cells, section }
}

/// Writes how the files stand.
fn files(status: &FilesStatus, hide: &impl Fn(&str) -> String) -> (Markup, Rank) {
    match status {
        FilesStatus::InSync => (badge("in sync", "good"), Rank::Same),
        FilesStatus::Differ { changes, files, since: from } => {
            let text = html! {
                (badge("differ", "changed")) " " (count(changes.len(), "value", "values")) " in "
                (count(*files, "file", "files")) ", " (since(*from))
            };
            (text, Rank::Changes)
        }
        FilesStatus::Blocked { why, .. } => {
            (html! { (badge("blocked", "bad")) " " (words(&hide(why))) }, Rank::Bad)
        }
    }
}

/// Writes how the server stands.
fn server(status: &ServerStatus, hide: &impl Fn(&str) -> String) -> (Markup, Rank) {
    let names = |subjects: &[Subject]| {
        let names: Vec<_> = subjects.iter().map(ToString::to_string).collect();
        hide(&names.join(", "))
    };
    let (word, class, text, rank) = match status {
        ServerStatus::InSync => ("in sync", "good", String::new(), Rank::Same),
        ServerStatus::NotAsked(why) => ("not asked", "plain", (*why).to_string(), Rank::Same),
        ServerStatus::Unreachable(why) => ("unreachable", "bad", hide(why), Rank::Bad),
        ServerStatus::RestartPending(subjects) => {
            ("restart pending", "changed", names(subjects), Rank::Changes)
        }
        ServerStatus::Differs(subjects) => ("differs", "changed", names(subjects), Rank::Changes),
        ServerStatus::NotChecked(subjects) => ("not checked", "bad", names(subjects), Rank::Bad),
    };
    (html! { (badge(word, class)) " " (words(&text)) }, rank)
}

/// Returns what else is to be known; `None` for nothing.
fn notes(status: &Status, hide: &impl Fn(&str) -> String) -> Option<Markup> {
    let mut all = Vec::new();
    match (status.running, status.pending) {
        (Some(_), _) => all.push("an apply is running".to_string()),
        (None, Some(step)) => {
            let step = step.name();
            all.push(format!("an apply is not finished: `kasm-db recover` resumes at its step `{step}`"));
        }
        (None, None) => {}
    }
    if let Some(newer) = &status.newer {
        all.push(format!("a newer tree is beside it: {}", newer.display()));
    }
    if !status.not_checked.is_empty() && !matches!(status.server, ServerStatus::NotChecked(_)) {
        let names: Vec<_> = status.not_checked.iter().map(ToString::to_string).collect();
        all.push(format!("not checked: {}", names.join(", ")));
    }
    (!all.is_empty()).then(|| html! { @for one in &all { div { (words(&hide(one))) } } })
}

/// Returns the checks of a target's server.
pub(super) fn verified(name: &TargetName, verified: &Verified) -> Entry {
    let checks = verified.checks();
    let of = |test: fn(&Verdict) -> bool| checks.iter().filter(|check| test(&check.verdict)).count();
    let failed = of(|verdict| matches!(verdict, Verdict::Fail { .. }));
    let (ok, skipped) = (of(|verdict| *verdict == Verdict::Ok), of(|verdict| *verdict == Verdict::Skip));
    let (rank, result) = match (&verified.looked, failed) {
        (Looked::Not(why), _) => (Rank::Same, html! { (badge("not asked", "plain")) " " (words(why)) }),
        (_, 0) => (Rank::Same, badge("as declared", "good")),
        _ => (Rank::Bad, badge("failed", "bad")),
    };
    let numbers = [ok, failed, skipped].map(|number| html! { (number) });
    let cells = std::iter::once(result).chain(numbers).collect();
    let section = (!checks.is_empty()).then(|| self::checks(checks, &verified.scrubber));
    Entry { name: name.label(), rank, cells, section }
}

/// Writes checks as a table.
fn checks(all: &[Check], scrubber: &Scrubber) -> Markup {
    let hide = |text: &str| scrubber.hide(&text.replace('\n', " "));
    html! {
        table.values {
            thead {
                tr { @for column in ["check", "result", "what was found", "what to do"] { th scope="col" { (column) } } }
            }
            tbody {
                @for check in all {
                    tr {
                        th scope="row" { (shown(&hide(&check.subject.to_string()))) }
                        td data-label="result" {
                            @match &check.verdict {
                                Verdict::Ok => (badge("ok", "good")),
                                Verdict::Skip => (badge("skipped", "plain")),
                                Verdict::Fail { code: of, .. } => { (badge("failed", "bad")) " " (code(of.id())) }
                            }
                        }
                        td data-label="what was found" { (words(&hide(&check.says))) }
                        td data-label="what to do" {
                            @if let Verdict::Fail { fix, .. } = &check.verdict { (words(&hide(fix))) }
                        }
                    }
                }
            }
        }
    }
}
