//! The path to another PostgreSQL major within one release of Kasm.

use super::names::{Names, shell};
use super::release::NOT_LOADED;
use super::step::{Step, back_up, look, verify};

/// Lists the steps: dump, a new volume, restore.
pub(super) fn steps(names: &Names) -> Vec<Step> {
    let to = names.to.map_or_else(|| "new".to_string(), |to| to.to_string());
    let tree = shell(&names.tree);
    let volume = names.volume.as_ref().map(|old| (old.clone(), format!("{old}_pg{to}")));
    let (replace, undo) = match &volume {
        Some((old, new)) => (renamed(names, old, new), format!("`{}`", rename(names, new, old))),
        None => (by_hand(names), "name the old place of the data in the compose files again".to_string()),
    };
    let rollback = names.on(&names.tree, "rollback", "--files-only");
    let back = format!(
        "`sudo {tree}/bin/stop`, `{rollback}`, {undo}, and `sudo {tree}/bin/start`. {} is as it was.",
        volume.as_ref().map_or("The old data", |(old, _)| old),
    );
    let replace = replace.back(format!("{}{}.", undo[..1].to_uppercase(), &undo[1..]));
    let apply = Step::new(
        "Apply the document",
        "The image and the settings are in place before the dump is restored: it holds CREATE EXTENSION pgaudit, which a server that does not \
         load pgaudit refuses.",
    )
    .run(names.on(&names.tree, "plan", "--allow major-change"))
    .run(names.on(&names.tree, "apply", "--files-only --allow major-change"))
    .risk("a setting is unknown to the new major", "`plan` names it, and what to use instead")
    .back(format!("`{rollback}` restores the files."));
    let start =
        Step::new("Start the new database alone", "Nothing else may write to it until the dump is restored.")
            .run(names.up(&names.tree))
            .run(names.wait())
            .risk(
                "the server says that the database files are incompatible",
                "it was started with the old volume: see the step before the last",
            )
            .risk("the second command ends after two minutes", format!("see `{}`", sudo(names, "logs")))
            .back(back.clone());
    let restore = Step::new(
        "Restore the dump, and start Kasm",
        "The new volume has an empty database. Kasm's script replaces it, and asks before it does.",
    )
    .run(names.restore_roles())
    .run(names.db_restore(&names.tree))
    .run(format!("sudo {tree}/bin/start"))
    .run(names.wait())
    .risk("a role exists already", "this is expected: the new database has the role of its owner")
    .risk(NOT_LOADED, "the document was not applied, or the database was started before")
    .back(back.clone());
    let proved = verify(names, &names.tree).back(back);
    vec![look(names), back_up(names), replace, apply, start, restore, proved]
}

fn sudo(names: &Names, command: &str) -> String {
    format!("sudo docker {command} {}", shell(&names.container))
}

/// Returns the command that names another volume in the compose files.
fn rename(names: &Names, from: &str, to: &str) -> String {
    let files = names.compose_files.iter().map(|file| shell(&format!("{}/{file}", names.tree)));
    let files = files.collect::<Vec<_>>().join(" ");
    format!(r"sudo sed -i 's|\b{}\b|{to}|g' {files}", from.replace('.', r"\."))
}

fn renamed(names: &Names, old: &str, new: &str) -> Step {
    let to = names.to.map_or_else(|| "The new PostgreSQL".to_string(), |to| format!("PostgreSQL {to}"));
    let compose_file = shell(&format!("{}/{}", names.tree, names.compose_file));
    Step::new(
        "Make a new volume, and name it in the compose files",
        format!("{to} cannot open the data directory in {old}. kasm-db does not change volumes: this is for you to do."),
    )
    .run(format!("sudo docker volume create {new}"))
    .run(rename(names, old, new))
    .run(format!("sudo grep {new} {compose_file}"))
    .risk("grep finds nothing", "the compose file makes the name of the volume from a variable: change that by hand")
}

fn by_hand(names: &Names) -> Step {
    let files = names.compose_files.iter().map(|file| format!("{}/{file}", names.tree));
    Step::new(
        "Give the database a new place for its data, by hand",
        format!(
            "The data is not in a volume that the compose files take from outside. Name a new volume or an empty folder as the data \
             directory of `{}`, and keep the old one. The files: {}.",
            names.service,
            files.collect::<Vec<_>>().join(", ")
        ),
    )
    .risk("the old place stays in one of the files", "the new server is started on it, and stops at once")
}
