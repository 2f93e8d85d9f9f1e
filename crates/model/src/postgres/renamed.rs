//! Settings that newer majors no longer know, and what to write instead.

/// A setting that a major has dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The name that is gone.
    pub name: &'static str,
    /// The first version without it: `13`, `9.5`.
    pub since: &'static str,
    /// The setting that does its work since then.
    pub instead: Option<&'static str>,
    /// What to do about the line, as one sentence.
    pub advice: &'static str,
}

/// Finds what became of a setting that older versions know under `name`, in any letter case.
///
/// Old names that servers still take (`sort_mem`) are not here: [`super::lookup`] finds the setting by them.
pub fn removed_or_renamed(name: &str) -> Option<&'static Renamed> {
    RENAMED.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

/// In alphabetical order. The versions from 13 on are those of the table of settings, older ones and the
/// advice those of PostgreSQL's release notes.
const RENAMED: &[Renamed] = &[
    row(
        "checkpoint_segments",
        "9.5",
        Some("max_wal_size"),
        "Give max_wal_size about 48 MB for each segment.",
    ),
    row("custom_variable_classes", "9.2", None, "Remove the line: any name with a dot is taken."),
    row("db_user_namespace", "17", None, "Remove the line: role names are the same in all databases."),
    row(
        "extension_destdir",
        "18",
        Some("extension_control_path"),
        "Use extension_control_path for the extensions and dynamic_library_path for their libraries.",
    ),
    row("force_parallel_mode", "16", Some("debug_parallel_query"), "Write debug_parallel_query."),
    row("lc_collate", "16", None, "Remove the line: the collation is the database's own."),
    row("lc_ctype", "16", None, "Remove the line: the character classes are the database's own."),
    row("max_fsm_pages", "8.4", None, "Remove the line: the free space map needs no size."),
    row("max_fsm_relations", "8.4", None, "Remove the line: the free space map needs no size."),
    row(
        "min_parallel_relation_size",
        "10",
        Some("min_parallel_table_scan_size"),
        "Write min_parallel_table_scan_size.",
    ),
    row("old_snapshot_threshold", "17", None, "Remove the line: old snapshots no longer expire."),
    row("operator_precedence_warning", "14", None, "Remove the line: the warning is gone."),
    row(
        "promote_trigger_file",
        "16",
        None,
        "Remove the line and promote with pg_ctl promote or pg_promote().",
    ),
    row("replacement_sort_tuples", "11", None, "Remove the line: sorts no longer use it."),
    row("replication_timeout", "9.3", Some("wal_sender_timeout"), "Write wal_sender_timeout."),
    row("sql_inheritance", "10", None, "Remove the line: tables always include their children."),
    row("standby_mode", "12", None, "Remove the line and make a file standby.signal in the data directory."),
    row("stats_temp_directory", "15", None, "Remove the line: statistics live in shared memory."),
    row("trace_recovery_messages", "17", None, "Remove the line; log_min_messages decides."),
    row("trigger_file", "12", None, "Remove the line and promote with pg_ctl promote or pg_promote()."),
    row("unix_socket_directory", "9.3", Some("unix_socket_directories"), "Write unix_socket_directories."),
    row("vacuum_cleanup_index_scale_factor", "14", None, "Remove the line: vacuum decides by itself."),
    row(
        "vacuum_defer_cleanup_age",
        "16",
        Some("hot_standby_feedback"),
        "Turn on hot_standby_feedback on the standby, or use a replication slot.",
    ),
    row("wal_keep_segments", "13", Some("wal_keep_size"), "Give wal_keep_size 16 MB for each segment."),
];

const fn row(
    name: &'static str,
    since: &'static str,
    instead: Option<&'static str>,
    advice: &'static str,
) -> Renamed {
    Renamed { name, since, instead, advice }
}

#[cfg(test)]
mod tests {
    use super::super::{MAJORS, known_in, lookup};
    use super::*;

    #[test]
    fn the_table_of_settings_agrees_on_the_last_major() {
        for row in RENAMED {
            let since: Option<u16> = row.since.parse().ok().filter(|major| MAJORS.contains(major));
            let last = known_in(row.name).last().copied();
            match since {
                // Settings of recovery.conf, which 12 has abandoned, were never in the file.
                Some(12) | None => assert_eq!(last, None, "{}", row.name),
                Some(since) => assert_eq!(last, Some(since - 1), "{}", row.name),
            }
            for major in since.unwrap_or(12)..=18 {
                let found = row.instead.map(|name| lookup(name, major).map(|setting| setting.name));
                assert_eq!(found, row.instead.map(Some), "{} on {major}", row.name);
            }
        }
    }

    #[test]
    fn no_setting_goes_without_a_row() {
        for setting in super::super::table::SETTINGS {
            let gone = lookup(setting.name, 18).is_none();
            assert_eq!(gone, removed_or_renamed(setting.name).is_some(), "{}", setting.name);
        }
    }

    #[test]
    fn the_rows_are_in_alphabetical_order() {
        assert!(RENAMED.is_sorted_by_key(|row| row.name));
        assert_eq!(removed_or_renamed("WAL_Keep_Segments").map(|row| row.since), Some("13"));
    }
}
