//! The path to another PostgreSQL major within one release of Kasm.

use super::names::{Names, shell};
use super::step::{Step, back_up, look, verify};

/// Lists the steps: dump, a new volume, restore.
pub(super) fn steps(names: &Names) -> Vec<Step> {
    let to = names.to.map_or_else(|| "new".to_string(), |to| to.to_string());
    let volume = format!("{}_pg{to}", names.volume);
    let tree = shell(&names.tree);
    let back = format!(
        "`sudo {tree}/bin/stop`, name {} in the compose files again, `kasm-db rollback --files-only --deployment {tree}`, and `sudo {tree}/bin/start`.",
        names.volume
    );
    let compose = format!("{tree}/{}", names.compose_file);
    let stop = Step::new("Stop Kasm", "What is written after the dump is lost.")
        .run(format!("sudo {tree}/bin/stop"))
        .back(format!("`sudo {tree}/bin/start`"));
    let replace = Step::new(
        "Make a new volume, and name it in the compose files",
        format!(
            "PostgreSQL {to} cannot open the data directory in {}. kasm-db does not change volumes: this is for you to do.",
            names.volume
        ),
    )
    .run(format!("sudo docker volume create {volume}"))
    .run(format!("sudo sed -i 's|\\b{}\\b|{volume}|' {compose} {tree}/docker/.conf/docker-compose-*.yaml", names.volume))
    .risk("the compose files name the volume otherwise", "edit them by hand: the entry of /var/lib/postgresql/data, and the key below `volumes:`")
    .back(format!("Name {} in these files again.", names.volume));
    let apply = Step::new(
        "Apply the document",
        "The image and the settings are in place before the dump is restored: it holds CREATE EXTENSION pgaudit, which a server that does not \
         load pgaudit refuses.",
    )
    .run(format!("kasm-db plan --deployment {tree} --allow major-change"))
    .run(format!("kasm-db apply --files-only --deployment {tree} --allow major-change"))
    .risk("a setting is unknown to the new major", "`plan` names it, and what to use instead")
    .back(format!("`kasm-db rollback --files-only --deployment {tree}` restores the files."));
    let start =
        Step::new("Start the new database alone", "Nothing else may write to it until the dump is restored.")
            .run(format!(
                "(cd {tree}/docker && sudo --preserve-env docker compose up -d {})",
                shell(&names.service)
            ))
            .run(format!(
                "sudo docker exec {} pg_isready --username={} --dbname={}",
                names.container, names.user, names.database
            ))
            .risk("Compose asks for KASM_UID and KASM_GID", "export them as `bin/start` does")
            .risk(
                "the server says that the database files are incompatible",
                "it was started with the old volume: see the step before",
            )
            .back(back.clone());
    let restore = Step::new("Restore the dump, and start Kasm", "The new volume has an empty database.")
        .run(format!("sudo bash {tree}/bin/utils/db_restore -f {} -p {tree}", shell(&names.dump())))
        .run(format!("sudo {tree}/bin/start"))
        .risk(
            "`pgaudit must be loaded via \"shared_preload_libraries\"`",
            "the document was not applied, or the database was started before",
        )
        .back(back.clone());
    let proved = verify(names, &names.tree).back(format!("{back} {} is as it was.", names.volume));
    vec![look(names), back_up(names), stop, replace, apply, start, restore, proved]
}
