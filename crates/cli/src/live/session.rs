//! Sessions with the server: statements in, rows of text out, the same over every way.

use crate::live::docker::Docker;
use crate::live::tcp::Tcp;

/// Why the server could not be asked, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreachable {
    pub(crate) why: String,
    pub(crate) fix: String,
}

impl Unreachable {
    pub(crate) fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { why: why.into(), fix: fix.into() }
    }
}

/// One row, as text; NULL is empty.
pub(crate) type Row = Vec<String>;

/// What came of one statement: its rows, or the server's error.
pub(crate) type Answer = Result<Vec<Row>, String>;

/// A statement, and how many columns its rows have. One that gives no rows has none.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) columns: usize,
}

impl Statement {
    pub(crate) fn new(sql: impl Into<String>, columns: usize) -> Self {
        Self { sql: sql.into(), columns }
    }
}

/// Comes before the statements of a session. Whoever owns a database says where names are looked up in it, and
/// may put functions and operators of their own there, which would run with the rights of the user that asks.
pub(crate) const PLAIN_NAMES: &str = "SET search_path = pg_catalog";

/// A way to the server.
pub(crate) enum Way {
    /// psql inside the container.
    Docker { docker: Docker, container: String, user: String, database: String },
    /// A connection of our own.
    Tcp(Box<Tcp>),
}

impl Way {
    /// Runs statements in a session of their own and gives an answer for each.
    ///
    /// Every call is a new session: what another one set with `SET` counts for nothing here. An error in one
    /// statement does not keep the next from running.
    ///
    /// # Errors
    /// No session, or it broke off.
    pub(crate) fn run(
        &self,
        database: Option<&str>,
        statements: &[Statement],
    ) -> Result<Vec<Answer>, Unreachable> {
        self.run_behind(database, &[], statements)
    }

    /// Runs one statement in the main database, and gives its rows; else why there are none.
    pub(crate) fn rows(&self, statement: Statement) -> Answer {
        let answers = self.run(None, &[statement]).map_err(|unreachable| unreachable.why)?;
        answers.into_iter().next().unwrap_or_else(|| Err("no answer".into()))
    }

    /// As [`Way::run`], with statements before it that find the session as it was opened: in these every name
    /// that is looked up needs its schema, types and operators included.
    ///
    /// # Errors
    /// As for [`Way::run`].
    pub(crate) fn run_behind(
        &self,
        database: Option<&str>,
        as_opened: &[Statement],
        statements: &[Statement],
    ) -> Result<Vec<Answer>, Unreachable> {
        match self {
            Self::Docker { docker, container, user, database: main } => {
                docker.psql(container, user, database.unwrap_or(main), as_opened, statements)
            }
            Self::Tcp(tcp) => tcp.run(database, as_opened, statements),
        }
    }

    /// Says which way it is.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Docker { container, .. } => format!("docker exec in {container}"),
            Self::Tcp(tcp) => tcp.name(),
        }
    }
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
    fn a_literal_can_not_be_left() {
        assert_eq!(literal("a'b\\"), "E'a''b\\\\'");
    }
}
