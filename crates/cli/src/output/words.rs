//! The words that programs read for the parts of a plan, and the way back.

use model::Severity;
use render::{Action, FileKind, Needs, TargetKind};

pub(crate) fn kind(kind: &TargetKind) -> &'static str {
    match kind {
        TargetKind::Deployment => "deployment",
        TargetKind::Installer => "installer",
        TargetKind::Files { .. } => "files",
    }
}

pub(crate) fn file_kind(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Compose => "compose",
        FileKind::Conf => "postgresql_conf",
    }
}

pub(crate) fn action(action: Action) -> &'static str {
    match action {
        Action::Add => "add",
        Action::Change => "change",
        Action::Remove => "remove",
    }
}

pub(crate) fn needs(needs: Needs) -> &'static str {
    match needs {
        Needs::Nothing => "nothing",
        Needs::Reload => "reload",
        Needs::Restart => "restart",
        Needs::Recreate => "recreate",
    }
}

pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Gives what a word stands for; `None` for one that is not ours.
pub(crate) fn action_of(word: &str) -> Option<Action> {
    [Action::Add, Action::Change, Action::Remove].into_iter().find(|known| action(*known) == word)
}

/// Gives what a word stands for; `None` for one that is not ours.
pub(crate) fn needs_of(word: &str) -> Option<Needs> {
    let all = [Needs::Nothing, Needs::Reload, Needs::Restart, Needs::Recreate];
    all.into_iter().find(|known| needs(*known) == word)
}
