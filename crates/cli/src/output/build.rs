//! Words for the differences of a folder with a build context.

use std::fmt::Write as _;

use ops::Error;
use ops::build::Context;
use ops::review::How;
use render::diff::between;

use super::human::plan as human;
use super::{Detail, count, escape, style};

/// Shows how a folder differs from what it should be.
pub(crate) fn check(
    folder: &str,
    found: &Context,
    detail: Detail,
    show: &mut dyn FnMut(&str) -> Result<(), Error>,
) -> Result<(), Error> {
    if found.differences().is_empty() {
        return show(&format!("{folder}: {} as they should be.\n", count(found.files(), "file", "files")));
    }
    let mut out = String::new();
    for difference in found.differences() {
        let path = escape(&difference.path);
        let (color, word) = match difference.how {
            How::Missing => (style::ADDED, "missing"),
            How::Changed => (style::CHANGED, "changed"),
            How::Extra => (style::REMOVED, "extra  "),
        };
        let _ = writeln!(out, "  {color}{word}{color:#}  {path}");
    }
    if !detail.quiet {
        found.each_changed(|path, before, after| {
            let (path, bold) = (escape(path), style::BOLD);
            let _ = write!(out, "\n{bold}--- a/{path}{bold:#}\n{bold}+++ b/{path}{bold:#}\n");
            between(before, after, detail.context).iter().for_each(|hunk| human::hunk(&mut out, hunk));
            Ok(())
        })?;
    }
    let bold = style::BOLD;
    let _ = match found.other_base() {
        Some(base) => writeln!(
            out,
            "\n{bold}{folder} differs{bold:#}: its Dockerfile names the base {}. Run `kasm-db build --write` to declare it, or \
             `kasm-db build` to restore the Dockerfile.",
            escape(base)
        ),
        None => writeln!(out, "\n{bold}{folder} differs{bold:#}. Run `kasm-db build` and commit the result."),
    };
    show(&out)
}
