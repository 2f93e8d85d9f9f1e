//! Sessions over a connection of our own, with libpq's variables.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use model::document::Verify;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::auth::Allowed;
use crate::environment::Environment;
use crate::frames::{Framed, Frames, Refusal};
use crate::io_error::reason;
use crate::password::{self, password_file, password_for};
use crate::session::{APPLICATION, Answer, PLAIN_NAMES, Statement, Unreachable, session_error};
use crate::sslmode::SslMode;
use crate::tls_options::{CertMode, TlsOptions};
use crate::{libpq, tls};

/// How long one call may take, connecting included.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How to connect.
pub(crate) struct Tcp {
    host: String,
    port: u16,
    user: String,
    database: String,
    mode: SslMode,
    tls: TlsOptions,
    allowed: Allowed,
    connect_timeout: Duration,
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
    /// Accepts the document's names, then libpq's variables, then the defaults.
    ///
    /// # Errors
    /// A variable makes no sense.
    pub(crate) fn new(
        verify: &Verify,
        mode: Option<SslMode>,
        environment: &Environment,
    ) -> Result<Self, Unreachable> {
        libpq::check(environment)?;
        let variable = |name: &str| environment.text(name).map(String::from);
        let host = variable("PGHOST").unwrap_or_else(|| "localhost".into());
        if host.contains(',') || host.starts_with('@') {
            let why = "PGHOST names several servers or an abstract socket, which kasm-db does not follow";
            return Err(Unreachable::new(why, "name one server, or the folder of its socket"));
        }
        let port = variable("PGPORT").unwrap_or_else(|| "5432".into());
        let port = port.parse().map_err(|_| {
            Unreachable::new(
                format!("PGPORT is `{port}`, which is not a port"),
                "use a number from 1 to 65535, such as 5432",
            )
        })?;
        let tls = TlsOptions::new(environment)?;
        let mode = match (mode, variable("PGSSLMODE")) {
            (Some(mode), _) => mode,
            (None, Some(text)) => match named_mode(&text)? {
                SslMode::Require if tls.has_roots() => SslMode::VerifyCa,
                mode => mode,
            },
            (None, None) => SslMode::VerifyFull,
        };
        if tls.is_system() && mode != SslMode::VerifyFull {
            return Err(Unreachable::new(
                format!("PGSSLROOTCERT is `system`, with which `{mode}` would prove nothing"),
                "use `verify-full`, or name the file of the server's authority in PGSSLROOTCERT",
            ));
        }
        let is_plain = mode == SslMode::Disable || host.starts_with('/');
        if is_plain && tls.certificate_mode == CertMode::Require {
            return Err(Unreachable::new(
                "PGSSLCERTMODE is `require`, and without TLS no certificate is sent",
                "unset PGSSLCERTMODE, or connect with TLS",
            ));
        }
        let allowed = variable("PGREQUIREAUTH").unwrap_or_default();
        let allowed = Allowed::parse(&allowed).ok_or_else(|| {
            Unreachable::new(
                format!("PGREQUIREAUTH is `{allowed}`, which is not a list of methods"),
                "use names such as `scram-sha-256,md5`, or with a `!` before each of them",
            )
        })?;
        let connect_timeout = match variable("PGCONNECT_TIMEOUT") {
            None => CONNECT_TIMEOUT,
            Some(text) => match text.trim().parse::<i64>() {
                // libpq waits for ever then, and never for less than two seconds.
                Ok(..=0) => CONNECT_TIMEOUT,
                Ok(seconds) => Duration::from_secs(seconds.max(2).unsigned_abs()).min(TIMEOUT),
                Err(_) => {
                    let why = format!("PGCONNECT_TIMEOUT is `{text}`, which is not a number");
                    return Err(Unreachable::new(why, "use a number of seconds"));
                }
            },
        };
        let password = match (variable("PGPASSWORD"), password_file(environment)) {
            (Some(given), _) => Password::Given(given),
            (None, Some(path)) => Password::File(path),
            (None, None) => Password::None,
        };
        let named = |own: &Option<String>, name: &str, default: &str| {
            own.clone().or_else(|| variable(name)).unwrap_or_else(|| default.to_string())
        };
        Ok(Self {
            host,
            port,
            user: named(&verify.user, "PGUSER", verify.user()),
            database: named(&verify.database, "PGDATABASE", verify.database()),
            mode,
            tls,
            allowed,
            connect_timeout,
            password,
        })
    }

    /// Returns where it connects to.
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
                    "check that the server is healthy",
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
        config.user(&self.user).dbname(database).application_name(APPLICATION);
        if let Some(password) = self.password(database)? {
            config.password(password);
        }
        let refused = Arc::new(OnceLock::new());
        let asked = self.asked(&config, as_opened, statements, &refused).await;
        // The library only knows that the connection ended.
        match refused.get() {
            Some(refusal) => Err(self.refused(refusal)),
            None => asked,
        }
    }

    async fn asked(
        &self,
        config: &Config,
        as_opened: &[Statement],
        statements: &[Statement],
        refused: &Arc<OnceLock<Refusal>>,
    ) -> Result<Vec<Answer>, Unreachable> {
        let client = self.client_in_time(config.clone(), refused).await?;
        let mut answers = self.answers(&client, as_opened).await?;
        if !statements.is_empty() {
            client.batch_execute(PLAIN_NAMES).await.map_err(|error| self.no_session(&error))?;
        }
        answers.extend(self.answers(&client, statements).await?);
        Ok(answers)
    }

    async fn client(
        &self,
        mut config: Config,
        refused: &Arc<OnceLock<Refusal>>,
    ) -> Result<Client, Unreachable> {
        let is_clear = !self.is_socket() && self.mode == SslMode::Disable;
        let frames = Frames::new(self.allowed.clone(), is_clear, Arc::clone(refused));
        let client = if self.is_socket() {
            let path = format!("{}/.s.PGSQL.{}", self.host, self.port);
            let stream = self.within(UnixStream::connect(&path)).await?;
            config.ssl_mode(tokio_postgres::config::SslMode::Disable);
            open(&config, Framed::new(stream, frames), NoTls).await
        } else {
            let stream = self.within(TcpStream::connect((self.host.as_str(), self.port))).await?;
            if self.mode == SslMode::Disable {
                config.ssl_mode(tokio_postgres::config::SslMode::Disable);
                open(&config, Framed::new(stream, frames), NoTls).await
            } else {
                config.ssl_mode(tokio_postgres::config::SslMode::Require);
                open(&config, stream, tls::connector(self.mode, &self.tls, &self.host, frames)?).await
            }
        };
        client.map_err(|error| self.no_session(&error))
    }

    /// Connects. Whoever accepts a connection and does not answer must not be waited for.
    async fn client_in_time(
        &self,
        config: Config,
        refused: &Arc<OnceLock<Refusal>>,
    ) -> Result<Client, Unreachable> {
        let connect = self.client(config, refused);
        tokio::time::timeout(self.connect_timeout, connect).await.unwrap_or_else(|_| {
            let seconds = self.connect_timeout.as_secs();
            let why = format!(
                "{} port {}: the connection is accepted, and no session comes within {seconds} seconds",
                self.host, self.port
            );
            let fix = "check whether the server's process is stopped or hangs: `ps -eo pid,stat,args | grep postgres`, and \
                       `kill -CONT` for one whose state is `T`";
            Err(Unreachable::new(why, fix))
        })
    }

    async fn within<S>(&self, connect: impl Future<Output = std::io::Result<S>>) -> Result<S, Unreachable> {
        match tokio::time::timeout(self.connect_timeout, connect).await {
            Ok(stream) => stream.map_err(|error| self.no_stream(&reason(&error))),
            Err(_) => {
                let seconds = self.connect_timeout.as_secs();
                Err(self.no_stream(&format!("no answer within {seconds} seconds")))
            }
        }
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

    fn refused(&self, refusal: &Refusal) -> Unreachable {
        Unreachable::new(format!("{} port {}: {refusal}", self.host, self.port), refusal.fix())
    }

    fn no_stream(&self, why: &str) -> Unreachable {
        Unreachable::new(
            format!("{} port {}: {why}", self.host, self.port),
            "check that the server is running and listening there, and that PGHOST and PGPORT are correct",
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
            "set `ssl` to on; on a network that you trust, use `--sslmode disable` instead"
        } else if has("UnknownIssuer") || has("BadSignature") {
            "name the file of the authority that signed the server's certificate in PGSSLROOTCERT"
        } else if has("not valid for name") || has("NotValidForName") {
            "name the server in PGHOST as its certificate does, or give it a certificate for this name"
        } else if has(tls::NOT_REQUESTED) {
            "let `clientcert=verify-full` in pg_hba.conf request it, or unset PGSSLCERTMODE"
        } else if has("Revoked") {
            "give the server another certificate: its authority has revoked this one"
        } else if has("UnknownRevocationStatus") {
            "name the revocation lists of all authorities of the chain in PGSSLCRL or PGSSLCRLDIR"
        } else if has("evocation list") && has("expired") || has("ExpiredRevocationList") {
            "install the authority's new revocation list"
        } else if has("CaUsedAsEndEntity") {
            "give the server a certificate that an authority signed: a self-signed one must be in PGSSLROOTCERT itself, \
             and is never trusted with revocation lists"
        } else if has("expired") || has("Expired") {
            "renew the server's certificate"
        } else if has("password missing") {
            "name a password file in PGPASSFILE"
        } else {
            "check that this is a PostgreSQL server, and that it is healthy"
        };
        Unreachable::new(format!("{} port {}: {words}", self.host, self.port), fix)
    }

    fn password(&self, database: &str) -> Result<Option<String>, Unreachable> {
        let path = match &self.password {
            Password::None => return Ok(None),
            Password::Given(password) => return Ok(Some(password.clone())),
            Password::File(path) => path,
        };
        let text = password::read(path)?;
        let host = if self.is_socket() { "localhost" } else { &self.host };
        let port = self.port.to_string();
        Ok(text.lines().find_map(|line| password_for(line, &[host, &port, database, &self.user])))
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

/// Reads the value of `PGSSLMODE`.
fn named_mode(text: &str) -> Result<SslMode, Unreachable> {
    text.parse().map_err(|_| {
        let what = match text {
            "allow" | "prefer" => {
                format!("PGSSLMODE is `{text}`, which lets anybody on the way switch off TLS")
            }
            _ => format!("invalid value `{text}` for PGSSLMODE"),
        };
        Unreachable::new(what, "use one of: disable, require, verify-ca, verify-full")
    })
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
