//! How registries are asked: with the Secrets that a source names, and those that the mirror table names.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Client;
use kube::api::Api;
use pinnace_registry::{
    ClientCertificate, Credentials, Endpoint, Keychain, Limits, Options, Reference, Registries,
};
use serde_json::json;

use super::Error;
use super::origin::Access;
use crate::cluster::error::retried;
use crate::cluster::registry_table::Table;

/// The key of a Secret of type `kubernetes.io/dockerconfigjson`.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

pub type Data = HashMap<String, Vec<u8>>;

/// The Secrets of a namespace, read anew each time, so that a change of them needs no restart.
pub struct Secrets {
    api: Api<Secret>,
    accounts: Api<ServiceAccount>,
    namespace: String,
}

impl Secrets {
    pub fn new(client: Client, namespace: &str) -> Self {
        let accounts = Api::namespaced(client.clone(), namespace);
        Self { api: Api::namespaced(client, namespace), accounts, namespace: namespace.to_owned() }
    }

    pub async fn data(&self, name: &str) -> Result<Data, Error> {
        let what = || format!("Secret {}/{name}", self.namespace);
        let secret = retried(|| self.api.get(name))
            .await
            .map_err(|source| Error::Read { what: what(), source })?;
        Ok(secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect())
    }

    /// The Secrets by which the pods of the account pull images.
    async fn of_account(&self, access: &Access) -> Result<Vec<String>, Error> {
        let Some(name) = &access.account else { return Ok(Vec::new()) };
        let account = retried(|| self.accounts.get(name)).await.map_err(|source| Error::Read {
            what: format!("ServiceAccount {}/{name}", self.namespace),
            source,
        })?;
        let secrets = account.image_pull_secrets.unwrap_or_default();
        Ok(secrets.into_iter().map(|secret| secret.name).filter(|name| !name.is_empty()).collect())
    }

    /// All registries that may have what `reference` names.
    pub async fn registries(
        &self,
        access: &Access,
        table: &Table,
        reference: &Reference,
    ) -> Result<Registries, Error> {
        let mut base = options(access);
        let mut own = Endpoint { plain_http: access.insecure, ..Endpoint::at(reference.host()) };
        if let Some(name) = &access.certificates {
            let tls = Tls::read(name, &self.data(name).await?)?;
            base.ca_certificates.extend(tls.authority);
            own.client_certificate = tls.certificate;
        }
        if let Some(name) = &access.proxy {
            proxy(&mut base, name, &self.data(name).await?)?;
        }
        let places = table.rules.places(reference);
        let mut logins = Vec::new();
        for name in self.of_account(access).await?.iter().chain(&access.secret) {
            logins.push((name.clone(), login(name, &self.data(name).await?, reference.host())?));
        }
        let keychain = match (&access.account, &logins[..]) {
            (_, []) => Keychain::default(),
            (None, [(name, document)]) => {
                if places.iter().any(|place| !place.is_mirror && place.endpoint.is_none()) {
                    Credentials::from_docker_config(document.as_bytes(), reference.host())
                        .map_err(|source| Error::Credentials { name: name.clone(), source })?;
                }
                Keychain::document(format!("Secret {name}"), document.clone())
            }
            // An account's Secrets are for any registry that its pods use.
            (_, logins) => Keychain::document("several Secrets", merged(logins)?),
        };
        let mut documents = BTreeMap::new();
        for name in places.iter().filter_map(|place| place.endpoint?.secret.clone()) {
            let document = login(&name, &self.data(&name).await?, "")?;
            documents.insert(name, document.into());
        }
        let mut rules = table.rules.clone();
        for endpoint in rules.endpoints_mut() {
            let used = places.iter().filter_map(|place| place.endpoint);
            if used.into_iter().any(|used| used == endpoint)
                && let Some(name) = endpoint.certificate_secret.take()
            {
                Tls::read(&name, &self.data(&name).await?)?.give_to(endpoint);
            }
        }
        if rules.settings(reference).is_none() {
            rules.registries.push(own);
        }
        Ok(Registries::new(rules, keychain, base, documents))
    }
}

/// The accounts of several documents in one; of one registry, those of the last.
fn merged(logins: &[(String, String)]) -> Result<String, Error> {
    let mut auths = serde_json::Map::new();
    for (name, document) in logins {
        let unusable = |why: String| Error::SecretText {
            name: name.clone(),
            key: DOCKER_CONFIG.to_owned(),
            why,
        };
        // What the parser says may quote the text.
        let document: serde_json::Value = serde_json::from_str(document)
            .map_err(|_| unusable("is not a document of JSON".to_owned()))?;
        let entries = document["auths"].as_object().cloned();
        auths.extend(entries.ok_or_else(|| unusable("has no map \"auths\"".to_owned()))?);
    }
    Ok(json!({ "auths": auths }).to_string())
}

/// What all registries of a source share.
fn options(access: &Access) -> Options {
    let mut limits = Limits::default();
    if let Some(timeout) = &access.timeout {
        limits.request_timeout = timeout.get();
    }
    Options { limits, ..Options::default() }
}

/// The Secret as a dockerconfigjson document; a user name and a password are for `host` alone.
fn login(name: &str, data: &Data, host: &str) -> Result<String, Error> {
    if data.contains_key(DOCKER_CONFIG) {
        return text(name, data, DOCKER_CONFIG).map(Option::unwrap_or_default);
    }
    let (username, password) = (text(name, data, "username")?, text(name, data, "password")?);
    match (username, password) {
        (Some(username), Some(password)) if !host.is_empty() => {
            let entry = json!({"username": username.trim(), "password": password.trim()});
            Ok(json!({"auths": {host: entry}}).to_string())
        }
        _ => Err(Error::Secret {
            name: name.to_owned(),
            key: DOCKER_CONFIG,
            instead: "make it with kubectl create secret docker-registry",
        }),
    }
}

/// Whom to trust, and who we are.
struct Tls {
    authority: Option<String>,
    certificate: Option<ClientCertificate>,
}

impl Tls {
    fn read(name: &str, data: &Data) -> Result<Self, Error> {
        let missing = |key, instead| Error::Secret { name: name.to_owned(), key, instead };
        let authority = text(name, data, "ca.crt")?;
        let certificate = match (text(name, data, "tls.crt")?, text(name, data, "tls.key")?) {
            (Some(certificate), Some(key)) => {
                Some(ClientCertificate { certificate, key: key.into() })
            }
            (None, None) => None,
            (Some(_), None) => return Err(missing("tls.key", "add the key of tls.crt")),
            (None, Some(_)) => return Err(missing("tls.crt", "add the certificate of tls.key")),
        };
        if authority.is_none() && certificate.is_none() {
            let instead = "add the certificate of the registry's authority as PEM";
            return Err(missing("ca.crt", instead));
        }
        Ok(Self { authority, certificate })
    }

    /// Beside the authorities that an endpoint has already.
    fn give_to(self, endpoint: &mut Endpoint) {
        let authorities = [endpoint.ca_certificates.take(), self.authority];
        let authorities: Vec<String> = authorities.into_iter().flatten().collect();
        endpoint.ca_certificates = (!authorities.is_empty()).then(|| authorities.join("\n"));
        endpoint.client_certificate = self.certificate;
    }
}

/// `address`, `username` and `password` as in Flux's Secrets for proxies; `noProxy` is ours.
fn proxy(options: &mut Options, name: &str, data: &Data) -> Result<(), Error> {
    let Some(address) = text(name, data, "address")? else {
        let instead = "add the proxy's URL, such as http://proxy.example:3128";
        return Err(Error::Secret { name: name.to_owned(), key: "address", instead });
    };
    let unusable = || Error::SecretText {
        name: name.to_owned(),
        key: "address".to_owned(),
        why: "is not a URL such as http://proxy.example:3128".to_owned(),
    };
    let mut url = url::Url::parse(address.trim()).map_err(|_| unusable())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(unusable());
    }
    if let Some(username) = text(name, data, "username")? {
        url.set_username(username.trim()).map_err(|()| unusable())?;
    }
    if let Some(password) = text(name, data, "password")? {
        url.set_password(Some(password.trim())).map_err(|()| unusable())?;
    }
    let proxy = pinnace_registry::Secret::from(String::from(url));
    options.http_proxy = Some(proxy.clone());
    options.https_proxy = Some(proxy);
    options.no_proxy = text(name, data, "noProxy")?;
    Ok(())
}

/// The text under a key, if there is one.
pub fn text(name: &str, data: &Data, key: &str) -> Result<Option<String>, Error> {
    let Some(bytes) = data.get(key) else { return Ok(None) };
    let not_text = |_| Error::SecretText {
        name: name.to_owned(),
        key: key.to_owned(),
        why: "is not text".to_owned(),
    };
    String::from_utf8(bytes.clone()).map(Some).map_err(not_text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn data(entries: &[(&str, &str)]) -> Data {
        entries.iter().map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_repository_is_asked_with_its_credentials_and_within_its_time() {
        let timeout = serde_json::from_value(json!("7s")).ok();
        let access = Access { timeout, ..Access::default() };
        assert_eq!(options(&access).limits.request_timeout, Duration::from_secs(7));
        let plain = data(&[("username", "u\n"), ("password", "p")]);
        let document = login("s", &plain, "r").expect("valid");
        let found = Credentials::from_docker_config(document.as_bytes(), "r").expect("an entry");
        assert_eq!(found, Credentials::basic("u", "p"));
        let elsewhere = Credentials::from_docker_config(document.as_bytes(), "mirror.test");
        assert!(elsewhere.is_err(), "a password without a host is for the repository's alone");
        let error = login("s", &Data::new(), "r").expect_err("no credentials");
        assert!(error.to_string().contains("Secret s has no .dockerconfigjson"), "{error}");
    }

    #[test]
    fn the_secrets_of_an_account_are_one_document() {
        let login = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let one = login("a", r#"{"auths": {"r": {"username": "u", "password": "p"}, "s": {}}}"#);
        let two = login("b", r#"{"auths": {"r": {"username": "v", "password": "q"}}}"#);
        let all = merged(&[one.clone(), two]).expect("valid");
        let found = Credentials::from_docker_config(all.as_bytes(), "r").expect("an entry");
        assert_eq!(found, Credentials::basic("v", "q"));
        for bad in ["{secret", "{}", "[]"] {
            let error = merged(&[one.clone(), login("b", bad)]).expect_err(bad).to_string();
            assert!(error.contains("Secret b") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn who_is_trusted_and_who_we_are() {
        let both = data(&[("ca.crt", "CA"), ("tls.crt", "C"), ("tls.key", "K")]);
        let tls = Tls::read("s", &both).expect("valid");
        assert_eq!(tls.authority.as_deref(), Some("CA"));
        assert_eq!(tls.certificate.map(|c| c.certificate).as_deref(), Some("C"));
        for (given, missing) in [
            (&[][..], "ca.crt"),
            (&[("tls.crt", "C")], "tls.key"),
            (&[("tls.key", "K")], "tls.crt"),
        ] {
            let error = Tls::read("s", &data(given)).err().expect("half").to_string();
            assert!(error.contains(missing), "{error}");
        }
    }

    #[test]
    fn a_proxy_with_an_account() {
        let mut options = Options::default();
        let entries = [
            ("address", "http://p.test:3128"),
            ("username", "u"),
            ("password", "p@"),
            ("noProxy", ".svc"),
        ];
        proxy(&mut options, "s", &data(&entries)).expect("valid");
        let url = options.https_proxy.expect("a proxy");
        assert_eq!(url.expose(), "http://u:p%40@p.test:3128/");
        assert_eq!(options.no_proxy.as_deref(), Some(".svc"));
        for bad in ["p.test:3128", "socks5://p.test", "not a url: secret"] {
            let error = proxy(&mut Options::default(), "s", &data(&[("address", bad)]));
            let error = error.expect_err(bad).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(proxy(&mut Options::default(), "s", &Data::new()).is_err());
    }
}
