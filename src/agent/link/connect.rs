//! One connection to the Console: TCP or a proxy's tunnel, TLS in it, HTTP/2 in that.

use std::{io, sync::Arc, time::Duration};

use http::{Request, StatusCode, Uri, header};
use hyper_util::{
    client::proxy::matcher::{Intercept, Matcher},
    rt::TokioIo,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, InvalidDnsNameError, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::agent::config::{Config, Proxy};

/// The time for TCP, proxy, TLS and HTTP/2 together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// An HTTP/2 ping is sent this often, so that a dead path is noticed and a proxy sees traffic.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A connection whose ping is not answered within this time is dead.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("caCertificates in the agent's configuration is not a list of PEM certificates")]
    Certificates(#[source] rustls::pki_types::pem::Error),
    #[error("caCertificates in the agent's configuration holds a certificate that cannot be used")]
    Certificate(#[source] rustls::Error),
    #[error(
        "there is no certificate authority to trust: set caCertificates in the agent's configuration"
    )]
    NoRoots,
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    #[error(
        "cannot connect to {host}: check its name, the network and its port; outgoing connections to it must be allowed"
    )]
    Tcp {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("the proxy {proxy} refused a connection to {host}: {status}{}", advice(*status))]
    Proxy { proxy: String, host: String, status: StatusCode },
    #[error("the proxy {proxy} does not speak HTTP as a proxy does")]
    NotAProxy {
        proxy: String,
        #[source]
        source: hyper::Error,
    },
    #[error("{0:?} is not a host name")]
    Name(String, #[source] InvalidDnsNameError),
    #[error(
        "no secure connection to {host}: if its certificate is of a private authority, set caCertificates in the agent's configuration"
    )]
    Handshake {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("no connection to {host} within {} seconds", CONNECT_TIMEOUT.as_secs())]
    Timeout { host: String },
    #[error("cannot speak HTTP/2 with {host}")]
    Http {
        host: String,
        #[source]
        source: tonic::transport::Error,
    },
}

fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => "; set user and password in httpsProxy",
        StatusCode::FORBIDDEN => "; allow this host in the proxy's rules",
        _ => "",
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
type Transport = Box<dyn Stream>;

/// Opens connections to one Console.
#[derive(Clone, Debug)]
pub struct Connector {
    console: Uri,
    tls: Arc<ClientConfig>,
    proxy: Arc<Matcher>,
}

impl Connector {
    /// For the Console at `https://host:port`; trusts the system's authorities and those of `ca` (PEM).
    pub fn new(console: Uri, ca: Option<&str>, proxy: &Proxy) -> Result<Self, Error> {
        let text = |url: &Option<crate::model::redacted::Redacted<String>>| {
            url.as_ref().map(|url| url.expose().clone()).unwrap_or_default()
        };
        let matcher = Matcher::builder()
            .http(text(&proxy.http))
            .https(text(&proxy.https))
            .no(proxy.exceptions.clone())
            .build();
        Ok(Self { console, tls: Arc::new(tls(ca)?), proxy: Arc::new(matcher) })
    }

    /// By the configuration.
    pub fn of(config: &Config) -> Result<Self, Error> {
        Self::new(config.console.clone(), config.ca_certificates.as_deref(), &config.proxy)
    }

    /// Whether this is a clone of the other.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tls, &other.tls)
    }

    /// The Console's `host:port`.
    pub fn host(&self) -> String {
        self.console.authority().map(ToString::to_string).unwrap_or_default()
    }

    /// A live HTTP/2 connection.
    pub async fn connect(&self) -> Result<Channel, Error> {
        let host = self.host();
        match timeout(CONNECT_TIMEOUT, self.open(&host)).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout { host }),
        }
    }

    async fn open(&self, host: &str) -> Result<Channel, Error> {
        // TLS is made here, before tonic sees the connection: so the errors keep their types, and a
        // channel can never open a second connection on its own.
        let stream = self.secure(host).await?;
        let mut stream = Some(TokioIo::new(stream));
        let connector = service_fn(move |_: Uri| {
            let stream = stream.take().ok_or_else(|| io::Error::other("the connection has ended"));
            async move { stream }
        });
        let failed = |source| Error::Http { host: host.to_owned(), source };
        Endpoint::from_shared(format!("http://{host}"))
            .map_err(failed)?
            .origin(self.console.clone())
            .user_agent(concat!("pinnace-agent/", env!("CARGO_PKG_VERSION")))
            .map_err(failed)?
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            .connect_with_connector(connector)
            .await
            .map_err(failed)
    }

    async fn secure(&self, host: &str) -> Result<TlsStream<Transport>, Error> {
        let transport = match self.proxy.intercept(&self.console) {
            Some(proxy) => self.tunnel(&proxy, host).await?,
            None => Box::new(tcp(host).await?),
        };
        encrypt(self.tls.clone(), host, transport).await
    }

    async fn tunnel(&self, proxy: &Intercept, host: &str) -> Result<Transport, Error> {
        let secure = proxy.uri().scheme_str() == Some("https");
        let port = proxy.uri().port_u16().unwrap_or(if secure { 443 } else { 80 });
        let address = format!("{}:{port}", proxy.uri().host().unwrap_or_default());
        let transport: Transport = Box::new(tcp(&address).await?);
        let transport = if secure {
            let mut config = ClientConfig::clone(&self.tls);
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Box::new(encrypt(Arc::new(config), &address, transport).await?)
        } else {
            transport
        };
        let mut request = Request::connect(host).header(header::HOST, host);
        if let Some(credentials) = proxy.basic_auth() {
            request = request.header(header::PROXY_AUTHORIZATION, credentials);
        }
        let failed = |source| Error::NotAProxy { proxy: address.clone(), source };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(transport)).await.map_err(failed)?;
        tokio::spawn(connection.with_upgrades());
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new());
        let request = request.expect("a method, an authority and two headers make a request");
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        if !status.is_success() {
            return Err(Error::Proxy { proxy: address, host: host.to_owned(), status });
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(failed)?;
        Ok(Box::new(TokioIo::new(upgraded)))
    }
}

async fn tcp(host: &str) -> Result<TcpStream, Error> {
    let failed = |source| Error::Tcp { host: host.to_owned(), source };
    let stream = TcpStream::connect(host).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

async fn encrypt(
    config: Arc<ClientConfig>,
    host: &str,
    transport: Transport,
) -> Result<TlsStream<Transport>, Error> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
    let server = ServerName::try_from(name.clone()).map_err(|source| Error::Name(name, source))?;
    TlsConnector::from(config)
        .connect(server, transport)
        .await
        .map_err(|source| Error::Handshake { host: host.to_owned(), source })
}

fn tls(ca: Option<&str>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    // Some of the system's certificates may be broken or missing; what matters is what is left.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(ca.unwrap_or_default().as_bytes()) {
        let certificate = certificate.map_err(Error::Certificates)?;
        roots.add(certificate).map_err(Error::Certificate)?;
    }
    if roots.is_empty() {
        return Err(Error::NoRoots);
    }
    let mut config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
