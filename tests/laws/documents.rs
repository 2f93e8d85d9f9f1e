//! Documents, conf files: what somebody may write.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

pub(crate) const IMAGES: &[&str] = &[
    "kasmweb/postgres:1.12.0",
    "kasmweb/postgres:1.16.1",
    "docker.io/kasmweb/postgres:1.12.0",
    "postgres:14-alpine",
    "registry.example.com:5000/db/postgres:1.2@sha256:\
     0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
];

const CLASSES: &[&str] =
    &["read", "write", "function", "role", "ddl", "misc", "-misc_set", "all", "-read", "none"];

/// Settings that all majors know, each with values that they take.
const SETTINGS: &[(&str, &[&str])] = &[
    ("work_mem", &["8MB", "8192", "\"8192kB\"", "1GB"]),
    ("Port", &["5432", "5433"]),
    ("log_statement", &["ddl", "ALL", "none"]),
    ("max_connections", &["200", "100"]),
    ("listen_addresses", &["'*'", "''", "\"a, b\""]),
    ("log_line_prefix", &["'%m [%p] '", "\"it's \\\\ %u\""]),
    ("ssl", &["true", "off", "'on'"]),
    ("my.flag", &["on", "'#'", "\"\\u00e4\""]),
];

const UNSET: &[&str] = &["log_min_messages", "shared_buffers", "Lc_Messages", "my.other", "pgaudit.role"];

/// Returns a document that is in order.
pub(crate) fn document() -> impl Strategy<Value = String> {
    let image = prop::option::of(select(IMAGES));
    let libraries = vec(select(&["auto_explain", "pg_stat_statements", "$libdir/x", "b.so"][..]), 0..3);
    let preload = prop::option::of((any::<bool>(), libraries, any::<bool>()));
    let audit = prop::option::of((vec(select(CLASSES), 1..4), any::<Option<bool>>(), any::<Option<bool>>()));
    let setting = select(SETTINGS).prop_flat_map(|(name, values)| (Just(name), select(values)));
    (image, preload, audit, vec(setting, 0..5), subsequence(UNSET, 0..=UNSET.len())).prop_map(
        |(image, preload, audit, settings, unset)| {
            let mut text = String::from("schema: kasm-db/v1\n");
            let mut line = |line: String| text.push_str(&(line + "\n"));
            if let Some(image) = image {
                line(format!("image: {image}"));
            }
            if let Some((exact, mut libraries, first)) = preload {
                libraries.insert(if first { 0 } else { libraries.len() }, "pgaudit");
                let mut seen = Vec::new();
                libraries.retain(|library| {
                    let fresh = !seen.contains(library);
                    seen.push(*library);
                    fresh
                });
                let mode = if exact { "exact" } else { "ensure" };
                line(format!("preload: {{mode: {mode}, libraries: [{}]}}", libraries.join(", ")));
            }
            if let Some((classes, relation, catalog)) = audit {
                line("audit:".into());
                line(format!("  classes: [{}]", classes.join(", ")));
                relation.into_iter().for_each(|on| line(format!("  log_relation: {on}")));
                catalog.into_iter().for_each(|on| line(format!("  log_catalog: {on}")));
            }
            let mut settings = settings;
            settings.sort_unstable();
            settings.dedup_by_key(|(name, _)| *name);
            if !settings.is_empty() {
                line("settings:".into());
                settings.iter().for_each(|(name, value)| line(format!("  {name}: {value}")));
            }
            if !unset.is_empty() {
                line(format!("unset: [{}]", unset.join(", ")));
            }
            text
        },
    )
}

/// Lines of a conf that a server of any major takes, comments, and what looks like either.
const LINES: &[&str] = &[
    "",
    "# a comment",
    "#work_mem = 4MB\t\t\t# min 64kB",
    "#work_mem = 1MB",
    "work_mem = 8MB",
    "WORK_MEM='4096'  # note",
    "#shared_preload_libraries = ''\t# (change requires restart)",
    "shared_preload_libraries = 'auto_explain,pg_stat_statements'",
    "Shared_Preload_Libraries = '$libdir/pgaudit.so'#c",
    "shared_preload_libraries = ''",
    "shared_preload_libraries = 'pgaudit.so, auto_explain'",
    "shared_preload_libraries 'pgaudit'",
    "#pgaudit.log = 'none'",
    "pgaudit.log = 'read, write'",
    "PgAudit.Log = 'all,-misc'",
    "pgaudit.log_relation = on",
    "pgaudit.role = 'auditor'",
    "port = 5432",
    "log_statement = 'none'",
    "#log_statement = 'none'",
    "listen_addresses = '*'",
    "log_line_prefix = '%m ''x'' \\\\ \\n'",
    "ssl = on",
    "max_connections 100",
    "log_min_messages = warning",
    "log_min_messages = info\t# again",
    "  LOG_min_messages 'error'",
    "shared_buffers = 128MB",
    "lc_messages = 'en_US.UTF-8'",
    "my.flag = 'off'",
    "my.other = '1'",
    "include_if_exists = 'none.conf'",
    "#------------------------------------------------------------------------------",
    "# CUSTOMIZED OPTIONS",
    "# caf\u{e9}",
];

/// Lines with which no server starts, or whose effect is refused.
const BAD_LINES: &[&str] = &[
    "work_mem = 1.5GB",
    "= 1",
    "include 'none.conf'",
    "shared_preload_libraries = 'a,,b'",
    "'",
    "wal_level = nosuch",
    "fsync = maybe",
    "autovacuum = 2",
    "wal_buffers = 8mb",
    "nosuch = 1",
];

/// Returns the bytes of a postgresql.conf; most servers start with.
pub(crate) fn conf() -> impl Strategy<Value = Vec<u8>> {
    let lines = vec(select(LINES), 0..16);
    let bad = vec((any::<prop::sample::Index>(), select(BAD_LINES)), 1..5);
    let bad = prop_oneof![9 => Just(Vec::new()), 1 => bad];
    (lines, bad, any::<(bool, bool)>(), select(&["", "\n", " \t\r\n\n"][..])).prop_map(
        |(mut lines, bad, (crlf, open), tail)| {
            for (at, bad) in bad {
                lines.insert(at.index(lines.len() + 1), bad);
            }
            let end = if crlf { "\r\n" } else { "\n" };
            let mut text = lines.join(end);
            if !open && !text.is_empty() {
                text.push_str(end);
                text.push_str(tail);
            }
            // As an old editor leaves it: not every comment is UTF-8.
            text.chars()
                .flat_map(|c| if c == '\u{e9}' { vec![0xe9] } else { c.to_string().into_bytes() })
                .collect()
        },
    )
}
