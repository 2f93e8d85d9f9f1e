//! The plan of one target, and what it was made from.

use std::path::Path;

use model::{Code, DesiredState, Diagnostic};
use render::{Managed, Plan, Snapshot, TargetKind};

use crate::follow_up::{FollowUp, Step, planned_follow_up};
use crate::inspect::Looked;
use crate::nearby;
use crate::opened::{Opened, Rooted};
use crate::outcome::Outcome;
use crate::path::quoted;
use crate::permissions::{self, Purpose};
use crate::selection::Selection;
use crate::trust;

/// A plan and what it was made from.
#[derive(Clone, Debug)]
pub struct Planned {
    /// As it was made, with nothing allowed yet.
    pub plan: Plan,
    /// What the document asks for, and what is there: also what does not change.
    pub managed: Vec<Managed>,
    /// Every file that it was made from.
    pub snapshot: Snapshot,
    /// Where the target's folder leads to, with all links followed.
    pub folder: String,
    /// What follows the files.
    pub follow_up: Option<FollowUp>,
    /// What came of looking into the images.
    pub images: Vec<Looked>,
}

impl Planned {
    /// Accepts a plan that was made from the bytes that were read.
    pub(crate) fn new(plan: Plan, desired: &DesiredState, opened: &Opened<'_>) -> Self {
        let follow_up = FollowUp::of(desired, &plan.target.kind, plan.needs());
        let managed = opened.managed(desired);
        let (folder, snapshot) = (opened.rooted.folder(), opened.snapshot().clone());
        let images = opened.looked(desired);
        Self { plan, managed, snapshot, folder, follow_up, images }
    }
}

/// Returns a plan as it holds for the run: with what the permissions of the files say to it, and without the blockers
/// that are allowed; `runs` tells whether what follows the files is done.
pub(crate) fn judged(
    mut plan: Plan,
    desired: &DesiredState,
    opened: &Opened<'_>,
    purpose: Purpose,
    runs: bool,
    selection: &Selection,
) -> Plan {
    // Who else could write to a file matters only if it is written.
    if !plan.files.is_empty() {
        let mut findings = permissions::findings(opened.snapshot(), &opened.rooted.root, purpose);
        if let Some((key, place)) = desired.target_place(&plan.target.name) {
            for finding in &mut findings {
                finding.related = Some((place.clone(), format!("`{key}` is declared here")));
            }
        }
        plan.findings.extend(findings);
        plan.findings.extend(trust::above(opened.rooted.root.path(), purpose));
    }
    let written = desired.targets().iter().find(|target| target.name == plan.target.name);
    let written = written.and_then(|target| target.deployment.as_deref().or(target.installer.as_deref()));
    let key = desired.target_place(&plan.target.name).map(|(key, _)| key);
    say_folder(&mut plan.findings, opened.rooted, key.as_deref().zip(written), selection);
    plan.allow(&selection.allow);
    // Whose programs are run matters only if they are.
    if let Some(follow_up) = planned_follow_up(desired, &plan, selection).filter(|_| runs)
        && follow_up.step == Step::Stop
    {
        let argv = [&follow_up.stop[..], &follow_up.start[..]];
        plan.findings.extend(trust::findings(desired, argv, opened.rooted.root.path(), purpose));
    }
    plan.allow(&selection.allow);
    plan.ignore(desired.ignored());
    plan.ignore(&selection.ignore);
    plan
}

/// Names the folder in which there is no compose file or no conf, and a tree near it; `written` is the key of the target's
/// path in the document, and the path.
pub(crate) fn say_folder(
    findings: &mut [Diagnostic],
    rooted: &Rooted,
    written: Option<(&str, &str)>,
    selection: &Selection,
) {
    let folder = rooted.folder();
    let folder = folder.as_str();
    let conf = rooted.target.kind.conf().filter(|path| !path.starts_with('/'));
    for finding in findings.iter_mut().filter(|finding| finding.code == Code::NoConf) {
        if conf.is_some_and(|path| finding.message.starts_with(path)) {
            finding.message = format!("{folder}/{}", finding.message);
        }
    }
    let finding = findings.iter_mut().find(|finding| finding.code == Code::NoComposeFile);
    let Some(finding) = finding.filter(|finding| !finding.message.starts_with(folder)) else { return };
    finding.message = format!("{folder}: {}", finding.message);
    if selection.chroot().is_some() {
        return;
    }
    let meant =
        |path: &Path| nearby::meant(path, &rooted.named).or_else(|| nearby::around(Path::new(folder)));
    finding.help = match written.filter(|_| selection.tree.is_none()) {
        Some((key, path)) => {
            meant(Path::new(path)).map(|near| format!("set `{key}` to `{}`", near.display()))
        }
        None => meant(&rooted.named).map(|near| {
            let option = if rooted.target.kind == TargetKind::Installer { "installer" } else { "deployment" };
            format!("pass `--{option} {}`", quoted(&nearby::plain(&near).display().to_string()))
        }),
    }
    .or(finding.help.take());
}

/// Returns how a run ends with a plan that is left as it is.
pub fn outcome_of(plan: &Plan) -> Outcome {
    if plan.is_blocked() {
        outcome_of_blockers(&plan.findings)
    } else if plan.is_empty() {
        Outcome::Done
    } else {
        Outcome::Differences
    }
}

/// Returns how a run ends with blockers: a file that cannot be read is an error, not a refusal.
pub fn outcome_of_blockers(findings: &[Diagnostic]) -> Outcome {
    let is_unreadable = |code| matches!(code, Code::Unreadable | Code::NoComposeFile);
    let mut blockers = findings.iter().filter(|finding| finding.is_error());
    if blockers.any(|finding| is_unreadable(finding.code)) { Outcome::Failed } else { Outcome::Refused }
}
