//! What the owner of a database, the defaults of a role, or a container's environment says of a session: none of it
//! may steer what is asked.

use std::time::{Duration, Instant};

use crate::bed::{Bed, has_no_engine};

const IF_NEEDED: &str = "restart:\n  policy: if_needed\n  timeout: 60s\n";

#[test]
fn what_the_owner_of_a_database_puts_in_the_way_is_not_run() {
    let bed = Bed::in_order();
    bed.document(IF_NEEDED);
    // Better matches than those of pg_catalog, and the same names in front of it. All of it notes who runs it.
    bed.sql(
        "CREATE ROLE mallory; CREATE SCHEMA evil AUTHORIZATION mallory; CREATE TABLE evil.hits (who text, what text); \
         GRANT ALL ON evil.hits TO PUBLIC; ALTER DATABASE kasm OWNER TO mallory; SET ROLE mallory; \
         CREATE FUNCTION evil.hit(text) RETURNS void LANGUAGE sql AS \
         $$ INSERT INTO evil.hits VALUES (current_user, $1) $$; \
         CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM evil.hit('current_setting'); RETURN pg_catalog.current_setting($1); END $$; \
         CREATE FUNCTION evil.equal(oid, integer) RETURNS boolean LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM evil.hit('oid = integer'); RETURN $1 OPERATOR(pg_catalog.=) $2::oid; END $$; \
         CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = integer, FUNCTION = evil.equal); \
         CREATE FUNCTION evil.equal(name, name) RETURNS boolean LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM evil.hit('name = name'); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$; \
         CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.equal); \
         CREATE FUNCTION evil.joined(text, text) RETURNS text LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM evil.hit('text || text'); RETURN pg_catalog.concat($1, $2); END $$; \
         CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.joined); \
         ALTER DATABASE kasm SET search_path = evil, pg_catalog",
    );
    for arguments in ["verify", "status", "apply --yes"] {
        bed.run(arguments).expect(0);
        assert_eq!(bed.sql("SELECT * FROM evil.hits"), "", "{arguments}");
    }
    let path = bed.document(IF_NEEDED);
    let text = std::fs::read_to_string(&path).unwrap().replace("[read, write, ddl]", "[role, ddl]");
    std::fs::write(&path, text).unwrap();
    bed.run("apply --yes").expect(0).says(&["reload: "]);
    assert_eq!(bed.sql("SELECT * FROM evil.hits"), "");
    // What they set is seen nonetheless.
    bed.document("settings: {search_path: public}\n");
    bed.edit_conf(|conf| conf.replace("'role, ddl'", "'read, write, ddl'") + "search_path = public\n");
    bed.sql("SELECT pg_reload_conf()");
    bed.run("verify --no-probe").expect(9).says(&[
        "setting search_path: it is 'evil, pg_catalog', not 'public'",
        "`ALTER DATABASE kasm RESET search_path;`",
    ]);
}

#[test]
fn a_value_that_only_this_user_or_this_database_has_is_not_the_servers() {
    let bed = Bed::in_order();
    bed.document("settings: {work_mem: 4MB}\n");
    bed.edit_conf(|conf| conf.replace("pgaudit.log = 'read, write, ddl'\n", ""));
    bed.sql("SELECT pg_reload_conf()");
    for set in ["ALTER DATABASE kasm", "ALTER ROLE kasmapp"] {
        // What is the default for all others is no difference.
        bed.sql(&format!("{set} SET pgaudit.log = 'read, write, ddl'; {set} SET work_mem = '4MB'"));
        let run = bed.run("verify").expect(9).says(&[
            "FAIL  setting pgaudit.log: it is 'read, write, ddl' here, by ",
            "but for others no file sets it, so that it is 'none'",
            "ok    audit read",
            "ok    setting work_mem",
        ]);
        assert_eq!(run.stdout.matches("  FAIL  ").count(), 1, "{}", run.stdout);
        bed.sql(&format!("{set} RESET pgaudit.log"));
    }
}

#[test]
fn defaults_of_a_role_do_not_keep_the_probe_and_the_extension_from_being_made() {
    let bed = Bed::in_order();
    bed.document(IF_NEEDED);
    bed.sql("DROP EXTENSION pgaudit");
    bed.sql("ALTER ROLE kasmapp SET default_transaction_read_only = on");
    bed.run("apply --yes").expect(0).says(&["the extension must be created"]);
    bed.run("verify").expect(0).says(&[" 0 FAIL, 0 skipped."]);

    bed.sql("BEGIN READ WRITE; ALTER ROLE kasmapp RESET default_transaction_read_only; COMMIT");

    // One statement of the probe that fails is the reason for all behind it.
    bed.sql(
        "CREATE FUNCTION nope() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no ddl today'; END $$; \
         CREATE EVENT TRIGGER nope ON ddl_command_start EXECUTE FUNCTION nope()",
    );
    bed.document("");
    bed.run("verify").expect(9).says(&[
        "FAIL  audit ddl: not checked: the probe's statement failed: no ddl today",
        "FAIL  audit write: not checked: the probe's statement failed: no ddl today",
    ]);
    // The extension need not be made if it is there, and what cannot be probed is not said to be in order.
    let path = bed.document(IF_NEEDED);
    let text = std::fs::read_to_string(&path).unwrap().replace("[read, write, ddl]", "[role, ddl]");
    std::fs::write(&path, text).unwrap();
    bed.run("apply --yes").expect(9).says(&["reload: ", "FAIL  audit role: not checked: "]);
    bed.sql("DROP EVENT TRIGGER nope");
    bed.run("apply --yes").expect(0);
}

#[test]
fn texts_come_as_they_are_whatever_the_encoding_of_the_session_would_be() {
    let bed = Bed::in_order();
    bed.edit_conf(|conf| conf + "search_path = 'k\u{f6}ln'\n");
    bed.sql("SELECT pg_reload_conf()");
    bed.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    for (database, encoding) in [("kasm", "SJIS"), ("kasm", "LATIN1"), ("latin", "UTF8")] {
        bed.sql(&format!("ALTER ROLE kasmapp SET client_encoding = '{encoding}'"));
        let path = bed.document(&format!("  database: {database}\nsettings: {{search_path: 'k\u{f6}ln'}}\n"));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("ddl]\n", "ddl]\n  extension: false\n")).unwrap();
        bed.run("verify").expect(0).says(&["setting search_path: 'k\u{f6}ln'"]);
    }
}

#[test]
fn a_standby_takes_its_settings_and_is_not_asked_to_make_what_the_primary_has() {
    let bed = Bed::in_order();
    let path = bed.document(IF_NEEDED);
    let data = bed.sql("SHOW data_directory");
    bed.sql(&format!("COPY (SELECT 1) TO '{data}/standby.signal'"));
    bed.bin("stop");
    bed.start();
    assert_eq!(bed.sql("SELECT pg_is_in_recovery()"), "t");
    let text = std::fs::read_to_string(&path).unwrap().replace("[read, write, ddl]", "[role, ddl]");
    std::fs::write(&path, &text).unwrap();
    bed.run("apply --yes").expect(0).says(&["reload: ", "skip  audit role: the server is a standby"]);
    std::fs::write(&path, text.replace("[role, ddl]", "[read, write, misc]")).unwrap();
    bed.run("apply --yes").expect(0).says(&["ok    audit read", "ok    audit misc:", "skip  audit write: "]);
    std::fs::write(&path, &text).unwrap();
    bed.run("apply --yes").expect(0);
    std::fs::write(&path, text.replace("ddl]\n", "ddl]\n  databases: [postgres]\n")).unwrap();
    bed.run("verify").expect(9).says(&["create it in the database postgres of the primary"]);
    bed.run("apply --yes").expect(9).says(&["create it in the database postgres of the primary"]);
    bed.run("recover").expect(0).says(&["Nothing to recover"]);
}

#[test]
fn an_extension_that_does_nothing_and_a_database_that_is_closed_are_named() {
    let bed = Bed::in_order();
    bed.document("");
    bed.sql("ALTER EVENT TRIGGER pgaudit_ddl_command_end DISABLE");
    bed.run("verify --no-probe").expect(9).says(&[
        "extension pgaudit in kasm: its event triggers are disabled (pgaudit_ddl_command_end)",
        "ENABLE",
    ]);
    bed.sql("ALTER EVENT TRIGGER pgaudit_ddl_command_end ENABLE");
    bed.sql("CREATE DATABASE shut ALLOW_CONNECTIONS false");
    let path = bed.document("");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("ddl]\n", "ddl]\n  databases: [kasm, shut]\n")).unwrap();
    bed.run("verify --no-probe").expect(9).says(&["the database shut allows no connections"]);
}

#[test]
fn what_is_set_for_others_and_may_not_be_seen_is_not_taken_for_nothing() {
    let bed = Bed::in_order();
    bed.sql("CREATE ROLE watcher LOGIN; ALTER ROLE kasmapp SET pgaudit.log = 'none'");
    bed.sql("REVOKE SELECT ON pg_db_role_setting, pg_database FROM PUBLIC");
    bed.document("  user: watcher\n");
    bed.run("verify --no-probe").expect(9).says(&[
        "FAIL  setting pgaudit.log: not checked: it is 'read, write, ddl'",
        "; what is set for roles and databases cannot be seen: permission denied",
        "ok    extension pgaudit in kasm",
    ]);
}

#[test]
fn the_environment_of_the_container_leads_to_no_other_server() {
    if has_no_engine("the environment of a container") {
        return;
    }
    let bed = Bed::in_order();
    bed.edit("docker/docker-compose.yaml", |text| {
        let more = "PGHOST: /nowhere\n      PGHOSTADDR: 192.0.2.1\n      PGOPTIONS: -c pgaudit.log=none\n      POSTGRES_USER:";
        text.replace("POSTGRES_USER:", more)
    });
    bed.bin("stop");
    bed.bin("start");
    bed.document("");
    let started = Instant::now();
    while bed.run("verify --no-probe").code != Some(0) && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(200));
    }
    bed.run("verify").expect(0).says(&[" 0 FAIL, 0 skipped."]);
}

#[test]
fn a_role_that_may_open_no_more_sessions_is_named() {
    let bed = Bed::in_order();
    bed.document("  user: watcher\n");
    bed.sql("CREATE ROLE watcher LOGIN CONNECTION LIMIT 0");
    bed.run("verify").expect(9).says(&["too many connections for role", "CONNECTION LIMIT"]);
}

#[test]
fn a_role_with_settings_of_megabytes_keeps_nobody_from_asking_the_server() {
    let bed = Bed::in_order();
    bed.document("settings: {search_path: '\"$user\", public'}\n");
    bed.sql("CREATE ROLE mallory LOGIN");
    // As that role can do itself; and what together would be more than an answer holds.
    bed.sql(
        "CREATE ROLE noisy; DO $$ BEGIN \
         FOR n IN 1..30 LOOP EXECUTE format('ALTER ROLE noisy SET evil.s%s = %L', n, repeat('x', 1000000)); END LOOP; \
         SET ROLE mallory; \
         EXECUTE format('ALTER ROLE mallory SET application_name = %L', repeat('x', 26000000)); END $$",
    );
    bed.run("verify --no-probe").expect(0).says(&["ok    connect: PostgreSQL"]);
    // One that matters is named, and shown in part.
    bed.sql(
        "DO $$ BEGIN EXECUTE format('ALTER ROLE mallory SET search_path = %L', repeat('x', 26000000)); END $$",
    );
    let run = bed.run("verify --no-probe").expect(9).says(&["the role mallory has 'xxx", "xxx…'"]);
    assert!(run.stdout.len() < 20_000, "{} bytes", run.stdout.len());
    bed.sql("ALTER ROLE mallory RESET ALL");
    bed.sql(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE kasm SET search_path = %L', repeat('x', 26000000)); END $$",
    );
    let run = bed
        .run("verify --no-probe")
        .expect(9)
        .says(&["it is 'xxx", "`ALTER DATABASE kasm RESET search_path;`"]);
    assert!(run.stdout.len() < 20_000, "{} bytes", run.stdout.len());
}

#[test]
fn the_extension_is_made_where_the_owner_of_the_database_cannot_drop_it() {
    let bed = Bed::in_order();
    bed.sql("DROP EXTENSION pgaudit; CREATE ROLE mallory; ALTER DATABASE kasm OWNER TO mallory");
    let path = bed.document(IF_NEEDED);
    let text = std::fs::read_to_string(&path).unwrap().replace("[read, write, ddl]", "[role, ddl]");
    std::fs::write(&path, text).unwrap();
    bed.sql("SET ROLE mallory; CREATE SCHEMA evil; ALTER DATABASE kasm SET search_path = evil, public");
    bed.run("apply --yes").says(&["written"]);
    // Each of these took an extension in `evil` or in `public` with it.
    bed.sql("SET ROLE mallory; DROP SCHEMA evil CASCADE; DROP SCHEMA public CASCADE; DROP OWNED BY mallory CASCADE");
    for statement in [
        "DROP EXTENSION pgaudit CASCADE",
        "DROP SCHEMA pg_catalog CASCADE",
        "ALTER EXTENSION pgaudit SET SCHEMA evil",
    ] {
        let sql = format!(
            "CREATE SCHEMA IF NOT EXISTS evil AUTHORIZATION mallory; SET ROLE mallory; DO $$ BEGIN {statement}; EXCEPTION WHEN \
             insufficient_privilege THEN CREATE TABLE evil.refused (); DROP TABLE evil.refused; RETURN; END $$"
        );
        bed.sql(&sql);
    }
    let schema = "SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'pgaudit'";
    assert_eq!(bed.sql(schema), "pg_catalog");
    let run = bed.run("verify").says(&["ok    extension pgaudit in kasm: version 1."]);
    assert!(!run.stdout.contains("can drop it"), "{}", run.stdout);
    // One that is there stays where it is, and what that means is said.
    bed.sql(
        "CREATE SCHEMA IF NOT EXISTS evil AUTHORIZATION mallory; ALTER EXTENSION pgaudit SET SCHEMA evil",
    );
    bed.run("apply --yes");
    assert_eq!(bed.sql(schema), "evil");
    bed.run("verify")
        .expect(0)
        .says(&["mallory can drop it with the schema evil: `ALTER EXTENSION pgaudit SET SCHEMA"]);
    bed.sql(
        "CREATE SCHEMA public AUTHORIZATION pg_database_owner; ALTER EXTENSION pgaudit SET SCHEMA public",
    );
    bed.run("verify").says(&["mallory can drop it with the schema public"]);
    bed.sql("ALTER ROLE mallory SUPERUSER");
    let run = bed.run("verify");
    assert!(!run.stdout.contains("can drop it"), "{}", run.stdout);
}
