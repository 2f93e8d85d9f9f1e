//! The path to another release of Kasm.

use super::names::{Names, shell};
use super::step::{Step, back_up, look, verify};

/// Lists the steps: the document is applied to the new release before a dump is restored into it.
pub(super) fn steps(names: &Names, release: &str) -> Vec<Step> {
    let mut steps = vec![look(names), back_up(names), declare(names, release)];
    if names.is_installed {
        steps.extend([apply_to_tree(names), restore(names)]);
    } else {
        steps.extend([apply_to_installer(), upgrade(names)]);
    }
    let back = format!(
        "`sudo {}/bin/stop`, then `sudo {}/bin/start`. {}",
        shell(&names.new_tree),
        shell(&names.tree),
        kept(names)
    );
    steps.push(verify(names, &names.new_tree).back(back));
    steps
}

fn kept(names: &Names) -> String {
    format!(
        "The old tree and its volume {} are as they were; what was written to the new database since is not in them.",
        names.volume
    )
}

fn declare(names: &Names, release: &str) -> Step {
    let step =
        Step::new("Declare the image of the new release", format!("Kasm {release} brings {}.", of(names)))
            .run(format!("sed -i 's|^image:.*|image: {}|' {}", names.image, shell(&names.document)))
            .run(format!("kasm-db validate {}", shell(&names.document)));
    let step = if names.to.is_none() {
        step.risk(
            "the PostgreSQL major of the image is not known to kasm-db",
            "run `kasm-db inspect` with the image, and add `postgres_major:` to the document",
        )
    } else {
        step
    };
    step.risk(
        "a setting is unknown to the new PostgreSQL major",
        "validate names it, and what to use instead",
    )
    .back("Undo the change of the document: `git checkout`, or the old image.")
}

fn of(names: &Names) -> String {
    match (names.from, names.to) {
        (Some(from), Some(to)) if from == to => format!("the same PostgreSQL major, {to}"),
        (Some(from), Some(to)) => format!("PostgreSQL {to} in place of {from}"),
        (None, Some(to)) => format!("PostgreSQL {to}"),
        _ => "a PostgreSQL major that its tag does not tell".into(),
    }
}

fn apply_to_installer() -> Step {
    let step = Step::new(
        "Apply the document to the unpacked installer",
        "The new release then starts with the declared image and settings. The dump of an audited database holds CREATE EXTENSION pgaudit, \
         and Kasm restores it with `pg_restore -e`: a server that does not load pgaudit stops the upgrade in the middle.",
    )
    .run("kasm-db plan --installer kasm_release")
    .run("kasm-db apply --installer kasm_release");
    step.risk("kasm_release is not there", "unpack the installer of the new release beside the document")
        .risk(
            "`plan` reports major-change as a warning",
            "this is expected: the installer makes a new volume, and restores the dump into it",
        )
        .back("Unpack the installer once more. The deployment was not touched.")
}

fn upgrade(names: &Names) -> Step {
    Step::new(
        "Upgrade with Kasm's own script",
        format!("It dumps the database, installs {}, makes a new volume, and restores the dump.", names.new_tree),
    )
    .run("sudo bash kasm_release/upgrade.sh")
    .risk(
        "it stops with `pgaudit must be loaded via \"shared_preload_libraries\"`",
        format!("run `kasm-db apply --files-only --deployment {}`, start the new database, and restore the dump: `{}`", shell(&names.new_tree), restore_command(names)),
    )
    .risk("it stops half-way for another reason", "read its output; return, and start over")
    .back(format!("`sudo {}/bin/start` starts the old release. {}", shell(&names.tree), kept(names)))
}

fn apply_to_tree(names: &Names) -> Step {
    let tree = shell(&names.new_tree);
    Step::new(
        "Apply the document to the new tree",
        "Its files are those of the installer. The dump holds CREATE EXTENSION pgaudit, and a server that does not load pgaudit refuses it.",
    )
    .run(format!("kasm-db plan --deployment {tree}"))
    .run(format!("kasm-db apply --files-only --deployment {tree}"))
    .risk("`plan` is blocked by major-change", "the volume of the new tree has no data yet: add `--allow major-change`")
    .back(format!("`kasm-db rollback --files-only --deployment {tree}` restores its files."))
}

fn restore(names: &Names) -> Step {
    Step::new("Start the new database, and restore the dump", "The new volume is empty.")
        .run(format!("sudo {}/bin/stop", shell(&names.tree)))
        .run(format!("sudo {}/bin/start", shell(&names.new_tree)))
        .run(restore_command(names))
        .risk(
            "`pgaudit must be loaded via \"shared_preload_libraries\"`",
            "the document was not applied to the new tree, or the database was not restarted since",
        )
        .back(format!(
            "`sudo {}/bin/stop`, then `sudo {}/bin/start`. {}",
            shell(&names.new_tree),
            shell(&names.tree),
            kept(names)
        ))
}

fn restore_command(names: &Names) -> String {
    let tree = shell(&names.new_tree);
    format!("sudo bash {tree}/bin/utils/db_restore -f {} -p {tree}", shell(&names.dump()))
}
