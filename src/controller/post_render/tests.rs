use pinnace_engine::render::{Hook, Manifest};
use serde_json::{Value, json};

use super::*;

const MAP: &str =
    "# Of the chart.\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata: {k: v}\n";
const JOB: &str = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: h\n";

fn rendered() -> Rendered {
    let manifest = Manifest {
        source: "c/templates/a.yaml".into(),
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        name: "a".into(),
        content: MAP.into(),
    };
    let hook = Hook {
        name: "h".into(),
        kind: "Job".into(),
        path: "c/templates/h.yaml".into(),
        manifest: JOB.into(),
        events: vec!["pre-install".into()],
        weight: 0,
        delete_policies: Vec::new(),
        output_log_policies: Vec::new(),
    };
    Rendered {
        manifests: vec![manifest],
        hooks: vec![hook],
        crds: Vec::new(),
        notes: String::new(),
        warnings: Vec::new(),
    }
}

fn spec(more: Value) -> HelmReleaseSpec {
    let mut spec = json!({"interval": "1m"});
    json_patch::merge(&mut spec, &more);
    serde_json::from_value(spec).expect("a spec")
}

fn patched(patch: Value) -> Result<Rendered, Error> {
    let mut all = rendered();
    apply(&mut all, &spec(json!({"postRenderers": [{"kustomize": {"patches": [patch]}}]})))?;
    Ok(all)
}

#[test]
fn nothing_is_changed_without_a_word() {
    let mut all = rendered();
    apply(&mut all, &spec(json!({}))).expect("applied");
    assert_eq!(all, rendered());
    assert_eq!(digest(&spec(json!({}))), None);
}

#[test]
fn common_metadata_is_on_every_object() {
    let common = json!({"commonMetadata": {"labels": {"l": "1"}, "annotations": {"note": "2"}}});
    let mut all = rendered();
    apply(&mut all, &spec(common.clone())).expect("applied");
    let expected = "apiVersion: v1\ndata:\n  k: v\nkind: ConfigMap\nmetadata:\n  annotations:\n    note: \"2\"\n  \
                    labels:\n    l: \"1\"\n  name: a\n";
    assert_eq!(all.manifests[0].content, expected);
    assert!(all.hooks[0].manifest.contains("l: \"1\""));
    assert_ne!(digest(&spec(common)), None);
}

#[test]
fn hooks_are_left_alone_where_it_is_said() {
    let common = json!({"commonMetadata": {"labels": {"l": "1"}}});
    for (strategy, changed) in [("nohooks", false), ("combined", true), ("separate", true)] {
        let mut more = common.clone();
        more["postRenderStrategy"] = json!(strategy);
        let mut all = rendered();
        apply(&mut all, &spec(more)).expect("applied");
        assert_eq!(all.hooks[0].manifest != JOB, changed, "{strategy}");
        assert_ne!(all.manifests[0].content, MAP, "{strategy}");
    }
}

#[test]
fn patches_mean_what_they_name_or_what_is_selected() {
    let operations = "- {op: replace, path: /data/k, value: w}";
    let merge = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {more: x}\n";
    let anonymous = "metadata: {annotations: {note: x}}\n";
    for (patch, text, hook_changed) in [
        (json!({"patch": operations, "target": {"kind": "ConfigMap"}}), "k: w\n", false),
        (json!({"patch": merge}), "more: x\n", false),
        (json!({"patch": anonymous, "target": {"name": "a|h"}}), "note: x\n", true),
    ] {
        let all = patched(patch.clone()).expect("applied");
        assert!(all.manifests[0].content.contains(text), "{patch}: {}", all.manifests[0].content);
        assert_eq!(all.hooks[0].manifest != JOB, hook_changed, "{patch}");
    }
    let deleted = json!({"patch": "$patch: delete", "target": {"kind": "ConfigMap"}});
    let all = patched(deleted).expect("applied");
    assert_eq!((all.manifests.len(), all.hooks.len()), (0, 1));
}

#[test]
fn mistakes_name_their_place() {
    for (patch, why) in [
        (json!({"patch": "a: [", "target": {}}), "it is not YAML"),
        (json!({"patch": "text", "target": {}}), "neither a list of operations nor"),
        (json!({"patch": "[]"}), "needs a target"),
        (json!({"patch": "- {op: jump}", "target": {}}), "not a list of JSON 6902"),
        (json!({"patch": "spec: {}"}), "without a target it needs"),
        (json!({"patch": "[]", "target": {"name": "("}}), "target: name"),
        (
            json!({"patch": "- {op: remove, path: /none}", "target": {"kind": "ConfigMap"}}),
            "cannot be applied to ConfigMap a",
        ),
    ] {
        let error = patched(patch.clone()).expect_err("refused").to_string();
        assert!(error.starts_with("spec.postRenderers[0].kustomize.patches[0]: "), "{error}");
        assert!(error.contains(why), "{patch}: {error}");
    }
}
