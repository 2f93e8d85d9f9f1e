//! What libpq's variables and files say of TLS.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustls::SupportedProtocolVersion;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};

use crate::crls::CrlFiles;
use crate::environment::Environment;
use crate::io_error::reason;
use crate::regular_file;
use crate::session::Unreachable;

/// The most bytes of a file of certificates: all authorities of a system take a quarter of it.
const LIMIT: u64 = 1 << 20;

/// What stands for the system's authorities instead of a file.
pub(crate) const SYSTEM: &str = "system";

/// Whether a certificate of ours is sent: `PGSSLCERTMODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertMode {
    /// None, whatever files there are.
    Disable,
    /// If there is one and the server requests it.
    Allow,
    /// The server must request it, and get it.
    Require,
}

/// How to do TLS.
#[derive(Clone, Debug)]
pub(crate) struct TlsOptions {
    /// The authorities: a file, or `system`.
    pub(crate) roots: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    pub(crate) crls: CrlFiles,
    pub(crate) certificate_mode: CertMode,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    /// Whether the server learns the name before TLS begins.
    pub(crate) has_sni: bool,
}

impl TlsOptions {
    /// Accepts variables, and the files of the home folder that are there.
    ///
    /// # Errors
    /// A variable makes no sense.
    pub(crate) fn new(environment: &Environment) -> Result<Self, Unreachable> {
        let named = |name: &str| environment.text(name).map(PathBuf::from);
        let home = environment.get("HOME").map(|home| Path::new(home).join(".postgresql"));
        let file = |name: &str, default: &str| {
            let default = || home.as_ref().map(|home| home.join(default)).filter(|path| path.exists());
            named(name).or_else(default)
        };
        let crls = CrlFiles { file: named("PGSSLCRL"), folder: named("PGSSLCRLDIR") };
        // As libpq, the default file is looked for only if neither is named.
        let crls = match (&crls.file, &crls.folder) {
            (None, None) => CrlFiles { file: file("PGSSLCRL", "root.crl"), folder: None },
            _ => crls,
        };
        let certificate_mode = match environment.text("PGSSLCERTMODE") {
            None | Some("allow") => CertMode::Allow,
            Some("disable") => CertMode::Disable,
            Some("require") => CertMode::Require,
            Some(other) => return Err(invalid("PGSSLCERTMODE", other, "disable, allow, require")),
        };
        Ok(Self {
            roots: file("PGSSLROOTCERT", "root.crt"),
            certificate: file("PGSSLCERT", "postgresql.crt"),
            key: file("PGSSLKEY", "postgresql.key"),
            crls,
            certificate_mode,
            versions: versions(environment)?,
            has_sni: environment.text("PGSSLSNI") != Some("0"),
        })
    }

    /// Returns whether the authorities are there: then libpq checks the server also with the mode `require`.
    pub(crate) fn has_roots(&self) -> bool {
        self.is_system() || self.roots.as_ref().is_some_and(|path| path.exists())
    }

    /// Returns whether the authorities are the system's.
    pub(crate) fn is_system(&self) -> bool {
        self.roots.as_deref() == Some(Path::new(SYSTEM))
    }

    /// Reads our certificate and its key.
    ///
    /// # Errors
    /// One of them is missing or cannot be read, or others can read the key.
    pub(crate) fn own_certificate(
        &self,
    ) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, Unreachable> {
        let (certificate, key) = match (self.certificate_mode, &self.certificate, &self.key) {
            (CertMode::Disable, ..) | (CertMode::Allow, None, _) => return Ok(None),
            (_, Some(certificate), Some(key)) => (certificate, key),
            (CertMode::Require, None, _) => {
                let why = "PGSSLCERTMODE is `require`, and there is no certificate to send";
                return Err(Unreachable::new(
                    why,
                    "name its file in PGSSLCERT, and that of its key in PGSSLKEY",
                ));
            }
            (_, Some(certificate), None) => {
                let why = format!("{}: there is no key for this certificate", certificate.display());
                return Err(Unreachable::new(why, "name the file of its key in PGSSLKEY"));
            }
        };
        Ok(Some((certificates(certificate)?, private_key(key)?)))
    }
}

/// Reads the certificates of a file.
///
/// # Errors
/// It cannot be read, or has none.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unreachable> {
    let bytes = regular_file::read(path, LIMIT).map_err(|error| unreadable(path, &reason(&error)))?.0;
    let read = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let found = read.map_err(|error| unreadable(path, &error.to_string()))?;
    if found.is_empty() {
        let why = format!("{} holds no certificate", path.display());
        return Err(Unreachable::new(why, "name a file with certificates in PEM form"));
    }
    Ok(found)
}

/// Reads a key that nobody else can read, by libpq's rule: the group may if the file is root's.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Unreachable> {
    let (bytes, metadata) =
        regular_file::read(path, LIMIT).map_err(|error| unreadable(path, &reason(&error)))?;
    let mode = metadata.permissions().mode() & 0o777;
    let (most, name) = if metadata.uid() == 0 { (0o740, "0640") } else { (0o700, "0600") };
    if mode & !most != 0 {
        let why = format!("{}: others can use this key: its mode is {mode:04o}", path.display());
        return Err(Unreachable::new(why, format!("remove the permissions of others: run `chmod {name}`")));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            unreadable(path, "it holds no key that can be used; a key with a passphrase cannot")
        }
        error => unreadable(path, &error.to_string()),
    })
}

fn unreadable(path: &Path, why: &str) -> Unreachable {
    Unreachable::new(format!("{}: {why}", path.display()), "check that the file is there and in PEM form")
}

fn invalid(name: &str, value: &str, names: &str) -> Unreachable {
    Unreachable::new(format!("{name} is `{value}`"), format!("use one of {names}"))
}

/// Returns the versions of TLS that may be spoken. There is nothing before 1.2, which is libpq's minimum, too.
fn versions(environment: &Environment) -> Result<Vec<&'static SupportedProtocolVersion>, Unreachable> {
    const NAMES: [&str; 4] = ["tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"];
    let of = |name: &str, default: usize| match environment.text(name) {
        None => Ok(default),
        Some(text) => NAMES
            .iter()
            .position(|known| text.eq_ignore_ascii_case(known))
            .ok_or_else(|| invalid(name, text, "TLSv1.2, TLSv1.3")),
    };
    let (least, most) = (of("PGSSLMINPROTOCOLVERSION", 2)?, of("PGSSLMAXPROTOCOLVERSION", 3)?);
    match (least.max(2), most) {
        (2, 3) => Ok(vec![&TLS13, &TLS12]),
        (3, 3) => Ok(vec![&TLS13]),
        (2, 2) => Ok(vec![&TLS12]),
        _ => Err(Unreachable::new(
            "PGSSLMINPROTOCOLVERSION and PGSSLMAXPROTOCOLVERSION leave no version of TLS: there are 1.2 and 1.3",
            "use TLSv1.2 or TLSv1.3 as PGSSLMAXPROTOCOLVERSION, not below the minimum",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> Result<TlsOptions, Unreachable> {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        TlsOptions::new(&Environment::of(variables))
    }

    #[test]
    fn versions_of_tls_are_those_that_are_there_between_both_ends() {
        let of = |least: &str, most: &str| {
            let variables = [("PGSSLMINPROTOCOLVERSION", least), ("PGSSLMAXPROTOCOLVERSION", most)];
            options(&variables)
                .map(|options| options.versions.iter().map(|one| one.version).collect::<Vec<_>>())
        };
        let (old, new) = (TLS12.version, TLS13.version);
        for least in ["", "TLSv1", "tlsv1.1", "TLSv1.2"] {
            assert_eq!(of(least, ""), Ok(vec![new, old]), "{least}");
            assert_eq!(of(least, "TLSv1.2"), Ok(vec![old]), "{least}");
        }
        assert_eq!(of("TLSv1.3", ""), Ok(vec![new]));
        for (least, most) in [("TLSv1.3", "TLSv1.2"), ("", "TLSv1.1"), ("SSLv3", ""), ("", "TLSv1.4")] {
            assert!(of(least, most).is_err(), "{least} {most}");
        }
    }

    #[test]
    fn a_key_that_others_can_use_is_refused_and_so_is_a_certificate_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
            .unwrap();
        let key = |mode| {
            std::fs::set_permissions(path("key"), PermissionsExt::from_mode(mode)).unwrap();
            private_key(Path::new(&path("key"))).map_err(|unreachable| unreachable.why)
        };
        assert!(key(0o600).is_ok());
        // Whoever runs this owns it.
        let is_root = std::fs::metadata(path("key")).unwrap().uid() == 0;
        assert_eq!(key(0o640).is_ok(), is_root);
        for open in [0o604, 0o644, 0o660, 0o666] {
            assert!(key(open).unwrap_err().contains("others can use this key"));
        }
        let own = |variables: &[(&str, &str)]| {
            options(variables).unwrap().own_certificate().map(|own| own.is_some())
        };
        assert_eq!(own(&[]), Ok(false));
        assert!(own(&[("PGSSLCERT", "/nowhere")]).unwrap_err().why.contains("no key"));
        assert!(own(&[("PGSSLCERTMODE", "require")]).unwrap_err().why.contains("no certificate to send"));
        assert_eq!(own(&[("PGSSLCERT", "/nowhere"), ("PGSSLCERTMODE", "disable")]), Ok(false));
    }
}
