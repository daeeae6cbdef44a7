//! The YAML reader.

use pinnace_engine::yaml;

/// The input is YAML. What is read can be printed, and is read again as the same.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(value) = yaml::from_str(&text) {
        let printed = yaml::to_string(&value);
        let again = yaml::from_str(&printed);
        assert_eq!(again.as_ref(), Ok(&value), "printed as {printed:?}");
    }
}
