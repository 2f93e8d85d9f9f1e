//! `kasm-db show`

use std::path::Path;

use model::{Code, Diagnostic, Location};
use ops::saved::format::{DocumentPlan, Kind, PlanFile, SavedFollows, SavedSeverity, SavedTarget};
use ops::saved::{Standing, managed, of_target, open, reread, stale};
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
    let is_stale = changed.as_ref().is_some_and(|changed| !changed.is_empty());
    if let Some(changed) = changed.as_ref().filter(|changed| !changed.is_empty()) {
        let help = "create a new plan; this one can no longer be applied";
        terminal.error(&Error { help: Some(help.into()), ..stale(changed) });
    }
    let results = &setting.results;
    let documents = saved.plans.iter().map(DocumentPlan::document).collect();
    let head = PlanHead { documents, stale: changed.as_deref(), unknown: unknown.as_ref() };
    let (several, heading) = (saved.plans.len() > 1, saved.targets().nth(1).is_some());
    let mut overlaps = Overlaps::default();
    let mut plans = Vec::new();
    for (index, (of, target)) in saved.targets().enumerate() {
        let now = compared.as_ref().and_then(|compared| compared.now.get(index));
        let current = now.filter(|_| !is_stale);
        let fresh = current.filter(|(standing, _)| *standing == Standing::Fresh);
        let mut plan = fresh.map_or_else(|| from_file(target), |(_, planned)| planned.plan.clone());
        plan.allow(&saved.selection.allow);
        plan.ignore(&setting.global.ignore);
        let label = target_name(several, of.document(), &target.name);
        if let Some((_, planned)) = fresh
            && let Some(blocker) = overlaps.blocker(label.clone(), &Touched::again(&plan, planned))
        {
            plan.findings.push(blocker);
        }
        progress::warnings(&plan, heading.then_some(&label), terminal);
        if let Some((Standing::Applied, planned)) = now {
            terminal.note(&format!("{}: already applied\n", escape(&planned.folder)));
        }
        let managed = match current {
            Some((_, planned)) => Some(planned.managed.clone()),
            None => managed(of, target),
        };
        let standing = match &compared {
            None => SavedRow::Unknown,
            Some(compared) => compared.row(index),
        };
        let follow_up =
            target.follows.as_ref().filter(|_| !plan.is_blocked()).and_then(SavedFollows::follow_up);
        plans.push((plan, managed, follow_up, of.document(), target, fresh.is_some(), standing));
    }
    results.each(|emitter| emitter.begin_plans(&head))?;
    let mut last = None;
    for (plan, managed, follow_up, document, target, is_fresh, standing) in plans {
        if saved.plans.len() > 1 && last.replace(document) != Some(document) {
            results.each(|emitter| emitter.document(document))?;
        }
        let row = PlanRow {
            document,
            several,
            plan: &plan,
            ignored: &[],
            newly_ignored: &[],
            folder: &target.folder,
            follow_up: follow_up.as_ref(),
            managed: managed.as_deref(),
            images: &target.images,
            saved_files: (!is_fresh).then_some(&target.files[..]),
            interrupted: None,
            saved: Some(standing),
        };
        results.each(|emitter| emitter.plan(&row))?;
        let label = row.name();
        progress::blockers(&plan, heading.then_some(&label), terminal);
    }
    results.each(|emitter| emitter.finish())?;
    Ok(if is_stale { Outcome::Stale } else { Outcome::Done })
}

/// What a comparison with what is there came to.
struct Compared {
    /// What changed of what all targets have in common.
    common: Vec<String>,
    /// The plans of now, if the targets are the same.
    now: Vec<(Standing, Planned)>,
}

impl Compared {
    /// Returns what changed of a target.
    fn of(&self, index: usize) -> Vec<String> {
        match self.now.get(index).map(|(standing, _)| standing) {
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
        let changed = self.of(index);
        if !changed.is_empty() {
            return SavedRow::Stale(stale(&changed));
        }
        let is_stale = (0..self.now.len()).any(|index| !self.of(index).is_empty());
        match self.now.get(index) {
            _ if is_stale => SavedRow::OtherStale,
            Some((Standing::Applied, _)) => SavedRow::Applied,
            _ => SavedRow::Fresh,
        }
    }
}

/// Compares a saved plan with what is there.
fn compare(saved: &PlanFile, setting: &Setting) -> Result<Compared, Error> {
    let reread = reread(saved, &setting.selection())?;
    let mut read = reread.documents.iter().flat_map(Document::paths);
    read.try_for_each(|path| setting.outputs.check_file(path))?;
    Ok(match reread.plan(saved)? {
        Ok(now) => {
            for (_, planned) in &now {
                setting.outputs.check_target(Path::new(&planned.folder), &planned.snapshot)?;
            }
            Compared { common: Vec::new(), now }
        }
        Err(common) => Compared { common, now: Vec::new() },
    })
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
