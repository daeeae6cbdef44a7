//! A proxy that understands CONNECT and nothing else.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

pub struct TestProxy {
    pub port: u16,
    tunnels: Arc<AtomicUsize>,
}

impl TestProxy {
    /// Refuses clients whose Proxy-Authorization is not `credentials`.
    pub async fn start(credentials: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let tunnels = Arc::new(AtomicUsize::new(0));
        let counter = tunnels.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, credentials, counter.clone()));
            }
        });
        Self { port, tunnels }
    }

    pub fn tunnels(&self) -> usize {
        self.tunnels.load(Ordering::SeqCst)
    }
}

async fn serve(client: TcpStream, credentials: Option<&str>, tunnels: Arc<AtomicUsize>) {
    let mut client = BufReader::new(client);
    let (mut target, mut shown) = (String::new(), None);
    loop {
        let mut line = String::new();
        client.read_line(&mut line).await.expect("a line");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("CONNECT ") {
            target = rest.split(' ').next().expect("a target").to_owned();
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("proxy-authorization")
        {
            shown = Some(value.to_owned());
        }
    }
    if shown.as_deref() != credentials {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        client.write_all(refusal).await.expect("write");
        return;
    }
    tunnels.fetch_add(1, Ordering::SeqCst);
    let mut server = TcpStream::connect(target).await.expect("connect");
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.expect("write");
    // Either side may end a tunnel without ceremony.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
