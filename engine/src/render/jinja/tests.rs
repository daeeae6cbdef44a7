use serde_json::json;

use crate::chart::{Chart, File};
use crate::render::{Budget, Options, RenderError, render};

mod beside_minijinja;
mod limits;

fn rendered(files: &[(&str, &str)]) -> Result<String, RenderError> {
    rendered_within(files, Budget::default())
}

fn rendered_within(files: &[(&str, &str)], budget: Budget) -> Result<String, RenderError> {
    let chart = ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\nappVersion: \"2.0\"\n");
    let files = std::iter::once(&chart).chain(files).map(|(name, text)| File {
        name: (*name).to_owned(),
        data: text.as_bytes().into(),
        modified: None,
    });
    let chart = Chart::from_files(files.collect()).expect("a chart");
    let options = Options { budget, ..Options::new("demo", "space") };
    render(&chart, &json!({}), &options).map(|rendered| rendered.manifest())
}

fn one(template: &str) -> Result<String, RenderError> {
    let values = "count: 3\nbig: 1000000\nlist: [a, b]\nmap: {x: 1, z: [1.5]}\ntext: hello\n";
    let text = rendered(&[
        ("values.yaml", values),
        ("config/a.txt", "one\ntwo\n"),
        ("templates/a.yaml.j2", template),
        ("templates/_macros.j2", "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}"),
    ])?;
    let body = text.strip_prefix("---\n# Source: c/templates/a.yaml.j2\n").unwrap_or(&text);
    Ok(body.trim_end().to_owned())
}

#[test]
fn the_same_context_and_functions() {
    for (template, expected) in [
        ("a: {{ Values.count }}/{{ Values.big }}", "a: 3/1000000"),
        ("a: {{ Release.Name }}-{{ Chart.Name }}-{{ Chart.AppVersion }}", "a: demo-c-2.0"),
        ("a: {{ Release.Revision }}{{ Release.IsInstall }}", "a: 1true"),
        ("a:{{ Values.map | toYaml | nindent(2) }}", "a:\n  x: 1\n  z:\n  - 1.5"),
        ("a: {{ Values.text | b64enc }} {{ Values.text | upper }}", "a: aGVsbG8= HELLO"),
        ("a: {{ trunc(2, Values.text) }} {{ Values.text | trunc(-2) }}", "a: he lo"),
        ("a: {{ Files.Get('config/a.txt') | quote }}", "a: \"one\\ntwo\\n\""),
        ("a: {{ Files.Lines('config/a.txt') | length }}", "a: 2"),
        ("{{ Files.Glob('config/*').AsConfig() }}", "a.txt: |\n  one\n  two"),
        ("a: {{ Capabilities.APIVersions.Has('apps/v1') }}", "a: true"),
        ("a: {{ Capabilities.KubeVersion.Minor }}", "a: 37"),
        ("a: {{ semverCompare('>=1.20.0', Capabilities.KubeVersion.Version) }}", "a: true"),
        ("a: {{ Values.nothing is defined }} {{ Values.nothing | default(7) }}", "a: false 7"),
        ("{% from '_macros.j2' import twice %}\na: {{ twice('x') }}", "a: xx"),
        ("{% for x in Values.list %}\n- {{ x }}\n{% endfor %}", "- a\n- b"),
        ("a: {{ none }}", "a: null"),
        ("a: {{ Values.list }}", "a: [\"a\",\"b\"]"),
        ("a: {{ Values.map }}", "a: {\"x\":1,\"z\":[1.5]}"),
        ("a: {{ Template.Name }} {{ Template.BasePath }}", "a: c/templates/a.yaml.j2 c/templates"),
    ] {
        let expected_list = expected.starts_with("- ");
        match one(template) {
            Ok(text) => assert_eq!(text, expected, "{template}"),
            // A list is not an object; what was rendered is seen in the error.
            Err(RenderError::Manifest(error)) if expected_list => {
                let text = error.files["c/templates/a.yaml.j2"].trim_end();
                assert_eq!(text, expected, "{template}");
            }
            Err(error) => panic!("{template}: {error}"),
        }
    }
}

#[test]
fn what_is_missing_or_wrong_is_an_error_with_its_place() {
    for (template, line, words) in [
        ("a: 1\nb: {{ Values.nothing }}", 2, "undefined"),
        ("a: {{ Values.map.z.z }}", 1, "undefined"),
        ("a: {{ nothing() }}", 1, "nothing"),
        ("a: {{ required('give x', '') }}", 1, "give x"),
        ("a: {{ fail('no') }}", 1, "no"),
        ("a: {{ trunc('x') }}", 1, "arguments"),
        ("a: {{ trunc('x', 'y') }}", 1, "must be of type int"),
        ("\n\na: {% if %}", 3, "syntax"),
        ("a: 1\nb: {{ 1|sort }}", 2, "number is not iterable\n  in c/templates/a.yaml.j2:2: "),
        ("{% include 'nowhere.j2' %}", 1, "nowhere.j2"),
    ] {
        let error = one(template).expect_err(template);
        let text = error.to_string();
        assert!(text.contains(words), "{template}: {text}");
        let place = &error.places()[0];
        assert_eq!((place.file.as_str(), place.line), ("c/templates/a.yaml.j2", line), "{text}");
    }
}

#[test]
fn both_languages_in_one_chart_and_notes() {
    let text = rendered(&[
        ("templates/a.yaml", "go: {{ .Release.Name }}\n"),
        ("templates/b.yaml.j2", "jinja: {{ Release.Name }}\n"),
        ("templates/NOTES.txt.j2", "Hello {{ Release.Name }}"),
    ]);
    let expected = "---\n# Source: c/templates/a.yaml\ngo: demo\n\n\
                    ---\n# Source: c/templates/b.yaml.j2\njinja: demo\n\n";
    assert_eq!(text.expect("it renders"), expected);
}
