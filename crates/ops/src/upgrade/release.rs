//! The path to another release of Kasm.

use super::names::{Declared, Names, shell};
use super::step::{Step, back_up, look, verify};

/// What is seen if a dump with pgaudit is restored into a server whose image lacks it, or that does not load it.
pub(super) const NOT_LOADED: &str = "it stops at `CREATE EXTENSION IF NOT EXISTS pgaudit`, as pgaudit is not available or must be loaded via shared_preload_libraries";

/// Lists the steps: the document is applied to the new release before a dump is restored into it.
pub(super) fn steps(names: &Names, release: &str) -> Vec<Step> {
    let mut steps = vec![look(names), declare(names, release)];
    if names.is_installed {
        steps.extend([apply_to_tree(names), back_up(names), restore(names)]);
    } else {
        steps.extend([apply_to_installer(names), back_up(names), upgrade(names)]);
    }
    let proved = verify(names, &names.new_tree);
    let proved = match names.names_tree {
        true => proved.risk(
            "the document still names the old tree",
            format!("change its `deployment:` to {} or {}", names.new_tree, names.current()),
        ),
        false => proved,
    };
    steps.push(proved.back(back(names)));
    steps
}

/// Tells how to return to the old tree once the new one was started.
fn back(names: &Names) -> String {
    let (tree, new_tree) = (shell(&names.tree), shell(&names.new_tree));
    format!(
        "`sudo {new_tree}/bin/stop` (if it is there), `sudo ln -sfn {tree} {}`, `sudo {tree}/bin/start`, and undo the change of the document. The old tree and {} \
         are as they were; what was written to the new database since is not in them.",
        shell(&names.current()),
        names.data(),
    )
}

fn declare(names: &Names, release: &str) -> Step {
    let title = "Declare the image of the new release";
    let brings = format!("Kasm {release} brings {}.", of(names));
    let step = match &names.image {
        Declared::Already(image) => {
            Step::new(title, format!("{brings} The document declares {image} already."))
        }
        Declared::Replaced { image, document } => {
            let document = shell(document);
            Step::new(title, brings)
                .run(format!("sed -i 's|^image:[^#]*[^# ]|image: {image}|' {document}"))
                .run(format!("grep '^image: {image}' {document}"))
                .risk("grep finds nothing", format!("declare `image: {image}` in {document} by hand"))
        }
        Declared::Own { document } => Step::new(
            title,
            format!("{brings} The document declares an image of your own: build one for the new release, and declare it in {document}."),
        )
        .risk(
            "the image of the new release has another PostgreSQL major",
            "declare that as `postgres_major`, too",
        ),
        Declared::None => Step::new(
            "Check the document",
            format!("{brings} The document has no `image`: the new release keeps the image of its installer."),
        )
        .risk(
            "the image of the installer has no pgaudit",
            "declare the one that has: `kasm-db plan` says so, too",
        ),
    };
    let step = match (&names.major_document, names.to) {
        (Some(document), Some(to)) if matches!(names.image, Declared::Replaced { .. }) => {
            step.run(format!("sed -i 's|^postgres_major:.*|postgres_major: {to}|' {}", shell(document)))
        }
        _ => step,
    };
    let step = step.run(names.validate());
    let step = if names.to.is_none() && names.image.image().is_some() {
        step.risk(
            "the PostgreSQL major of the image is not known to kasm-db",
            "run `kasm-db inspect` with the image, and declare it as `postgres_major`",
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
        _ => "a PostgreSQL major that is not known to kasm-db".into(),
    }
}

fn apply_to_installer(names: &Names) -> Step {
    let step = Step::new(
        "Apply the document to the unpacked installer",
        "The new release then starts with the declared image and settings. The dump of an audited database holds CREATE EXTENSION pgaudit, \
         and Kasm restores it with `pg_restore -e`: a server that does not load pgaudit stops the upgrade in the middle.",
    )
    .run(names.kasm_db("plan", "--installer kasm_release"))
    .run(names.kasm_db("apply", "--installer kasm_release"));
    step.risk(
        "kasm_release is not there",
        "unpack the installer of the new release in the folder that you run the commands in",
    )
    .risk(
        "`plan` reports major-change as a warning",
        "this is expected: the installer makes a new volume, and restores the dump into it",
    )
    .back("Unpack the installer once more. The deployment was not touched.")
}

fn upgrade(names: &Names) -> Step {
    let role = if names.has_kasm { "" } else { " --role db" };
    let current = shell(&names.current());
    Step::new(
        "Upgrade with Kasm's own script",
        format!(
            "It upgrades the tree that {current} leads to: it dumps the database once more, installs {}, makes a new volume, restores the dump, \
             and starts Kasm.",
            names.new_tree
        ),
    )
    .run(format!("test \"$(readlink -f {current})\" = {}", shell(&names.tree)))
    .run(format!("sudo bash kasm_release/upgrade.sh{role}"))
    .risk(
        "the first command fails",
        format!("{current} leads to another tree: see which one is in use before you continue"),
    )
    .risk(
        NOT_LOADED,
        "the document was not applied to the installer: return, and run `kasm-db upgrade-plan` once more. It sees that the new tree is \
         installed, and applies the document to it",
    )
    .risk(
        "it stops because a role does not exist",
        "Kasm's dump has no roles: return, and run `kasm-db upgrade-plan` once more. The path into an installed tree restores them",
    )
    .risk("it stops half-way for another reason", "read its output; return, and start over")
    .back(back(names))
}

fn apply_to_tree(names: &Names) -> Step {
    let tree = &names.new_tree;
    Step::new(
        "Apply the document to the new tree",
        "Its files are those of the installer. The dump holds CREATE EXTENSION pgaudit, and a server that does not load pgaudit refuses it.",
    )
    .run(names.on(tree, "plan", ""))
    .run(names.on(tree, "apply", "--files-only"))
    .risk(
        "`plan` is blocked by major-change",
        "the new tree has no data yet that is needed: add `--allow major-change` to both",
    )
    .back(format!("`{}` restores its files.", names.on(tree, "rollback", "--files-only")))
}

fn restore(names: &Names) -> Step {
    let tree = shell(&names.new_tree);
    Step::new(
        "Restore the dump into the new tree, and start Kasm",
        "Kasm's script replaces the database of the new tree, and asks before it does. `db_upgrade` brings the tables to the new release.",
    )
    .run(names.up(&names.new_tree))
    .run(names.wait())
    .run(names.restore_roles())
    .run(names.db_restore(&names.new_tree))
    .run(format!("sudo bash {tree}/bin/utils/db_upgrade -p {tree}"))
    .run(format!("sudo ln -sfn {tree} {}", shell(&names.current())))
    .run(format!("sudo {tree}/bin/start"))
    .run(names.wait())
    .risk("a role exists already", "this is expected: the new database has the role of its owner")
    .risk(
        NOT_LOADED,
        "the document was not applied to the new tree: do that, and run this step once more",
    )
    .back(back(names))
}
