//! The flags that say how registries are reached, for every verb that talks to one.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use pinnace_registry::{Endpoint, Keychain, Limits, Options, Registries, Rules, Secret};

/// Without flags: the logins of docker, helm and podman, the system's CA certificates, and the
/// proxy of the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RegistryArgs {
    /// Mirror rules and settings of registries, in YAML
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Logins, as `docker login` and `helm registry login` write them, instead of theirs
    #[arg(long, value_name = "FILE")]
    pub registry_config: Option<PathBuf>,
    /// CA certificates to trust beside the system's, in PEM (can be given several times)
    #[arg(long, value_name = "FILE")]
    pub ca_file: Vec<PathBuf>,
    /// A registry that speaks HTTP without TLS (can be given several times)
    #[arg(long, value_name = "HOST[:PORT]")]
    pub plain_http: Vec<String>,
    /// A registry whose certificate is not checked (can be given several times)
    #[arg(long, value_name = "HOST[:PORT]")]
    pub insecure_skip_tls_verify: Vec<String>,
    /// Most bytes of one request of an upload, such as 50M, for proxies that take no more
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub chunk_size: Option<u64>,
}

impl RegistryArgs {
    /// The registries by these flags and the environment.
    pub fn registries(&self) -> anyhow::Result<Registries> {
        let variable = |name: &str| std::env::var_os(name);
        let keychain = match &self.registry_config {
            Some(path) => Keychain::file(path),
            None => Keychain::standard(variable),
        };
        let mut base =
            Options { limits: self.limits(), ..proxies(&|name| std::env::var(name).ok()) };
        for path in &self.ca_file {
            let pem = fs::read_to_string(path).with_context(|| {
                format!("cannot read the CA certificates in {}", path.display())
            })?;
            base.ca_certificates.push(pem);
        }
        let mut rules = self.rules()?;
        for host in &self.plain_http {
            settings(&mut rules, host)?.plain_http = true;
        }
        for host in &self.insecure_skip_tls_verify {
            settings(&mut rules, host)?.accept_any_certificate = true;
        }
        Ok(Registries::new(rules, keychain, base, BTreeMap::new()))
    }

    fn rules(&self) -> anyhow::Result<Rules> {
        let Some(path) = &self.rules else { return Ok(Rules::default()) };
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the mirror rules in {}", path.display()))?;
        Rules::from_yaml(&text).with_context(|| path.display().to_string())
    }

    fn limits(&self) -> Limits {
        Limits { upload_chunk_bytes: self.chunk_size, ..Limits::default() }
    }
}

/// The entry of a host, wherever it is in the table; a new one if there is none.
fn settings<'a>(rules: &'a mut Rules, host: &str) -> anyhow::Result<&'a mut Endpoint> {
    if host.contains('/') {
        bail!("{host} is not a host such as registry.example:5000");
    }
    let at = |endpoint: &Endpoint| endpoint.location.split('/').next() == Some(host);
    let mirrors = rules.rules.iter_mut().flat_map(|rule| &mut rule.mirrors);
    if let Some(known) = mirrors.into_iter().find(|endpoint| at(endpoint)) {
        return Ok(known);
    }
    let known = rules.registries.iter().position(at);
    let known = known.unwrap_or_else(|| {
        rules.registries.push(Endpoint::at(host));
        rules.registries.len() - 1
    });
    Ok(&mut rules.registries[known])
}

/// The proxies of the environment, under their names in small and in large letters.
fn proxies(variable: &dyn Fn(&str) -> Option<String>) -> Options {
    let either = |name: &str| {
        let found = variable(name).or_else(|| variable(&name.to_uppercase()));
        found.filter(|value| !value.is_empty())
    };
    Options {
        https_proxy: either("https_proxy").map(Secret::from),
        http_proxy: either("http_proxy").map(Secret::from),
        no_proxy: either("no_proxy"),
        ..Options::default()
    }
}

/// Bytes: a number, or one with K, M or G (1024 each).
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match &text[digits.len()..] {
        "" => 1,
        "K" | "k" | "Ki" | "KiB" => 1 << 10,
        "M" | "Mi" | "MiB" => 1 << 20,
        "G" | "Gi" | "GiB" => 1u64 << 30,
        _ => return Err("write a number of bytes, such as 50M".to_owned()),
    };
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    number
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "write a number of bytes, such as 50M".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("50M"), Ok(50 << 20));
        assert_eq!(size("1024"), Ok(1024));
        for bad in ["", "M", "0", "1X", "-1", "99999999999999999999G"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn proxies_of_the_environment() {
        let of = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://p.test:1".to_owned()),
            "no_proxy" => Some("localhost".to_owned()),
            "http_proxy" => Some(String::new()),
            _ => None,
        };
        let options = proxies(&of);
        assert_eq!(options.https_proxy.unwrap().expose(), "http://p.test:1");
        assert_eq!((options.http_proxy, options.no_proxy.as_deref()), (None, Some("localhost")));
    }

    #[test]
    fn a_host_has_one_entry() {
        let yaml = "rules: [{prefix: r.test, mirrors: [{location: 'm.test:5000/x'}]}]";
        let mut rules = Rules::from_yaml(yaml).unwrap();
        settings(&mut rules, "m.test:5000").unwrap().plain_http = true;
        settings(&mut rules, "r.test").unwrap().plain_http = true;
        settings(&mut rules, "r.test").unwrap().accept_any_certificate = true;
        assert!(rules.rules[0].mirrors[0].plain_http);
        assert_eq!(rules.registries.len(), 1);
        assert!(settings(&mut rules, "r.test/a").is_err());
    }
}
