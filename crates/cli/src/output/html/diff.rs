//! A change of a file, before and after side by side.

use maud::{Markup, html};
use render::FileChange;
use render::diff::{Hunk, Line, Sign, redacted_hunks};

use super::text::{code, cut};
use crate::output::{Detail, count, escape_bytes};

/// The lines that are shown of the files of a target.
pub(super) const LINES: usize = 1000;

/// One row: the line of a side with its number.
type Pair<'a> = (Option<(usize, &'a Line)>, Option<(usize, &'a Line)>);

/// Writes the change of a file with at most so many lines; what is left is subtracted.
pub(super) fn file(change: &FileChange, detail: Detail, left: &mut usize) -> Markup {
    let hunks = redacted_hunks(change, detail.context);
    let all: usize = hunks.iter().map(|hunk| hunk.lines.len()).sum();
    let shown = all.min(*left);
    *left -= shown;
    let mut room = shown;
    html! {
        details open {
            summary { (code(&change.path)) }
            table.diff {
                colgroup { col.number; col; }
                colgroup { col.number; col; }
                thead { tr { th scope="colgroup" colspan="2" { "before" } th scope="colgroup" colspan="2" { "after" } } }
                @for hunk in &hunks {
                    @let lines = &hunk.lines[..hunk.lines.len().min(room)];
                    @let () = room -= lines.len();
                    @if !lines.is_empty() {
                        tbody {
                            tr.hunk { th scope="rowgroup" colspan="4" { (hunk.header()) } }
                            @for (before, after) in pairs(hunk, lines) { (row(before, after)) }
                        }
                    }
                }
            }
            @if shown < all { p.more { (count(all - shown, "line is", "lines are")) " left out here." } }
        }
    }
}

/// Puts removed lines beside the added ones that take their place.
fn pairs<'a>(hunk: &Hunk, lines: &'a [Line]) -> Vec<Pair<'a>> {
    let (mut old, mut new) = (hunk.old.0, hunk.new.0);
    let mut pairs: Vec<Pair<'a>> = Vec::new();
    // Where the added lines of this place begin.
    let mut begin = 0;
    for line in lines {
        match line.sign {
            Sign::Same => {
                pairs.push((Some((old, line)), Some((new, line))));
                (old, new, begin) = (old + 1, new + 1, pairs.len());
            }
            Sign::Removed => {
                pairs.push((Some((old, line)), None));
                old += 1;
            }
            Sign::Added => {
                match pairs[begin..].iter_mut().find(|(_, after)| after.is_none()) {
                    Some((_, after)) => *after = Some((new, line)),
                    None => pairs.push((None, Some((new, line)))),
                }
                new += 1;
            }
        }
    }
    pairs
}

/// Writes one row.
fn row(before: Option<(usize, &Line)>, after: Option<(usize, &Line)>) -> Markup {
    html! {
        tr {
            @match before {
                None => { td.number.none {} td.none {} }
                Some((number, line)) if line.sign == Sign::Same => { td.number { (number) } td { (text(line)) } }
                Some((number, line)) => { td.number.removed { (number) } td.removed { del { (text(line)) } } }
            }
            @match after {
                None => { td.number.none {} td.none {} }
                Some((number, line)) if line.sign == Sign::Same => { td.number.again { (number) } td.again { (text(line)) } }
                Some((number, line)) => { td.number.added { (number) } td.added { ins { (text(line)) } } }
            }
        }
    }
}

/// Writes a line.
fn text(line: &Line) -> Markup {
    let bytes = line.text.strip_suffix(b"\r").unwrap_or(&line.text);
    html! {
        (cut(&escape_bytes(bytes)))
        @if !line.ended { span.quiet { " (no newline at the end of the file)" } }
    }
}
