//! The enumerations that programs read.

use schemars::JsonSchema;
use serde::Serialize;

/// Creates an enumeration of the same names as one that is not for programs.
macro_rules! words {
    ($(#[$about:meta])* $name:ident from $from:path: $($variant:ident),+) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name {
            $($variant),+
        }

        impl From<$from> for $name {
            fn from(from: $from) -> Self {
                use $from as From;
                match from {
                    $(From::$variant => Self::$variant),+
                }
            }
        }
    };
}

words! {
    /// How a run ended, or a target or a document of it; the process has one exit code for each.
    Outcome from ops::Outcome:
    Done, Differences, Failed, Invalid, Refused, Stale, Locked, RolledBack, RecoveryPending, Unfinished,
    PartlyApplied, Usage, Interrupted
}

words! {
    /// What holds for the files of a target after an error.
    FilesState from ops::FilesState:
    NothingChanged, RolledBack, RecoveryPending, Applied, NotFollowed, AllDone, PartlyApplied,
    Written
}

words! {
    /// How bad a finding is.
    Severity from model::Severity: Error, Warning
}

words! {
    /// What happens to a value.
    Action from render::Action: Add, Change, Remove
}

words! {
    /// What a changed value is.
    ChangeType from render::ChangeKind: Image, Preload, Setting, Unset
}

words! {
    /// What it is that the document asks for.
    ManagedType from render::ManagedKind: Image, Preload, Setting, Unset, Extension
}

words! {
    /// How an apply ended with a target.
    End from ops::apply::End: Applied, Nothing, Planned, Refused, Declined, Failed, NotStarted
}

words! {
    /// A step of what follows written files.
    Step from ops::follow_up::Step: Stop, Start, Healthy, Reload, Extension
}

words! {
    /// What the difference between files and document comes from.
    Since from ops::status::Since: NeverApplied, DocumentAhead, ChangedOutside
}

words! {
    /// How a file of a folder differs from what it should be.
    How from ops::review::How: Missing, Changed, Extra
}

words! {
    /// Which version rendered a folder: this one, or one that renders the same files otherwise.
    RenderedBy from ops::review::By: This, Earlier, Later
}

/// What it takes for a change to have an effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Needs {
    #[default]
    Unknown,
    Nothing,
    Reload,
    Restart,
    Recreate,
}

impl From<render::Needs> for Needs {
    fn from(needs: render::Needs) -> Self {
        match needs {
            render::Needs::Nothing => Self::Nothing,
            render::Needs::Reload => Self::Reload,
            render::Needs::Restart => Self::Restart,
            render::Needs::Recreate => Self::Recreate,
        }
    }
}

/// What kind of tree a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum TargetKind {
    Deployment,
    Installer,
    Files,
}

impl From<&render::TargetKind> for TargetKind {
    fn from(kind: &render::TargetKind) -> Self {
        match kind {
            render::TargetKind::Deployment => Self::Deployment,
            render::TargetKind::Installer => Self::Installer,
            render::TargetKind::Files { .. } => Self::Files,
        }
    }
}

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FileKind {
    Compose,
    PostgresqlConf,
}

impl From<render::FileKind> for FileKind {
    fn from(kind: render::FileKind) -> Self {
        match kind {
            render::FileKind::Compose => Self::Compose,
            render::FileKind::Conf => Self::PostgresqlConf,
        }
    }
}

words! {
    /// What entries are counted by.
    By from ops::audit::CountBy: Class, Hour, User, Object, Command, Database
}

words! {
    /// Who asked for an entry: pgaudit.log (session) or pgaudit.role (object).
    EntryType from auditlog::AuditType: Session, Object
}
