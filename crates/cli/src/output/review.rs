//! A folder for review: its texts, and how it differs from what it should be.

use std::collections::HashSet;
use std::fmt::Write as _;

use model::DesiredState;
use render::diff::between;
use render::redact::HIDDEN;
use render::{FileKind, Plan, redacted};

use crate::args::Global;
use crate::folder::{Difference, LIST};
use crate::output::human::{self, count};
use crate::output::{escape, escape_bytes, listed, plain, style};

/// Renders a plan for the folder: always the same, whatever the terminal and its options are.
pub(crate) fn plan(plan: &Plan, folder: &str, global: &Global) -> String {
    let fixed = Global {
        context: render::diff::CONTEXT,
        quiet: false,
        verbose: 1,
        show_secrets: false,
        ..global.clone()
    };
    let mut out = human::plan(plan, folder, &fixed);
    for finding in listed(&plan.findings, false) {
        let _ = write!(out, "\n{finding}");
    }
    plain(&out)
}

/// Gives a file's redacted bytes as text, with plain line ends: Git may have its own idea of those.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut out = String::new();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let (line, end) = line.strip_suffix(b"\n").map_or((line, ""), |line| (line, "\n"));
        out.push_str(&escape_bytes(line.strip_suffix(b"\r").unwrap_or(line)));
        out.push_str(end);
    }
    out
}

/// Says how the folder differs, with the diffs of what changed.
///
/// What stands there may be a file that somebody copied, password and all, so it is redacted first.
pub(crate) fn check(
    folder: &str,
    files: usize,
    differences: &[Difference],
    desired: &DesiredState,
    kind: &dyn Fn(&str) -> Option<FileKind>,
    context: usize,
) -> String {
    if differences.is_empty() {
        return format!("{folder}: {} as they should be.\n", count(files, "file", "files"));
    }
    let mut out = String::new();
    let mut counts = [0; 3];
    for difference in differences {
        let path = escape(&difference.path);
        let (at, color, word) = match (&difference.before, &difference.after) {
            (None, _) => (0, style::ADDED, "missing"),
            (Some(_), Some(_)) => (1, style::CHANGED, "changed"),
            (Some(_), None) => (2, style::REMOVED, "extra  "),
        };
        counts[at] += 1;
        let _ = writeln!(out, "  {color}{word}{color:#}  {path}");
    }
    for difference in differences.iter().filter(|difference| difference.path != LIST) {
        if let (Some(before), Some(after)) = (&difference.before, &difference.after) {
            changed(&mut out, difference, before, after, desired, kind(&difference.path), context);
        }
    }
    let [missing, changed, extra] = counts;
    let bold = style::BOLD;
    let _ = writeln!(
        out,
        "\n{bold}{folder} differs{bold:#}: {missing} missing, {changed} changed, {extra} extra. Run `kasm-db render` and \
         commit the result."
    );
    out
}

/// Gives what stands there as it may be shown. A line that stands in the new text, too, is no secret.
fn older(kind: FileKind, before: &[u8], after: &[u8], desired: &DesiredState) -> Vec<u8> {
    let known: HashSet<&[u8]> = after.split(|&byte| byte == b'\n').collect();
    let hidden = redacted(kind, before, desired);
    let mut hidden = hidden.split(|&byte| byte == b'\n');
    let lines: Vec<&[u8]> = before
        .split(|&byte| byte == b'\n')
        .map(|line| {
            let hidden = hidden.next().unwrap_or(HIDDEN.as_bytes());
            if known.contains(line) { line } else { hidden }
        })
        .collect();
    lines.join(&b'\n')
}

fn changed(
    out: &mut String,
    difference: &Difference,
    before: &[u8],
    after: &[u8],
    desired: &DesiredState,
    kind: Option<FileKind>,
    context: usize,
) {
    let before = kind.map_or_else(|| before.to_vec(), |kind| older(kind, before, after, desired));
    let path = escape(&difference.path);
    let bold = style::BOLD;
    let _ = write!(out, "\n{bold}--- a/{path}{bold:#}\n{bold}+++ b/{path}{bold:#}\n");
    let hunks = between(&before, after, context);
    if hunks.is_empty() {
        out.push_str("Only what is hidden differs.\n");
    }
    hunks.iter().for_each(|hunk| human::hunk(out, hunk));
}
