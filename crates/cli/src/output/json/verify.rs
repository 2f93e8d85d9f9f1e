//! Checks of running servers.

use live::{Check, Scrubber, Verdict};
use ops::TargetName;
use ops::verify::{Looked, Verified};
use schemars::JsonSchema;
use serde::Serialize;

use super::target::{Row, Sum};
use super::value::Value;

/// What came of looking at a target's server.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// Why nothing was looked at.
    skipped: Option<String>,
    checks: Vec<CheckRow>,
}

impl Part {
    /// Accepts checks.
    pub(super) fn of(checks: Vec<CheckRow>) -> Self {
        Self { skipped: None, checks }
    }

    /// Returns what the checks that failed say, with what to do.
    pub(super) fn failures(&self) -> impl Iterator<Item = String> {
        let failed = self.checks.iter().filter(|check| check.result == CheckResult::Fail);
        failed.map(|check| match &check.fix {
            Some(fix) => format!("{} ({fix})", check.says),
            None => check.says.clone(),
        })
    }

    /// Counts the checks that passed and those that were skipped.
    pub(super) fn counts(&self) -> (usize, usize) {
        let count = |result| self.checks.iter().filter(|check| check.result == result).count();
        (count(CheckResult::Ok), count(CheckResult::Skip))
    }
}

/// One thing that was looked at.
#[derive(Serialize, JsonSchema)]
pub(super) struct CheckRow {
    subject: Subject,
    result: CheckResult,
    /// What the document asks for; null if that cannot be said by itself.
    expected: Option<Value>,
    /// What is there; null if that is not known.
    actual: Option<Value>,
    /// What set the value that is there.
    source: Option<Source>,
    /// What was found, in words.
    says: String,
    code: Option<&'static str>,
    /// What to do about it.
    fix: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum CheckResult {
    Ok,
    Skip,
    Fail,
}

/// What a check is about.
#[derive(Clone, Serialize, JsonSchema)]
pub(super) struct Subject {
    r#type: SubjectType,
    /// The setting, library, file, database or class; null for what there is only one of.
    name: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SubjectType {
    Connect,
    Image,
    Major,
    File,
    Files,
    Setting,
    Unset,
    Library,
    PendingRestart,
    Log,
    Extension,
    Audit,
}

/// What set a value, as `pg_settings` has it.
#[derive(Serialize, JsonSchema)]
struct Source {
    /// `default`, `configuration file`, `command line`, `database`, …
    kind: String,
    /// The file, by the path that the server has for it.
    file: Option<String>,
    line: Option<u32>,
}

/// What all checks come to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    /// Lines of the list; one without a name stands for all targets of a document.
    targets: usize,
    /// Targets at which nothing was looked.
    skipped: usize,
    /// Targets that failed before their server could be asked.
    failed: usize,
    checks: CheckTotals,
}

#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
struct CheckTotals {
    ok: usize,
    skip: usize,
    fail: usize,
}

/// Returns the checks of a target.
pub(super) fn row(name: &TargetName, verified: &Verified) -> Row<Part> {
    let skipped = match &verified.looked {
        Looked::Not(why) => Some((*why).to_string()),
        Looked::Checked(_) => None,
    };
    let checks = verified.checks().iter().map(|one| check(one, &verified.scrubber));
    Row {
        folder: Some(verified.folder.clone()),
        outcome: Some(verified.outcome().into()),
        own: Part { skipped, checks: checks.collect() },
        ..Row::named(name)
    }
}

/// Returns a check.
pub(super) fn check(check: &Check, scrubber: &Scrubber) -> CheckRow {
    let (result, code, fix) = match &check.verdict {
        Verdict::Ok => (CheckResult::Ok, None, None),
        Verdict::Skip => (CheckResult::Skip, None, None),
        Verdict::Fail { code, fix, .. } => (CheckResult::Fail, Some(code.id()), Some(scrubber.hide(fix))),
    };
    let setting = match &check.subject {
        live::Subject::Setting(name) | live::Subject::Unset(name) => Some(name.as_str()),
        _ => None,
    };
    let value = |fact: &live::Fact| Value::fact(setting, fact, scrubber);
    CheckRow {
        subject: subject(&check.subject),
        result,
        expected: check.expected.as_ref().map(value),
        actual: check.actual.as_ref().map(value),
        source: check.source.as_ref().map(|source| Source {
            kind: source.kind.clone(),
            file: source.file.clone(),
            line: source.line,
        }),
        says: scrubber.hide(&check.says),
        code,
        fix,
    }
}

/// Returns what a check is about.
pub(super) fn subject(subject: &live::Subject) -> Subject {
    use SubjectType as Type;
    let (r#type, name) = match subject {
        live::Subject::Connect => (Type::Connect, None),
        live::Subject::Image => (Type::Image, None),
        live::Subject::Major => (Type::Major, None),
        live::Subject::File(path) => (Type::File, Some(path.as_str())),
        live::Subject::Files => (Type::Files, None),
        live::Subject::Setting(name) => (Type::Setting, Some(name.as_str())),
        live::Subject::Unset(name) => (Type::Unset, Some(name.as_str())),
        live::Subject::Library(name) => (Type::Library, Some(name.as_str())),
        live::Subject::PendingRestart => (Type::PendingRestart, None),
        live::Subject::Log => (Type::Log, None),
        live::Subject::Extension(database) => (Type::Extension, Some(database.as_str())),
        live::Subject::Audit(class) => (Type::Audit, Some(class.name())),
    };
    Subject { r#type, name: name.map(String::from) }
}

impl Sum for Totals {
    type Row = Row<Part>;

    fn add(&mut self, row: &Row<Part>) {
        self.targets += 1;
        self.skipped += usize::from(row.own.skipped.is_some());
        self.failed += usize::from(!row.errors.is_empty());
        for check in &row.own.checks {
            *match check.result {
                CheckResult::Ok => &mut self.checks.ok,
                CheckResult::Skip => &mut self.checks.skip,
                CheckResult::Fail => &mut self.checks.fail,
            } += 1;
        }
    }
}
