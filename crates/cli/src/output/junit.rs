//! A JUnit report: documents that were validated, or checks of servers, as test cases.

use std::fmt::Write as _;

use live::{Check, Verdict};
use model::Diagnostic;
use ops::verify::{Looked, Verified};
use ops::{Document, Error, Outcome, TargetName};

use super::emitter::{Emitter, Format};
use super::report::Report;
use super::sink::Sink;
use crate::output::escape;

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "junit",
    reports: &[Report::Validate, Report::Verify],
    new: |report, sink, _| {
        Box::new(Junit { sink, name: report.name(), suites: Vec::new(), errors: Vec::new() })
    },
    entries: None,
    is_public: true,
};

/// Gathers suites; they are written at the end of the run, also if it fails.
struct Junit {
    sink: Sink,
    name: &'static str,
    suites: Vec<Suite>,
    /// Errors of the run, as a suite of their own.
    errors: Vec<Case>,
}

/// A document, or a target.
struct Suite {
    name: String,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    result: CaseResult,
}

enum CaseResult {
    Passed,
    Skipped(String),
    /// The code, the message and the text.
    Failed(String, String, String),
    /// What kept the case from being run.
    Error(String, String),
}

impl Emitter for Junit {
    fn read(&mut self, document: &Document) -> Result<(), Error> {
        // Of a valid document there are cases of its targets.
        if document.desired().is_none() {
            return self.checked(document);
        }
        Ok(())
    }

    fn checked(&mut self, document: &Document) -> Result<(), Error> {
        let errors = document.reading.diagnostics.iter().filter(|finding| finding.is_error());
        let mut cases: Vec<_> = errors.map(finding).collect();
        if cases.is_empty() {
            cases.push(Case { name: "valid".into(), result: CaseResult::Passed });
        }
        self.suites.push(Suite { name: document.name.clone(), cases });
        Ok(())
    }

    fn verified(&mut self, name: &TargetName, verified: &Verified) -> Result<(), Error> {
        let hide = |text: &str| verified.scrubber.hide(text);
        let cases = match &verified.looked {
            Looked::Not(why) => {
                vec![Case { name: "server".into(), result: CaseResult::Skipped((*why).into()) }]
            }
            Looked::Checked(checks) => checks.iter().map(|one| check(one, &hide)).collect(),
        };
        self.suites.push(Suite { name: name.label(), cases });
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<(), Error> {
        let name = error.target.as_deref().or(error.document.as_deref()).unwrap_or("run");
        self.errors.push(failed(name, error));
        Ok(())
    }

    fn end(&mut self, _: Outcome) -> Result<(), Error> {
        if !self.errors.is_empty() {
            let cases = std::mem::take(&mut self.errors);
            self.suites.push(Suite { name: "kasm-db".into(), cases });
        }
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let all = || self.suites.iter().flat_map(|suite| &suite.cases);
        let _ = writeln!(out, "<testsuites name=\"kasm-db {}\"{}>", self.name, counts(&all()));
        for suite in &self.suites {
            let _ =
                writeln!(out, "  <testsuite name=\"{}\"{}>", xml(&suite.name), counts(&suite.cases.iter()));
            suite.cases.iter().for_each(|case| case.write(&mut out, &suite.name));
            out.push_str("  </testsuite>\n");
        }
        out.push_str("</testsuites>\n");
        self.sink.bytes(out.as_bytes())?;
        self.sink.complete();
        self.sink.end()
    }
}

impl Case {
    fn write(&self, out: &mut String, suite: &str) {
        let _ = write!(out, "    <testcase classname=\"{}\" name=\"{}\"", xml(suite), xml(&self.name));
        let _ = match &self.result {
            CaseResult::Passed => writeln!(out, "/>"),
            CaseResult::Skipped(why) => writeln!(out, "><skipped message=\"{}\"/></testcase>", xml(why)),
            CaseResult::Failed(code, message, text) => writeln!(
                out,
                "><failure type=\"{}\" message=\"{}\">{}</failure></testcase>",
                xml(code),
                xml(message),
                xml(text)
            ),
            CaseResult::Error(message, text) => {
                writeln!(out, "><error message=\"{}\">{}</error></testcase>", xml(message), xml(text))
            }
        };
    }
}

fn finding(finding: &Diagnostic) -> Case {
    let place = finding.location.as_ref();
    let place = place.map_or(String::new(), |at| format!("{}:{}:{}", at.path, at.line, at.column));
    let text = [place.as_str(), finding.help.as_deref().unwrap_or_default()].join("\n");
    let (code, name) = (finding.code.id(), finding.code.name());
    let name = if place.is_empty() { name.into() } else { format!("{name} at {place}") };
    Case { name, result: CaseResult::Failed(code.into(), finding.message.clone(), text.trim().into()) }
}

fn check(check: &Check, hide: &impl Fn(&str) -> String) -> Case {
    let says = hide(&check.says);
    let result = match &check.verdict {
        Verdict::Ok => CaseResult::Passed,
        Verdict::Skip => CaseResult::Skipped(says),
        Verdict::Fail { code, fix, .. } => {
            CaseResult::Failed(code.id().into(), says, format!("fix: {}", hide(fix)))
        }
    };
    Case { name: check.subject.to_string(), result }
}

fn failed(name: &str, error: &Error) -> Case {
    let help = error.help.clone().unwrap_or_default();
    Case { name: name.into(), result: CaseResult::Error(error.message.clone(), help) }
}

/// Returns the attributes that count cases.
fn counts<'a>(cases: &(impl Iterator<Item = &'a Case> + Clone)) -> String {
    let of = |test: fn(&CaseResult) -> bool| cases.clone().filter(|case| test(&case.result)).count();
    format!(
        " tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        cases.clone().count(),
        of(|result| matches!(result, CaseResult::Failed(..))),
        of(|result| matches!(result, CaseResult::Error(..))),
        of(|result| matches!(result, CaseResult::Skipped(_))),
    )
}

/// Escapes a text for XML 1.0, which has no control characters at all.
fn xml(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(escape).collect();
    let text = lines.join("\n").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\n', "&#10;")
}
