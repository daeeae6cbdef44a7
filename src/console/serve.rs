//! One TLS port for everything: gRPC, REST and the pages.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request, response::IntoResponse};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use hyper_util::rt::TokioTimer;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio_util::sync::CancellationToken;
use tonic::{Status, service::Routes};

use super::{
    auth::AdminKey,
    clusters::Clusters,
    desk::Shared,
    hybrid::Hybrid,
    link::{self, Link},
    pages,
    rest::{self, Services},
    versions::Versions,
};
use crate::proto::{
    DESCRIPTORS,
    pinnace::{
        agent::v1::agent_link_service_server::AgentLinkServiceServer,
        console::v1::console_service_server::ConsoleServiceServer,
    },
    qdrant::cloud::{
        cluster::v1::cluster_service_server::ClusterServiceServer,
        hybrid::v1::hybrid_cloud_service_server::HybridCloudServiceServer,
    },
};

/// Pings find out within this time that an agent's host is gone.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Open calls are given this long when the process stops.
const GRACE: Duration = Duration::from_secs(8);

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot read the TLS {what} {path}")]
    Pem {
        what: &'static str,
        path: String,
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    #[error("the TLS certificate and key do not fit together")]
    Tls(#[source] rustls::Error),
    #[error("cannot listen on {address}: is another process using the port, or may this one not?")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("gRPC reflection cannot be served")]
    Reflection(#[source] tonic_reflection::server::Error),
    #[error("the port stopped")]
    Serve(#[source] io::Error),
}

/// Reads a certificate chain and its key, both PEM. HTTP/2 and HTTP/1.1 are offered.
pub fn tls(certificate: &Path, key: &Path) -> Result<rustls::ServerConfig, ServeError> {
    let failed = |what, path: &Path| {
        let path = path.display().to_string();
        move |source| ServeError::Pem { what, path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed("certificate", certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(failed("key", key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ServeError::Tls)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(ServeError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// A port that is bound and not yet served.
pub struct Port {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Takes the port; port 0 takes a free one.
    pub fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        let bound = std::net::TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(Self { address: listener.local_addr()?, listener })
        });
        bound.map_err(|source| ServeError::Listen { address, source })
    }

    /// The address that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is cancelled; open agent streams are then told when to come back.
    pub async fn serve(
        self,
        tls: rustls::ServerConfig,
        desk: Shared,
        admin: AdminKey,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let routes = routes(desk, admin, shutdown.clone())?;
        let handle = Handle::new();
        let tls = RustlsConfig::from_config(Arc::new(tls));
        let acceptor =
            axum_server::tls_rustls::RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE_WITHIN);
        let mut server = axum_server::from_tcp(self.listener)
            .map_err(ServeError::Serve)?
            .acceptor(acceptor)
            .handle(handle.clone());
        let http = server.http_builder();
        http.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        let serving = server.serve(routes.into_make_service());
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map_err(ServeError::Serve),
            () = shutdown.cancelled() => handle.graceful_shutdown(Some(GRACE)),
        }
        serving.await.map_err(ServeError::Serve)
    }
}

fn routes(
    desk: Shared,
    admin: AdminKey,
    shutdown: CancellationToken,
) -> Result<Router, ServeError> {
    let services = Services {
        hybrid: Hybrid::new(desk.clone()),
        versions: Versions::new(desk.clone()),
        clusters: Clusters::new(desk.clone()),
    };
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .build_v1()
        .map_err(ServeError::Reflection)?;
    let link = AgentLinkServiceServer::new(Link::new(desk.clone(), shutdown))
        .max_decoding_message_size(link::MAX_MESSAGE);
    let mut grpc = Routes::builder();
    grpc.add_service(link)
        .add_service(HybridCloudServiceServer::with_interceptor(
            services.hybrid.clone(),
            admin.clone(),
        ))
        .add_service(ConsoleServiceServer::with_interceptor(
            services.versions.clone(),
            admin.clone(),
        ))
        .add_service(ClusterServiceServer::with_interceptor(
            services.clusters.clone(),
            admin.clone(),
        ))
        .add_service(reflection);
    let grpc = grpc.routes().into_axum_router().reset_fallback();
    Ok(grpc
        .merge(rest::routes(services.clone(), admin.clone()))
        .merge(pages::routes(desk, admin, &services))
        .fallback(nothing))
}

/// A path that is nowhere, in the words of whoever asks.
async fn nothing(request: Request<Body>) -> axum::response::Response {
    let kind = request.headers().get(http::header::CONTENT_TYPE);
    let grpc = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if grpc {
        return Status::unimplemented("this Console has no such method").into_http();
    }
    rest::Failure::from(Status::not_found("there is nothing at this path")).into_response()
}
