//! A folder for review: its texts, and how it differs from what it should be.

use std::collections::HashSet;
use std::fmt::Write as _;

use model::DesiredState;
use ops::Error;
use ops::review::{By, How, Review, Wording};
use render::diff::between;
use render::redact::HIDDEN;
use render::{FileKind, Plan, redacted};

use super::human::plan as human;
use crate::output::{Detail, count, escape, escape_bytes, is_unsafe, listed, plain, style};

/// The words of the folder: always the same, whatever the terminal and its options are.
pub(crate) struct Words;

impl Wording for Words {
    fn plan(&self, plan: &Plan, folder: &str) -> String {
        let detail = Detail { context: render::diff::CONTEXT, verbose: 1, ..Detail::default() };
        let mut out = human::plan(plan, folder, detail);
        for finding in listed(&plan.findings, false) {
            let _ = write!(out, "\n{finding}");
        }
        plain(&out)
    }

    fn finding_titles(&self, plan: &Plan) -> Vec<String> {
        let title = |finding: &String| plain(finding).lines().next().unwrap_or_default().to_string();
        listed(&plan.findings, false).iter().map(title).collect()
    }

    /// Writes plain line ends: Git may have its own idea of those.
    fn file(&self, bytes: &[u8]) -> String {
        let mut out = String::new();
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (line, end) = line.strip_suffix(b"\n").map_or((line, ""), |line| (line, "\n"));
            out.push_str(&escape_bytes(line.strip_suffix(b"\r").unwrap_or(line)));
            out.push_str(end);
        }
        out
    }

    fn is_unsafe(&self, name: &str) -> bool {
        name.chars().any(is_unsafe)
    }
}

/// Returns how the folder differs, with the diffs of what changed. What another version of this program rendered differs anyway, and
/// is not compared.
///
/// What stands there may be a file that somebody copied, password and all, so it is redacted first.
pub(crate) fn check(
    folder: &str,
    review: &Review<'_>,
    desired: &DesiredState,
    detail: Detail,
    show: &mut (dyn FnMut(&str) -> Result<(), Error> + Send),
) -> Result<(), Error> {
    let by = match review.by() {
        Some(By::Earlier) => Some("an earlier version of kasm-db: render again"),
        Some(By::Later) => Some("a later version of kasm-db: use that one"),
        _ => None,
    };
    if let Some(by) = by {
        return show(&format!("{folder}: rendered by {by}.\n"));
    }
    if review.differences().is_empty() {
        return show(&format!("{folder}: {} as they should be.\n", count(review.files(), "file", "files")));
    }
    let mut out = String::new();
    let mut counts = [0; 3];
    for difference in review.differences() {
        let path = escape(&difference.path);
        let (at, color, word) = match difference.how {
            How::Missing => (0, style::ADDED, "missing"),
            How::Changed => (1, style::CHANGED, "changed"),
            How::Extra => (2, style::REMOVED, "extra  "),
        };
        counts[at] += 1;
        let _ = writeln!(out, "  {color}{word}{color:#}  {path}");
    }
    show(&out)?;
    if !detail.quiet {
        review.each_changed(|difference, before, after| {
            show(&changed(&difference.path, difference.kind, before, after, desired, detail.context))
        })?;
    }
    let [missing, changed, extra] = counts;
    let bold = style::BOLD;
    show(&format!(
        "\n{bold}{folder} differs{bold:#}: {missing} missing, {changed} changed, {extra} extra. Run `kasm-db render` and \
         commit the result.\n"
    ))
}

/// Returns what stands there as it may be shown. A line that stands in the new text, too, is no secret.
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
    path: &str,
    kind: Option<FileKind>,
    before: &[u8],
    after: &[u8],
    desired: &DesiredState,
    context: usize,
) -> String {
    let before = kind.map_or_else(|| before.to_vec(), |kind| older(kind, before, after, desired));
    let path = escape(path);
    let bold = style::BOLD;
    let mut out = format!("\n{bold}--- a/{path}{bold:#}\n{bold}+++ b/{path}{bold:#}\n");
    let hunks = between(&before, after, context);
    if hunks.is_empty() {
        out.push_str("Only what is hidden differs.\n");
    }
    hunks.iter().for_each(|hunk| human::hunk(&mut out, hunk));
    out
}
