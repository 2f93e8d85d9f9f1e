//! What the module replies.

use live::Scrubber;
use ops::Outcome;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::difference::FileDifference;
use super::gathered::Gathered;
use crate::exit::Exit;
use crate::output::emitter::State;
use crate::output::json::apply::{self, FollowUp, Recovered};
use crate::output::json::problem::Problem;
use crate::output::json::target::Row;
use crate::output::json::version::FORMAT_VERSION;
use crate::output::json::words::{self, End, Outcome as OutcomeName, Step};
use crate::output::json::{plan, verify};
use crate::output::{escape_json, escape_message};

/// The members whose texts may repeat what others said.
const TEXTS: [&str; 7] = ["msg", "diff", "warnings", "plan", "apply", "verify", "errors"];

/// What the module replies; Ansible itself reads the members up to `warnings`.
#[derive(Serialize, JsonSchema)]
pub(in crate::output::json) struct Reply {
    /// Whether something was changed, or would be in check mode and with `state: planned`.
    pub(super) changed: bool,
    pub(super) failed: bool,
    /// What happened, in a few lines.
    pub(super) msg: String,
    /// The changed files before and after, secrets hidden; only if Ansible asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<Vec<FileDifference>>,
    warnings: Vec<String>,
    ansible_facts: Facts,
    format: &'static str,
    format_version: &'static str,
    kasm_db_version: &'static str,
    /// What the database still needs so that the files take effect. In check mode and with `state: planned`: what the
    /// change takes.
    pub(super) needs: Needs,
    /// The step that is left to a later run.
    pub(super) pending: Option<Step>,
    /// The number under which `kasm-db history` lists what was written last; null if nothing was.
    generation: Option<u64>,
    /// A row for each target that was planned, as `kasm-db plan --format json` has it. `managed` is null unless
    /// `state` is `planned`.
    pub(super) plan: Vec<Row<plan::Part>>,
    /// A row for each target that was to be applied to.
    pub(super) apply: Vec<Row<Applied>>,
    /// A row for each target whose server was looked at, as `kasm-db verify --format json` has it.
    pub(super) verify: Vec<Row<verify::Part>>,
    /// Everything that is wrong.
    pub(super) errors: Vec<Problem>,
    outcome: OutcomeName,
    /// The exit code of the process.
    #[schemars(range(min = 0, max = 255))]
    exit_code: u8,
}

/// What later tasks can read.
#[derive(Serialize, JsonSchema)]
struct Facts {
    kasm_db: OwnFacts,
}

/// What later tasks can read about kasm-db.
#[derive(Serialize, JsonSchema)]
struct OwnFacts {
    version: &'static str,
    outcome: OutcomeName,
    needs: Needs,
    pending: Option<Step>,
    generation: Option<u64>,
    targets: Vec<FactTarget>,
}

/// A target by its name, and where its folder is.
#[derive(Serialize, JsonSchema)]
struct FactTarget {
    name: Option<String>,
    folder: Option<String>,
}

/// What came of applying to a target.
#[derive(Serialize, JsonSchema)]
pub(super) struct Applied {
    end: Option<End>,
    /// The files that have new content, also because an interrupted run was finished.
    pub(super) written: Vec<String>,
    generation: Option<u64>,
    recovered: Option<Recovered>,
    #[serde(flatten)]
    follow_up: FollowUp,
}

/// What the database needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Needs {
    None,
    Reload,
    Restart,
    Recreate,
    /// No target could be planned.
    Unknown,
}

impl From<words::Needs> for Needs {
    fn from(needs: words::Needs) -> Self {
        match needs {
            words::Needs::Unknown => Self::Unknown,
            words::Needs::Nothing => Self::None,
            words::Needs::Reload => Self::Reload,
            words::Needs::Restart => Self::Restart,
            words::Needs::Recreate => Self::Recreate,
        }
    }
}

impl Reply {
    /// Puts together what a run came to.
    pub(super) fn of(gathered: Gathered, outcome: Outcome) -> Self {
        let asked = gathered.asked;
        let needs = needs(&gathered).into();
        let changed = is_changed(&gathered);
        let rows: Vec<_> = gathered.applied;
        let plan = gathered.plans;
        let mut verify = gathered.verified;
        let mut problems = gathered.problems;
        for row in &plan {
            problems.extend(row.errors.iter().chain(&row.warnings).cloned());
        }
        let pending = rows.iter().find_map(|row| row.own.follow_up.pending);
        let generation = rows.iter().rev().find_map(|row| row.own.generation);
        let mut apply = Vec::new();
        for mut row in rows {
            problems.extend(row.errors.iter().chain(&row.warnings).cloned());
            // What is wrong with the plan is in its row.
            let is_new = |one: &Problem| !plan.iter().any(|row| row.has(one));
            row.errors.retain(is_new);
            row.warnings.retain(is_new);
            let (applied, checked) = split(row);
            verify.extend(checked);
            apply.push(applied);
        }
        let (errors, warnings): (Vec<_>, Vec<_>) =
            once_each(problems).into_iter().partition(Problem::is_error);
        let is_left = outcome == Outcome::Unfinished && gathered.is_left && errors.is_empty();
        let failed = !is_left && !matches!(outcome, Outcome::Done | Outcome::Differences);
        let diff = asked.diff.then_some(gathered.differences);
        let places = plan.iter().map(|row| (&row.name, &row.folder));
        let places = places.chain(verify.iter().map(|row| (&row.name, &row.folder)));
        let mut targets: Vec<FactTarget> = Vec::new();
        for (name, folder) in places {
            if !targets.iter().any(|known| known.name == *name && known.folder == *folder) {
                targets.push(FactTarget { name: name.clone(), folder: folder.clone() });
            }
        }
        let facts = OwnFacts {
            version: env!("CARGO_PKG_VERSION"),
            outcome: outcome.into(),
            needs,
            pending,
            generation,
            targets,
        };
        Self {
            changed,
            failed,
            msg: String::new(),
            diff,
            warnings: Problem::lines(&warnings)
                .iter()
                .map(|line| escape_message(&for_a_task(line)))
                .collect(),
            ansible_facts: Facts { kasm_db: facts },
            format: "kasm-db/ansible",
            format_version: FORMAT_VERSION,
            kasm_db_version: env!("CARGO_PKG_VERSION"),
            needs,
            pending,
            generation,
            plan,
            apply,
            verify,
            errors,
            outcome: outcome.into(),
            exit_code: Exit::from(outcome).code(),
        }
    }

    /// Writes it on one line, without the secrets that are known.
    pub(super) fn json(&self, scrubber: &Scrubber) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        // Ansible reads the other members: a password that is the name of a state is not hidden there.
        TEXTS.iter().for_each(|name| {
            value.get_mut(*name).into_iter().for_each(|one| scrub(one, scrubber));
        });
        escape_json(format!("{value}\n"))
    }
}

/// Returns what is said for people at a command line in the words of a task.
pub(super) fn for_a_task(line: &str) -> String {
    line.replace("pass `--lock-timeout 60`", "set `KASM_DB_LOCK_TIMEOUT: 60` in `environment`")
        .replace("`--allow ", "`allow: ")
}

/// Returns each problem once: those of a plan are those of its apply, too.
fn once_each(problems: Vec<Problem>) -> Vec<Problem> {
    let mut all: Vec<Problem> = Vec::new();
    for problem in problems {
        if !all.contains(&problem) {
            all.push(problem);
        }
    }
    all
}

/// Hides secrets in all texts of a value; names of members stay.
fn scrub(value: &mut Value, scrubber: &Scrubber) {
    match value {
        Value::String(text) => *text = scrubber.known(text),
        Value::Array(items) => items.iter_mut().for_each(|item| scrub(item, scrubber)),
        Value::Object(members) => members.values_mut().for_each(|member| scrub(member, scrubber)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Divides what came of a target into what was applied and what its server does.
fn split(row: Row<apply::Part>) -> (Row<Applied>, Option<Row<verify::Part>>) {
    let Row { document, name, kind, folder, outcome, own, errors, warnings } = row;
    let checked = (!own.checks.is_empty()).then(|| Row {
        document: document.clone(),
        name: name.clone(),
        kind,
        folder: folder.clone(),
        outcome,
        own: verify::Part::of(own.checks),
        ..Row::default()
    });
    let apply::Part { end, written, generation, recovered, follow_up, .. } = own;
    let own = Applied { end, written, generation, recovered, follow_up };
    (Row { document, name, kind, folder, outcome, own, errors, warnings }, checked)
}

/// Returns what is still needed, or would be.
fn needs(gathered: &Gathered) -> words::Needs {
    match gathered.asked.state {
        State::Planned => worst(gathered.plans.iter().map(|row| row.own.needs)),
        State::Verified => gathered.server_needs.unwrap_or_default(),
        State::Present => worst(gathered.applied.iter().map(apply::still_needs)),
    }
}

/// Returns the worst; what is not known is worse than nothing alone.
fn worst(all: impl Iterator<Item = words::Needs>) -> words::Needs {
    all.max().unwrap_or_default()
}

/// Returns whether something was changed, or would be.
fn is_changed(gathered: &Gathered) -> bool {
    let would = || gathered.plans.iter().any(|row| row.own.changes_something());
    match gathered.asked.state {
        State::Verified => false,
        State::Planned => would(),
        State::Present if gathered.asked.check => {
            let has_pending = gathered.applied.iter().any(|row| row.own.follow_up.pending.is_some());
            would() || has_pending && gathered.restarts && !gathered.asked.leaves_restart
        }
        State::Present => gathered.applied.iter().any(|row| row.own.has_changed()),
    }
}
