//! The environment of whoever uses this library: it is handed in, and read nowhere else.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::sync::Arc;

/// What children get of it. Everything else could steer them: `COMPOSE_FILE`, `LD_PRELOAD`, `PGOPTIONS`, and
/// passwords would stand in their environment for others to read.
const PASSED_ON: &[&str] = &[
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    // Which engine is meant is said in no other way.
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "DOCKER_API_VERSION",
    "SSH_AUTH_SOCK",
];

/// Environment variables. A clone shares them.
#[derive(Clone, Default)]
pub struct Environment(Arc<BTreeMap<OsString, OsString>>);

impl Environment {
    /// Accepts variables; of two with the same name the first counts, as for `getenv`.
    pub fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut all = BTreeMap::new();
        for (name, value) in variables {
            all.entry(name).or_insert(value);
        }
        Self(Arc::new(all))
    }

    /// Returns the value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Returns the value of a variable that is set to a text; an empty one counts as not set.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str().filter(|value| !value.is_empty())
    }

    /// Lists the environment of every child: messages come in English, in UTF-8.
    pub(crate) fn of_children(&self) -> Vec<(OsString, OsString)> {
        let passed = PASSED_ON.iter().filter_map(|name| Some((name.into(), self.get(name)?.to_os_string())));
        passed.chain([("LC_ALL".into(), "C.UTF-8".into())]).collect()
    }
}

/// Shows the names alone: values may be passwords.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_get_what_is_listed_and_nothing_of_it_is_shown() {
        let pairs = [("PATH", "/bin"), ("PGPASSWORD", "hunter2"), ("PATH", "/other"), ("EMPTY", "")];
        let environment = Environment::of(pairs.map(|(name, value)| (name.into(), value.into())));
        let children: Vec<(OsString, OsString)> =
            vec![("PATH".into(), "/bin".into()), ("LC_ALL".into(), "C.UTF-8".into())];
        assert_eq!(environment.of_children(), children);
        assert_eq!((environment.text("EMPTY"), environment.text("PGPASSWORD")), (None, Some("hunter2")));
        assert!(!format!("{environment:?}").contains("hunter2"));
    }
}
