//! Names of objects, as Kubernetes takes them.

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Why an object of this kind cannot have the name. Empty: it can.
pub(super) fn refused(kind: &str, name: &str) -> Vec<String> {
    let limited = |limit: usize, why: Option<&str>| {
        let length =
            (name.len() > limit).then(|| format!("must be no more than {limit} characters"));
        length.into_iter().chain(why.map(str::to_owned)).collect()
    };
    let is_subdomain = name.split('.').all(is_label);
    match kind.to_lowercase().as_str() {
        "certificatesigningrequest" => Vec::new(),
        "role" | "clusterrole" | "rolebinding" | "clusterrolebinding" => match name {
            "." | ".." => vec![format!("may not be '{name}'")],
            name => {
                let parts = ["/", "%"].into_iter().filter(|part| name.contains(part));
                parts.map(|part| format!("may not contain '{part}'")).collect()
            }
        },
        "service" => {
            let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
            limited(63, (!is_label(name) || !starts_well).then_some(LABEL_1035))
        }
        "namespace" => limited(
            63,
            match is_label(name) {
                true => None,
                false if is_subdomain => Some("must not contain dots"),
                false => Some(LABEL),
            },
        ),
        _ => limited(253, (!is_subdomain).then_some(SUBDOMAIN)),
    }
}

fn is_label(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(legal) && text.ends_with(legal) && text.chars().all(|c| legal(c) || c == '-')
}
