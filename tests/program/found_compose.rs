//! Compose files and confs that were once read wrongly: those of the folder that `KASM_DB_FOUND` names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test says what it could not look at")]

use testing::{Sandbox, copy, folder_from};

use crate::PROGRAM;

/// A folder, the exit code of `plan`, what it says, and what it does not say.
const CASES: &[(&str, i32, &[&str], &[&str])] = &[
    ("compose-comment-behind-quote", 0, &["postgres:16.1 -> postgres:16.8"], &[]),
    (
        "compose-compose-file-in-env-extra",
        0,
        &["kasmweb/postgres:1.17.0 -> kasmweb/postgres:1.18.0"],
        &["No changes"],
    ),
    (
        "compose-conf-elsewhere-deployment",
        4,
        &["error[KDB408]: the server reads conf/database/custom.conf"],
        &[],
    ),
    ("compose-conf-elsewhere-files", 4, &["error[KDB408]: the server reads own.conf"], &[]),
    ("compose-env-spellings", 0, &["No changes"], &["KDB501"]),
    ("compose-env-unknown-value-takes-default", 0, &["-> postgres:16.4"], &["No changes"]),
    ("compose-exact-can-not-mend", 4, &["KDB505", "pg_stat_statements"], &["KDB407"]),
    ("compose-extends-cache-include", 0, &["postgres:16.5 -> postgres:16.99"], &["svc/pg.yml:"]),
    ("compose-include-extends-not-pinned", 0, &["postgres:16.1 -> postgres:16.99", "compose.yml"], &[]),
    ("compose-include-extends-wrong-present", 0, &["postgres:16.4 -> postgres:16.1"], &["No changes"]),
    ("compose-null-image-extends", 0, &["postgres:16.1 -> postgres:16.8"], &[]),
    ("compose-patch-version-comment", 0, &["-> postgres:16.8"], &[]),
    ("compose-pg18-auto-conf-unseen", 4, &["error[KDB504]", "pgdata/18/docker/postgresql.auto.conf"], &[]),
    ("compose-pg18-false-major-change", 0, &["work_mem"], &["KDB501", "KDB408"]),
    ("compose-pgdata-in-env_file", 4, &["error[KDB501]", "pgdata/pgdata/PG_VERSION"], &[]),
    ("compose-preload-empty-name", 4, &["error[KDB407]", "has the library ``"], &[]),
    ("compose-provider-service", 4, &["comes from a provider"], &[]),
    (
        "compose-remote-include-refused",
        0,
        &["postgres:16.4 -> postgres:16.8", "an include names a file by a URL"],
        &[],
    ),
    ("compose-restart-said-reload", 0, &["The database must be restarted."], &[]),
];

#[test]
fn what_was_once_read_wrongly_is_read_as_compose_and_postgresql_read_it() {
    let Some(found) = folder_from("KASM_DB_FOUND") else {
        eprintln!("KASM_DB_FOUND is not set; nothing is read");
        return;
    };
    let mut wrong = Vec::new();
    for (name, code, says, never) in CASES {
        let sandbox = Sandbox::new(PROGRAM);
        let folder = sandbox.root().join("case");
        copy(&found.join(name), &folder);
        let document =
            if folder.join("kasm-db.yaml").exists() { "case/kasm-db.yaml" } else { "case/document.yaml" };
        let run = sandbox.run(&format!("plan -f {document}"));
        let text = format!("{}{}", run.stdout, run.stderr);
        let is_right = run.code == Some(*code)
            && says.iter().all(|part| text.contains(part))
            && never.iter().all(|part| !text.contains(part));
        if !is_right {
            wrong.push(format!("{name}: expected {code}, {says:?} and not {never:?}\n{run}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
