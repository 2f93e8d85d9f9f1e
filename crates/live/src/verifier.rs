//! Whether a server's certificate is one to trust, by the rules of libpq's `sslmode`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ServerCertVerifierBuilder, VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertRevocationListError, CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::session::Unreachable;
use crate::sslmode::SslMode;
use crate::tls_options::{TlsOptions, certificates};

/// Where Debian, and what comes from it, has the system's certificates.
const SYSTEM_FILES: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Checks the server's certificate as the mode says.
#[derive(Debug)]
pub(crate) struct Verifier {
    mode: SslMode,
    /// Certificates that are trusted although no authority signed them.
    roots: Vec<CertificateDer<'static>>,
    /// The authorities with all revocation lists, and with each list alone if there are several; empty where no
    /// certificate is checked.
    chains: Vec<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// Reads the authorities and the revocation lists.
    ///
    /// # Errors
    /// A file is missing or cannot be read.
    pub(crate) fn new(
        mode: SslMode,
        options: &TlsOptions,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Unreachable> {
        let algorithms = provider.signature_verification_algorithms;
        if matches!(mode, SslMode::Disable | SslMode::Require) {
            return Ok(Self { mode, roots: Vec::new(), chains: Vec::new(), algorithms });
        }
        let path = if options.is_system() {
            SYSTEM_FILES.iter().map(PathBuf::from).find(|path| path.exists())
        } else {
            options.roots.clone()
        };
        let path = path.filter(|path| path.exists()).ok_or_else(|| {
            let missing = options.roots.as_deref().unwrap_or(Path::new("~/.postgresql/root.crt"));
            Unreachable::new(
                format!("no certificates to check the server with: {} is not there", missing.display()),
                "name the file of the server's authority in PGSSLROOTCERT, or `system` for the system's",
            )
        })?;
        let roots = certificates(&path)?;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let store = Arc::new(store);
        let builder =
            || WebPkiServerVerifier::builder_with_provider(Arc::clone(&store), Arc::clone(provider));
        let built = |builder: ServerCertVerifierBuilder| {
            builder.build().map_err(|error| match error {
                VerifierBuilderError::InvalidCrl(error) => Unreachable::new(
                    format!("a revocation list cannot be used: {}", crl_error(&error)),
                    "write the list as X.509 version 2, complete and signed by its authority",
                ),
                error => {
                    let why = format!("{}: {error}", path.display());
                    Unreachable::new(why, "check the file of PGSSLROOTCERT")
                }
            })
        };
        let lists = options.crls.read()?;
        // As libpq, the whole chain has to be in lists that have not expired.
        let mut chains =
            vec![built(builder().with_crls(lists.iter().cloned()).enforce_revocation_expiration())?];
        // Of several lists of one authority the first one wins there; here each of them does.
        for list in lists.iter().filter(|_| lists.len() > 1) {
            chains.push(built(builder().with_crls([list.clone()]).allow_unknown_revocation_status())?);
        }
        // A certificate that nobody signed is in nobody's list.
        let roots = if lists.is_empty() { roots } else { Vec::new() };
        Ok(Self { mode, roots, chains, algorithms })
    }

    fn name_counts(&self) -> bool {
        self.mode == SslMode::VerifyFull
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        for verifier in &self.chains {
            match verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
                // The name is looked at last, so that all else is in order.
                Err(rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )) if !self.name_counts() => {}
                // A self-signed certificate, as Kasm makes it, comes from no authority. It is trusted where the file
                // of authorities holds this very one.
                Err(rustls::Error::InvalidCertificate(CertificateError::Other(other)))
                    if other.to_string().contains("CaUsedAsEndEntity")
                        && self.roots.iter().any(|root| root == end_entity) =>
                {
                    if self.name_counts() {
                        rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                    }
                }
                other => {
                    other?;
                }
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Returns what is wrong with a revocation list.
fn crl_error(error: &CertRevocationListError) -> &'static str {
    match error {
        CertRevocationListError::UnsupportedCrlVersion => "its version is 1",
        CertRevocationListError::UnsupportedDeltaCrl => "it only lists changes to another one",
        CertRevocationListError::UnsupportedIndirectCrl => "it lists certificates of other authorities",
        CertRevocationListError::UnsupportedCriticalExtension => {
            "it has a critical extension that is not known"
        }
        _ => "it cannot be understood, and may be of version 1",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::crypto::ring;

    use super::*;
    use crate::environment::Environment;

    /// A certificate that was once accepted although its authority had revoked it. `KASM_DB_FOUND` names the folder.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test is told where its files are")]
    fn a_certificate_that_was_revoked_in_the_field_is_refused() {
        let Some(found) = std::env::var_os("KASM_DB_FOUND") else { return };
        let folder = PathBuf::from(found).join("security-crl");
        let path = |name: &str| folder.join(name).into_os_string();
        let leaf = certificates(&folder.join("leaf.crt")).unwrap().remove(0);
        let name = ServerName::try_from("localhost").unwrap();
        // 2026-11-29, when all of it was valid.
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_953_600));
        let verified = |variables: Vec<(&str, std::ffi::OsString)>| {
            let variables = variables.into_iter().map(|(name, value)| (name.into(), value));
            let options = TlsOptions::new(&Environment::of(variables)).unwrap();
            let provider = Arc::new(ring::default_provider());
            let verifier = Verifier::new(SslMode::VerifyFull, &options, &provider).unwrap();
            verifier.verify_server_cert(&leaf, &[], &name, &[], now).map(|_| ())
        };
        let roots = ("PGSSLROOTCERT", path("ca.crt"));
        assert_eq!(verified(vec![roots.clone()]), Ok(()));
        assert_eq!(
            verified(vec![roots, ("PGSSLCRL", path("crl.pem"))]),
            Err(rustls::Error::InvalidCertificate(CertificateError::Revoked))
        );
    }
}
