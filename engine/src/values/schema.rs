//! values.schema.json.

use jsonschema::{Retrieve, Uri};
use serde_json::{Map, Value};

use crate::Chart;
use crate::yaml;

/// Why values are refused, chart by chart. Names places and rules, never a value: it may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("values don't meet the specifications of the schema(s) in the following chart(s):\n{0}")]
pub struct SchemaError(String);

/// Checks coalesced values against the schemas of the chart and its subcharts.
pub(crate) fn check(chart: &Chart, values: &Map<String, Value>) -> Result<(), SchemaError> {
    let mut report = String::new();
    check_into(chart, values, &mut report);
    if report.is_empty() { Ok(()) } else { Err(SchemaError(report)) }
}

fn check_into(chart: &Chart, values: &Map<String, Value>, report: &mut String) {
    if let Some(schema) = &chart.schema {
        let problems = check_one(&schema.data, values);
        if !problems.is_empty() {
            report.push_str(&format!("{}:\n", chart.name()));
            for problem in problems {
                report.push_str(&format!("- {problem}\n"));
            }
        }
    }
    for subchart in chart.dependencies() {
        match values.get(subchart.name()) {
            None | Some(Value::Null) => {}
            Some(Value::Object(below)) => check_into(subchart, below, report),
            Some(_) => report.push_str(&format!(
                "{}:\ninvalid type for values: expected object (map)\n",
                subchart.name()
            )),
        }
    }
}

fn check_one(schema: &[u8], values: &Map<String, Value>) -> Vec<String> {
    let schema: Value = match serde_json::from_slice(schema) {
        Ok(schema) => schema,
        Err(error) => return vec![format!("values.schema.json is not JSON: {error}")],
    };
    let validator = match jsonschema::options().with_retriever(Offline).build(&schema) {
        Ok(validator) => validator,
        Err(error) => return vec![format!("values.schema.json is not a JSON schema: {error}")],
    };
    let mut values = Value::Object(values.clone());
    yaml::normalise(&mut values);
    validator
        .iter_errors(&values)
        .map(|error| format!("at '{}': {}", error.instance_path(), error.masked()))
        .collect()
}

/// Schemas of other places are not fetched. Those that only have a name (`urn:`) allow anything,
/// as in Helm.
struct Offline;

impl Retrieve for Offline {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        if uri.scheme().as_str() == "urn" {
            return Ok(Value::Bool(true));
        }
        Err(format!("{uri} is outside of the chart and is not fetched").into())
    }
}
