//! Hostile templates end in an error, within their budget.

use pinnace_engine::template::{Budget, Environment, TemplateSet, Value, on_large_stack};

fn run_within(budget: Budget, template: &str) -> Result<String, String> {
    let template = template.to_owned();
    on_large_stack(move || {
        let mut set = TemplateSet::new();
        let environment = Environment { budget, ..Environment::system() };
        set.parse("t", &template)
            .and_then(|()| set.execute("t", &Value::map::<&str>([]), &environment))
            .map_err(|error| error.to_string())
    })
}

fn run(template: &str) -> Result<String, String> {
    run_within(Budget::default(), template)
}

fn refused(template: &str, words: &str) {
    let error = run(template).expect_err("a refusal");
    assert!(error.contains(words), "{template:.80}: {error:.400}");
}

#[test]
fn nesting_in_the_text_is_limited() {
    let nested = |n: usize| format!("{{{{ {}1{} }}}}", "(".repeat(n), ")".repeat(n));
    assert_eq!(run(&nested(250)).expect("a text"), "1");
    refused(&nested(251), "nest deeper than 250");
    let blocks = |n: usize| format!("{}x{}", "{{if 1}}".repeat(n), "{{end}}".repeat(n));
    assert_eq!(run(&blocks(250)).expect("a text"), "x");
    refused(&blocks(251), "nest deeper than 250");
    refused(&format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(100_000)), "nest deeper");
}

#[test]
fn recursion_is_limited() {
    refused(
        "{{ define \"r\" }}{{ include \"r\" . }}{{ end }}{{ include \"r\" . }}",
        "unable to execute",
    );
    refused(
        "{{ define \"r\" }}{{ template \"r\" . }}{{ end }}{{ template \"r\" . }}",
        "nest deeper",
    );
    let ifs =
        format!("{}{{{{ include \"r\" . }}}}{}", "{{if 1}}".repeat(240), "{{end}}".repeat(240));
    refused(
        &format!("{{{{ define \"r\" }}}}{ifs}{{{{ end }}}}{{{{ include \"r\" . }}}}"),
        "nest deeper",
    );
    refused("{{ $t := \"{{ tpl .t . }}\" }}{{ tpl $t (dict \"t\" $t) }}", "nest deeper");
}

#[test]
fn work_is_limited() {
    let budget = Budget { steps: 10_000, ..Budget::default() };
    assert!(run_within(budget, "{{ range until 1000 }}{{ . }}{{ end }}").is_ok());
    let error =
        run_within(budget, "{{ range until 6000 }}{{ . }}{{ end }}").expect_err("a refusal");
    assert!(error.contains("more than 10000 steps"), "{error}");
    refused("{{ range 9223372036854775807 }}{{ end }}", "steps");
    refused("{{ until 9223372036854775807 }}", "steps");
}

#[test]
fn output_is_limited() {
    let budget = Budget { output: 100, ..Budget::default() };
    assert!(run_within(budget, "{{ repeat 100 \"x\" }}").is_ok());
    let error = run_within(budget, "{{ repeat 101 \"x\" }}").expect_err("a refusal");
    assert!(error.contains("more than 100 bytes"), "{error}");
    refused("{{ repeat 9223372036854775807 \"xx\" }}", "bytes");
    refused("{{ $x := \"xx\" }}{{ range until 64 }}{{ $x = print $x $x }}{{ end }}", "bytes");
    refused("{{ indent 9223372036854775807 \"x\" }}", "bytes");
}

#[test]
fn cycles_and_deep_values_do_not_overflow_the_stack() {
    assert_eq!(
        run("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toJson $d }}").expect("a text"),
        ""
    );
    assert!(run("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ print $d | len }}").is_ok());
    let deep = "{{ $x := list }}{{ range until 200000 }}{{ $x = list $x }}{{ end }}";
    assert_eq!(run(&format!("{deep}{{{{ toJson $x }}}}")).expect("a text"), "");
}
