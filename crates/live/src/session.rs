//! What goes through a session with the server, the same over every way: statements in, rows of text out.

/// The most bytes that one session may answer: a conf of 1 MiB comes as 2 MiB of hexadecimal.
pub(crate) const ANSWER_BYTES: usize = 24 << 20;

/// The most rows that one session may answer: more than the settings and lines of configuration files that are read.
pub(crate) const ANSWER_ROWS: usize = 120_000;

/// Why the server could not be asked, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// What is wrong; it may repeat what a server or a program said, secrets included.
    pub why: String,
    /// What to do about it, as an imperative.
    pub fix: String,
    /// Whether it stays so until somebody does that: to wait for it is of no use.
    pub is_final: bool,
}

impl Unreachable {
    /// Creates one.
    pub fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { why: why.into(), fix: fix.into(), is_final: false }
    }

    /// Reports that it stays so until somebody does something about it.
    pub(crate) fn finally(self) -> Self {
        Self { is_final: true, ..self }
    }
}

/// One row, as text; NULL is empty.
pub type Row = Vec<String>;

/// What came of one statement: its rows, or the server's error.
pub type Answer = Result<Vec<Row>, String>;

/// A statement, and how many columns its rows have. One that gives no rows has none.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The SQL, without a semicolon at its end. Each row that it gives begins with a column `'r'`.
    pub sql: String,
    /// How many columns come behind that one.
    pub columns: usize,
}

impl Statement {
    /// Creates one.
    pub fn new(sql: impl Into<String>, columns: usize) -> Self {
        Self { sql: sql.into(), columns }
    }
}

/// What every session calls itself, so that the server's log tells its entries from those of others.
pub(crate) const APPLICATION: &str = "kasm-db";

/// Comes before the statements of a session. Whoever owns a database says where names are looked up in it, and
/// may put functions and operators of their own there, which would run with the rights of the user that asks.
pub(crate) const PLAIN_NAMES: &str = "SET search_path = pg_catalog";

/// Returns what a session could not be opened for, by the words of the server or of libpq.
pub(crate) fn session_error(words: &str, no_container: Option<&str>) -> Unreachable {
    if let Some(container) = no_container {
        return Unreachable::new(
            format!("there is no container {container}"),
            "start the deployment, or name its container under `verify: {container: …}` of the document",
        );
    }
    let has = |part: &str| words.contains(part);
    let is_final = ["no pg_hba.conf entry", "pg_hba.conf rejects", "password supplied", "password missing"]
        .into_iter()
        .chain(["Ident authentication failed", "Peer authentication failed", "Hot standby mode is disabled"])
        .any(has);
    let fix = if has("password authentication failed") {
        "put the right password into the file that PGPASSFILE names, and check `verify: {user: …}`"
    } else if has("no password supplied") || has("password missing") {
        "write `verify: {connect: tcp}` and name a password file in PGPASSFILE; or allow `local … trust` in pg_hba.conf"
    } else if has("no pg_hba.conf entry") || has("pg_hba.conf rejects") {
        "add a line to pg_hba.conf that lets this user in"
    } else if has("Ident authentication failed") || has("Peer authentication failed") {
        "change the method in this user's line of pg_hba.conf, or name another user under `verify: {user: …}`"
    } else if has("role \"") && has("does not exist") {
        "name the database's user under `verify: {user: …}` of the document"
    } else if has("database \"") && has("does not exist") {
        "name the database under `verify: {database: …}` of the document"
    } else if has("Hot standby mode is disabled") {
        "set hot_standby to on, and restart the server"
    } else if has("not yet accepting connections") || has("recovery mode") || has("recovery state") {
        "wait until the server has recovered: its log says how far it is"
    } else if has("starting up") {
        "wait until the server is up; if that takes long, it recovers, and its log says how far it is"
    } else if has("shutting down") {
        "wait until the server has ended, and start it again"
    } else if has("too many clients") || has("remaining connection slots") {
        "end some sessions, or raise max_connections"
    } else if has("too many connections for") {
        "end some sessions, or raise the CONNECTION LIMIT of this database or role"
    } else {
        "check that the server runs and accepts connections"
    };
    let unreachable = Unreachable::new(words.trim_start_matches("psql: error: ").to_string(), fix);
    if is_final { unreachable.finally() } else { unreachable }
}

/// Quotes a text as a literal.
pub(crate) fn literal(text: &str) -> String {
    // The `E` form means the same whatever `standard_conforming_strings` says.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_cannot_be_left() {
        assert_eq!(literal("a'b\\"), "E'a''b\\\\'");
    }
}
