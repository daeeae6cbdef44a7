//! Servers that ask who the client is, and hang up on those whom they do not know.

use pinnace_registry::{Client, Options};
use tokio::net::TcpListener;

use crate::support::{limits, reference, refused, tls::acceptor};

/// A server of the given sort. It hangs up once a request is there, which it does not read: so the client is told by a
/// reset, and no alert arrives.
async fn hanging_up(asks: bool) -> (String, String) {
    let (acceptor, ca) = acceptor(asks);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let stream = acceptor.accept(stream).await.unwrap();
            let (tcp, _) = stream.get_ref();
            tcp.readable().await.unwrap();
            tcp.set_zero_linger().unwrap();
        }
    });
    (host, ca)
}

#[tokio::test]
async fn who_hangs_up_after_asking_wants_a_certificate() {
    for (asks, reason) in [(true, "ClientCertificate"), (false, "Unreachable")] {
        let (host, ca) = hanging_up(asks).await;
        let options = Options { ca_certificates: vec![ca], limits: limits(), ..Options::default() };
        let app = reference(format!("oci://{host}/app:1.0.0"));
        refused(Client::new(options).unwrap().pull_chart(&app, None).await, reason, &host);
    }
}
