//! Whom we trust: the system's roots and the given CA certificates, by rustls with ring; and who
//! we say we are, where a registry wants a client certificate.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    client::{
        ResolvesClientCert, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{self, CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    sign::CertifiedKey,
};

use super::{ClientCertificate, Options};
use crate::error::Error;

/// Given its own provider, so that it works whatever the process has installed as its default,
/// and its own roots, so that an image without system certificates can use a private CA.
///
/// `asked` becomes true once a server has asked who we are.
pub(super) fn config(options: &Options, asked: Arc<AtomicBool>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let given = given(&options.ca_certificates)?;
    let trust = if options.accept_any_certificate {
        Trust::Anyone
    } else {
        Trust::Roots { given, verifier: OnceLock::new() }
    };
    let own = options.client_certificate.as_ref();
    let own = own.map(|own| certified(own, &provider)).transpose()?.map(Arc::new);
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring supports the default TLS versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { provider, trust }))
        .with_client_cert_resolver(Arc::new(Own { own, asked }));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn given(ca_certificates: &[String]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
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
    Ok(roots)
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

fn certified(own: &ClientCertificate, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
    let invalid = |why: String| Error::InvalidClientCertificate { why };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(own.certificate.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| invalid(error.to_string()))?;
    if chain.is_empty() {
        return Err(invalid("no certificate was found in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(own.key.expose().as_bytes())
        .map_err(|_| invalid("the key cannot be read".to_owned()))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| invalid(error.to_string()))
}

/// Who we say we are, to whoever asks.
#[derive(Debug)]
struct Own {
    own: Option<Arc<CertifiedKey>>,
    asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Relaxed);
        self.own.clone()
    }

    fn has_certs(&self) -> bool {
        self.own.is_some()
    }
}

/// Whose certificates are taken. Either way the other side must prove that it has the key.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    trust: Trust,
}

#[derive(Debug)]
enum Trust {
    Anyone,
    /// The system's roots as well. They are read when a server first shows a certificate: without TLS
    /// that would be most of the time that an unchanged mirror takes.
    Roots {
        given: RootCertStore,
        verifier: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
    },
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Trust::Roots { given, verifier } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let verifier = verifier.get_or_init(|| {
            let mut roots = system_roots().clone();
            roots.extend(given.roots.iter().cloned());
            let provider = self.provider.clone();
            // It fails without any root: then nobody is known.
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()
        });
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        verifier.as_ref().ok_or(unknown)?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
