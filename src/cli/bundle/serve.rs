//! `pinnace bundle serve`.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use pinnace_registry::Secret;
use pinnace_registry::bundle::{self, Access};
use tokio::signal::unix::{SignalKind, signal};

use super::opened::BundleArgs;
use crate::console::serve::tls;

/// Is a read-only OCI registry of what a bundle holds, for container runtimes, helm and the agent.
///
/// Nothing is unpacked: blobs are read from the bundle's file and checked while they are sent. A
/// repository is found under its own path and under host/path of where it came from. Ends on
/// SIGINT or SIGTERM, after the transfers that are under way, within 30 s.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    bundle: BundleArgs,
    /// Address and port
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:5000")]
    listen: SocketAddr,
    /// Certificate chain in PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        required_unless_present = "without_tls"
    )]
    tls_cert: Option<PathBuf>,
    /// Private key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Speak HTTP without TLS
    #[arg(long, conflicts_with = "tls_cert")]
    without_tls: bool,
    /// User name that is asked for; anyone may read without it
    #[arg(long, value_name = "NAME", requires = "password_file")]
    username: Option<String>,
    /// File with that user's password
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  pinnace bundle serve release.bundle --key bundle.key.pub --tls-cert tls.crt --tls-key tls.key
  pinnace bundle serve update.bundle --base release.bundle --key bundle.key.pub \\
      --tls-cert tls.crt --tls-key tls.key --username site --password-file password
  pinnace bundle serve release.bundle --key bundle.key.pub --without-tls --listen 127.0.0.1:5000";

/// Transfers under way at the end may take this long.
const GRACE: Duration = Duration::from_secs(30);

pub async fn run(args: Args) -> anyhow::Result<()> {
    let routes = bundle::serve(Arc::new(args.bundle.open()?), args.access()?)?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => {
            Some(RustlsConfig::from_config(Arc::new(tls(certificate, key)?)))
        }
        _ => None,
    };
    let listener = std::net::TcpListener::bind(args.listen)
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    listener.set_nonblocking(true)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    println!("serving {} on {scheme}://{}", args.bundle.file.display(), listener.local_addr()?);
    let handle = Handle::new();
    tokio::spawn(end(handle.clone()));
    let service = routes.into_make_service();
    match tls {
        Some(tls) => {
            axum_server::from_tcp_rustls(listener, tls)?.handle(handle).serve(service).await
        }
        None => axum_server::from_tcp(listener)?.handle(handle).serve(service).await,
    }
    .context("serving ended")
}

async fn end(handle: Handle<SocketAddr>) {
    if let Ok(mut terminate) = signal(SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        handle.graceful_shutdown(Some(GRACE));
    }
}

impl Args {
    fn access(&self) -> anyhow::Result<Access> {
        let (Some(username), Some(file)) = (&self.username, &self.password_file) else {
            return Ok(Access::Anyone);
        };
        let password = fs::read_to_string(file)
            .with_context(|| format!("cannot read the password in {}", file.display()))?;
        let password = password.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            bail!("the password in {} is empty", file.display());
        }
        Ok(Access::Basic { username: username.clone(), password: Secret::new(password) })
    }
}
