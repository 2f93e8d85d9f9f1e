//! A step of an upgrade.

use super::names::{Names, shell};

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

    /// Names the document in the commands that read it, if they would not find it.
    pub(super) fn of_document(mut self, document: &str) -> Self {
        if document != "kasm-db.yaml" {
            for command in &mut self.commands {
                let own = command.strip_prefix("kasm-db ").and_then(|rest| rest.split_once(" --"));
                if let Some((name, rest)) = own {
                    *command = format!("kasm-db {name} -f {} --{rest}", shell(document));
                }
            }
        }
        self
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
    let tree = shell(&names.tree);
    Step::new(
        "Check the old deployment",
        "An upgrade of a deployment that is not as the document says carries its faults along.",
    )
    .run(format!("kasm-db status --deployment {tree}"))
    .run(format!("kasm-db verify --deployment {tree}"))
    .risk("a check fails", "follow its help before you continue")
    .back("Nothing was changed.")
}

/// Dumps the database by Kasm's own script.
pub(super) fn back_up(names: &Names) -> Step {
    let (tree, dump) = (shell(&names.tree), names.dump());
    let folder = dump.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let step = Step::new(
        "Back up the database",
        "No other PostgreSQL major can read the data directory: the dump is what is restored, and what you return to.",
    )
    .run(format!("sudo mkdir -p {}", shell(folder)))
    .run(format!("sudo bash {tree}/bin/utils/db_backup -f {} -p {tree}", shell(&dump)))
    .run(format!("sudo cat {} | sudo docker exec -i {} pg_restore --list > /dev/null", shell(&dump), names.container))
    .risk("the disk is full, or the file is empty", "free space, and run it again")
    .risk("pg_restore says that the file is not a valid archive", "do not continue: dump it again");
    let step = match names.audits {
        true => step.risk(
            "the audit log grows by the statements of pg_dump",
            "this is expected: pgaudit logs what is read",
        ),
        false => step,
    };
    step.back("Nothing was changed. Keep the file until the new database has proved itself.")
}

/// Returns the step that proves the result.
pub(super) fn verify(names: &Names, tree: &str) -> Step {
    let tree = shell(tree);
    let step = Step::new(
        "Verify the new database",
        "What ALTER DATABASE had set is not restored; verify asks the running server, and looks for the entry of a statement of each class.",
    )
    .run(format!("kasm-db status --deployment {tree}"))
    .run(format!("kasm-db verify --deployment {tree}"));
    let step = match names.audits {
        true => step
            .risk(
                "a class is not logged",
                "run `kasm-db apply` with this tree, which brings the declared settings into force",
            )
            .risk(
                "the extension is missing in a database",
                "run `kasm-db apply` with this tree, which creates it",
            ),
        false => step,
    };
    step.risk("a setting differs", "follow the help of the check")
}
