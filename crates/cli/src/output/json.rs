//! Plans and diagnostics for programs: structs of their own, with a version of their own.

use model::{Diagnostic, Place, Severity};
use render::diff::{hunks, redacted_hunks, unified};
use render::{Action, FileKind, Needs, Plan, TargetKind};
use serde::Serialize;

use crate::args::Global;
use crate::output::escape_bytes;

/// Additions raise the second number, anything else the first.
const VERSION: &str = "1.0";

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    format_version: &'static str,
    document: &'a str,
    diagnostics: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Plans<'a> {
    format: &'static str,
    format_version: &'static str,
    document: &'a str,
    diagnostics: Vec<Finding<'a>>,
    targets: Vec<TargetPlan<'a>>,
}

#[derive(Serialize)]
struct TargetPlan<'a> {
    name: &'a str,
    kind: &'static str,
    folder: &'a str,
    blocked: bool,
    needs: &'static str,
    changes: Vec<ChangeRow<'a>>,
    files: Vec<FileRow<'a>>,
    findings: Vec<Finding<'a>>,
    in_order: &'a [String],
    skipped: &'a [String],
}

#[derive(Serialize)]
struct ChangeRow<'a> {
    action: &'static str,
    subject: &'a str,
    path: &'a str,
    line: usize,
    before: Option<&'a str>,
    after: Option<&'a str>,
    needs: &'static str,
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct FileRow<'a> {
    path: &'a str,
    kind: &'static str,
    diff: String,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'static str,
    name: &'static str,
    severity: &'static str,
    message: &'a str,
    place: Option<Position<'a>>,
    related: Option<Related<'a>>,
    help: Option<&'a str>,
    allow: Option<&'static str>,
}

#[derive(Serialize)]
struct Position<'a> {
    path: &'a str,
    line: usize,
    column: usize,
    start: usize,
    end: usize,
}

#[derive(Serialize)]
struct Related<'a> {
    #[serde(flatten)]
    position: Position<'a>,
    why: &'a str,
}

/// Writes the diagnostics of a document.
pub(crate) fn report(document: &str, diagnostics: &[Diagnostic]) -> String {
    print(&Report {
        format: "kasm-db/diagnostics",
        format_version: VERSION,
        document,
        diagnostics: diagnostics.iter().map(finding).collect(),
    })
}

/// Writes the plans of a run; each comes with the folder of its target.
pub(crate) fn plans(
    document: &str,
    diagnostics: &[Diagnostic],
    plans: &[(Plan, String)],
    global: &Global,
) -> String {
    print(&Plans {
        format: "kasm-db/plan",
        format_version: VERSION,
        document,
        diagnostics: diagnostics.iter().map(finding).collect(),
        targets: plans.iter().map(|(plan, folder)| target(plan, folder, global)).collect(),
    })
}

fn print(value: &impl Serialize) -> String {
    // These structs hold nothing that JSON can not: no maps with other keys than text, no NaN.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

fn target<'a>(plan: &'a Plan, folder: &'a str, global: &Global) -> TargetPlan<'a> {
    TargetPlan {
        name: &plan.target.name,
        kind: match plan.target.kind {
            TargetKind::Deployment => "deployment",
            TargetKind::Installer => "installer",
            TargetKind::Files { .. } => "files",
        },
        folder,
        blocked: plan.is_blocked(),
        needs: needs(plan.needs()),
        changes: plan.changes.iter().map(change).collect(),
        files: plan
            .files
            .iter()
            .map(|file| {
                let hunks = if global.show_secrets {
                    hunks(file, global.context)
                } else {
                    redacted_hunks(file, global.context)
                };
                FileRow {
                    path: &file.path,
                    kind: match file.kind {
                        FileKind::Compose => "compose",
                        FileKind::Conf => "postgresql_conf",
                    },
                    diff: escape_bytes(&unified(&file.path, &hunks)),
                }
            })
            .collect(),
        findings: plan.findings.iter().map(finding).collect(),
        in_order: &plan.in_order,
        skipped: &plan.skipped,
    }
}

fn change(change: &render::Change) -> ChangeRow<'_> {
    ChangeRow {
        action: match change.action {
            Action::Add => "add",
            Action::Change => "change",
            Action::Remove => "remove",
        },
        subject: &change.subject,
        path: &change.path,
        line: change.line,
        before: change.before.as_deref(),
        after: change.after.as_deref(),
        needs: needs(change.needs),
        why: change.why.as_deref(),
    }
}

fn needs(needs: Needs) -> &'static str {
    match needs {
        Needs::Nothing => "nothing",
        Needs::Reload => "reload",
        Needs::Restart => "restart",
        Needs::Recreate => "recreate",
    }
}

fn finding(diagnostic: &Diagnostic) -> Finding<'_> {
    Finding {
        code: diagnostic.code.id(),
        name: diagnostic.code.name(),
        severity: match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        message: &diagnostic.message,
        place: diagnostic.place.as_ref().map(position),
        related: diagnostic.related.as_ref().map(|(place, why)| Related { position: position(place), why }),
        help: diagnostic.help.as_deref(),
        allow: diagnostic.code.risk().map(|_| diagnostic.code.name()),
    }
}

fn position(place: &Place) -> Position<'_> {
    Position {
        path: &place.path,
        line: place.line,
        column: place.column,
        start: place.span.start,
        end: place.span.end,
    }
}
