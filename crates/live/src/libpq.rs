//! The environment variables of libpq, up to PostgreSQL 18, and what a connection over TCP makes of each.
//!
//! None is passed over: what could protect a connection, or lead it elsewhere, is followed or refused. The table in
//! `docs/libpq.md` is made of this one.

#[cfg(feature = "tcp")]
use crate::environment::Environment;
#[cfg(feature = "tcp")]
use crate::session::Unreachable;

/// A variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What is made of it.
    pub rule: Rule,
    /// How it is followed, or why it is not, as a sentence.
    pub what: &'static str,
}

/// What is made of a variable that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is followed.
    Followed,
    /// These values are followed. With another one, the server is not asked.
    Only(&'static [&'static str]),
    /// The server is not asked.
    Refused,
    /// It is about something that kasm-db never does.
    Unused,
}

impl Rule {
    /// Returns the rule in words.
    pub fn words(self) -> String {
        match self {
            Self::Followed => "followed".into(),
            Self::Only(values) => {
                let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
                format!("{} followed, others refused", values.join(", "))
            }
            Self::Refused => "refused".into(),
            Self::Unused => "no effect".into(),
        }
    }
}

use Rule::{Followed, Only, Refused, Unused};

const fn row(name: &'static str, rule: Rule, what: &'static str) -> Variable {
    Variable { name, rule, what }
}

/// Every variable, in the order of libpq's documentation.
pub const VARIABLES: &[Variable] = &[
    row(
        "PGHOST",
        Followed,
        "The server's name or address, or the folder of its Unix socket; `localhost` by default. A list of servers and an \
         abstract socket (`@…`) are refused.",
    ),
    row("PGSSLNEGOTIATION", Only(&["postgres"]), "TLS is requested as all servers know it."),
    row("PGHOSTADDR", Refused, "It would lead to another server than the one that PGHOST names."),
    row("PGPORT", Followed, "5432 by default."),
    row("PGDATABASE", Followed, "If the document does not name the database."),
    row("PGUSER", Followed, "If the document does not name the user."),
    row("PGPASSWORD", Followed, "It wins over a password file, and is hidden in all output."),
    row(
        "PGPASSFILE",
        Followed,
        "`~/.pgpass` by default. A regular file that only its owner can read, or it is refused.",
    ),
    row(
        "PGREQUIREAUTH",
        Followed,
        "The connection ends before a password is sent by a method that it does not allow.",
    ),
    row("PGCHANNELBINDING", Only(&["disable", "prefer"]), "Channels are not bound."),
    row("PGSERVICE", Refused, "A service could name another server."),
    row("PGSERVICEFILE", Unused, "It says where services are."),
    row("PGOPTIONS", Refused, "It would change the session whose settings are compared."),
    row(
        "PGAPPNAME",
        Unused,
        "Every session is named `kasm-db`, so that the server's log shows whose it was.",
    ),
    row(
        "PGSSLMODE",
        Followed,
        "**`verify-full` by default.** `prefer` and `allow` are refused. `require` checks the authority if PGSSLROOTCERT or \
         its default file is there, as with libpq; `--sslmode require` never does.",
    ),
    row("PGREQUIRESSL", Followed, "TLS is required anyway, unless `disable` is said."),
    row("PGSSLCOMPRESSION", Only(&["0"]), "TLS never compresses."),
    row("PGSSLCERT", Followed, "`~/.postgresql/postgresql.crt` by default. Needs its key."),
    row(
        "PGSSLKEY",
        Followed,
        "`~/.postgresql/postgresql.key` by default. A regular file of mode 0600 or less; if it belongs to root, 0640.",
    ),
    row(
        "PGSSLCERTMODE",
        Followed,
        "`disable` sends no certificate; with `require` the server must request one, and get it.",
    ),
    row(
        "PGSSLROOTCERT",
        Followed,
        "`~/.postgresql/root.crt` by default. `system` means the system's authorities, and needs `verify-full`.",
    ),
    row(
        "PGSSLCRL",
        Followed,
        "`~/.postgresql/root.crl` by default. Every certificate of the chain but the root must be in the scope of a list \
         that has not expired. A file that is named must be there.",
    ),
    row("PGSSLCRLDIR", Followed, "All files in it whose names `openssl rehash` makes (`….r0`)."),
    row("PGSSLSNI", Only(&["0", "1"]), "Whether the server learns the name before TLS begins."),
    row("PGREQUIREPEER", Refused, "The owner of a Unix socket is not checked."),
    row("PGSSLMINPROTOCOLVERSION", Followed, "TLS 1.2 and 1.3 are there; `TLSv1.2` by default."),
    row("PGSSLMAXPROTOCOLVERSION", Followed, "`TLSv1.2` or `TLSv1.3`; anything older is refused."),
    row("PGGSSENCMODE", Only(&["disable", "prefer"]), "GSSAPI never encrypts."),
    row("PGKRBSRVNAME", Unused, "GSSAPI never authenticates."),
    row("PGGSSLIB", Unused, "GSSAPI never authenticates."),
    row("PGGSSDELEGATION", Only(&["0"]), "No credentials are delegated."),
    row("PGCONNECT_TIMEOUT", Followed, "Seconds, 60 at most; 10 by default, and if it is 0 or less."),
    row("PGCLIENTENCODING", Unused, "Texts come in UTF-8, or as they are stored."),
    row("PGTARGETSESSIONATTRS", Only(&["any"]), "There is one server, and any will do."),
    row("PGLOADBALANCEHOSTS", Only(&["disable"]), "There is one server."),
    row("PGMINPROTOCOLVERSION", Only(&["3.0"]), "Version 3.0 of the protocol is spoken."),
    row("PGMAXPROTOCOLVERSION", Only(&["3.0", "3.2", "latest"]), "Version 3.0 of the protocol is spoken."),
    row("PGDATESTYLE", Refused, "It would change the session whose settings are compared."),
    row("PGTZ", Refused, "It would change the session whose settings are compared."),
    row("PGGEQO", Refused, "It would change the session whose settings are compared."),
    row("PGOAUTHDEBUG", Unused, "OAuth never authenticates."),
    row("PGSYSCONFDIR", Unused, "It says where services are."),
    row("PGLOCALEDIR", Unused, "Messages of libpq are not shown."),
];

/// Refuses what is not followed.
///
/// # Errors
/// A variable is set to what is not followed.
#[cfg(feature = "tcp")]
pub(crate) fn check(environment: &Environment) -> Result<(), Unreachable> {
    for Variable { name, rule, what } in VARIABLES {
        let Some(value) = environment.get(name).filter(|value| !value.is_empty()) else { continue };
        // The value is not repeated: it may be a secret.
        let (why, fix) = match (rule, value.to_str()) {
            (Unused, _) => continue,
            (Refused, _) => {
                (format!("{name} is set, which kasm-db does not follow: {what}"), format!("unset {name}"))
            }
            (Followed, Some(_)) => continue,
            (Only(values), Some(value)) if values.contains(&value) => continue,
            (Followed, None) => (format!("{name} is set to what is not UTF-8"), format!("correct {name}")),
            (Only(values), _) => (
                format!("{name} is set to what kasm-db does not follow: {what}"),
                format!("unset {name}, or use {}", values.join(" or ")),
            ),
        };
        return Err(Unreachable::new(why.trim_end_matches('.'), fix));
    }
    Ok(())
}

#[cfg(all(test, feature = "tcp"))]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn set(name: &str, value: &[u8]) -> Result<(), String> {
        let variable = (name.into(), OsString::from_vec(value.to_vec()));
        check(&Environment::of([variable])).map_err(|unreachable| unreachable.why)
    }

    #[test]
    fn each_variable_is_followed_or_refused_by_name_and_its_value_is_not_repeated() {
        for Variable { name, rule, .. } in VARIABLES {
            assert_eq!(set(name, b""), Ok(()), "{name}");
            let other = set(name, b"canary");
            let is_bad = matches!(rule, Refused | Only(_));
            assert_eq!(other.is_err(), is_bad, "{name}");
            if let Err(why) = other {
                assert!(why.starts_with(&format!("{name} is set")) && !why.contains("canary"), "{why}");
            }
            if let Only(values) = rule {
                assert!(values.iter().all(|value| set(name, value.as_bytes()).is_ok()), "{name}");
            }
            // What cannot be read must not be taken for what is not set.
            assert_eq!(set(name, b"/caf\xe9").is_err(), *rule != Unused, "{name}");
        }
    }

    #[test]
    fn no_variable_of_the_libpq_that_is_installed_is_missing() {
        let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
        let library = folders
            .iter()
            .map(|folder| format!("{folder}/libpq.so.5"))
            .find_map(|path| std::fs::read(path).ok());
        let Some(library) = library else { return };
        let is_name = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'_';
        let names = library.split(|&byte| byte == 0).filter(|text| {
            text.starts_with(b"PG")
                && text.len() > 3
                && text.iter().all(is_name)
                && !text.starts_with(b"PGRES_")
        });
        let names: Vec<_> = names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        assert!(names.len() > 30, "{names:?}");
        let missing = |name: &&String| !VARIABLES.iter().any(|variable| variable.name == *name);
        assert_eq!(names.iter().find(missing), None);
    }
}
