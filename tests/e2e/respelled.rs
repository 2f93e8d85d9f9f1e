//! What the server writes in another way than it was told, and what is really another value.

use crate::bed::Bed;

/// A setting, a document's text, one that the file has and means the same, and one that means another value.
///
/// The texts of the file are what PostgreSQL takes; the server shows most of them in its own way.
const TEXTS: &[(&str, &str, &str, &str)] = &[
    // Texts that the server rewrites.
    ("DateStyle", "iso, dmy", "DMY, ISO", "iso, mdy"),
    ("TimeZone", "utc", "UTC", "europe/berlin"),
    ("log_timezone", "europe/berlin", "Europe/Berlin", "UTC"),
    ("timezone_abbreviations", "Default", "Default", "India"),
    ("client_encoding", "utf-8", "UTF8", "latin1"),
    ("default_text_search_config", "pg_catalog.english", "pg_catalog.english", "pg_catalog.german"),
    ("cluster_name", "kasm-\u{fc}", "kasm-\u{fc}", "kasm-u"),
    // Lists.
    ("search_path", "\"$user\", public", "\"$user\",PUBLIC", "public, \"$user\""),
    ("log_destination", "stderr, csvlog", "CSVLOG,stderr", "stderr"),
    ("temp_tablespaces", "pg_default", "PG_DEFAULT", ""),
    ("wal_consistency_checking", "heap, btree", "BTREE,heap", "heap"),
    // Words with synonyms, in any letter case.
    ("wal_level", "hot_standby", "Replica", "logical"),
    ("bytea_output", "ESCAPE", "escape", "hex"),
    ("synchronous_commit", "yes", "on", "local"),
    ("wal_compression", "true", "pglz", "off"),
    ("log_min_messages", "debug", "debug2", "notice"),
    ("IntervalStyle", "Iso_8601", "iso_8601", "sql_standard"),
    ("log_statement", "DDL", "ddl", "all"),
    ("backslash_quote", "1", "on", "safe_encoding"),
    // Switches.
    ("log_connections", "yes", "1", "no"),
    ("log_disconnections", "t", "TRUE", "0"),
    ("array_nulls", "0", "off", "on"),
    // Numbers, with units, in octal, rounded.
    ("work_mem", "8192", "8MB", "9MB"),
    ("maintenance_work_mem", "0.125GB", "128MB", "127MB"),
    ("log_min_duration_statement", "1min", "60s", "61s"),
    ("wal_buffers", "-1", "-1", "64kB"),
    ("max_wal_size", "1GB", "1024", "1025MB"),
    ("statement_timeout", "1.5s", "1500", "1501"),
    ("log_file_mode", "0640", "416", "0600"),
    ("unix_socket_permissions", "0777", "511", "0770"),
    ("seq_page_cost", "1.23456789", "1.234567890", "1.23"),
    ("random_page_cost", "1.10e0", "1.1", "1.2"),
    ("checkpoint_completion_target", "0.123456789", ".123456789", "0.124"),
    ("autovacuum_vacuum_cost_delay", "2000us", "2ms", "3ms"),
    ("tcp_keepalives_idle", "100", "100s", "101"),
    ("log_rotation_age", "1d", "1440", "2d"),
    // Texts that the server keeps as they are.
    ("archive_command", "test -f '%p'", "test -f '%p'", "true"),
    ("lc_messages", "C", "C", "POSIX"),
    ("lc_monetary", "C.UTF-8", "C.UTF-8", "C"),
    ("application_name", "one", "one", "two"),
    // An extension's, whose types only the server knows.
    ("auto_explain.log_min_duration", "1s", "1000", "2s"),
    ("auto_explain.log_format", "JSON", "json", "xml"),
    ("auto_explain.log_analyze", "yes", "on", "off"),
    ("auto_explain.sample_rate", "0.50", "0.5", "0.6"),
];

/// The same for lists of classes.
const CLASSES: &[(&str, &str, &str)] = &[
    ("[read, write, ddl]", "DDL,write , read,read", "read, write"),
    ("[all, -misc]", "ddl, role,function,write,read", "all"),
    ("[misc, -misc_set, read]", "READ, misc, -misc_set", "read, misc"),
    ("[all]", "-misc, all", "all, -misc"),
    ("[none, read]", "read", "none"),
];

/// Returns the names of settings that `verify` fails.
fn failed(bed: &Bed) -> Vec<String> {
    let run = bed.run("verify --no-probe");
    assert!(run.stdout.contains("ok    connect"), "{}{}", run.stdout, run.stderr);
    let lines = run.stdout.lines().filter_map(|line| line.trim().strip_prefix("FAIL  setting "));
    lines.map(|line| line.split(':').next().unwrap().to_string()).collect()
}

fn document(bed: &Bed, classes: &str) {
    let settings: String =
        TEXTS.iter().map(|(name, text, ..)| format!("  {name}: '{}'\n", text.replace('\'', "''"))).collect();
    let path = bed.document(&format!("settings:\n{settings}"));
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("[read, write, ddl]", classes).replace("[pgaudit]", "[pgaudit, auto_explain]");
    std::fs::write(path, text).unwrap();
}

/// Writes a postgresql.conf with one of the texts of each setting, and starts the server on it.
fn conf(bed: &Bed, before: &str, which: impl Fn(&(&str, &str, &str, &str)) -> String) {
    let mut text = before
        .replace("#shared_preload_libraries = ''", "shared_preload_libraries = 'pgaudit, auto_explain'");
    for row in TEXTS {
        text.push_str(&format!("{} = '{}'\n", row.0, which(row).replace('\'', "''")));
    }
    bed.write("conf/database/postgresql.conf", &text);
    bed.bin("stop");
    bed.start();
}

#[test]
fn a_value_that_the_server_spells_in_its_own_way_is_not_a_failure_and_another_value_is_one() {
    let bed = Bed::running(crate::bed::WITH);
    let before = bed.read("conf/database/postgresql.conf") + "pgaudit.log = 'read, write, ddl'\n";
    document(&bed, "[read, write, ddl]");
    let names = |rows: &[(&str, &str, &str, &str)]| -> Vec<String> {
        rows.iter().map(|row| row.0.to_ascii_lowercase()).collect()
    };

    conf(&bed, &before, |row| row.1.into());
    assert_eq!(failed(&bed), [""; 0], "the document's own texts");
    // They are in order for `plan` too.
    let plan = bed.run("plan");
    assert!(!plan.stdout.contains("work_mem"), "{}", plan.stdout);

    conf(&bed, &before, |row| row.2.into());
    assert_eq!(failed(&bed), [""; 0], "texts that mean the same");

    conf(&bed, &before, |row| row.3.into());
    let mut failed = failed(&bed);
    let mut all = names(TEXTS);
    failed.sort();
    all.sort();
    assert_eq!(failed, all, "texts that mean another value");
}

#[test]
fn what_is_set_for_others_is_compared_by_meaning_too() {
    let bed = Bed::in_order();
    bed.document("settings: {DateStyle: 'iso, dmy', TimeZone: utc, seq_page_cost: '1.50'}\n");
    bed.edit_conf(|conf| conf + "datestyle = 'ISO,DMY'\ntimezone = 'UTC'\nseq_page_cost = 1.5\n");
    bed.sql("SELECT pg_reload_conf()");
    bed.sql("CREATE ROLE other");
    bed.sql("ALTER ROLE other SET datestyle = 'DMY, ISO'");
    bed.sql("ALTER ROLE other SET timezone = 'uTc'");
    bed.sql("ALTER ROLE other SET seq_page_cost = '15e-1'");
    assert_eq!(failed(&bed), [""; 0]);
    bed.sql("ALTER ROLE other SET datestyle = 'MDY'");
    bed.sql("ALTER DATABASE kasm SET timezone = 'GMT'");
    bed.run("verify --no-probe").expect(9).says(&[
        "but the role other has 'MDY'",
        "it is 'GMT', not 'utc'",
        "`ALTER DATABASE kasm RESET TimeZone;`",
    ]);
}

#[test]
fn classes_are_compared_by_what_they_add_up_to() {
    let bed = Bed::in_order();
    for (classes, same, other) in CLASSES {
        bed.document("");
        let path = bed.root.join("kasm-db.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("[read, write, ddl]", classes)).unwrap();
        for (text, expected) in [(same, &[][..]), (other, &["pgaudit.log".to_string()])] {
            bed.sql(&format!("ALTER SYSTEM SET pgaudit.log = '{text}'"));
            bed.sql("SELECT pg_reload_conf()");
            assert_eq!(failed(&bed), expected, "{classes} and {text}");
        }
    }
}
