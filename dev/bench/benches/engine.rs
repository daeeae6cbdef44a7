//! `cargo bench -p pinnace-bench`: the engine's parts by themselves, to see what a change does.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use pinnace_engine::chart::File;
use pinnace_engine::render::Options;
use pinnace_engine::template::{Environment, TemplateSet, Value, on_large_stack};
use pinnace_engine::{Chart, render, yaml};

/// A hundred objects, with what charts usually do.
const TEMPLATE: &str = r#"{{- define "labels" }}
app: {{ .Chart.Name | quote }}
release: {{ .Release.Name }}
{{- end }}
{{- range $i := until 100 }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ printf "%s-%d" $.Release.Name $i | trunc 63 }}
  labels: {{- include "labels" $ | nindent 4 }}
data:
  {{- toYaml $.Values.data | nindent 2 }}
{{- end }}
"#;

const VALUES: &str = "data:\n  level: info\n  number: \"12\"\n  text: |\n    one\n    two\n";

fn chart() -> Chart {
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: bench\nversion: 1.0.0\n"),
        ("values.yaml", VALUES),
        ("templates/objects.yaml", TEMPLATE),
    ];
    let file = |(name, text): (&str, &str)| File {
        name: name.to_owned(),
        data: text.as_bytes().into(),
        modified: None,
    };
    Chart::from_files(files.map(file).into()).expect("a good chart")
}

fn rendering(criterion: &mut Criterion) {
    let options = Options { keep_integers: true, ..Options::new("demo", "default") };
    let none = serde_json::Value::Null;
    let parsed = chart();
    criterion.bench_function("render a chart that is parsed", |bencher| {
        bencher.iter(|| render(black_box(&parsed), &none, &options).expect("a good chart"));
    });
    criterion.bench_function("load, parse and render a chart", |bencher| {
        bencher.iter(|| render(&chart(), &none, &options).expect("a good chart"));
    });
}

fn language(criterion: &mut Criterion) {
    criterion.bench_function("parse a template", |bencher| {
        bencher.iter(|| TemplateSet::new().parse("t", black_box(TEMPLATE)));
    });
    let mut set = TemplateSet::new();
    set.parse("t", "{{ range until 1000 }}{{ $x := add . 1 }}{{ if gt $x 500 }}{{ $x | quote }}{{ end }}{{ end }}")
        .expect("a good template");
    criterion.bench_function("a loop of a thousand turns", |bencher| {
        bencher.iter(|| on_large_stack(|| set.execute("t", &Value::Nil, &Environment::system())));
    });
}

fn documents(criterion: &mut Criterion) {
    let value = yaml::from_str(VALUES).expect("good YAML");
    criterion.bench_function("read YAML", |bencher| {
        bencher.iter(|| yaml::from_str(black_box(VALUES)));
    });
    criterion.bench_function("print YAML", |bencher| {
        bencher.iter(|| yaml::to_string(black_box(&value)));
    });
}

criterion_group!(benches, rendering, language, documents);
criterion_main!(benches);
