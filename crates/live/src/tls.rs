//! TLS for the connection of our own.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::frames::{Framed, Frames};
use crate::session::Unreachable;
use crate::sslmode::SslMode;
use crate::tls_options::{CertMode, TlsOptions};
use crate::verifier::Verifier;

/// Creates what connects with TLS, to a server that may send what `frames` lets through.
///
/// # Errors
/// A file is missing or cannot be read.
pub(crate) fn connector(
    mode: SslMode,
    options: &TlsOptions,
    host: &str,
    frames: Frames,
) -> Result<Connector, Unreachable> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(mode, options, &provider)?;
    let fault = |error: rustls::Error| Unreachable::new(format!("TLS: {error}"), "check the TLS files");
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&options.versions)
        .map_err(fault)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match options.own_certificate()? {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(fault)?,
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = options.has_sni;
    let own = Arc::new(OwnCertificate {
        inner: Arc::clone(&config.client_auth_cert_resolver),
        is_sent: AtomicBool::new(false),
    });
    config.client_auth_cert_resolver = Arc::clone(&own) as Arc<dyn ResolvesClientCert>;
    let must_be_sent = options.certificate_mode == CertMode::Require;
    let name = ServerName::try_from(host.to_string()).map_err(|_| {
        Unreachable::new(format!("`{host}` is not a valid host name"), "name the server's host in PGHOST")
    })?;
    let own = must_be_sent.then_some(own);
    Ok(Connector { config: Arc::new(config), name, own, frames })
}

/// Hands out our certificate, and remembers whether the server requested it.
#[derive(Debug)]
struct OwnCertificate {
    inner: Arc<dyn ResolvesClientCert>,
    is_sent: AtomicBool,
}

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let found = self.inner.resolve(hints, schemes);
        self.is_sent.fetch_or(found.is_some(), Ordering::Relaxed);
        found
    }

    fn has_certs(&self) -> bool {
        self.inner.has_certs()
    }
}

/// Connects with TLS, for tokio-postgres.
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// Our certificate, if the server must have requested it.
    own: Option<Arc<OwnCertificate>>,
    frames: Frames,
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
        Box::pin(async move {
            let stream = connector.connect(self.name, stream).await?;
            if self.own.is_some_and(|own| !own.is_sent.load(Ordering::Relaxed)) {
                return Err(io::Error::other(NOT_REQUESTED));
            }
            Ok(Stream(Framed::new(stream, self.frames)))
        })
    }
}

/// What is said of a server that does not want to see our certificate, if it must.
pub(crate) const NOT_REQUESTED: &str =
    "the server did not request a certificate, which PGSSLCERTMODE requires";

/// An encrypted stream.
pub(crate) struct Stream<S>(Framed<tokio_rustls::client::TlsStream<S>>);

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
