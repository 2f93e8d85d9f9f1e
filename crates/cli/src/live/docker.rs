//! The container: what Docker says of it, and psql in it.

use std::path::PathBuf;
use std::time::Duration;

use crate::live::child::{self, ChildError, Ended, Job};
use crate::live::program;
use crate::live::session::{Answer, PLAIN_NAMES, Row, Statement, Unreachable};
use crate::output::secrets;

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How many bytes of an answer are read: a conf of 1 MiB comes as 2 MiB of hexadecimal.
const LIMIT: usize = 24 << 20;

/// The `docker` program.
#[derive(Clone, Debug)]
pub(crate) struct Docker {
    program: PathBuf,
}

/// What Docker says of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) id: String,
    /// `running`, `exited`, `restarting`, …
    pub(crate) status: String,
    pub(crate) started: String,
    pub(crate) restarts: u64,
    pub(crate) exit_code: String,
    /// `healthy`, `unhealthy`, `starting`; empty without a health check.
    pub(crate) health: String,
    /// The image that it was made from, as it was written then.
    pub(crate) image: String,
    pub(crate) image_id: String,
    /// Paths in the container and on the host.
    pub(crate) mounts: Vec<(String, String)>,
}

/// One field on each line, then pairs of lines. The names are those of Docker's types: with those of its JSON,
/// such as `Id`, a container without a health check is an error.
///
/// No field of these can hold a line feed but a mount's path;
/// such a one would be compared with a path and not be it.
const FORMAT: &str = "{{.ID}}\n{{.State.Status}}\n{{.State.StartedAt}}\n{{.RestartCount}}\n{{.State.ExitCode}}\n\
    {{with .State.Health}}{{.Status}}{{end}}\n{{.Config.Image}}\n{{.Image}}\n\
    {{range .Mounts}}{{.Destination}}\n{{.Source}}\n{{end}}";

impl Container {
    fn parse(name: &str, text: &str) -> Option<Self> {
        let mut lines = text.lines().map(String::from);
        let mut next = || lines.next();
        let mut container = Self {
            name: name.to_string(),
            id: next()?,
            status: next()?,
            started: next()?,
            restarts: next()?.parse().ok()?,
            exit_code: next()?,
            health: next()?,
            image: next()?,
            image_id: next()?,
            mounts: Vec::new(),
        };
        while let (Some(inside), Some(host)) = (next(), next()) {
            container.mounts.push((inside, host));
        }
        Some(container)
    }

    /// Gives the host's path of a path in the container, where a mount brings it.
    pub(crate) fn host_path(&self, inside: &str) -> Option<PathBuf> {
        let below = |folder: &str| {
            let rest = inside.strip_prefix(folder.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with('/')).then_some(rest.trim_start_matches('/'))
        };
        let found =
            self.mounts.iter().filter_map(|(folder, host)| Some((folder.len(), host, below(folder)?)));
        let (_, host, rest) = found.max_by_key(|(length, ..)| *length)?;
        let host = PathBuf::from(host);
        Some(if rest.is_empty() { host } else { host.join(rest) })
    }
}

impl Docker {
    /// Finds the program.
    ///
    /// # Errors
    /// It is not there, or can not be trusted.
    pub(crate) fn find() -> Result<Self, Unreachable> {
        let program = program::find("docker").map_err(|error| {
            let fix = match &error {
                program::NotFound::Missing(_) | program::NotFound::NoProgram(_) => {
                    "install the Docker command line, or write `verify: {connect: tcp}` in the document"
                }
                program::NotFound::Open { .. } => "take the write permission for others away",
            };
            Unreachable::new(error.to_string(), fix)
        })?;
        Ok(Self { program })
    }

    fn run(&self, arguments: &[&str], input: String) -> Result<Ended, Unreachable> {
        let job = Job {
            program: &self.program,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            input,
            timeout: TIMEOUT,
            limit: LIMIT,
            commanding: None,
        };
        child::run(&job, &mut |_| {}).map_err(|error| match &error {
            ChildError::Start { .. } => Unreachable::new(error.to_string(), "check the docker program"),
            ChildError::Timeout { .. } => Unreachable::new(
                format!("`docker {}` did not end within {}", arguments[0], child::seconds(&TIMEOUT)),
                "check that the Docker engine answers: `docker version`",
            ),
        })
    }

    /// Asks what a container is.
    ///
    /// # Errors
    /// The engine does not answer, or has no such container.
    pub(crate) fn inspect(&self, name: &str) -> Result<Container, Unreachable> {
        let ended = self.run(&["container", "inspect", "--format", FORMAT, "--", name], String::new())?;
        if !ended.status.success() {
            return Err(refused(&ended, name));
        }
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        Container::parse(name, &text).ok_or_else(|| {
            Unreachable::new(
                format!("`docker container inspect` says of {name} what can not be understood"),
                "check the version of Docker: `docker version`",
            )
        })
    }

    /// Gives the id of the image that a reference means now, where the engine has it.
    pub(crate) fn image_id(&self, reference: &str) -> Option<String> {
        let ended =
            self.run(&["image", "inspect", "--format", "{{.ID}}", "--", reference], String::new()).ok()?;
        let id = String::from_utf8_lossy(&ended.stdout).trim().to_string();
        (ended.status.success() && !id.is_empty()).then_some(id)
    }

    /// Gives the last line of the container's output in which PostgreSQL, or whatever ended it, says why.
    pub(crate) fn last_words(&self, name: &str) -> Option<String> {
        let ended = self.run(&["container", "logs", "--tail", "50", "--", name], String::new()).ok()?;
        let both = [ended.stdout.as_slice(), ended.stderr.as_slice()].concat();
        let text = String::from_utf8_lossy(&both).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let fatal = lines.iter().rev().find(|line| line.contains("FATAL") || line.contains("PANIC"));
        // A statement may hold a password; what ends a server is never one.
        let said =
            |line: &&&str| !["STATEMENT:", "LOG:", "DETAIL:", "HINT:"].iter().any(|kind| line.contains(kind));
        let line = fatal.or_else(|| lines.iter().rev().find(said))?;
        Some(secrets::hide(line).chars().take(300).collect())
    }

    /// Gives the last lines that the container wrote, for a server that logs to standard error.
    ///
    /// Lines are counted, and no time is named: the engine's clock may be another one.
    ///
    /// # Errors
    /// The engine keeps no output, or more was written than is looked at.
    pub(crate) fn logs(&self, name: &str) -> Result<Vec<u8>, String> {
        let arguments = ["container", "logs", "--tail", "20000", "--", name];
        let ended = self.run(&arguments, String::new()).map_err(|unreachable| unreachable.why)?;
        if !ended.status.success() {
            return Err(format!("Docker does not show the container's output: {}", ended.last_words()));
        }
        if ended.cut || ended.cut_before {
            return Err("the container wrote more than is looked at".into());
        }
        Ok([ended.stdout, ended.stderr].concat())
    }

    /// Runs statements with psql in the container.
    pub(crate) fn psql(
        &self,
        container: &str,
        user: &str,
        database: &str,
        as_opened: &[Statement],
        statements: &[Statement],
    ) -> Result<Vec<Answer>, Unreachable> {
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
        let ended = self.run(&arguments, script(as_opened, statements))?;
        if !ended.status.success() {
            return Err(self.no_session(container, &ended));
        }
        let broken = || {
            Unreachable::new(
                format!(
                    "psql in {container} gave no complete answer, and {}: {}",
                    ended.how(),
                    ended.last_words()
                ),
                "run `docker exec -it CONTAINER psql` by hand and see what it says",
            )
        };
        if ended.cut {
            return Err(broken());
        }
        answers(&ended.stdout, &[as_opened, statements].concat()).ok_or_else(broken)
    }

    /// Tells why psql gave no session: the container's state says more than psql does.
    fn no_session(&self, container: &str, ended: &Ended) -> Unreachable {
        let words = match ended.last_words() {
            words if words.is_empty() => format!("psql in {container} {}", ended.how()),
            words => words,
        };
        // Some versions of Docker write why they can not start it to standard output.
        let both = [ended.stdout.as_slice(), &ended.stderr].concat();
        let all = String::from_utf8_lossy(&both);
        if let Ok(found) = self.inspect(container)
            && found.status != "running"
        {
            return self.not_running(&found);
        }
        if all.contains("executable file not found") || all.contains("no such file or directory") {
            return Unreachable::new(
                format!("there is no psql in the container {container}"),
                "use an image that has psql, or write `verify: {connect: tcp}` in the document",
            );
        }
        session_error(&words, all.contains("No such container").then_some(container))
    }

    /// Says that a container does not run, and why as far as its output tells.
    pub(crate) fn not_running(&self, container: &Container) -> Unreachable {
        let name = &container.name;
        let words = self.last_words(name);
        let said = words.map(|words| format!("; it says: {words}")).unwrap_or_default();
        match container.status.as_str() {
            // Between two of them it is shown as running.
            "restarting" | "running" => Unreachable::new(
                format!(
                    "the container {name} restarts again and again ({} times so far){said}",
                    container.restarts
                ),
                "mend what it says, or put the files of before back with `kasm-db rollback`",
            ),
            "exited" | "dead" => Unreachable::new(
                format!("the container {name} does not run: it ended with {}{said}", container.exit_code),
                "start the deployment with its `bin/start`, and see what the container says",
            ),
            "paused" => Unreachable::new(
                format!("the container {name} is paused"),
                format!("let it go on with `docker unpause {name}`"),
            ),
            other => Unreachable::new(
                format!("the container {name} does not run: it is {other}{said}"),
                "start the deployment with its `bin/start`",
            ),
        }
    }
}

/// Tells why `docker` refused.
fn refused(ended: &Ended, container: &str) -> Unreachable {
    let words = ended.last_words();
    let lower = words.to_lowercase();
    if lower.contains("no such container") {
        Unreachable::new(
            format!("there is no container {container}"),
            "start the deployment, or name its container under `verify: {container: …}` of the document",
        )
    } else if lower.contains("permission denied") {
        Unreachable::new(
            format!("the Docker engine may not be used by this user: {words}"),
            "run as root or as a member of the group `docker`",
        )
    } else {
        Unreachable::new(
            format!("the Docker engine does not answer: {words}"),
            "start it (`systemctl start docker`), or name another one in DOCKER_HOST",
        )
    }
}

/// Says what a session could not be opened for, by the words of the server or of libpq.
pub(crate) fn session_error(words: &str, no_container: Option<&str>) -> Unreachable {
    if let Some(container) = no_container {
        return Unreachable::new(
            format!("there is no container {container}"),
            "start the deployment, or name its container under `verify: {container: …}` of the document",
        );
    }
    let has = |part: &str| words.contains(part);
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
    } else if has("starting up") || has("shutting down") || has("recovery mode") {
        "wait until the server is up"
    } else if has("too many clients") || has("remaining connection slots") {
        "end some sessions, or raise max_connections"
    } else if has("too many connections for") {
        "end some sessions, or raise the CONNECTION LIMIT of this database or role"
    } else {
        "check that the server runs and accepts connections"
    };
    Unreachable::new(words.trim_start_matches("psql: error: ").to_string(), fix)
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

/// Reads what psql wrote. Every row starts with `r`, every mark with `end`; the number of fields behind is
/// known, so no content can be taken for either.
fn answers(bytes: &[u8], statements: &[Statement]) -> Option<Vec<Answer>> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let mut fields = bytes.split(|&byte| byte == 0).map(|field| String::from_utf8_lossy(field).into_owned());
    let mut answers = Vec::new();
    for statement in statements {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            if fields.next()? == "r" {
                let row: Row = fields.by_ref().take(statement.columns).collect();
                if row.len() < statement.columns {
                    return None;
                }
                rows.push(row);
            } else {
                let (state, message) = (fields.next()?, fields.next()?);
                let failed = state != "00000" && !state.is_empty();
                answers.push(if failed { Err(message) } else { Ok(rows) });
                break;
            }
        }
    }
    Some(answers)
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
        assert_eq!(answers(&text.as_bytes()[..20], &statements), None);
    }

    #[test]
    fn a_path_of_the_container_is_found_on_the_host_by_its_deepest_mount() {
        let text = "id\nrunning\nnow\n3\n0\nhealthy\npostgres:15\nsha256:1\n/var/log\n/h/log\n/var/log/postgres\n/h/pg\n";
        let container = Container::parse("db", text).unwrap();
        assert_eq!((container.restarts, container.health.as_str()), (3, "healthy"));
        let host = |path: &str| container.host_path(path).map(|path| path.display().to_string());
        assert_eq!(host("/var/log/postgres/a.log").as_deref(), Some("/h/pg/a.log"));
        assert_eq!(host("/var/log/postgres").as_deref(), Some("/h/pg"));
        assert_eq!(host("/var/log/postgresql/a.log").as_deref(), Some("/h/log/postgresql/a.log"));
        assert_eq!(host("/var/lib"), None);
        assert_eq!(Container::parse("db", "id\nrunning\n"), None);
    }
}
