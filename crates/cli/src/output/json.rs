//! Plans and diagnostics for programs: structs of their own, with a version of their own.

use model::{Diagnostic, Place};
use render::Plan;
use render::diff::{hunks, redacted_hunks, unified};
use serde::Serialize;

use crate::args::Global;
use crate::document::Loaded;
use crate::output::{escape_bytes, escape_json, words};
use crate::saved::format::{SavedFile, SavedTarget};

/// Additions raise the second number, anything else the first.
const VERSION: &str = "1.1";

#[derive(Serialize)]
struct Report {
    format: &'static str,
    format_version: &'static str,
    documents: Vec<serde_json::Value>,
}

#[derive(Serialize)]
struct DocumentReport<'a> {
    document: &'a str,
    valid: bool,
    /// Why it could not be read at all.
    error: Option<&'a str>,
    diagnostics: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Plans<'a> {
    format: &'static str,
    format_version: &'static str,
    documents: Vec<&'a str>,
    diagnostics: Vec<Finding<'a>>,
    /// Of a saved plan: what is not as the plan saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<&'a [String]>,
    targets: Vec<TargetPlan<'a>>,
}

#[derive(Serialize)]
struct TargetPlan<'a> {
    document: &'a str,
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
    kind: &'a str,
    /// None of a saved plan whose files are not as they were.
    diff: Option<String>,
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
    fix: Option<Fix<'a>>,
    allow: Option<&'static str>,
}

/// Bytes of the file at the place, and what to write instead.
#[derive(Serialize)]
struct Fix<'a> {
    start: usize,
    end: usize,
    replacement: &'a str,
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

/// The diagnostics of the documents of a run, gathered while those come and go.
#[derive(Default)]
pub(crate) struct Reports(Vec<serde_json::Value>);

impl Reports {
    pub(crate) fn add(&mut self, document: &str, diagnostics: &[Diagnostic]) {
        let report = DocumentReport {
            document,
            valid: !diagnostics.iter().any(Diagnostic::is_error),
            error: None,
            diagnostics: diagnostics.iter().map(finding).collect(),
        };
        self.0.push(serde_json::to_value(&report).unwrap_or_default());
    }

    /// Notes a document that could not be read at all.
    pub(crate) fn unread(&mut self, document: &str, why: &str) {
        let report = DocumentReport { document, valid: false, error: Some(why), diagnostics: Vec::new() };
        self.0.push(serde_json::to_value(&report).unwrap_or_default());
    }

    /// Writes what was gathered.
    pub(crate) fn finish(self) -> String {
        print(&Report { format: "kasm-db/diagnostics", format_version: VERSION, documents: self.0 })
    }
}

/// Writes the plans of a run by document; each comes with the folder of its target.
pub(crate) fn plans(documents: &[(&Loaded, &[(Plan, String)])], global: &Global) -> String {
    let targets = documents.iter().flat_map(|(loaded, plans)| {
        plans.iter().map(|(plan, folder)| target(&loaded.name, plan, folder, global))
    });
    print(&Plans {
        format: "kasm-db/plan",
        format_version: VERSION,
        documents: documents.iter().map(|(loaded, _)| loaded.name.as_str()).collect(),
        diagnostics: documents
            .iter()
            .flat_map(|(loaded, _)| loaded.reading.diagnostics.iter().map(finding))
            .collect(),
        stale: None,
        targets: targets.collect(),
    })
}

/// Writes a saved plan; where it still holds, it comes with `plans` as they are made now.
pub(crate) fn saved(
    document: &str,
    stale: Option<&[String]>,
    targets: &[(Plan, &SavedTarget, bool)],
    global: &Global,
) -> String {
    let targets = targets.iter().map(|(plan, saved, is_fresh)| {
        let mut target = target(document, plan, &saved.folder, global);
        if !is_fresh {
            target.files = saved.files.iter().map(file_row).collect();
        }
        target
    });
    print(&Plans {
        format: "kasm-db/plan",
        format_version: VERSION,
        documents: vec![document],
        diagnostics: Vec::new(),
        stale,
        targets: targets.collect(),
    })
}

fn file_row(file: &SavedFile) -> FileRow<'_> {
    FileRow { path: &file.path, kind: &file.kind, diff: None }
}

/// Writes a struct of the output layer.
pub(crate) fn print(value: &impl Serialize) -> String {
    // These structs hold nothing that JSON can not: no maps with other keys than text, no NaN.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    escape_json(text + "\n")
}

fn target<'a>(document: &'a str, plan: &'a Plan, folder: &'a str, global: &Global) -> TargetPlan<'a> {
    TargetPlan {
        document,
        name: &plan.target.name,
        kind: words::kind(&plan.target.kind),
        folder,
        blocked: plan.is_blocked(),
        needs: words::needs(plan.needs()),
        changes: plan.changes.iter().map(|row| change(row, global.show_secrets)).collect(),
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
                    kind: words::file_kind(file.kind),
                    diff: Some(escape_bytes(&unified(&file.path, &hunks))),
                }
            })
            .collect(),
        findings: plan.findings.iter().map(finding).collect(),
        in_order: &plan.in_order,
        skipped: &plan.skipped,
    }
}

fn change(change: &render::Change, show_secrets: bool) -> ChangeRow<'_> {
    ChangeRow {
        action: words::action(change.action),
        subject: &change.subject,
        path: &change.path,
        line: change.line,
        before: change.secret.as_deref().filter(|_| show_secrets).or(change.before.as_deref()),
        after: change.after.as_deref(),
        needs: words::needs(change.needs),
        why: change.why.as_deref(),
    }
}

fn finding(diagnostic: &Diagnostic) -> Finding<'_> {
    Finding {
        code: diagnostic.code.id(),
        name: diagnostic.code.name(),
        severity: words::severity(diagnostic.severity),
        message: &diagnostic.message,
        place: diagnostic.place.as_ref().map(position),
        related: diagnostic.related.as_ref().map(|(place, why)| Related { position: position(place), why }),
        help: diagnostic.help.as_deref(),
        fix: diagnostic.fix.as_ref().map(|(range, replacement)| Fix {
            start: range.start,
            end: range.end,
            replacement,
        }),
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
