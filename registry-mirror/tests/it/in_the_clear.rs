use pinnace_registry::{Client, Credentials, Options};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

use crate::support::{
    fake::{Fake, Parts},
    limits, reference, refused,
    tls::acceptor,
};

/// A TLS server that gives every request this status line and header; and its CA.
async fn answering(head: String) -> (String, String) {
    let (acceptor, ca) = acceptor(false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, head) = (acceptor.clone(), head.clone());
            tokio::spawn(async move {
                let mut stream = BufReader::new(acceptor.accept(stream).await.unwrap());
                let mut line = String::new();
                while stream.read_line(&mut line).await.unwrap() > 2 {
                    line.clear();
                }
                let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    (host, ca)
}

#[tokio::test]
async fn nothing_is_asked_without_tls() {
    let plain = Fake::start(Parts::new("x"), |_| None).await;
    let there = format!("http://{}/v2/app/manifests/1.0.0", plain.host);
    for (head, reason) in [
        (format!("307 Redirect\r\nlocation: {there}"), "Redirect"),
        (format!("401 No\r\nwww-authenticate: Bearer realm=\"{there}\""), "Malformed"),
    ] {
        let (host, ca) = answering(head).await;
        let options = Options {
            ca_certificates: vec![ca],
            credentials: Credentials::basic("u", "p"),
            limits: limits(),
            ..Options::default()
        };
        let app = reference(format!("oci://{host}/app:1.0.0"));
        refused(Client::new(options).unwrap().pull_chart(&app, None).await, reason, &host);
    }
    assert_eq!(plain.count(""), 0);
}
