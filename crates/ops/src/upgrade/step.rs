//! A step of an upgrade.

use super::names::{Declared, Names, shell};

/// A step: what to run, and what then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What it does, as an imperative.
    pub title: String,
    /// Why it is needed.
    pub why: String,
    /// What to run, in this order.
    pub commands: Vec<String>,
    /// What can go wrong.
    pub risks: Vec<Risk>,
    /// How to get back from here.
    pub back: String,
}

/// Something that can go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    /// What is seen.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Step {
    pub(super) fn new(title: &str, why: impl Into<String>) -> Self {
        Self { title: title.into(), why: why.into(), ..Self::default() }
    }

    pub(super) fn run(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }

    pub(super) fn risk(mut self, what: impl Into<String>, help: impl Into<String>) -> Self {
        self.risks.push(Risk { what: what.into(), help: help.into() });
        self
    }

    pub(super) fn back(mut self, back: impl Into<String>) -> Self {
        self.back = back.into();
        self
    }
}

/// Looks at what is there before anything changes.
pub(super) fn look(names: &Names) -> Step {
    let step = match &names.image {
        // Whatever the document says, it is not what runs.
        Declared::Already(image) => Step::new(
            "Check that the old database answers",
            format!("The document declares {image}, which does not run yet: `status` and `verify` would report the difference."),
        )
        .run(format!("sudo {}", names.exec("", "pg_isready --host=localhost")))
        .risk("it does not answer", "see `sudo docker logs` of the container before you continue"),
        _ => Step::new(
            "Check the old deployment",
            "An upgrade of a deployment that is not as the document says carries its faults along.",
        )
        .run(names.on(&names.tree, "status", ""))
        .run(names.on(&names.tree, "verify", ""))
        .risk("a check fails", "follow its help before you continue"),
    };
    step.back("Nothing was changed.")
}

/// Stops Kasm, and dumps the database by Kasm's own script.
pub(super) fn back_up(names: &Names) -> Step {
    let (tree, dump) = (shell(&names.tree), shell(&names.dump()));
    let databases = format!(
        "psql --username={} --dbname={} --tuples-only --no-align --command={}",
        shell(&names.user),
        shell(&names.database),
        shell("SELECT datname FROM pg_database WHERE NOT datistemplate"),
    );
    let step = Step::new(
        "Stop Kasm, and back up the database",
        "The dump is what is restored. Kasm's script opens the data directory with a server of its own: with Kasm \
         running, two servers would write to it. What is written after the dump is lost.",
    )
    .run(format!("sudo mkdir -p {}", shell(&names.backups())))
    .run(format!("sudo {}", names.exec("", &databases)))
    .run(names.save_roles())
    .run(format!("sudo {tree}/bin/stop"))
    .run(names.db_backup())
    .run(format!("sudo tar --list --file {dump} restore.sql"))
    .risk(
        format!("a database besides {} and postgres is listed", names.database),
        "Kasm's script does not dump it: dump it with `pg_dump` before you stop Kasm, and restore it at the end",
    )
    .risk("the disk is full", "free space, and run it again")
    .risk("tar fails, or does not find restore.sql", "the dump is not whole: do not continue, dump it again");
    let step = match names.has_kasm {
        true => step,
        false => step.risk(
            "Kasm runs on other hosts with this database",
            "stop it there first: `sudo /opt/kasm/bin/stop`",
        ),
    };
    let step = match names.audits {
        true => step.risk(
            "the audit log grows by the statements of pg_dump",
            "this is expected: pgaudit logs what is read",
        ),
        false => step,
    };
    step.back(format!("`sudo {tree}/bin/start`. Nothing was changed. Keep both files until the new database has proved itself."))
}

/// Returns the step that proves the result.
pub(super) fn verify(names: &Names, tree: &str) -> Step {
    let step = Step::new(
        "Verify the new database",
        "What ALTER DATABASE had set is not restored; verify asks the running server, and looks for the entry of a statement of each class.",
    )
    .run(names.on(tree, "status", ""))
    .run(names.on(tree, "verify", ""));
    let apply = names.on(tree, "apply", "");
    let step = match names.audits {
        true => step
            .risk(
                "a class is not logged",
                format!("run `{apply}`, which brings the declared settings into force"),
            )
            .risk("the extension is missing in a database", format!("run `{apply}`, which creates it")),
        false => step,
    };
    step.risk("a setting differs", "follow the help of the check")
}
