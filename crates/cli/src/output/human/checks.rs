//! Checks of running servers.

use std::fmt::Write as _;

use live::{Check, Scrubber, Subject, Verdict};
use ops::TargetName;
use ops::verify::Looked;

use crate::output::{Detail, escape, style};

/// Renders the checks of a target, and a line that sums them up.
pub(crate) fn looked(name: &TargetName, looked: &Looked, detail: Detail, scrubber: &Scrubber) -> String {
    let mut out = String::new();
    let bold = style::BOLD;
    let _ = writeln!(out, "{bold}{}{bold:#}\n", escape(&name.label()));
    match looked {
        Looked::Not(why) => {
            let _ = writeln!(out, "  {}  {why}", word(&Verdict::Skip));
        }
        Looked::Checked(checks) => {
            for check in checks.iter().filter(|check| !detail.quiet || check.is_failure()) {
                self::check(&mut out, check, scrubber);
            }
            let _ = writeln!(out, "\n{}", summary(checks));
        }
    }
    scrubber.known(&out)
}

/// Renders what came of an apply: what could be seen in the log, what fails, and the sum.
pub(crate) fn after_apply(checks: &[Check], scrubber: &Scrubber) -> String {
    let mut out = String::from("\n");
    for check in checks.iter().filter(|check| is_worth_a_line(check)) {
        self::check(&mut out, check, scrubber);
    }
    let _ = writeln!(out, "{}", summary(checks));
    out
}

/// Renders one check: what it is, what was found, and how to fix it.
fn check(out: &mut String, check: &Check, scrubber: &Scrubber) {
    let (name, says) = (escape(&check.subject.to_string()), one_line(&check.says, scrubber));
    let _ = match &check.verdict {
        Verdict::Fail { code, fix, .. } => writeln!(
            out,
            "  {}  {name}: {says} [{}]\n        fix: {}",
            word(&check.verdict),
            code.id(),
            one_line(fix, scrubber)
        ),
        verdict => writeln!(out, "  {}  {name}: {says}", word(verdict)),
    };
}

/// Returns whether a check failed or has to do with auditing: what is worth a line after an apply.
fn is_worth_a_line(check: &Check) -> bool {
    check.is_failure() || matches!(check.subject, Subject::Audit(_))
}

/// Sums checks up: `Verify: 12 ok, 1 FAIL, 0 skipped.`
fn summary(checks: &[Check]) -> String {
    let count = |test: &dyn Fn(&Verdict) -> bool| checks.iter().filter(|check| test(&check.verdict)).count();
    let failed = count(&|verdict| matches!(verdict, Verdict::Fail { .. }));
    let (ok, skipped) =
        (count(&|verdict| *verdict == Verdict::Ok), count(&|verdict| *verdict == Verdict::Skip));
    format!("Verify: {ok} ok, {failed} FAIL, {skipped} skipped.")
}

fn word(verdict: &Verdict) -> String {
    let (word, color) = match verdict {
        Verdict::Ok => ("ok  ", style::ADDED),
        Verdict::Skip => ("skip", style::DIM),
        Verdict::Fail { .. } => ("FAIL", style::ERROR),
    };
    format!("{color}{word}{color:#}")
}

/// What a server or Docker says may have several lines, and secrets.
pub(super) fn one_line(text: &str, scrubber: &Scrubber) -> String {
    escape(&scrubber.hide(text).replace('\n', " "))
}
