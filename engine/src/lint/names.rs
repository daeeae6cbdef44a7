//! Names of objects, as Kubernetes takes them.

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Why an object of this kind cannot have the name. None: it can.
pub(super) fn refused(kind: &str, name: &str) -> Option<String> {
    let too_long = |limit: usize| {
        (name.len() > limit).then(|| format!("must be no more than {limit} characters"))
    };
    match kind.to_lowercase().as_str() {
        "certificatesigningrequest" => None,
        "role" | "clusterrole" | "rolebinding" | "clusterrolebinding" => match name {
            "." | ".." => Some(format!("may not be '{name}'")),
            name => ["/", "%"]
                .into_iter()
                .find(|part| name.contains(part))
                .map(|part| format!("may not contain '{part}'")),
        },
        "service" => {
            let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
            match is_label(name) && starts_well {
                true => too_long(63),
                false => Some(LABEL_1035.to_owned()),
            }
        }
        "namespace" => {
            if is_label(name) {
                too_long(63)
            } else {
                Some(LABEL.to_owned())
            }
        }
        _ => match name.split('.').all(is_label) {
            true => too_long(253),
            false => Some(SUBDOMAIN.to_owned()),
        },
    }
}

fn is_label(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(legal) && text.ends_with(legal) && text.chars().all(|c| legal(c) || c == '-')
}
