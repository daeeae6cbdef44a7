//! Addresses of people and pages, as Helm takes them.

use std::sync::LazyLock;

use regex::Regex;

pub(super) use crate::functions::urls::is_request_url;

/// A page's address that may lack its scheme; without one, and without a port, it has a dot.
pub(super) fn is_url(text: &str) -> bool {
    static URL: LazyLock<Regex> = LazyLock::new(|| {
        let name = r"[0-9A-Za-z\u{a1}-\u{ffff}]";
        let host = format!("{name}(?:[-_.0-9A-Za-z\\u{{a1}}-\\u{{ffff}}]*{name})?");
        Regex::new(&format!(
            r"^(?:(?:ftp|tcp|udp|wss?|https?)://)?(?:\S+@)?(?:\[[0-9A-Fa-f:.]+\]|{host})\.?(?::\d{{1,5}})?(?:[/?#]\S*)?$"
        ))
        .expect("a constant")
    });
    let length = text.chars().count();
    (4..2083).contains(&length) && (text.contains(':') || text.contains('.')) && URL.is_match(text)
}

pub(super) fn is_email(text: &str) -> bool {
    match text.rsplit_once('@') {
        Some((name, host)) => {
            !name.is_empty()
                && !text.contains(char::is_whitespace)
                && host.contains('.')
                && !host.starts_with('.')
                && !host.ends_with('.')
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_and_without_a_scheme() {
        for url in [
            "example.com",
            "https://localhost/x",
            "a.b:80/c?d#e",
            "localhost:80",
            "http://[::1]:80",
        ] {
            assert!(is_url(url), "{url}");
        }
        for other in
            ["", "b", "abc", "abcde", ".example.com", "a b.c", "gopher://a.b", "http://a.b:x"]
        {
            assert!(!is_url(other), "{other}");
        }
        for url in ["http://", "mailto:a@b", "http:/x", "https://a.b/c d"] {
            assert!(is_request_url(url), "{url}");
        }
        for other in ["", "a b", "/x", "example.com", "http://a b/"] {
            assert!(!is_request_url(other), "{other}");
        }
    }
}
