//! How the server is reached: by psql in its container, or by a connection of our own.

use model::document::{Connect, Verify};

use crate::caller::Caller;
use crate::docker::{Container, Docker};
use crate::psql::Psql;
use crate::session::{Answer, Statement, Unreachable};
use crate::sslmode::SslMode;
#[cfg(feature = "tcp")]
use crate::tcp::Tcp;

/// A way to the server.
pub struct Way(Kind);

enum Kind {
    /// psql inside the container.
    Psql(Psql),
    /// A connection of our own.
    #[cfg(feature = "tcp")]
    Tcp(Box<Tcp>),
}

/// Finds the way to the server, and looks at its container on the way; over TCP no container is seen.
pub fn reach(
    verify: &Verify,
    sslmode: Option<SslMode>,
    caller: &Caller<'_>,
) -> (Option<Container>, Result<Way, Unreachable>) {
    if verify.connect == Connect::Tcp {
        return (None, tcp(verify, sslmode, caller));
    }
    let looked = Docker::find(caller).and_then(|docker| {
        let container = docker.inspect(verify.container())?;
        Ok((docker, container))
    });
    let (docker, container) = match looked {
        Ok(found) => found,
        Err(unreachable) => return (None, Err(unreachable)),
    };
    if container.status != "running" {
        let unreachable = docker.not_running(&container);
        return (Some(container), Err(unreachable));
    }
    let psql = Psql {
        docker,
        container: verify.container().to_string(),
        user: verify.user().to_string(),
        database: verify.database().to_string(),
    };
    (Some(container), Ok(Way(Kind::Psql(psql))))
}

#[cfg(feature = "tcp")]
fn tcp(verify: &Verify, sslmode: Option<SslMode>, caller: &Caller<'_>) -> Result<Way, Unreachable> {
    Tcp::new(verify, sslmode, caller.environment).map(|tcp| Way(Kind::Tcp(Box::new(tcp))))
}

#[cfg(not(feature = "tcp"))]
fn tcp(_: &Verify, _: Option<SslMode>, _: &Caller<'_>) -> Result<Way, Unreachable> {
    Err(Unreachable::new(
        "this kasm-db was built without connections over TCP",
        "write `verify: {connect: docker}` in the document, or build kasm-db with the feature `tcp`",
    ))
}

impl Way {
    /// Runs statements in a session of their own and returns an answer for each.
    ///
    /// Every call is a new session: what another one set with `SET` counts for nothing here. An error in one
    /// statement does not keep the next from running.
    ///
    /// # Errors
    /// No session, or it broke off.
    pub fn run(&self, database: Option<&str>, statements: &[Statement]) -> Result<Vec<Answer>, Unreachable> {
        self.run_behind(database, &[], statements)
    }

    /// Runs statements as [`Way::run`] does, with others before them that find the session as it was opened: in these
    /// every name that is looked up needs its schema, types and operators included.
    ///
    /// # Errors
    /// As for [`Way::run`].
    pub fn run_behind(
        &self,
        database: Option<&str>,
        as_opened: &[Statement],
        statements: &[Statement],
    ) -> Result<Vec<Answer>, Unreachable> {
        match &self.0 {
            Kind::Psql(psql) => psql.run(database, as_opened, statements),
            #[cfg(feature = "tcp")]
            Kind::Tcp(tcp) => tcp.run(database, as_opened, statements),
        }
    }

    /// Returns which way it is.
    pub fn name(&self) -> String {
        match &self.0 {
            Kind::Psql(psql) => psql.name(),
            #[cfg(feature = "tcp")]
            Kind::Tcp(tcp) => tcp.name(),
        }
    }

    /// Returns the `docker` program, if the way leads through it.
    pub(crate) fn docker(&self) -> Option<&Docker> {
        match &self.0 {
            Kind::Psql(psql) => Some(&psql.docker),
            #[cfg(feature = "tcp")]
            Kind::Tcp(_) => None,
        }
    }

    /// Reads the last lines that the server's container wrote.
    ///
    /// # Errors
    /// There is no container, or its output cannot be read; why.
    pub(crate) fn container_output(&self) -> Result<Vec<u8>, String> {
        match &self.0 {
            Kind::Psql(psql) => psql.container_output(),
            #[cfg(feature = "tcp")]
            Kind::Tcp(_) => Err("there is no container".into()),
        }
    }
}
