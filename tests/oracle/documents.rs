//! The documents that every conf is planned with.

/// Returns documents for a major: their names, and their texts.
pub(crate) fn documents(major: u16) -> Vec<(&'static str, String)> {
    let head = format!("schema: kasm-db/v1\npostgres_major: {major}\n");
    let rows = if major >= 14 { "  log_rows: true\n  log_statement: false\n" } else { "" };
    let size = if major >= 16 { "  log_parameter_max_size: 1024\n" } else { "" };
    let every_audit = EVERY_AUDIT.replace("  ROWS\n", rows).replace("  SIZE\n", size);
    [
        ("audit", AUDIT),
        ("types", TYPES),
        ("hostile", HOSTILE),
        ("unset", UNSET),
        ("exact", EXACT),
        ("every audit", &every_audit),
        ("same", SAME),
        ("two libraries", LIBRARIES),
    ]
    .map(|(name, text)| (name, format!("{head}{text}")))
    .to_vec()
}

/// What the tool is made for.
pub(crate) const AUDIT: &str = "
preload: {libraries: [pgaudit]}
audit: {classes: [read, write, ddl]}
";

/// A value of every type, in every spelling of the document.
const TYPES: &str = r#"
preload: {libraries: [pgaudit]}
audit: {classes: [all, -misc]}
settings:
  enable_seqscan: false
  Enable_Sort: "yes"
  work_mem: 5MB
  maintenance_work_mem: 65536
  log_min_duration_statement: 250ms
  statement_timeout: " 1.5 min "
  temp_file_limit: -1
  effective_cache_size: "0x4000"
  random_page_cost: 1.25
  seq_page_cost: 1e0
  log_statement: ddl
  client_min_messages: NOTICE
  wal_level: logical
  DateStyle: "ISO, DMY"
  timezone: Europe/Berlin
  max_connections: 123
  shared_buffers: 64MB
  commit_delay: 7
  autovacuum_naptime: 2min
"#;

/// Texts that a careless writer would break the file with.
const HOSTILE: &str = r##"
preload: {libraries: [pgaudit]}
audit: {classes: [read], role: "it's \\ a # role"}
settings:
  log_line_prefix: "%m [%p] 'q' \"%u@%d\" \\ # ; = "
  search_path: "\"$user\", public"
  application_name: "a # b"
  cluster_name: "x'"
  archive_command: "test ! -f '/a b/%f' && cp \\%p '/a b/%f' # c\\"
  Kasm.Text: "größe – 漢字"
  kasm.lines: "one\ntwo\r\n\tthree"
  kasm.quote: "''"
  kasm.backslash: "\\"
  kasm.octal: "\\101 \\n \\x41"
  kasm.empty: ""
  kasm.blank: "  "
  kasm.number: 12
  kasm.real: 0.5
  kasm.flag: true
  kasm.word: include
  kasm.comment: "#"
  kasm.assignment: "a = 'b'"
"##;

/// Settings that go back to their defaults, some of them ones that a major does not have.
const UNSET: &str = "
preload: {libraries: [pgaudit]}
unset:
  - log_line_prefix
  - shared_buffers
  - Work_Mem
  - search_path
  - pgaudit.log
  - pgaudit.log_catalog
  - custom.one
  - vacuum_cleanup_index_scale_factor
  - wal_keep_segments
  - stats_temp_directory
";

/// A list of libraries that is the whole list.
const EXACT: &str = "
preload: {mode: exact, libraries: [auto_explain, pgaudit]}
audit: {classes: [ddl, role]}
settings: {auto_explain.log_min_duration: 1s}
";

/// Every key of `audit`.
const EVERY_AUDIT: &str = r#"
preload: {libraries: ["$libdir/pgaudit"]}
audit:
  classes: [all, -read, -misc, misc_set]
  log_catalog: false
  log_client: true
  log_level: notice
  log_parameter: true
  log_relation: true
  log_statement_once: true
  role: auditor
  ROWS
  SIZE
"#;

/// Values that files often have already, spelt otherwise.
const SAME: &str = "
audit: {classes: [write, read, ddl], log_catalog: true, log_level: log, log_parameter: false}
preload: {libraries: [pgaudit.so]}
settings:
  shared_buffers: 131072kB
  work_mem: 4096
  max_connections: 100
  datestyle: iso, mdy
  log_rotation_age: 24h
  log_rotation_size: 10240
  log_connections: true
  max_wal_size: 1024MB
  log_lock_waits: \"t\"
  log_min_duration_statement: -1
  log_statement: NONE
  random_page_cost: 4
  statement_timeout: 0
";

/// More than one library.
const LIBRARIES: &str = "
preload: {libraries: [auto_explain, pgaudit, auth_delay]}
audit: {role: auditor}
settings: {auth_delay.milliseconds: 1}
";
