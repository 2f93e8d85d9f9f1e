//! Sessions by psql inside the container.

use crate::child::Ended;
use crate::docker::Docker;
use crate::session::{ANSWER_ROWS, Answer, PLAIN_NAMES, Row, Statement, Unreachable, session_error};

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
        let arguments = [
            "exec",
            "-i",
            // What the container's environment says could lead to another server, or change the session.
            "--env=PGHOST=",
            "--env=PGHOSTADDR=",
            "--env=PGOPTIONS=",
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
        let ended = docker.run(&arguments, script(as_opened, statements))?;
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

    /// Says which way it is.
    pub(crate) fn name(&self) -> String {
        format!("docker exec in {}", self.container)
    }

    /// Reads what Docker keeps of the container's output: see [`Docker::logs`].
    pub(crate) fn container_output(&self) -> Result<Vec<u8>, String> {
        self.docker.logs(&self.container)
    }

    /// Tells why psql gave no session: the container's state says more than psql does.
    fn no_session(&self, ended: &Ended) -> Unreachable {
        let Self { docker, container, .. } = self;
        let words = match docker.last_words_of(ended) {
            words if words.is_empty() => format!("psql in {container} {}", ended.how()),
            words => words,
        };
        // Some versions of Docker write why they cannot start it to standard output.
        let both = [ended.stdout.as_slice(), &ended.stderr].concat();
        let all = String::from_utf8_lossy(&both);
        if let Ok(found) = docker.inspect(container)
            && found.status != "running"
        {
            return docker.not_running(&found);
        }
        if all.contains("executable file not found") || all.contains("no such file or directory") {
            return Unreachable::new(
                format!("there is no psql in the container {container}"),
                "use an image that has psql, or write `verify: {connect: tcp}` in the document",
            );
        }
        session_error(&words, all.contains("No such container").then_some(container.as_str()))
    }
}

/// Writes the statements with a mark behind each: where the next answer starts, and how this one ended.
fn script(as_opened: &[Statement], statements: &[Statement]) -> String {
    // The mark is a statement too, and has to run where the one before it failed within a transaction.
    let mut script = String::from("\\set ON_ERROR_ROLLBACK on\n");
    let mut add = |statements: &[Statement], then: &str| {
        for statement in statements {
            script.push_str(&statement.sql);
            script.push_str(";\nSELECT 'end', :'SQLSTATE', :'LAST_ERROR_MESSAGE';\n");
        }
        script.push_str(then);
    };
    add(as_opened, &format!("\\set ON_ERROR_STOP on\n{PLAIN_NAMES};\n\\set ON_ERROR_STOP off\n"));
    add(statements, "");
    script
}

/// Why what psql wrote is not the answers.
#[derive(Debug, PartialEq, Eq)]
enum NoAnswers {
    Torn,
    TooManyRows,
}

/// Reads what psql wrote. Every row starts with `r`, every mark with `end`; the number of fields behind is
/// known, so no content can be taken for either.
fn answers(bytes: &[u8], statements: &[Statement]) -> Result<Vec<Answer>, NoAnswers> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let mut fields = bytes.split(|&byte| byte == 0).map(|field| String::from_utf8_lossy(field).into_owned());
    let mut field = || fields.next().ok_or(NoAnswers::Torn);
    let (mut answers, mut left) = (Vec::new(), ANSWER_ROWS);
    for statement in statements {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            if field()? == "r" {
                left = left.checked_sub(1).ok_or(NoAnswers::TooManyRows)?;
                rows.push((0..statement.columns).map(|_| field()).collect::<Result<_, _>>()?);
            } else {
                let (state, message) = (field()?, field()?);
                let failed = state != "00000" && !state.is_empty();
                answers.push(if failed { Err(message) } else { Ok(rows) });
                break;
            }
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_errors_of_psql_are_told_apart_whatever_they_hold() {
        let statements = [Statement::new("a", 2), Statement::new("b", 1), Statement::new("c", 1)];
        let text =
            "r|end|x\ny|r|r||end|00000||end|42703|no column|r|end|end|00000|no column|".replace('|', "\0");
        let read = answers(text.as_bytes(), &statements).unwrap();
        assert_eq!(read[0], Ok(vec![vec!["end".into(), "x\ny".into()], vec!["r".into(), String::new()]]));
        assert_eq!(read[1], Err("no column".into()));
        assert_eq!(read[2], Ok(vec![vec!["end".into()]]));
        assert_eq!(answers(&text.as_bytes()[..20], &statements), Err(NoAnswers::Torn));
        // A row is three bytes here, and many times as much in memory.
        let rows = "r\0\0".repeat(ANSWER_ROWS + 1);
        assert_eq!(answers(rows.as_bytes(), &statements[1..]), Err(NoAnswers::TooManyRows));
    }
}
