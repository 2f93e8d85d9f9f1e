//! TLS for the connection of our own, by the rules of libpq's `sslmode`.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use clap::ValueEnum as _;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::args::SslMode;
use crate::live::session::Unreachable;

/// Where Debian, and what comes from it, has the system's certificates.
const SYSTEM: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Reads the value of `PGSSLMODE`.
pub(crate) fn mode(text: &str) -> Result<SslMode, Unreachable> {
    SslMode::from_str(text, false).map_err(|_| {
        Unreachable::new(
            format!("PGSSLMODE is `{text}`, which lets whoever is in between choose"),
            "use one of disable, require, verify-ca, verify-full",
        )
    })
}

/// The files that TLS needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// The authorities: a file, or `system`.
    pub(crate) roots: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// Makes what connects with TLS.
///
/// # Errors
/// A file is missing or can not be read.
pub(crate) fn connector(mode: SslMode, files: &Files, host: &str) -> Result<Connector, Unreachable> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(mode, files, &provider)?;
    let fault = |error: rustls::Error| Unreachable::new(format!("TLS: {error}"), "check the TLS files");
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(fault)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
            builder.with_client_auth_cert(chain, key).map_err(fault)?
        }
        _ => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from(host.to_string()).map_err(|_| {
        Unreachable::new(format!("`{host}` is no host name"), "name the server's host in PGHOST")
    })?;
    Ok(Connector { config: Arc::new(config), name })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unreachable> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| unreadable(path, &error))?;
    if found.is_empty() {
        let why = format!("{} holds no certificate", path.display());
        return Err(Unreachable::new(why, "name a file with certificates in PEM form in PGSSLROOTCERT"));
    }
    Ok(found)
}

fn unreadable(path: &Path, error: &rustls::pki_types::pem::Error) -> Unreachable {
    Unreachable::new(format!("{}: {error}", path.display()), "check that the file is there and in PEM form")
}

/// Checks the server's certificate as the mode says.
#[derive(Debug)]
struct Verifier {
    mode: SslMode,
    roots: Vec<CertificateDer<'static>>,
    /// None where no certificate is checked.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(mode: SslMode, files: &Files, provider: &Arc<CryptoProvider>) -> Result<Self, Unreachable> {
        let provider = Arc::clone(provider);
        if matches!(mode, SslMode::Disable | SslMode::Require) {
            return Ok(Self { mode, roots: Vec::new(), chain: None, provider });
        }
        let path = match &files.roots {
            Some(path) if path == Path::new("system") => {
                SYSTEM.iter().map(PathBuf::from).find(|path| path.exists())
            }
            other => other.clone(),
        };
        let path = path.filter(|path| path.exists()).ok_or_else(|| {
            let missing = files.roots.as_deref().unwrap_or(Path::new("~/.postgresql/root.crt"));
            Unreachable::new(
                format!("no certificates to check the server with: {} is not there", missing.display()),
                "name the file of the server's authority in PGSSLROOTCERT, or `system` for the system's",
            )
        })?;
        let roots = certificates(&path)?;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider))
            .build()
            .map_err(|error| {
                Unreachable::new(format!("{}: {error}", path.display()), "check the file of PGSSLROOTCERT")
            })?;
        Ok(Self { mode, roots, chain: Some(chain), provider })
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
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            // The name is looked at last, so that all else is in order.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name_counts() => Ok(ServerCertVerified::assertion()),
            // A self-signed certificate, as Kasm makes it, is no authority's. It is trusted where the file
            // of authorities holds this very one.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(other)))
                if other.to_string().contains("CaUsedAsEndEntity")
                    && self.roots.iter().any(|root| root == end_entity) =>
            {
                if self.name_counts() {
                    rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Connects with TLS, for tokio-postgres.
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl<S> TlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let connector = tokio_rustls::TlsConnector::from(self.config);
        Box::pin(async move { Ok(Stream(connector.connect(self.name, stream).await?)) })
    }
}

/// An encrypted stream.
pub(crate) struct Stream<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
