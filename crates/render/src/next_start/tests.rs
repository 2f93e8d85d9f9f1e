use model::document::Mode;

use super::{Declared, Edit, NextStart, RefusedLine, Ways};
use crate::conf::ServersFiles;
use crate::observe::{ObservedState, observe};
use crate::source::Snapshot;
use crate::target::{Target, TargetKind};

const AUTO: &str = "/data/postgresql.auto.conf";

fn observed(conf: &'static str) -> ObservedState {
    let kind = TargetKind::Files { compose: Vec::new(), postgresql_conf: Some("conf".into()), service: None };
    observe(&Target { name: "t".into(), kind }, &Snapshot::from_iter([("conf", conf)]))
}

/// Returns what is said of a conf and a `postgresql.auto.conf`: `LINE: message; help`.
#[track_caller]
fn check(
    conf: &'static str,
    auto: &str,
    ask: impl Fn(&NextStart<'_>) -> Vec<model::Diagnostic>,
) -> Vec<String> {
    let servers = ServersFiles { auto: Some((AUTO.into(), auto.into())), ..ServersFiles::default() };
    let observed = observed(conf);
    let ways = Ways { has_server: true, edit: Some(Edit { sed: "sed".into(), path: "/host/auto".into() }) };
    let next = observed.next_start(Some(15), &servers, ways).unwrap();
    let said = |finding: model::Diagnostic| {
        let at = finding.location.map_or_else(String::new, |at| format!("{}:{}: ", at.path, at.line));
        format!("{at}{}; {}", finding.message, finding.help.unwrap_or_default())
    };
    ask(&next).into_iter().map(said).collect()
}

fn declared(settings: &[&str], unset: &[&str], preload: Option<Mode>) -> Declared {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    Declared { settings: owned(settings), unset: owned(unset), preload }
}

#[test]
fn a_declared_value_that_another_file_hides_is_named_with_the_statement() {
    let conf = "max_connections = 120\nport = 1\nwork_mem = 8MB\n";
    let auto = "# comment\nMAX_CONNECTIONS = '300'\nwork_mem = '8192kB'\nshared_buffers = '1MB'\n";
    let all = declared(&["max_connections", "work_mem", "port"], &["shared_buffers"], None);
    let reset = |name| format!("run `ALTER SYSTEM RESET {name}; SELECT pg_reload_conf();` in psql");
    assert_eq!(
        check(conf, auto, |next| next.differs(&all)),
        [
            format!(
                "{AUTO}:2: the next start would have max_connections = '300', not '120'; {}",
                reset("max_connections")
            ),
            format!(
                "{AUTO}:4: the next start would have shared_buffers = '1MB', not the default; {}",
                reset("shared_buffers")
            ),
        ]
    );
}

#[test]
fn a_preload_list_may_be_longer_than_declared_unless_it_is_exact() {
    let differs = |mode, auto: &str| {
        let auto = format!("shared_preload_libraries = '{auto}'\n");
        check("shared_preload_libraries = 'pgaudit'\n", &auto, |next| {
            next.differs(&declared(&[], &[], Some(mode)))
        })
        .len()
    };
    assert_eq!(differs(Mode::Ensure, "pg_cron, pgaudit"), 0);
    assert_eq!(differs(Mode::Exact, "pg_cron, pgaudit"), 1);
    assert_eq!(differs(Mode::Ensure, "pg_cron"), 1);
    assert_eq!(differs(Mode::Ensure, "\"pgaudit,pg_cron\""), 1);
}

#[test]
fn what_no_server_starts_with_is_named_by_its_line() {
    fn would_not_start(next: &NextStart<'_>) -> Vec<model::Diagnostic> {
        next.would_not_start()
    }
    let would_not = |auto: &str| check("work_mem = 8MB\n", auto, would_not_start);
    for (auto, said) in [
        ("work_mem 1 2\n", "a syntax error; remove line 1: `sed -i '1d' /host/auto`"),
        (
            "\nno_such = 1\n",
            "PostgreSQL 15 has no setting `no_such`; remove line 2: `sed -i '2d' /host/auto`",
        ),
        ("work_mem = '8mb'\n", "`ALTER SYSTEM RESET work_mem; SELECT pg_reload_conf();`"),
        ("shared_preload_libraries = '\"a,b\"'\n", "has `a,b`, which is not the name of a library"),
        ("wal_level = 'minimal'\n", "wal_level = minimal is not enough for max_wal_senders"),
        ("max_connections = 3\n", "3 connections are reserved, of max_connections = 3"),
    ] {
        let all = would_not(auto);
        assert!(all.len() == 1 && all[0].contains(said) && all[0].starts_with(AUTO), "{auto}: {all:#?}");
    }
    for auto in [
        "",
        "x.y = 'anything'\n",
        "wal_level = 'minimal'\nmax_wal_senders = 0\n",
        "work_mem = 'x'\nwork_mem = 4MB\n",
    ] {
        assert_eq!(would_not(auto), [""; 0], "{auto}");
    }
}

#[test]
fn what_only_the_server_knows_to_be_wrong_counts_while_the_line_counts() {
    let line = |name: &str, value: &str| RefusedLine {
        name: name.into(),
        value: value.into(),
        file: AUTO.into(),
        line: 1,
        error: "setting could not be applied".into(),
    };
    let refused = |conf, auto: &str, line: RefusedLine| {
        check(conf, auto, |next| next.refused_by_server(std::slice::from_ref(&line))).len()
    };
    let auto = "timezone = 'Mars'\n";
    assert_eq!(refused("", auto, line("timezone", "Mars")), 1);
    assert_eq!(
        refused("", "timezone = 'UTC'\n", line("timezone", "Mars")),
        0,
        "the line is another one by now"
    );
    assert_eq!(refused("", "x.y = 'z'\n", line("x.y", "z")), 0, "an extension's is only warned of");
    assert_eq!(refused("", "port = '1'\n", line("port", "1")), 0, "it waits for the start");
    assert_eq!(refused("", "default_tablespace = 'x'\n", line("default_tablespace", "x")), 0);
    assert_eq!(refused("", "", line("", "")), 1);
}
