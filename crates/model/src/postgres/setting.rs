//! One setting: its name, the majors that have it, when it can change, and what a change needs.

use pgconf::value::Type;

/// A setting as the majors from `first` to `last` have it.
#[derive(Debug, PartialEq)]
pub struct Setting {
    /// The name in the server's letter case: `work_mem`, `DateStyle`.
    pub name: &'static str,
    /// The first major for which the row holds.
    pub first: u16,
    /// The last major for which the row holds.
    pub last: u16,
    /// When the setting can change.
    pub context: Context,
    /// The values it takes. Check hooks of the server may refuse some of them still.
    pub value: Type,
}

/// When a setting can change, in the words of `pg_settings.context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Fixed when the server is built or the cluster is made.
    Internal,
    /// At the start of the server.
    Postmaster,
    /// On reload.
    Sighup,
    /// On reload, for the connections opened after it; a superuser may choose for a connection.
    SuperuserBackend,
    /// On reload, for the connections opened after it; anybody may choose for a connection.
    Backend,
    /// On reload, where no superuser has set something else for the session.
    Superuser,
    /// On reload, where nobody has set something else for the session.
    User,
}

/// What makes a changed line of the file take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing does: with such a line, whatever its value, the server does not start.
    Impossible,
    /// A restart. On reload the server keeps the old value and says so in its log.
    Restart,
    /// A reload.
    Reload,
}

impl Context {
    /// Returns the context's name in `pg_settings.context`.
    pub const fn name(self) -> &'static str {
        match self {
            Context::Internal => "internal",
            Context::Postmaster => "postmaster",
            Context::Sighup => "sighup",
            Context::SuperuserBackend => "superuser-backend",
            Context::Backend => "backend",
            Context::Superuser => "superuser",
            Context::User => "user",
        }
    }

    /// Returns what makes a changed line of the file take effect.
    pub const fn needs(self) -> Needs {
        match self {
            Context::Internal => Needs::Impossible,
            Context::Postmaster => Needs::Restart,
            Context::Sighup
            | Context::SuperuserBackend
            | Context::Backend
            | Context::Superuser
            | Context::User => Needs::Reload,
        }
    }
}
