//! The YAML printer.

use pinnace_engine::yaml;

use super::chunks::Chunks;
use super::yaml_reader::is_one_way;

/// The input is any JSON value: printed and read it is the same, but for whole floats.
pub fn run(input: &[u8]) {
    let value = Chunks(input).value(0);
    let printed = yaml::to_string(&value);
    if is_one_way(&printed) {
        return;
    }
    let read = match yaml::from_str(&printed) {
        Ok(read) => read,
        Err(error) => panic!("{value:?} is printed as {printed:?}, which is not YAML: {error}"),
    };
    assert_eq!(yaml::to_string(&read), printed, "of {value:?}");
}
