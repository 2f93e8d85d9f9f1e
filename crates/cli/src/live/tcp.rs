//! Sessions over a connection of our own, with libpq's variables.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::document::Verify;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::args::SslMode;
use crate::live::docker::session_error;
use crate::live::session::{Answer, PLAIN_NAMES, Statement, Unreachable};
use crate::live::tls;

/// How long one call may take, connecting included.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Variables of libpq that would lead to another server, or ask for more of it than is done here, with the value that
/// does so; any, where none is named.
const REFUSED: &[(&str, Option<&str>)] = &[
    ("PGSERVICE", None),
    ("PGHOSTADDR", None),
    ("PGREQUIREPEER", None),
    ("PGREQUIREAUTH", None),
    ("PGCHANNELBINDING", Some("require")),
    ("PGGSSENCMODE", Some("require")),
];

/// How to connect.
pub(crate) struct Tcp {
    host: String,
    port: u16,
    user: String,
    database: String,
    mode: SslMode,
    files: tls::Files,
    password: Password,
}

/// A password, which no debug output shows.
enum Password {
    None,
    /// `PGPASSWORD`.
    Given(String),
    /// A file in the form of `.pgpass`.
    File(PathBuf),
}

impl Tcp {
    /// Takes the document's names, then libpq's variables, then the defaults.
    ///
    /// # Errors
    /// A variable makes no sense.
    pub(crate) fn new(verify: &Verify, mode: Option<SslMode>) -> Result<Self, Unreachable> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is_refused = |(name, value): &&(&str, Option<&str>)| {
            variable(name).is_some_and(|found| value.is_none_or(|value| value == found))
        };
        if let Some((name, _)) = REFUSED.iter().find(is_refused) {
            return Err(Unreachable::new(
                format!(
                    "{name} is set, which kasm-db does not follow: it could ask another server than is meant"
                ),
                format!("unset {name}, and name the server in PGHOST and PGPORT"),
            ));
        }
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let port = variable("PGPORT").unwrap_or_else(|| "5432".into());
        let port = port.parse().map_err(|_| {
            Unreachable::new(format!("PGPORT is `{port}`, which is no port"), "name a number up to 65535")
        })?;
        let mode = match (mode, variable("PGSSLMODE")) {
            (Some(mode), _) => mode,
            (None, Some(text)) => tls::mode(&text)?,
            (None, None) => SslMode::VerifyFull,
        };
        let in_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let existing = |path: Option<PathBuf>| path.filter(|path| path.exists());
        let file = |name: &str, default: &str| {
            variable(name).map(PathBuf::from).or_else(|| existing(in_home(default)))
        };
        let password = match (variable("PGPASSWORD"), password_file()) {
            (Some(given), _) => Password::Given(given),
            (None, Some(path)) => Password::File(path),
            (None, None) => Password::None,
        };
        let named = |own: &Option<String>, name: &str, default: &str| {
            own.clone().or_else(|| variable(name)).unwrap_or_else(|| default.to_string())
        };
        Ok(Self {
            host: variable("PGHOST").unwrap_or_else(|| "localhost".into()),
            port,
            user: named(&verify.user, "PGUSER", verify.user()),
            database: named(&verify.database, "PGDATABASE", verify.database()),
            mode,
            files: tls::Files {
                roots: file("PGSSLROOTCERT", ".postgresql/root.crt"),
                certificate: file("PGSSLCERT", ".postgresql/postgresql.crt"),
                key: file("PGSSLKEY", ".postgresql/postgresql.key"),
            },
            password,
        })
    }

    /// Says where it connects to.
    pub(crate) fn name(&self) -> String {
        let how = match self.mode {
            _ if self.is_socket() => "a Unix socket",
            SslMode::Disable => "TCP without TLS",
            SslMode::Require => "TCP with TLS, unchecked",
            SslMode::VerifyCa => "TCP with TLS, verify-ca",
            SslMode::VerifyFull => "TCP with TLS, verify-full",
        };
        format!("{} port {} ({how})", self.host, self.port)
    }

    /// As for libpq, a host that starts with `/` is the folder of a socket.
    fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    pub(crate) fn run(
        &self,
        database: Option<&str>,
        as_opened: &[Statement],
        statements: &[Statement],
    ) -> Result<Vec<Answer>, Unreachable> {
        let failed = |error: std::io::Error| Unreachable::new(format!("no runtime: {error}"), "try again");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let database = database.unwrap_or(&self.database);
        runtime.block_on(async {
            let work = self.session(database, as_opened, statements);
            tokio::time::timeout(TIMEOUT, work).await.unwrap_or_else(|_| {
                Err(Unreachable::new(
                    format!("{} gave no answer within {} seconds", self.name(), TIMEOUT.as_secs()),
                    "check that the server is well",
                ))
            })
        })
    }

    async fn session(
        &self,
        database: &str,
        as_opened: &[Statement],
        statements: &[Statement],
    ) -> Result<Vec<Answer>, Unreachable> {
        let mut config = Config::new();
        config.user(&self.user).dbname(database);
        if let Some(password) = self.password(database)? {
            config.password(password);
        }
        let client = if self.is_socket() {
            let path = format!("{}/.s.PGSQL.{}", self.host, self.port);
            let stream = within(UnixStream::connect(&path)).await.map_err(|why| self.no_stream(&why))?;
            config.ssl_mode(tokio_postgres::config::SslMode::Disable);
            open(&config, stream, NoTls).await
        } else {
            let address = (self.host.as_str(), self.port);
            let stream = within(TcpStream::connect(address)).await.map_err(|why| self.no_stream(&why))?;
            if self.mode == SslMode::Disable {
                config.ssl_mode(tokio_postgres::config::SslMode::Disable);
                open(&config, stream, NoTls).await
            } else {
                config.ssl_mode(tokio_postgres::config::SslMode::Require);
                open(&config, stream, tls::connector(self.mode, &self.files, &self.host)?).await
            }
        };
        let client = client.map_err(|error| self.no_session(&error))?;
        let mut answers = self.answers(&client, as_opened).await?;
        client.batch_execute(PLAIN_NAMES).await.map_err(|error| self.no_session(&error))?;
        answers.extend(self.answers(&client, statements).await?);
        Ok(answers)
    }

    async fn answers(&self, client: &Client, statements: &[Statement]) -> Result<Vec<Answer>, Unreachable> {
        let mut answers = Vec::new();
        for statement in statements {
            match client.simple_query(&statement.sql).await {
                Ok(messages) => answers.push(Ok(rows(messages, statement.columns))),
                Err(error) => match error.as_db_error() {
                    Some(error) if !client.is_closed() => answers.push(Err(error.message().to_string())),
                    _ => return Err(self.no_session(&error)),
                },
            }
        }
        Ok(answers)
    }

    fn no_stream(&self, why: &str) -> Unreachable {
        Unreachable::new(
            format!("{} port {}: {why}", self.host, self.port),
            "check that the server runs and listens there, and PGHOST and PGPORT",
        )
    }

    fn no_session(&self, error: &tokio_postgres::Error) -> Unreachable {
        if let Some(error) = error.as_db_error() {
            return session_error(&format!("{}: {}", error.severity(), error.message()), None);
        }
        // The error itself says only where in the handshake it was.
        let mut words = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            let text = inner.to_string();
            if !words.contains(&text) {
                words = format!("{words}: {text}");
            }
            source = inner.source();
        }
        let has = |part: &str| words.contains(part);
        let fix = if has("does not support TLS") {
            "turn on `ssl` on the server; or, where nobody can be in between, use `--sslmode disable`"
        } else if has("UnknownIssuer") || has("BadSignature") {
            "name the file of the authority that signed the server's certificate in PGSSLROOTCERT"
        } else if has("not valid for name") || has("NotValidForName") {
            "name the server in PGHOST as its certificate does, or give it a certificate for this name"
        } else if has("expired") || has("Expired") {
            "renew the server's certificate"
        } else if has("password missing") {
            "name a password file in PGPASSFILE"
        } else {
            "check that this is a PostgreSQL server, and that it is well"
        };
        Unreachable::new(format!("{} port {}: {words}", self.host, self.port), fix)
    }

    fn password(&self, database: &str) -> Result<Option<String>, Unreachable> {
        let path = match &self.password {
            Password::None => return Ok(None),
            Password::Given(password) => return Ok(Some(password.clone())),
            Password::File(path) => path,
        };
        let text = read_passwords(path)?;
        let host = if self.is_socket() { "localhost" } else { &self.host };
        let port = self.port.to_string();
        Ok(text.lines().find_map(|line| password_for(line, &[host, &port, database, &self.user])))
    }
}

async fn within<S>(connect: impl Future<Output = std::io::Result<S>>) -> Result<S, String> {
    match tokio::time::timeout(CONNECT_TIMEOUT, connect).await {
        Ok(stream) => stream.map_err(|error| commit::reason(&error)),
        Err(_) => Err(format!("no answer within {} seconds", CONNECT_TIMEOUT.as_secs())),
    }
}

async fn open<S, T>(config: &Config, stream: S, tls: T) -> Result<Client, tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect_raw(stream, tls).await?;
    // It ends with the client; an error of it is the next statement's too.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// Drops the mark in front of each row.
fn rows(messages: Vec<SimpleQueryMessage>, columns: usize) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            let field = |index| row.try_get(index).ok().flatten().unwrap_or_default().to_string();
            rows.push((1..=columns).map(field).collect());
        }
    }
    rows
}

fn read_passwords(path: &Path) -> Result<String, Unreachable> {
    let named = |why: String| format!("{}: {why}", path.display());
    let metadata = std::fs::metadata(path).map_err(|error| {
        Unreachable::new(named(commit::reason(&error)), "name the password file in PGPASSFILE")
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let why = named(format!("others can read this password file: its mode is {mode:04o}"));
        return Err(Unreachable::new(why, "take the permissions away: `chmod 600`"));
    }
    // A comment may be in any encoding.
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| Unreachable::new(named(commit::reason(&error)), "check that this user may read it"))
}

/// Gives the password file of libpq, where there is one.
pub(crate) fn password_file() -> Option<PathBuf> {
    let named = std::env::var_os("PGPASSFILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let default = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    named.or_else(|| default().filter(|path| path.exists()))
}

/// Gives the password of a line `host:port:database:user:password` that is for these four.
fn password_for(line: &str, wanted: &[&str; 4]) -> Option<String> {
    let [host, port, database, user, password] = fields(line)?;
    let fits = |(field, wanted): (&String, &&str)| field == "*" || field == wanted;
    [&host, &port, &database, &user].into_iter().zip(wanted).all(fits).then_some(password)
}

/// Gives the five fields of a line of a password file, the password last.
pub(crate) fn fields(line: &str) -> Option<[String; 5]> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => fields.last_mut()?.extend(chars.next()),
            // What stands behind the fourth colon is the password, colons included.
            ':' if fields.len() < 5 => fields.push(String::new()),
            c => fields.last_mut()?.push(c),
        }
    }
    fields.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_is_read_as_libpq_reads_it() {
        let wanted = ["db.example", "5432", "kasm", "kasmapp"];
        let of = |line: &str| password_for(line, &wanted);
        assert_eq!(of("db.example:5432:kasm:kasmapp:s:e\\:c\\\\"), Some("s:e:c\\".into()));
        assert_eq!(of("*:*:*:kasmapp:x"), Some("x".into()));
        for other in ["*:5433:*:*:x", "#*:*:*:*:x", "*:*:*:*", "db:5432:kasm:kasmapp:x"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
