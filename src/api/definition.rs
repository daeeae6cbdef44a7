//! From a Rust type to a definition that an API server and Flux's users recognise.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

/// The definition of `K`. Optional fields are left out rather than null, and a status with an
/// observed generation begins at -1, as in Flux.
pub fn of<K: CustomResourceExt>() -> CustomResourceDefinition {
    let mut definition = K::crd();
    let schemas = definition.spec.versions.iter_mut().filter_map(|v| v.schema.as_mut());
    for schema in schemas.filter_map(|s| s.open_api_v3_schema.as_mut()) {
        tidy(schema);
        if let Some(status) = schema.properties.as_mut().and_then(|p| p.get_mut("status")) {
            let fields = status.properties.as_ref();
            if fields.is_some_and(|p| p.contains_key("observedGeneration")) {
                status.default = Some(JSON(json!({ "observedGeneration": -1 })));
            }
        }
    }
    definition
}

/// Undoes what the generator adds to `Option`, to `#[serde(default)]` and to enums.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(values) = &mut schema.enum_ {
        values.retain(|JSON(value)| !value.is_null());
    }
    if let Some(JSON(default)) = &schema.default
        && (default == &json!([]) || default == &json!({}) || default.is_null())
    {
        schema.default = None;
    }
    schema.properties.iter_mut().flat_map(|p| p.values_mut()).for_each(tidy);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_nullable() {
        for definition in crate::api::definitions() {
            let text = serde_json::to_string(&definition).expect("JSON");
            let name = &definition.metadata.name;
            assert!(!text.contains("nullable") && !text.contains("null]"), "{name:?}");
        }
    }

    #[test]
    fn rules_and_defaults_are_there() {
        let release = of::<crate::api::helm_release::HelmRelease>();
        let text = serde_json::to_string(&release).expect("JSON");
        for part in [
            r#""message":"either chart or chartRef must be set""#,
            r#""default":{"observedGeneration":-1}"#,
            r#""default":"ChartVersion""#,
            r#""default":"background""#,
            r#""enum":["enabled","warn","disabled"]"#,
        ] {
            assert!(text.contains(part), "{part}");
        }
    }
}
