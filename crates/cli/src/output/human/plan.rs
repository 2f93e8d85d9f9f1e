//! Plans and rollbacks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;
use commit::Back;
use model::Ignorable;
use render::diff::{Hunk, Sign, between, hunks, redacted_between, redacted_hunks};
use render::{Action, FileKind, Needs, Plan, Target, TargetKind, ValueChange};

use crate::output::{Detail, count, escape, escape_bytes, style};

/// Renders a plan: what changes, the diff, and a line that sums it up.
pub(crate) fn plan(plan: &Plan, folder: &str, detail: Detail) -> String {
    plan_of(plan, folder, plan.files.len(), detail)
}

/// Renders a plan of this many files; it has none of them where it was saved and they are not as they were.
pub(crate) fn plan_of(plan: &Plan, folder: &str, files: usize, detail: Detail) -> String {
    let mut out = String::new();
    let bold = style::BOLD;
    let name = escape(&plan.target.name);
    let kind = match plan.target.kind {
        TargetKind::Deployment => "deployment",
        TargetKind::Installer => "installer",
        TargetKind::Files { .. } => "files below",
    };
    let _ = writeln!(out, "{bold}{name}{bold:#} ({kind} {})", escape(folder));
    if !plan.changes.is_empty() {
        out.push('\n');
        changes(&mut out, &plan.changes, detail.show_secrets);
        if !detail.quiet {
            diffs(&mut out, plan, detail);
        }
    }
    if detail.verbose > 0 {
        details(&mut out, plan);
    }
    out.push('\n');
    summary(&mut out, plan, files);
    out
}

/// Returns how many warnings are silenced, and which are new.
pub(crate) fn ignored(counts: &BTreeMap<&str, usize>, new: &[Ignorable]) -> String {
    let mut out = String::new();
    if !counts.is_empty() {
        let counts: Vec<_> = counts.iter().map(|(name, number)| format!("{name} ({number})")).collect();
        let _ = writeln!(out, "Ignored warnings: {}.", counts.join(", "));
    }
    if !new.is_empty() {
        let names: Vec<_> = new.iter().map(|one| one.name()).collect();
        let _ = writeln!(out, "New in `ignore:` since the last apply: {}.", names.join(", "));
    }
    out
}

/// Renders the way back to what a generation left.
pub(crate) fn rollback(
    target: &Target,
    folder: &str,
    to: u64,
    back: &[Back],
    needs: Needs,
    detail: Detail,
) -> String {
    let mut out = String::new();
    let bold = style::BOLD;
    let _ = writeln!(out, "{bold}{}{bold:#} ({})", escape(&target.name), escape(folder));
    for Back { change, .. } in back {
        let path = escape(&change.path.display().to_string());
        if detail.quiet {
            let _ = writeln!(out, "  {}~{:#} {path}", style::CHANGED, style::CHANGED);
            continue;
        }
        let _ = write!(out, "\n{bold}--- a/{path}{bold:#}\n{bold}+++ b/{path}{bold:#}\n");
        let (before, after) = (&change.before, &change.after);
        let hunks = if detail.show_secrets {
            between(before, after, detail.context)
        } else {
            redacted_between(FileKind::of(&change.path), before, after, detail.context)
        };
        hunks.iter().for_each(|hunk| self::hunk(&mut out, hunk));
    }
    let files = count(back.len(), "file", "files");
    let cost = cost(needs, &target.kind);
    let _ = writeln!(out, "\n{bold}Rollback{bold:#} of {files} to what generation {to} left. {cost}");
    out
}

fn changes(out: &mut String, changes: &[ValueChange], show_secrets: bool) {
    let width = changes.iter().map(|change| change.subject.chars().count()).max().unwrap_or(0);
    for change in changes {
        let (sign, color) = sign(change.action);
        let value = |value: &Option<String>| match value {
            Some(text) if text.is_empty() => "''".to_string(),
            Some(text) => escape(text),
            None => "(not set)".to_string(),
        };
        let before = if show_secrets && change.secret.is_some() { &change.secret } else { &change.before };
        let (before, after) = (value(before), value(&change.after));
        let subject = escape(&change.subject);
        let dim = style::DIM;
        let _ = writeln!(out, "  {color}{sign}{color:#} {subject:width$}  {before} -> {after}");
        let why = change.why.as_ref().map(|why| format!(" ({})", escape(why))).unwrap_or_default();
        let place = format!("{}:{}", escape(&change.path), change.line);
        let needs = match needs(change.needs) {
            Some(needs) => format!(", needs {needs}"),
            None => String::new(),
        };
        let _ = writeln!(out, "    {:width$}  {dim}{place}{needs}{why}{dim:#}", "");
    }
}

fn sign(action: Action) -> (char, Style) {
    match action {
        Action::Add => ('+', style::ADDED),
        Action::Change => ('~', style::CHANGED),
        Action::Remove => ('-', style::REMOVED),
    }
}

fn needs(needs: Needs) -> Option<&'static str> {
    match needs {
        Needs::Nothing => None,
        Needs::Reload => Some("a reload"),
        Needs::Restart => Some("a restart"),
        Needs::Recreate => Some("a new container"),
    }
}

fn diffs(out: &mut String, plan: &Plan, detail: Detail) {
    for file in &plan.files {
        let path = escape(&file.path);
        let bold = style::BOLD;
        let _ = write!(out, "\n{bold}--- a/{path}{bold:#}\n{bold}+++ b/{path}{bold:#}\n");
        let hunks = if detail.show_secrets {
            hunks(file, detail.context)
        } else {
            redacted_hunks(file, detail.context)
        };
        for hunk in &hunks {
            self::hunk(out, hunk);
        }
    }
}

pub(crate) fn hunk(out: &mut String, hunk: &Hunk) {
    let color = style::HUNK;
    let _ = writeln!(out, "{color}{}{color:#}", hunk.header());
    for line in &hunk.lines {
        let text = escape_bytes(line.text.strip_suffix(b"\r").unwrap_or(&line.text));
        let _ = match line.sign {
            Sign::Same => writeln!(out, " {text}"),
            Sign::Removed => writeln!(out, "{0}-{text}{0:#}", style::REMOVED),
            Sign::Added => writeln!(out, "{0}+{text}{0:#}", style::ADDED),
        };
        if !line.ended {
            out.push_str("\\ No newline at end of file\n");
        }
    }
}

fn details(out: &mut String, plan: &Plan) {
    let dim = style::DIM;
    for path in &plan.in_order {
        let _ = writeln!(out, "  {dim}in sync: {}{dim:#}", escape(path));
    }
    for path in &plan.skipped {
        let _ = writeln!(out, "  {dim}skipped: {} (no database service){dim:#}", escape(path));
    }
}

fn summary(out: &mut String, plan: &Plan, files: usize) {
    if plan.is_blocked() {
        let color = style::ERROR;
        let mut names: Vec<_> = plan.blockers().map(|blocker| blocker.code.name()).collect();
        names.sort_unstable();
        names.dedup();
        let _ = writeln!(out, "{color}Refused{color:#}: {}. Nothing was written.", names.join(", "));
    } else if plan.is_empty() {
        let files = count(plan.in_order.len(), "file matches", "files match");
        let _ = writeln!(out, "No changes. {files} the document.");
    } else {
        let of = |action| plan.changes.iter().filter(|change| change.action == action).count();
        let (added, changed, removed) = (of(Action::Add), of(Action::Change), of(Action::Remove));
        let bold = style::BOLD;
        let files = count(files, "file", "files");
        let _ = writeln!(
            out,
            "{bold}Plan{bold:#}: {added} to add, {changed} to change, {removed} to remove in {files}. {}",
            cost(plan.needs(), &plan.target.kind)
        );
    }
}

/// Returns what new files of a target take, as a sentence.
pub(crate) fn cost(needs: Needs, kind: &TargetKind) -> &'static str {
    match (needs, kind) {
        (Needs::Nothing, TargetKind::Installer) => "It takes effect when this tree is installed.",
        (Needs::Nothing, _) => "No running service is affected.",
        (Needs::Reload, _) => {
            "The server must reload its configuration. The file is written in place, because a container with a \
             single-file bind mount would keep the old file."
        }
        (Needs::Restart, _) => "The database must be restarted.",
        (Needs::Recreate, _) => "The database must be stopped and started: its container is recreated.",
    }
}
