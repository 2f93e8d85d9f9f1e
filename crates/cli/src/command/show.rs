//! `kasm-db show`

use std::path::Path;

use model::{Code, Diagnostic, Location};
use ops::saved::format::{DocumentPlan, Kind, PlanFile, SavedFollows, SavedSeverity, SavedTarget};
use ops::saved::{Reread, Standing, managed, of_target, open, reread, stale};
use ops::{Document, Error, Outcome, Overlaps, Planned, Touched};
use render::{Plan, Target, TargetKind, ValueChange};

use super::Setting;
use crate::args;
use crate::output::emitter::{PlanHead, PlanRow, SavedRow, target_name};
use crate::output::{escape, progress};

/// Shows a saved plan: as `plan` would where it still holds, and else as far as the file tells.
pub(crate) fn run(args: &args::Show, setting: &Setting) -> Result<Outcome, Error> {
    let terminal = &setting.terminal;
    let saved = open(&args.plan, &setting.selection())?;
    let (compared, unknown) = match compare(&saved, setting) {
        Ok(compared) => (Some(compared), None),
        Err(error) if setting.outputs.are_refused() => return Err(error),
        Err(error) => {
            let message = format!("cannot tell whether the plan still holds: {}", error.message);
            setting.warning(&message, error.help.as_deref());
            (None, Some(error))
        }
    };
    let changed = compared.as_ref().map(|compared| compared.changed(&saved));
    let is_stale = compared.as_ref().is_some_and(|compared| compared.is_stale);
    if let Some(changed) = changed.as_ref().filter(|_| is_stale) {
        let help = "create a new plan; this one can no longer be applied";
        terminal.error(&Error { help: Some(help.into()), ..stale(changed) });
    }
    let results = &setting.results;
    let documents = saved.plans.iter().map(DocumentPlan::document).collect();
    let head = PlanHead { documents, stale: changed.as_deref(), unknown: unknown.as_ref() };
    results.each(|emitter| emitter.begin_plans(&head))?;
    let mut shown = Shown {
        saved: &saved,
        compared: compared.as_ref(),
        setting,
        overlaps: Overlaps::default(),
        last: None,
    };
    let mut targets = saved.targets().enumerate();
    match compared.as_ref().filter(|compared| !is_stale && !compared.now.is_empty()) {
        // Each is planned once more when its turn has come, so that not all plans are held at the same time.
        Some(compared) => {
            let show = |standing, planned: Planned| match targets.next() {
                Some((index, target)) if standing == compared.now[index].standing => {
                    shown.target(index, target, Some(&planned))
                }
                Some((_, (_, target))) => Err(moved(&format!("files of `{}`", target.name))),
                None => Err(moved("the targets")),
            };
            compared.reread.plan(&saved, show)?.map_err(|_| moved("the documents"))?;
        }
        None => targets.try_for_each(|(index, target)| shown.target(index, target, None))?,
    }
    results.each(|emitter| emitter.finish())?;
    Ok(if is_stale { Outcome::Stale } else { Outcome::Done })
}

/// Returns the error of something that changes while the plan is shown.
fn moved(what: &str) -> Error {
    Error::failed(format!("{what} changed while the plan was shown")).help("run it again")
}

/// Shows one target after the other.
struct Shown<'a> {
    saved: &'a PlanFile,
    compared: Option<&'a Compared>,
    setting: &'a Setting,
    overlaps: Overlaps,
    /// The document of the last one.
    last: Option<&'a str>,
}

impl<'a> Shown<'a> {
    /// Shows a target; `planned` is its plan of now, if all targets are as the saved plan saw them, or were left by it.
    fn target(
        &mut self,
        index: usize,
        (of, target): (&'a DocumentPlan, &'a SavedTarget),
        planned: Option<&Planned>,
    ) -> Result<(), Error> {
        let (saved, terminal, results) = (self.saved, &self.setting.terminal, &self.setting.results);
        let (several, heading) = (saved.plans.len() > 1, saved.targets().nth(1).is_some());
        let now = self.compared.and_then(|compared| compared.now.get(index));
        let is_fresh = now.is_some_and(|now| now.standing == Standing::Fresh);
        let fresh = planned.filter(|_| is_fresh);
        let mut plan = fresh.map_or_else(|| from_file(target), |planned| planned.plan.clone());
        plan.allow(&saved.selection.allow);
        plan.ignore(&self.setting.global.ignore);
        let label = target_name(several, of.document(), &target.name);
        if let Some(planned) = fresh
            && let Some(blocker) = self.overlaps.blocker(label.clone(), &Touched::again(&plan, planned))
        {
            plan.findings.push(blocker);
        }
        progress::warnings(&plan, heading.then_some(&label), terminal);
        if let Some(now) = now.filter(|now| now.standing == Standing::Applied) {
            terminal.note(&format!("{}: already applied\n", escape(&now.folder)));
        }
        let managed = match planned {
            Some(planned) => Some(planned.managed.clone()),
            None => managed(of, target),
        };
        let follow_up =
            target.follows.as_ref().filter(|_| !plan.is_blocked()).and_then(SavedFollows::follow_up);
        if several && self.last.replace(of.document()) != Some(of.document()) {
            results.each(|emitter| emitter.document(of.document()))?;
        }
        let row = PlanRow {
            document: of.document(),
            several,
            plan: &plan,
            ignored: &[],
            newly_ignored: &[],
            folder: &target.folder,
            follow_up: follow_up.as_ref(),
            managed: managed.as_deref(),
            images: &target.images,
            saved_files: fresh.is_none().then_some(&target.files[..]),
            interrupted: None,
            saved: Some(self.compared.map_or(SavedRow::Unknown, |compared| compared.row(index))),
        };
        results.each(|emitter| emitter.plan(&row))?;
        progress::blockers(&plan, heading.then_some(&row.name()), terminal);
        Ok(())
    }
}

/// So many changes are named for one target at most.
const MANY: usize = 50;

/// What a comparison with what is there came to.
struct Compared {
    /// The documents as they are now.
    reread: Reread,
    /// What changed of what all targets have in common.
    common: Vec<String>,
    /// How each target stands, if the targets are the same.
    now: Vec<Now>,
    /// Whether something of what the plan was made from has changed.
    is_stale: bool,
}

/// How what is there stands to a target of the saved plan.
struct Now {
    standing: Standing,
    /// Where the target's folder is.
    folder: String,
}

impl Compared {
    /// Returns what changed of a target.
    fn of(&self, index: usize) -> Vec<String> {
        match self.now.get(index).map(|now| &now.standing) {
            Some(Standing::Stale(files)) => files.clone(),
            Some(Standing::Foreign(part)) => {
                vec![format!("its `{part}` are not what the same files lead to: it was changed")]
            }
            _ => self.common.clone(),
        }
    }

    /// Returns what changed of the whole plan; each line names its target, if there are several.
    fn changed(&self, saved: &PlanFile) -> Vec<String> {
        if self.now.is_empty() {
            return self.common.clone();
        }
        let targets = saved.targets().enumerate();
        targets.flat_map(|(index, (plan, target))| of_target(&self.of(index), plan, target, saved)).collect()
    }

    /// Returns how the plan stands with a target.
    fn row(&self, index: usize) -> SavedRow {
        let mut changed = self.of(index);
        if !changed.is_empty() {
            // The head of the result has all of them, and each of thousands of targets need not.
            let more = changed.len().saturating_sub(MANY);
            changed.truncate(MANY);
            changed.extend((more > 0).then(|| format!("and {more} more")));
            return SavedRow::Stale(stale(&changed));
        }
        match self.now.get(index) {
            _ if self.is_stale => SavedRow::OtherStale,
            Some(now) if now.standing == Standing::Applied => SavedRow::Applied,
            _ => SavedRow::Fresh,
        }
    }
}

/// Compares a saved plan with what is there.
fn compare(saved: &PlanFile, setting: &Setting) -> Result<Compared, Error> {
    let reread = reread(saved, &setting.selection())?;
    for path in reread.documents.iter().flat_map(Document::paths) {
        setting.outputs.check_file(path)?;
    }
    let mut now = Vec::new();
    let compare = |standing, planned: Planned| {
        setting.outputs.check_target(Path::new(&planned.folder), &planned.snapshot)?;
        now.push(Now { standing, folder: planned.folder });
        Ok(())
    };
    let common = reread.plan(saved, compare)?.err().unwrap_or_default();
    let is_same = |now: &Now| matches!(now.standing, Standing::Fresh | Standing::Applied);
    let is_stale = !common.is_empty() || !now.iter().all(is_same);
    Ok(Compared { reread, common, now, is_stale })
}

/// Returns what a plan file tells of a target: all but its files.
fn from_file(saved: &SavedTarget) -> Plan {
    let kind = match saved.kind {
        Kind::Deployment => TargetKind::Deployment,
        Kind::Installer => TargetKind::Installer,
        Kind::Files => TargetKind::Files { compose: Vec::new(), postgresql_conf: None, service: None },
    };
    let changes = saved.changes.iter().map(|change| ValueChange {
        path: change.path.clone(),
        line: change.line,
        subject: change.subject.clone(),
        action: change.action.into(),
        before: change.before.clone(),
        secret: None,
        after: change.after.clone(),
        needs: change.needs.into(),
        why: change.why.clone(),
    });
    let findings = saved.findings.iter().filter_map(|finding| {
        let code = Code::ALL.iter().find(|code| code.id() == finding.code)?;
        let mut diagnostic = match finding.severity {
            SavedSeverity::Error => Diagnostic::error(*code, finding.message.clone()),
            SavedSeverity::Warning => Diagnostic::warning(*code, finding.message.clone()),
        };
        diagnostic.help.clone_from(&finding.help);
        diagnostic.location = finding.place.as_ref().map(|place| Location {
            path: place.path.clone(),
            span: place.start..place.end,
            line: place.line,
            column: place.column,
        });
        Some(diagnostic)
    });
    Plan {
        target: Target { name: saved.name.clone(), kind },
        changes: changes.collect(),
        files: Vec::new(),
        findings: findings.collect(),
        ignored: Vec::new(),
        restored: Vec::new(),
        in_order: saved.in_order.clone(),
        skipped: saved.skipped.clone(),
    }
}
