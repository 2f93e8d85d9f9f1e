//! What a command reports: the table of results.

/// Defines the table, so that no report can be without its name.
macro_rules! reports {
    ($($(#[$about:meta])* $report:ident $name:literal;)*) => {
        /// What a command reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Report {
            $($(#[$about])* $report,)*
        }

        impl Report {
            /// Every report.
            pub(crate) const ALL: &[Self] = &[$(Self::$report,)*];

            /// Returns its name: `kasm-db/NAME` is the format of its JSON.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$report => $name,)*
                }
            }
        }
    };
}

reports! {
    /// What is wrong with documents.
    Validate "validate";
    /// Plans of targets.
    Plan "plan";
    /// What was written, and what followed.
    Apply "apply";
    /// What an apply does while it runs; the name is that of what follows the events.
    ApplyEvents "apply-end";
    /// A saved plan.
    Show "show";
    /// How targets stand.
    Status "status";
    /// Checks of servers.
    Verify "verify";
    /// Folders for review.
    Render "render";
    /// Build contexts, and images.
    Build "build";
    /// A document that was made.
    Import "import";
    /// What was applied.
    History "history";
    /// What was put back.
    Rollback "rollback";
    /// What was recovered.
    Recover "recover";
    /// Audit entries, one by one; the name is that of what follows them.
    AuditEntries "audit-end";
    /// Audit entries, counted.
    AuditCount "audit-count";
    /// Audit entries, summed up.
    AuditSummary "audit-summary";
    /// Explanations.
    Explain "explain";
    /// A document and those that it extends as one.
    Resolve "resolve";
    /// What an image holds.
    Inspect "inspect";
    /// Paths of upgrades.
    UpgradePlan "upgrade-plan";
    /// A schema.
    Schema "schema";
}

impl Report {
    /// Returns the command that writes it.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::ApplyEvents => "apply",
            Self::AuditEntries => "audit",
            Self::AuditCount => "audit --count FIELD",
            Self::AuditSummary => "audit --summary",
            other => other.name(),
        }
    }
}
