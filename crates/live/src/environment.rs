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

/// What a program that builds images gets besides: where podman and buildah keep images and how they run a step, which of its
/// builders Docker uses, and the way to the network is often said in no other way.
const OF_BUILDERS: &[&str] = &[
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "BUILDAH_ISOLATION",
    "DOCKER_BUILDKIT",
    "BUILDX_BUILDER",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// Environment variables. A clone shares them.
#[derive(Clone, Default)]
pub struct Environment {
    variables: Arc<BTreeMap<OsString, OsString>>,
    /// What children get besides what all of them get.
    more: &'static [&'static str],
}

impl Environment {
    /// Accepts variables; of two with the same name the first counts, as for `getenv`.
    pub fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut all = BTreeMap::new();
        for (name, value) in variables {
            all.entry(name).or_insert(value);
        }
        Self { variables: Arc::new(all), more: &[] }
    }

    /// Returns the same variables for a program that builds images, which gets those that are for such programs, too.
    #[must_use]
    pub fn of_builders(&self) -> Self {
        Self { variables: self.variables.clone(), more: OF_BUILDERS }
    }

    /// Returns the passwords of the proxies that builders get: `secret` of `http://user:secret@proxy.example:3128`.
    pub fn proxy_passwords(&self) -> Vec<String> {
        let proxies = OF_BUILDERS.iter().filter(|name| name.to_ascii_lowercase().ends_with("_proxy"));
        let password = |name: &&str| {
            let url = self.text(name)?;
            let (who, _) = url.split_once("://").map_or(url, |(_, rest)| rest).rsplit_once('@')?;
            who.split_once(':').map(|(_, password)| password.to_owned())
        };
        proxies.filter_map(password).collect()
    }

    /// Returns the value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Returns the value of a variable that is set to a text; an empty one counts as not set.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str().filter(|value| !value.is_empty())
    }

    /// Lists the environment of every child: messages come in English, in UTF-8.
    pub(crate) fn of_children(&self) -> Vec<(OsString, OsString)> {
        let names = PASSED_ON.iter().chain(self.more);
        let passed = names.filter_map(|name| Some((name.into(), self.get(name)?.to_os_string())));
        passed.chain([("LC_ALL".into(), "C.UTF-8".into())]).collect()
    }
}

/// Shows the names alone: values may be passwords.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_get_what_is_listed_and_nothing_of_it_is_shown() {
        let pairs = [
            ("PATH", "/bin"),
            ("PGPASSWORD", "hunter2"),
            ("PATH", "/other"),
            ("EMPTY", ""),
            ("CONTAINERS_CONF", "/x.conf"),
        ];
        let environment = Environment::of(pairs.map(|(name, value)| (name.into(), value.into())));
        let children: Vec<(OsString, OsString)> =
            vec![("PATH".into(), "/bin".into()), ("LC_ALL".into(), "C.UTF-8".into())];
        assert_eq!(environment.of_children(), children);
        let builders = environment.of_builders().of_children();
        let conf = ("CONTAINERS_CONF".into(), "/x.conf".into());
        assert_eq!(builders, [&children[..1], &[conf], &children[1..]].concat());
        let proxies = [
            ("http_proxy", "http://user:pa,ss:w@rd@proxy:3128"),
            ("HTTPS_PROXY", "user:other@proxy"),
            ("no_proxy", "localhost,10.0.0.0/8"),
            ("ALL_PROXY", "socks5://proxy:1080"),
        ];
        let proxies = Environment::of(proxies.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(proxies.proxy_passwords(), ["pa,ss:w@rd", "other"]);
        assert_eq!((environment.text("EMPTY"), environment.text("PGPASSWORD")), (None, Some("hunter2")));
        assert!(!format!("{environment:?}").contains("hunter2"));
    }
}
