//! A real registry that takes signed tokens alone, and a small service that gives them.

use std::{
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{Router, extract::Request, http::HeaderMap, response::IntoResponse as _};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use pinnace_registry::{Client, Credentials, Options, Uploaded};
use rcgen::{CertificateParams, KeyPair};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{
    genuine::{Kind, Registry},
    image::Image,
    limits, refused,
};

/// Signs tokens as the registry wants them.
struct Signer {
    certificate: rcgen::Certificate,
    key: EcdsaKeyPair,
}

impl Signer {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, &key.serialize_der(), &random).unwrap();
        Self { certificate, key }
    }

    fn token(&self, access: &serde_json::Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = json!({
            "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(self.certificate.der())],
        });
        let claims = json!({
            "iss": "test", "sub": "u", "aud": "test", "jti": "1",
            "iat": now - 5, "nbf": now - 5, "exp": now + 300, "access": access,
        });
        let text = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", text(&header), text(&claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What a service was asked for: `METHOD scopes`.
type Asked = Arc<Mutex<Vec<String>>>;

/// A registry and its service. Nobody may push but `u`, with its password or its identity token.
async fn start() -> (Registry, Asked) {
    let signer = Arc::new(Signer::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let realm = format!("http://{}/token", listener.local_addr().unwrap());
    let asked = Asked::default();
    let (log, pem) = (asked.clone(), signer.certificate.pem());
    let app = Router::new().fallback(move |headers: HeaderMap, request: Request| {
        let (log, signer) = (log.clone(), signer.clone());
        async move {
            let method = request.method().to_string();
            let query = request.uri().query().unwrap_or_default().to_owned();
            let body = axum::body::to_bytes(request.into_body(), 10_000).await.unwrap();
            let form = String::from_utf8(body.to_vec()).unwrap();
            let parameters = if method == "POST" { form } else { query };
            let url = reqwest::Url::parse(&format!("x:?{parameters}")).unwrap();
            let all = |name: &str| -> Vec<String> {
                let pairs = url.query_pairs().filter(|(key, _)| key == name);
                pairs
                    .flat_map(|(_, value)| value.split(' ').map(str::to_owned).collect::<Vec<_>>())
                    .collect()
            };
            let scopes = all("scope");
            log.lock().unwrap().push(format!("{method} {}", scopes.join(" ")));
            let basic = format!("Basic {}", STANDARD.encode("u:p"));
            let known = headers.get("authorization").is_some_and(|value| *value == *basic)
                || all("refresh_token") == ["identity"];
            if !known && headers.contains_key("authorization") {
                return axum::http::StatusCode::UNAUTHORIZED.into_response();
            }
            let access = scopes.iter().filter_map(|scope| {
                let mut parts = scope.split(':');
                let (kind, name, actions) = (parts.next()?, parts.next()?, parts.next()?);
                let actions: Vec<&str> =
                    actions.split(',').filter(|action| known || *action == "pull").collect();
                Some(json!({ "type": kind, "name": name, "actions": actions }))
            });
            let token = signer.token(&access.collect());
            axum::Json(json!({ "access_token": token, "expires_in": 300 })).into_response()
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (Registry::of_kind(&Kind::Tokens { realm, certificate: pem }), asked)
}

fn client(credentials: Credentials) -> Client {
    let options = Options { credentials, plain_http: true, limits: limits(), ..Options::default() };
    Client::new(options).unwrap()
}

#[tokio::test]
async fn pushed_mounted_and_pulled_with_one_token_for_each_purpose() {
    for credentials in [Credentials::basic("u", "p"), Credentials::IdentityToken("identity".into())]
    {
        let (registry, asked) = start().await;
        let pusher = client(credentials);
        let image = Image::of_two_platforms(1).push(&pusher, &registry.at("a/app:1.0")).await;
        let (blob, bytes) = image.shared();
        let mounted = pusher.push_blob(&registry.at("b"), blob, Some("a/app"), bytes).await;
        assert_eq!(mounted.unwrap(), Uploaded::Mounted);
        let asked = std::mem::take(&mut *asked.lock().unwrap());
        // The registry names the actions of the first scope in another order each time.
        let scope = |line: &String| {
            line.split_once(' ').unwrap().1.replace("a/app:push,pull", "a/app:pull,push")
        };
        let scopes: Vec<String> = asked.iter().map(scope).collect();
        // To look for the index of what is attached, it reads as well.
        let wanted = [
            "repository:a/app:pull,push",
            "repository:a/app:pull",
            "repository:b:pull,push repository:a/app:pull",
        ];
        assert_eq!(scopes, wanted);

        let anonymous = client(Credentials::Anonymous);
        let pulled = anonymous.manifest(&registry.at("a/app:1.0")).await.unwrap();
        assert_eq!(pulled.digest, image.index.digest);
        let refused_push = anonymous.push_blob(&registry.at("b"), blob, None, bytes).await;
        refused(refused_push, "Unauthorized", "no credentials were given");
    }
}

#[tokio::test]
async fn side_by_side_requests_share_a_token() {
    let (registry, asked) = start().await;
    let pusher = client(Credentials::basic("u", "p"));
    let image = Image::of_two_platforms(1).push(&pusher, &registry.at("app:1.0")).await;
    asked.lock().unwrap().clear();
    let puller = client(Credentials::basic("u", "p"));
    let at = registry.at("app:1.0");
    let reads = (0..8).map(|_| puller.manifest(&at));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.unwrap().digest, image.index.digest);
    }
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_said_once_and_not_shown() {
    let (registry, asked) = start().await;
    let wrong = client(Credentials::basic("u", "hunter2"));
    let error = refused(wrong.resolve(&registry.at("app:1.0")).await, "Unauthorized", "refused");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    assert_eq!(asked.lock().unwrap().len(), 1);
}
