//! An upgrade of Kasm: a new tree beside the old one, with a volume of its own, into which the dump of the old database is
//! restored. The commands are those of the page about it.

use std::process::{Command, Output};

use crate::bed::{Bed, STOCK, WITH, engine, has_no_engine};

/// The page whose commands are run.
const PAGE: &str = include_str!("../../docs/upgrading-kasm.md");

/// Returns the command of the page that starts so.
#[track_caller]
fn of_the_page(start: &str) -> String {
    let section = PAGE.split("## If the new release is installed already").nth(1).unwrap();
    let command = section.lines().map(str::trim).find(|line| line.starts_with(start));
    command
        .unwrap_or_else(|| panic!("{start:?} is not on the page"))
        .strip_prefix("kasm-db ")
        .unwrap()
        .to_string()
}

/// Dumps the database, or restores it, with the options that Kasm's own scripts have.
fn kasm(bed: &Bed, script: &str) -> Output {
    let (docker, name) = (format!("docker --host {}", engine().unwrap()), &bed.name);
    let dump = bed.root.join("dump.tar").display().to_string();
    let text = match script {
        "db_backup" => format!("{docker} exec -i {name} pg_dump -U kasmapp -w -b -C -Ft kasm > {dump}"),
        _ => format!("{docker} exec -i {name} pg_restore -U kasmapp -w -e -Ft -d kasm < {dump}"),
    };
    bed.script(&format!("bin/{script}"), &format!("#!/bin/bash\nset -e\n{text}\n"));
    Command::new(bed.tree().join("bin").join(script)).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_newer_tree_that_gets_its_files_before_the_restore_audits_from_its_first_statement_on() {
    if has_no_engine("two deployments of one container") {
        return;
    }
    let old = Bed::below("opt/kasm/1.16.1", STOCK);
    old.edit("docker/docker-compose.yaml", |text| text.replace(STOCK, WITH));
    for file in [".conf/docker-compose-all.yaml", ".conf/docker-compose-db.yaml"] {
        old.edit(&format!("docker/{file}"), |text| text.replace(STOCK, WITH));
    }
    old.edit_conf(|conf| {
        conf.replace("#shared_preload_libraries = ''", "shared_preload_libraries = 'pgaudit'")
            + "pgaudit.log = 'read, write, ddl'\n"
    });
    old.start();
    old.sql("CREATE EXTENSION pgaudit; CREATE TABLE users (name text); INSERT INTO users VALUES ('alice')");
    old.document("");
    let run = old.run("status").expect(0);
    assert!(!run.stdout.contains("newer"), "{}", run.stdout);
    assert!(kasm(&old, "db_backup").status.success());

    // What an upgrade installs: stock files, and a volume of its own. Other folders beside it are no trees.
    let new = old.beside("opt/kasm/1.17.0", STOCK);
    for other in ["1.18.0", "2.x", "backup"] {
        std::fs::create_dir(old.root.join("opt/kasm").join(other)).unwrap();
    }
    std::os::unix::fs::symlink(new.tree(), old.root.join("opt/kasm/9.9.9")).unwrap();
    let path = new.tree().display().to_string();
    let says = format!("; a newer tree is beside it: {path}");
    let help = format!("kasm-db apply --files-only --deployment {path}");
    old.run(&of_the_page("kasm-db status")).expect(0).says(&[&says, &help]);
    old.run("status --format json").expect(0).says(&[&format!("\"newer\": \"{path}\"")]);
    old.run("apply --yes").expect(0).says(&["warning: a newer tree is beside the deployment: ", &help]);

    // Without its files, the restore stops in the middle: the dump makes the extension.
    old.bin("stop");
    new.start();
    let restored = kasm(&new, "db_restore");
    assert!(!restored.status.success(), "{}", text(&restored.stdout));
    assert!(text(&restored.stderr).contains("pgaudit"), "{}", text(&restored.stderr));
    new.bin("stop");
    new.docker(&["rm", "--force", &new.name]);
    let volume = format!("{}_opt_kasm_1.17.0", new.name);
    new.docker(&["volume", "rm", &volume]);
    new.docker(&["volume", "create", &volume]);

    // With them, it goes through, and everything is audited from then on.
    let here = |command: &str| of_the_page(command).replace("/opt/kasm/1.17.0", &path);
    let apply = here("kasm-db apply --files-only --deployment ");
    let run = old.run(&format!("{apply} --yes")).expect(0).says(&["written"]);
    assert!(!run.stderr.contains("stop: ") && !run.stderr.contains("start: "), "{}", run.stderr);
    new.start();
    let restored = kasm(&new, "db_restore");
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    assert_eq!(new.sql("SELECT name FROM users"), "alice");
    old.run(&here("kasm-db verify --deployment "))
        .expect(0)
        .says(&["ok    audit write", " 0 FAIL, 0 skipped."]);
    let run = old.run(&format!("status --deployment {path}")).expect(0);
    assert!(!run.stdout.contains("newer"), "{}", run.stdout);
    // And the old tree is no deployment that runs any more.
    old.run("verify --no-probe").expect(9).says(&["which is not this target's file"]);
}
