//! Command tags, as `%i` shows them (PostgreSQL 12 to 18, `cmdtaglist.h` and what `set_ps_display` gets).

/// What a session that is not at a command shows, and commands without an object.
const ALONE: &[&[u8]] = &[
    b"",
    b"<FASTPATH>",
    b"???",
    b"ANALYZE",
    b"BEGIN",
    b"BIND",
    b"CALL",
    b"CHECKPOINT",
    b"CLOSE",
    b"CLOSE CURSOR",
    b"CLOSE CURSOR ALL",
    b"CLUSTER",
    b"COMMENT",
    b"COMMIT",
    b"COMMIT PREPARED",
    b"COPY",
    b"COPY FROM",
    b"DEALLOCATE",
    b"DEALLOCATE ALL",
    b"DECLARE CURSOR",
    b"DELETE",
    b"DISCARD",
    b"DISCARD ALL",
    b"DISCARD PLANS",
    b"DISCARD SEQUENCES",
    b"DISCARD TEMP",
    b"DO",
    b"DROP OWNED",
    b"EXECUTE",
    b"EXPLAIN",
    b"FETCH",
    b"GRANT",
    b"GRANT ROLE",
    b"IMPORT FOREIGN SCHEMA",
    b"INSERT",
    b"LISTEN",
    b"LOAD",
    b"LOCK TABLE",
    b"LOGIN",
    b"MERGE",
    b"MOVE",
    b"NOTIFY",
    b"PARSE",
    b"PREPARE",
    b"PREPARE TRANSACTION",
    b"REASSIGN OWNED",
    b"REFRESH MATERIALIZED VIEW",
    b"REINDEX",
    b"RELEASE",
    b"REPACK",
    b"RESET",
    b"REVOKE",
    b"REVOKE ROLE",
    b"ROLLBACK",
    b"ROLLBACK PREPARED",
    b"SAVEPOINT",
    b"SECURITY LABEL",
    b"SELECT",
    b"SELECT FOR KEY SHARE",
    b"SELECT FOR NO KEY UPDATE",
    b"SELECT FOR SHARE",
    b"SELECT FOR UPDATE",
    b"SELECT INTO",
    b"SET",
    b"SET CONSTRAINTS",
    b"SHOW",
    b"START TRANSACTION",
    b"START_REPLICATION",
    b"TRUNCATE TABLE",
    b"UNLISTEN",
    b"UPDATE",
    b"VACUUM",
    b"async_notify",
    b"authentication",
    b"idle",
    b"idle in transaction",
    b"idle in transaction (aborted)",
    b"initializing",
    b"notify interrupt",
    b"startup",
];

/// What `ALTER`, `CREATE` and `DROP` are about.
const OBJECTS: &[&[u8]] = &[
    b"ACCESS METHOD",
    b"AGGREGATE",
    b"CAST",
    b"COLLATION",
    b"CONSTRAINT",
    b"CONVERSION",
    b"DATABASE",
    b"DEFAULT PRIVILEGES",
    b"DOMAIN",
    b"EVENT TRIGGER",
    b"EXTENSION",
    b"FOREIGN DATA WRAPPER",
    b"FOREIGN TABLE",
    b"FUNCTION",
    b"INDEX",
    b"LANGUAGE",
    b"LARGE OBJECT",
    b"MATERIALIZED VIEW",
    b"OPERATOR",
    b"OPERATOR CLASS",
    b"OPERATOR FAMILY",
    b"POLICY",
    b"PROCEDURE",
    b"PUBLICATION",
    b"ROLE",
    b"ROUTINE",
    b"RULE",
    b"SCHEMA",
    b"SEQUENCE",
    b"SERVER",
    b"STATISTICS",
    b"SUBSCRIPTION",
    b"SYSTEM",
    b"TABLE",
    b"TABLE AS",
    b"TABLESPACE",
    b"TEXT SEARCH CONFIGURATION",
    b"TEXT SEARCH DICTIONARY",
    b"TEXT SEARCH PARSER",
    b"TEXT SEARCH TEMPLATE",
    b"TRANSFORM",
    b"TRIGGER",
    b"TYPE",
    b"USER MAPPING",
    b"VIEW",
];

/// Returns whether `%i` can show this text.
pub(super) fn is_tag(text: &[u8]) -> bool {
    // A session that waits for a lock says so behind the tag.
    let tag = text.strip_suffix(b" waiting").unwrap_or(text);
    if ALONE.binary_search(&tag).is_ok() {
        return true;
    }
    if let Some(leader) = tag.strip_prefix(b"parallel worker for PID ") {
        return leader.trim_ascii_end().iter().all(u8::is_ascii_digit);
    }
    let verb = [&b"ALTER "[..], b"CREATE ", b"DROP "].into_iter().find_map(|verb| tag.strip_prefix(verb));
    verb.is_some_and(|object| OBJECTS.binary_search(&object).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_those_of_the_server() {
        assert!(ALONE.is_sorted() && OBJECTS.is_sorted());
        for tag in ["", "SELECT", "CREATE TABLE AS", "idle in transaction", "UPDATE waiting"] {
            assert!(is_tag(tag.as_bytes()), "{tag}");
        }
        for text in ["BOB", "SELECT bob", "SELECT BOB KASM SELECT", "DROP", "CREATE x", " SELECT"] {
            assert!(!is_tag(text.as_bytes()), "{text}");
        }
    }
}
