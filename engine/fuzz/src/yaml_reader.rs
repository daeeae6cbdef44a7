//! The YAML reader.

use pinnace_engine::yaml;

/// What go-yaml takes for the end of a line, and YAML 1.2 does not.
const OLD_BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// What go-yaml itself does not read back: it prints the key `<<` without quotes.
pub fn is_one_way(printed: &str) -> bool {
    printed.contains(OLD_BREAKS) || printed.contains("<<:")
}

/// The input is YAML. What is read can be printed, and is read again as the same.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(value) = yaml::from_str(&text) {
        let printed = yaml::to_string(&value);
        if is_one_way(&printed) {
            return;
        }
        let again = yaml::from_str(&printed);
        assert_eq!(again.as_ref(), Ok(&value), "printed as {printed:?}");
    }
}
