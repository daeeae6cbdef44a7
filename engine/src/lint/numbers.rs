//! Numbers of values that do not survive: Helm holds every number as a float64.

use std::sync::LazyLock;

use regex::Regex;

use super::Findings;

/// From here on a template prints a whole number with an exponent.
const EXPONENT: f64 = 1e6;
/// Digits that a float64 always keeps.
const KEPT_DIGITS: usize = 15;

/// Warns of each number of a YAML text that loses digits; tells of those that templates print in
/// another form.
pub(super) fn check(name: &str, text: &str, findings: &mut Findings) {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\s*(?:- +)*(?:([^\s#'{\[][^#]*?):\s+)?([-+]?[0-9]+(?:\.[0-9]+)?)\s*(?:#.*)?$")
            .expect("a constant")
    });
    for (line, content) in (1..).zip(text.lines()) {
        let Some(found) = NUMBER.captures(content) else { continue };
        let (key, number) = (found.get(1).map_or("item", |key| key.as_str()), &found[2]);
        let Ok(float) = number.parse::<f64>() else { continue };
        let path = format!("{name}:{line}");
        // Leading zeros: octal to YAML 1.1, and a version or a code to the author.
        if number.len() > 1 && number.starts_with('0') && !number.contains('.') {
            findings.warning(
                &path,
                format!("{key}: {number} is an octal number in YAML; quote it if it is text"),
            );
        } else if let Some(kept) = lost(number, float) {
            findings.warning(
                &path,
                format!("{key}: {number} becomes {kept}, since numbers are float64; quote it"),
            );
        } else if !number.contains('.') && float.abs() >= EXPONENT {
            findings.info(
                &path,
                format!(
                    "{key}: a template prints {number} with an exponent, as in 1e+06, unless it is \
                     passed through int64 or toYaml"
                ),
            );
        }
    }
}

/// The number that is left, if it is another one.
fn lost(number: &str, float: f64) -> Option<String> {
    let digits = number.chars().filter(char::is_ascii_digit).skip_while(|c| *c == '0').count();
    if digits <= KEPT_DIGITS {
        return None;
    }
    let kept = if number.contains('.') { float.to_string() } else { format!("{float:.0}") };
    let plain = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let number = number.trim_start_matches('+');
    (plain(number) != plain(&kept)).then_some(kept)
}
