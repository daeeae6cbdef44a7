use std::sync::{Arc, Mutex};

use pinnace_registry::{Client, Credentials, Options};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    fake::{Fake, Parts},
    genuine::{PASSWORD, Registry, USER},
    limits, reference, refused,
};

/// A CONNECT proxy that takes every name to this machine, and remembers the names.
pub async fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let names = seen.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(tunnel(client, names.clone()));
        }
    });
    (address, seen)
}

async fn tunnel(client: TcpStream, names: Arc<Mutex<Vec<String>>>) {
    let mut client = BufReader::new(client);
    let (mut request, mut line) = (String::new(), String::new());
    client.read_line(&mut request).await.unwrap();
    while client.read_line(&mut line).await.unwrap() > 2 {
        line.clear();
    }
    let target = request.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
    let port = target.rsplit_once(':').unwrap().1.to_owned();
    names.lock().unwrap().push(target);
    let mut server = TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

#[tokio::test]
async fn through_a_proxy_and_around_it() {
    let registry = Registry::start();
    registry.push_chart("app", "1.0.0", "");
    let (address, seen) = proxy().await;
    let app = reference(format!("oci://{}/charts/app:1.0.0", registry.host));
    let with = |no_proxy: Option<&str>| {
        let options = Options {
            https_proxy: Some(address.as_str().into()),
            no_proxy: no_proxy.map(str::to_owned),
            ..registry.options(Credentials::basic(USER, PASSWORD))
        };
        Client::new(options).unwrap()
    };
    with(None).pull_chart(&app, None).await.unwrap();
    let names = std::mem::take(&mut *seen.lock().unwrap());
    assert!(!names.is_empty() && names.iter().all(|name| *name == registry.host), "{names:?}");

    with(Some("elsewhere.test,localhost")).pull_chart(&app, None).await.unwrap();
    assert!(seen.lock().unwrap().is_empty());
}

/// Without TLS the proxy is asked for the whole URL, and nobody looks the registry's name up here.
#[tokio::test]
async fn in_the_clear_through_a_proxy_of_its_own() {
    let proxy = Fake::start(Parts::new("archive"), |_| None).await;
    let app = reference("oci://vendor.invalid/app:1.0.0");
    let with = |https: bool| {
        let address = Some(format!("http://{}", proxy.host).as_str().into());
        let none = Options { plain_http: true, limits: limits(), ..Options::default() };
        Client::new(match https {
            true => Options { https_proxy: address, ..none },
            false => Options { http_proxy: address, ..none },
        })
    };
    let pulled = with(false).unwrap().pull_chart(&app, None).await.unwrap();
    assert_eq!(pulled.archive, "archive");
    let asked = proxy.count("");
    refused(with(true).unwrap().resolve(&app).await, "Unreachable", "vendor.invalid");
    assert_eq!(proxy.count(""), asked, "the proxy for TLS is not for this");
}

#[tokio::test]
async fn bad_proxies() {
    let registry = Registry::start();
    let app = reference(format!("oci://{}/charts/app:1.0.0", registry.host));
    let with = |proxy: &str| {
        let https_proxy = Some(proxy.into());
        Client::new(Options { https_proxy, ..registry.options(Credentials::Anonymous) })
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://user:hunter2@{}", listener.local_addr().unwrap());
    drop(listener);
    let error = refused(with(&closed).unwrap().resolve(&app).await, "Unreachable", "proxy");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    let error = with("http://user:hunter2@:x").unwrap_err();
    assert_eq!(error.reason(), "InvalidProxy");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}
