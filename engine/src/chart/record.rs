//! A chart as Helm keeps it in release records.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::{Chart, File};
use crate::yaml;

/// Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

pub(super) fn of(chart: &Chart) -> Value {
    // Helm's merging with subcharts makes empty values of none.
    let has_values = chart.has_values_file || !chart.metadata.dependencies.is_empty();
    let mut values = match chart.values.is_empty() && !has_values {
        true => Value::Null,
        false => Value::Object(chart.values.clone()),
    };
    yaml::normalise(&mut values);
    let mut record = Map::new();
    record.insert("metadata".to_owned(), json!(chart.metadata));
    record.insert("lock".to_owned(), chart.lock.as_ref().map_or(Value::Null, lock));
    record.insert("templates".to_owned(), files(&chart.templates));
    record.insert("values".to_owned(), values);
    let schema = chart.schema.as_ref();
    record.insert("schema".to_owned(), schema.map_or(Value::Null, |s| base64(&s.data)));
    let schema_time = schema.and_then(|s| s.modified).map_or(NEVER.to_owned(), time);
    record.insert("schemamodtime".to_owned(), schema_time.into());
    record.insert("files".to_owned(), files(&chart.files));
    if let Some(modified) = chart.modified {
        record.insert("modtime".to_owned(), time(modified).into());
    }
    Value::Object(record)
}

fn files(files: &[File]) -> Value {
    if files.is_empty() {
        return Value::Null;
    }
    files
        .iter()
        .map(|file| {
            let mut entry = json!({ "name": file.name, "data": base64(&file.data) });
            if let Some(modified) = file.modified {
                entry["modtime"] = time(modified).into();
            }
            entry
        })
        .collect()
}

fn lock(lock: &Value) -> Value {
    json!({
        "generated": lock.get("generated").and_then(Value::as_str).unwrap_or(NEVER),
        "digest": lock.get("digest").and_then(Value::as_str).unwrap_or_default(),
        "dependencies": lock.get("dependencies").cloned().unwrap_or(Value::Null),
    })
}

fn base64(data: &[u8]) -> Value {
    BASE64_STANDARD.encode(data).into()
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
