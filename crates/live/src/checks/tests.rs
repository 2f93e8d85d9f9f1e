use super::*;
use crate::check::Verdict;
use crate::docker::Container;
use crate::facts::{ConfFile, ConfState, Line, Logged, NotRun, Override, Probe, Setting};
use crate::session::Unreachable;

const DOCUMENT: &str = "schema: kasm-db/v1\nimage: kasmweb/postgres:develop\npostgres_major: 15\n\
    preload: {libraries: [pgaudit]}\naudit: {classes: [read, write]}\nsettings: {work_mem: 8MB}\n\
    unset: [log_min_messages]\n";

const CONF: &str = "/conf/postgresql.conf";

fn desired() -> DesiredState {
    model::read("d", DOCUMENT.as_bytes()).desired.unwrap()
}

fn set(value: &str, source: &str, file: &str) -> Setting {
    Setting {
        value: value.into(),
        shown: value.into(),
        source: source.into(),
        file: file.into(),
        line: 7,
        pending_restart: false,
        ..Setting::default()
    }
}

fn line(name: &str, value: &str, error: &str) -> Line {
    Line { name: name.into(), value: value.into(), file: CONF.into(), line: 7, error: error.into() }
}

/// A server on which everything is as the document says.
fn well() -> Facts {
    let file = |value| set(value, "configuration file", CONF);
    let settings = [
        ("shared_preload_libraries", file("pgaudit")),
        ("pgaudit.log", file("WRITE,READ")),
        ("work_mem", Setting { shown: "8MB".into(), ..file("8192") }),
        ("log_min_messages", set("warning", "default", "")),
        ("config_file", set(CONF, "override", "")),
    ];
    let server = Server {
        version: 150_018,
        user: "kasmapp".into(),
        database: "kasm".into(),
        superuser: true,
        settings: settings.map(|(name, setting)| (name.to_string(), setting)).into(),
        lines: Ok(vec![
            line("shared_preload_libraries", "pgaudit", ""),
            line("pgaudit.log", "WRITE,READ", ""),
            line("work_mem", "8MB", ""),
        ]),
        libraries: Ok(vec!["pgaudit.so".into(), "libc.so".into()]),
        confs: vec![ConfFile { path: CONF.into(), state: ConfState::Same }],
        extensions: vec![("kasm".into(), Extension::Version("1.7".into()))],
        probe: Some(Probe::Ran {
            log: "/log".into(),
            classes: vec![(model::audit::Class::Read, Logged::Yes)],
            grows: true,
            fault: None,
        }),
        ..Server::default()
    };
    let container = Container {
        name: "kasm_db".into(),
        status: "running".into(),
        image: "kasmweb/postgres:develop".into(),
        image_id: "sha256:1".into(),
        ..Container::default()
    };
    Facts {
        container: Some(container),
        declared_id: Ok(Some("sha256:1".into())),
        way: "docker exec in kasm_db".into(),
        server: Ok(server),
    }
}

/// Returns the failures after a change of a server that was well, as `name: code: why: fix`.
fn failures(change: impl FnOnce(&mut Facts, &mut Server)) -> Vec<String> {
    let mut facts = well();
    let mut server = facts.server.clone().unwrap();
    facts.server = Ok(Server::default());
    change(&mut facts, &mut server);
    if facts.server.is_ok() {
        facts.server = Ok(server);
    }
    let failed = checks(&desired(), &facts).into_iter().filter_map(|check| match check.verdict {
        Verdict::Fail { code, fix, remedy } => {
            Some(format!("{}: {}: {}: {fix} [{remedy:?}]", check.subject, code.name(), check.says))
        }
        _ => None,
    });
    failed.collect()
}

/// Expects exactly one failure, which holds all of these parts.
#[track_caller]
fn one(parts: &[&str], change: impl FnOnce(&mut Facts, &mut Server)) {
    let failures = failures(change);
    assert_eq!(failures.len(), 1, "{failures:#?}");
    for part in parts {
        assert!(failures[0].contains(part), "{part:?} is not in {failures:#?}");
    }
}

#[test]
fn a_server_on_which_all_is_well_has_no_failure_and_skips_nothing() {
    assert_eq!(failures(|_, _| {}), [""; 0]);
    assert!(checks(&desired(), &well()).iter().all(|check| check.verdict == Verdict::Ok));
}

#[test]
fn a_value_that_something_else_sets_is_named_with_the_statement_that_fixes_it() {
    let role = |reset: &str, whom: &str| Override {
        name: "pgaudit.log".into(),
        value: "none".into(),
        reset: format!("{reset} pgaudit.log;"),
        whom: whom.into(),
    };
    one(&["setting-overridden", "`ALTER DATABASE kasm RESET pgaudit.log;`", "every role"], |_, server| {
        server.settings.insert("pgaudit.log".into(), set("none", "database", ""));
        server
            .overrides
            .as_mut()
            .unwrap()
            .push(role("ALTER DATABASE kasm RESET", "every role in the database kasm"));
    });
    one(
        &["setting-overridden", "but the role bob has 'none'", "`ALTER ROLE bob RESET pgaudit.log;`"],
        |_, server| {
            server.overrides.as_mut().unwrap().push(role("ALTER ROLE bob RESET", "the role bob"));
        },
    );
    one(
        &["setting-overridden", "ALTER SYSTEM RESET pgaudit.log;", "/data/postgresql.auto.conf:7"],
        |_, server| {
            let auto = set("ddl", "configuration file", "/data/postgresql.auto.conf");
            server.settings.insert("pgaudit.log".into(), auto);
            server.lines.as_mut().unwrap().push(line("pgaudit.log", "ddl", ""));
        },
    );
    one(&["setting-overridden", "-c work_mem=…"], |_, server| {
        server.settings.insert("work_mem".into(), set("4096", "command line", ""));
    });
    one(
        &["setting-overridden", "/conf/extra.conf:7 sets it", "remove the line from that file"],
        |_, server| {
            server.settings.insert("work_mem".into(), set("4096", "configuration file", "/conf/extra.conf"));
            server.lines.as_mut().unwrap().push(line("work_mem", "4MB", ""));
        },
    );
}

#[test]
fn what_one_session_alone_has_is_not_what_others_have() {
    for source in ["database", "user", "database user"] {
        one(
            &["setting-not-effective", "but for others no file sets it, so that it is 'none'"],
            |_, server| {
                let here = Setting { boot: "none".into(), ..set("read, write", source, "") };
                server.settings.insert("pgaudit.log".into(), here);
                server.lines.as_mut().unwrap().remove(1);
            },
        );
        let same = failures(|_, server| {
            server.settings.insert("pgaudit.log".into(), set("read, write", source, ""));
        });
        assert_eq!(same, [""; 0], "{source}: the file has it too");
    }
    one(&["/conf/postgresql.conf:7 has '4MB', not '8MB'"], |_, server| {
        server.settings.insert("work_mem".into(), set("1024", "client", ""));
        server.lines.as_mut().unwrap()[2].value = "4MB".into();
    });
}

#[test]
fn what_a_reload_or_a_restart_would_mend_says_so() {
    one(
        &["setting-not-effective", "has not read /conf/postgresql.conf:7 yet", "pg_reload_conf", "[Reload]"],
        |_, server| {
            server.settings.insert("work_mem".into(), set("4096", "default", ""));
        },
    );
    let waiting = failures(|_, server| {
        let empty = Setting { pending_restart: true, ..set("", "default", "") };
        server.settings.insert("shared_preload_libraries".into(), empty);
        server.libraries = Ok(vec!["libc.so".into()]);
    });
    let names: Vec<_> =
        waiting.iter().map(|text| text.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        names,
        [
            "setting shared_preload_libraries restart-pending",
            "library pgaudit library-not-loaded",
            "pending_restart restart-pending"
        ]
    );
    one(&["conf-not-read", "another content", "[Restart]"], |_, server| {
        server.confs[0].state = ConfState::Differs;
    });
    let old = failures(|_, server| {
        server.confs[0].state = ConfState::Differs;
        server.settings.insert("work_mem".into(), set("4096", "configuration file", CONF));
        server.lines.as_mut().unwrap()[2].value = "4MB".into();
    });
    assert!(old.len() == 2 && old.iter().all(|failure| failure.ends_with("[Restart]")), "{old:#?}");
    one(&["image-not-running", "runs postgres:15, not kasmweb/postgres:develop", "[Restart]"], |facts, _| {
        facts.container.as_mut().unwrap().image = "postgres:15".into();
    });
    one(&["image-not-running", "older kasmweb/postgres:develop", "[Restart]"], |facts, _| {
        facts.declared_id = Ok(Some("sha256:2".into()));
    });
}

#[test]
fn a_value_that_the_server_does_not_take_is_told_from_one_that_nobody_set() {
    one(&["conf-not-taken", "does not take 'read, wrote'"], |_, server| {
        server.settings.insert("pgaudit.log".into(), set("none", "default", ""));
        server.lines.as_mut().unwrap()[1].value = "read, wrote".into();
    });
    one(
        &["setting-not-effective", "no file sets it; a `SET` applies only to its own session"],
        |_, server| {
            server.settings.insert("pgaudit.log".into(), set("none", "default", ""));
            server.lines.as_mut().unwrap().remove(1);
        },
    );
    one(&["conf-not-taken", "/conf/postgresql.conf:7: `port`: bad"], |_, server| {
        server.lines.as_mut().unwrap().push(line("port", "x", "bad"));
    });
    one(&["unset log_min_messages", "it is 'error', by /conf/postgresql.conf:7"], |_, server| {
        server.settings.insert("log_min_messages".into(), set("error", "configuration file", CONF));
        server.lines.as_mut().unwrap().push(line("log_min_messages", "error", ""));
    });
}

#[test]
fn other_majors_missing_extensions_and_classes_that_are_not_logged_fail() {
    one(&["major-not-running", "PostgreSQL 14, the document is for 15"], |_, server| {
        server.version = 140_012;
    });
    one(&["extension-missing", "CREATE EXTENSION", "[Extension]"], |_, server| {
        server.extensions[0].1 = Extension::Missing;
    });
    one(&["class-not-logged", "audit read", "not in /log as such, but as MISC"], |_, server| {
        let found = Logged::No(vec!["MISC".into()]);
        server.probe = Some(Probe::Ran {
            log: "/log".into(),
            classes: vec![(model::audit::Class::Read, found)],
            grows: true,
            fault: None,
        });
    });
    one(&["server-unreachable", "no route", "look [Hand]"], |facts, _| {
        facts.server = Err(Unreachable::new("no route", "look"));
    });
}

/// Returns the subjects of the checks that could not be made, and of those that are skipped.
fn not_made(change: impl FnOnce(&mut Facts, &mut Server)) -> (Vec<String>, Vec<String>) {
    let mut facts = well();
    let mut server = facts.server.clone().unwrap();
    change(&mut facts, &mut server);
    facts.server = Ok(server);
    let checks = checks(&desired(), &facts);
    let names = |of: &dyn Fn(&Check) -> bool| {
        checks.iter().filter(|check| of(check)).map(|check| check.subject.to_string()).collect()
    };
    (names(&Check::is_unknown), names(&|check| check.verdict == Verdict::Skip))
}

#[test]
fn what_may_not_be_seen_has_not_passed() {
    let denied = || "permission denied".to_string();
    let (unknown, skipped) = not_made(|facts, server| {
        facts.declared_id = Err(Unreachable::new("the engine is gone", "start it"));
        server.lines = Err(denied());
        server.libraries = Err(denied());
        server.overrides = Err(denied());
        server.confs[0].state = ConfState::Unknown(denied());
        server.extensions[0].1 = Extension::Unknown(denied());
        server.probe = Some(Probe::Not(NotRun::Failed(Unreachable::new(denied(), "ask"))));
    });
    let settings = ["setting shared_preload_libraries", "setting pgaudit.log", "setting work_mem"];
    let conf = ["image", "file /conf/postgresql.conf", "files"];
    let files = ["unset log_min_messages", "pending_restart"];
    let probe = ["extension pgaudit in kasm", "audit read", "audit write"];
    assert_eq!(unknown, [&conf[..], &settings, &files, &probe].concat());
    assert_eq!(skipped, [""; 0]);
    let (unknown, _) = not_made(|_, server| {
        server.settings.remove("work_mem");
        server.superuser = false;
        server.probe = Some(Probe::Ran {
            log: "/log".into(),
            classes: vec![(model::audit::Class::Read, Logged::Failed("no".into()))],
            grows: true,
            fault: None,
        });
    });
    assert_eq!(unknown, ["setting work_mem", "audit read"]);
}

#[test]
fn only_what_the_document_or_the_kind_of_server_rules_out_is_skipped() {
    let hidden = |name| Some(Probe::Not(NotRun::Setting { name, why: "it is so".into() }));
    // The document declares `work_mem`, and not where the server logs to.
    let declared = not_made(|_, server| server.probe = hidden("work_mem"));
    assert_eq!(declared, (vec![], vec!["audit read".into(), "audit write".into()]));
    let other = not_made(|_, server| server.probe = hidden("log_destination"));
    assert_eq!(other, (vec!["audit read".into(), "audit write".into()], vec![]));
    let standby = not_made(|_, server| {
        server.standby = true;
        let classes = vec![(model::audit::Class::Write, Logged::Impossible)];
        server.probe = Some(Probe::Ran { log: "/log".into(), classes, grows: true, fault: None });
    });
    assert_eq!(standby, (vec![], vec!["audit write".into()]));
    let over_tcp = not_made(|facts, _| facts.container = None);
    assert_eq!(over_tcp, (vec![], vec!["image".into()]));
}

#[test]
fn what_is_not_loaded_logs_nothing() {
    let failed = failures(|_, server| server.probe = Some(Probe::Not(NotRun::NotLoaded)));
    assert!(
        failed.len() == 2 && failed.iter().all(|failure| failure.contains("class-not-logged")),
        "{failed:#?}"
    );
}

/// Rows as PostgreSQL 15 gives them.
#[test]
fn what_waits_for_a_restart_is_not_an_error_of_a_file() {
    let removed = |error: &str| Line { error: error.into(), ..Line::default() };
    let running = |value: &str| set(value, "configuration file", CONF);
    let not_applied = "setting could not be applied";
    let says = |rows: Vec<Line>, is_reloaded: bool| {
        failures(|_, server| {
            let pending_restart = is_reloaded;
            server.settings.insert("max_connections".into(), Setting { pending_restart, ..running("130") });
            server.lines.as_mut().unwrap().extend(rows);
        })
    };
    let english = removed("parameter \"max_connections\" cannot be changed without restarting the server");
    let german = removed("Parameter »max_connections« kann nicht ohne Neustart des Servers geändert werden");
    let changed = line("max_connections", "150", not_applied);
    for row in [english, german, changed] {
        for is_reloaded in [false, true] {
            let said = says(vec![row.clone()], is_reloaded);
            assert_eq!(said.len(), 1, "{said:#?}");
            assert!(said[0].starts_with("pending_restart: restart-pending: a restart"), "{said:#?}");
            assert!(said[0].contains("does not name: max_connections"), "{said:#?}");
        }
    }
    // A value that no start would take, and one that another line replaces.
    for value in ["banana", "-1"] {
        let said = says(vec![line("max_connections", value, not_applied)], false);
        assert!(said.len() == 1 && said[0].starts_with("files: conf-not-taken"), "{said:#?}");
    }
    // One that comes while another value waits is still wrong.
    let said = says(vec![line("max_connections", "banana", not_applied)], true);
    assert!(said.iter().any(|failure| failure.starts_with("files: conf-not-taken")), "{said:#?}");
    // A reload would change this one, if it were sound.
    one(&["files: conf-not-taken", "`work_mem`"], |_, server| {
        server.lines.as_mut().unwrap().insert(0, line("work_mem", "8mb", not_applied));
    });
    // Of the document, before the reload.
    let ours = failures(|_, server| {
        server.lines.as_mut().unwrap()[0] = line("shared_preload_libraries", "pgaudit", not_applied);
        server.settings.insert("shared_preload_libraries".into(), set("", "default", ""));
        server.libraries = Ok(vec!["libc.so".into(), "pgaudit.so".into()]);
    });
    assert!(ours.iter().all(|failure| failure.contains("restart-pending")), "{ours:#?}");
}
