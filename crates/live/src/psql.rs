//! Sessions by psql inside the container.

use crate::child::Ended;
use crate::docker::{Docker, TIMEOUT};
use crate::processes::Stall;
use crate::session::{
    ANSWER_ROWS, APPLICATION, Answer, PLAIN_NAMES, Row, Statement, Unreachable, session_error,
};

/// How long a connection may take to be there, for libpq.
const CONNECT_TIMEOUT: &str = "--env=PGCONNECT_TIMEOUT=5";

/// What libpq says if no server listens.
const NO_SOCKET: &[&str] = &["No such file or directory", "Connection refused", "running locally"];

/// psql in a container.
pub(crate) struct Psql {
    pub(crate) docker: Docker,
    pub(crate) container: String,
    pub(crate) user: String,
    pub(crate) database: String,
}

impl Psql {
    /// Runs statements with psql in the container.
    ///
    /// # Errors
    /// No session, or it broke off.
    pub(crate) fn run(
        &self,
        database: Option<&str>,
        as_opened: &[Statement],
        statements: &[Statement],
    ) -> Result<Vec<Answer>, Unreachable> {
        let Self { docker, container, user, database: main } = self;
        let database = database.unwrap_or(main);
        let (user_option, database_option) = (format!("--username={user}"), format!("--dbname={database}"));
        let application = format!("--env=PGAPPNAME={APPLICATION}");
        // Without a statement that finds the session as it was opened, none is spent on the names either: each one may leave an
        // entry in the audit log.
        let options = match as_opened {
            [] => "--env=PGOPTIONS=-c search_path=pg_catalog",
            _ => "--env=PGOPTIONS=",
        };
        let arguments = [
            "exec",
            "-i",
            // What the container's environment says could lead to another server, or change the session.
            "--env=PGHOST=",
            "--env=PGHOSTADDR=",
            options,
            &application,
            // Whoever holds the socket and does not answer must not be waited for.
            CONNECT_TIMEOUT,
            // Nothing is converted: texts of configuration files and names of roles have no encoding of a database.
            "--env=PGCLIENTENCODING=SQL_ASCII",
            "--",
            container,
            "psql",
            "--no-psqlrc",
            "--no-password",
            "--quiet",
            "--tuples-only",
            "--no-align",
            // No text of PostgreSQL's can hold a NUL byte.
            "--field-separator-zero",
            "--record-separator-zero",
            &user_option,
            &database_option,
        ];
        let stall = Stall::new(docker, container);
        let ended = docker.run_within(&arguments, script(as_opened, statements), TIMEOUT, Some(&stall));
        let ended = ended.map_err(|unreachable| stall.into_found().unwrap_or(unreachable))?;
        if !ended.status.success() {
            return Err(self.no_session(&ended));
        }
        let broken = || {
            Unreachable::new(
                format!(
                    "psql in {container} gave no complete answer, and {}: {}",
                    ended.how(),
                    docker.last_words_of(&ended)
                ),
                "run `docker exec -it CONTAINER psql` by hand and see what it says",
            )
        };
        match answers(&ended.stdout, &[as_opened, statements].concat()) {
            Ok(answers) => Ok(answers),
            Err(NoAnswers::Torn) => Err(broken()),
            Err(NoAnswers::TooManyRows) => Err(Unreachable::new(
                format!("psql in {container} gave more than {ANSWER_ROWS} rows"),
                "check that this is psql: PostgreSQL does not send this to what kasm-db asks",
            )),
        }
    }

    /// Returns which way it is.
    pub(crate) fn name(&self) -> String {
        format!("docker exec in {}", self.container)
    }

    /// Reads what Docker keeps of the container's output: see [`Docker::logs`].
    pub(crate) fn container_output(&self) -> Result<Vec<u8>, String> {
        self.docker.logs(&self.container)
    }

    /// Returns why psql gave no session: the container's state says more than psql does.
    fn no_session(&self, ended: &Ended) -> Unreachable {
        let Self { docker, container, .. } = self;
        let words = match docker.words_of(ended) {
            words if words.is_empty() => format!("psql in {container} {}", ended.how()),
            words => words,
        };
        // Some versions of Docker write why they cannot start it to standard output.
        let both = [ended.stdout.as_slice(), &ended.stderr].concat();
        let all = String::from_utf8_lossy(&both);
        let found = docker.inspect(container);
        if let Ok(found) = &found
            && found.status != "running"
        {
            return docker.not_running(found);
        }
        if all.contains("executable file not found") || all.contains("no such file or directory") {
            return Unreachable::new(
                format!("there is no psql in the container {container}"),
                "use an image that has psql, or write `verify: {connect: tcp}` in the document",
            );
        }
        // A container that Docker starts again and again is shown as running in between.
        if let Ok(found) = &found
            && found.restarts > 0
            && NO_SOCKET.iter().any(|part| all.contains(part))
            && let Some(again) = docker.restarts_again(found)
        {
            return docker.not_running(&again);
        }
        // It names what it waited for, and not why.
        if all.contains("failed: timeout expired")
            && let Some(stopped) = docker.stopped(container)
        {
            return stopped;
        }
        session_error(&words, all.contains("No such container").then_some(container.as_str()))
    }
}

/// Writes the statements with a mark behind each: where the next answer starts, and how this one ended.
///
/// psql itself writes the mark. One that the server is asked for would be a statement of its own in the audit log.
fn script(as_opened: &[Statement], statements: &[Statement]) -> String {
    let marked = |statements: &[Statement]| -> String {
        let mark = "\\echo end :SQLSTATE :'LAST_ERROR_MESSAGE'";
        statements.iter().map(|statement| format!("{};\n{mark}\n", statement.sql)).collect()
    };
    let between = match (as_opened, statements) {
        ([], _) | (_, []) => String::new(),
        _ => format!("\\set ON_ERROR_STOP on\n{PLAIN_NAMES};\n\\set ON_ERROR_STOP off\n"),
    };
    format!("{}{between}{}", marked(as_opened), marked(statements))
}

/// Why what psql wrote is not the answers.
#[derive(Debug, PartialEq, Eq)]
enum NoAnswers {
    Torn,
    TooManyRows,
}

/// Reads what psql wrote: rows, each field with a NUL byte behind it, and a mark behind each statement.
///
/// The number of fields is known, so that no content can be taken for the start of a row or for a mark.
fn answers(bytes: &[u8], statements: &[Statement]) -> Result<Vec<Answer>, NoAnswers> {
    let (mut output, mut left) = (Output(bytes), ANSWER_ROWS);
    let answer = |statement: &Statement| {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            if let Some((state, message)) = output.mark() {
                let is_done = matches!(state, b"" | b"00000");
                return Ok(if is_done { Ok(rows) } else { Err(message) });
            }
            if output.field()? != "r" {
                return Err(NoAnswers::Torn);
            }
            left = left.checked_sub(1).ok_or(NoAnswers::TooManyRows)?;
            rows.push((0..statement.columns).map(|_| output.field()).collect::<Result<_, _>>()?);
        }
    };
    statements.iter().map(answer).collect()
}

/// What psql wrote and was not read yet.
struct Output<'a>(&'a [u8]);

impl<'a> Output<'a> {
    /// Accepts a field of a row.
    fn field(&mut self) -> Result<String, NoAnswers> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(NoAnswers::Torn)?;
        let field = String::from_utf8_lossy(&self.0[..end]).into_owned();
        self.0 = &self.0[end + 1..];
        Ok(field)
    }

    /// Accepts a mark, if one is next: the SQLSTATE of the statement, which psql 15 leaves empty behind a command without rows, and
    /// the message of the last error, quoted as a literal.
    fn mark(&mut self) -> Option<(&'a [u8], String)> {
        let rest = self.0.strip_prefix(b"end ")?;
        let (state, rest) = rest.split_at(rest.iter().position(|byte| *byte == b' ')?);
        let rest = rest.trim_ascii_start();
        let rest = rest.strip_prefix(b"E").unwrap_or(rest).strip_prefix(b"'")?;
        let (mut message, mut at) = (Vec::new(), 0);
        loop {
            match (rest.get(at)?, rest.get(at + 1)?) {
                (b'\'', b'\n') => break,
                (b'\'', b'\'') | (b'\\', b'\\') => {
                    message.push(rest[at]);
                    at += 2;
                }
                (byte, _) => {
                    message.push(*byte);
                    at += 1;
                }
            }
        }
        self.0 = &rest[at + 2..];
        Some((state, String::from_utf8_lossy(&message).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_errors_of_psql_are_distinguished_whatever_they_hold() {
        let statements = [Statement::new("a", 2), Statement::new("b", 1), Statement::new("c", 1)];
        let text = "r|end|x\ny|r|r||end 00000 ''\nend 42703  E'no ''x'' \\\\\n y'\nr|end  ''\n|end  'no'\n"
            .replace('|', "\0");
        let read = answers(text.as_bytes(), &statements).unwrap();
        assert_eq!(read[0], Ok(vec![vec!["end".into(), "x\ny".into()], vec!["r".into(), String::new()]]));
        assert_eq!(read[1], Err("no 'x' \\\n y".into()));
        assert_eq!(read[2], Ok(vec![vec!["end  ''\n".into()]]));
        for end in 0..text.len() {
            assert_eq!(answers(&text.as_bytes()[..end], &statements), Err(NoAnswers::Torn), "{end}");
        }
        // A row is three bytes here, and many times as much in memory.
        let rows = "r\0\0".repeat(ANSWER_ROWS + 1);
        assert_eq!(answers(rows.as_bytes(), &statements[1..]), Err(NoAnswers::TooManyRows));
    }

    #[test]
    fn no_statement_is_spent_on_marks_and_one_on_names_only_between_both_kinds() {
        let one = [Statement::new("SELECT 1", 0)];
        let commands = |script: String| script.lines().filter(|line| !line.starts_with('\\')).count();
        assert_eq!(commands(script(&[], &one)), 1);
        assert_eq!(commands(script(&one, &[])), 1);
        assert_eq!(commands(script(&one, &one)), 3);
    }
}
