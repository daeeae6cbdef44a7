//! Whom we trust: the system's roots and the given CA certificates, by rustls with ring.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::error::Error;

/// Given its own provider, so that it works whatever the process has installed as its default,
/// and its own roots, so that an image without system certificates can use a private CA.
pub(super) fn config(ca_certificates: &[String]) -> Result<ClientConfig, Error> {
    let mut roots = system_roots().clone();
    for pem in ca_certificates {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let added = certificate
                .map_err(|error| error.to_string())
                .and_then(|der| roots.add(der).map_err(|error| error.to_string()));
            added.map_err(|why| Error::InvalidCa { why })?;
        }
        if roots.len() == before {
            return Err(Error::InvalidCa { why: "no certificate was found in it".to_owned() });
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Read once: it takes milliseconds, and clients are made per registry.
fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}
