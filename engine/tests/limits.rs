//! Hostile templates end in an error, within their budget.

use std::time::Duration;

use pinnace_engine::chart::File;
use pinnace_engine::render::Options;
use pinnace_engine::template::{Budget, Environment, TemplateSet, Value, on_large_stack};
use pinnace_engine::{Chart, render};

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
    for endless in
        ["{{ range until 6000 }}{{ . }}{{ end }}", "{{ range 9223372036854775807 }}{{ end }}"]
    {
        let error = run_within(budget, endless).expect_err("a refusal");
        assert!(error.contains("more than 10000 steps"), "{error}");
    }
    refused("{{ until 9223372036854775807 }}", "bytes of memory");
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

/// `$x` and `$y`, equal and apart: lists of two of the same, `$m` and `$n` the same of dicts, `levels` deep.
fn shared(levels: usize, template: &str) -> String {
    format!(
        "{{{{ $x := list \"a\" }}}}{{{{ $y := list \"a\" }}}}{{{{ $m := dict \"k\" 1 }}}}{{{{ $n := dict \"k\" 1 }}}}\
         {{{{ range until {levels} }}}}{{{{ $x = list $x $x }}}}{{{{ $y = list $y $y }}}}\
         {{{{ $m = dict \"a\" $m \"b\" $m }}}}{{{{ $n = dict \"a\" $n \"b\" $n }}}}{{{{ end }}}}{template}"
    )
}

#[test]
fn a_value_that_holds_itself_many_times_is_limited() {
    let budget = Budget { steps: 200_000, ..Budget::default() };
    for template in [
        "{{ toJson $x }}",
        "{{ mustToJson $m }}",
        "{{ toPrettyJson $m }}",
        "{{ toRawJson $x }}",
        "{{ toYaml $x }}",
        "{{ mustToYaml $m }}",
        "{{ $x }}",
        "{{ print $x }}",
        "{{ println $m }}",
        "{{ printf \"%v %s\" 1 $x }}",
        "{{ printf \"%d\" 1 $x }}",
        "{{ quote $x }}",
        "{{ squote $m }}",
        "{{ cat \"x\" $x }}",
        "{{ toString $x }}",
        "{{ toStrings $x }}",
        "{{ join \",\" $x }}",
        "{{ sortAlpha $x }}",
        "{{ html $x }}",
        "{{ urlquery $x }}",
        "{{ toDecimal $x }}",
        "{{ dict $x 1 }}",
        "{{ deepEqual $x $y }}",
        "{{ deepEqual $m $n }}",
        "{{ has $x (list $y) }}",
        "{{ without (list $x) $y }}",
        "{{ uniq (list $x $y) }}",
        "{{ deepCopy $x }}",
        "{{ deepCopy $m }}",
        "{{ merge $m $n }}",
        "{{ mergeOverwrite $m $n }}",
    ] {
        run_within(budget, &shared(8, template)).expect(template);
        let error = run_within(budget, &shared(40, template)).expect_err(template);
        assert!(error.contains("more than 200000 steps"), "{template}: {error:.400}");
    }
}

#[test]
fn what_a_walk_writes_is_limited() {
    let budget = Budget { output: 10_000, ..Budget::default() };
    let copies = |count: usize, template: &str| {
        format!(
            "{{{{ $s := repeat 100 \"x\" }}}}{{{{ $l := list }}}}\
             {{{{ range until {count} }}}}{{{{ $l = append $l $s }}}}{{{{ end }}}}{template}"
        )
    };
    for template in [
        "{{ toJson $l }}",
        "{{ toYaml $l }}",
        "{{ print $l }}",
        "{{ $l }}",
        "{{ join \"\" $l }}",
        "{{ toStrings $l | len }}",
        "{{ quote $l }}",
    ] {
        run_within(budget, &copies(90, template)).expect(template);
        let error = run_within(budget, &copies(110, template)).expect_err(template);
        assert!(error.contains("more than 10000 bytes"), "{template}: {error:.400}");
    }
    // Width and indentation write what no value holds.
    let wide = |count: usize| format!("{{{{ printf \"{}\" 1 }}}}", "%1000[1]d".repeat(count));
    run_within(budget, &wide(10)).expect("as much as fits");
    run_within(budget, &wide(11)).expect_err("a refusal");
    let lines = "{{ repeat 2000 \"a\\n\" | dict \"k\" | dict \"k\" | dict \"k\" | toYaml }}";
    let error = run_within(budget, lines).expect_err("a refusal");
    assert!(error.contains("more than 10000 bytes"), "{error:.400}");
    assert!(run(lines).is_ok());
}

#[test]
fn memory_is_limited() {
    let budget = Budget { memory: 1 << 20, ..Budget::default() };
    let kept = |count: usize, made: &str| {
        format!(
            "{{{{ $d := dict }}}}{{{{ range $i := until {count} }}}}\
             {{{{ $_ := set $d (toString $i) ({made}) }}}}{{{{ end }}}}"
        )
    };
    for made in ["list 1 2 3", "dict \"k\" 1", "print $i \"x\"", "splitList \",\" \"a,b,c\""] {
        run_within(budget, &kept(500, made)).expect(made);
        let error = run_within(budget, &kept(20_000, made)).expect_err(made);
        assert!(error.contains("more than 1048576 bytes of memory"), "{made}: {error:.400}");
    }
    // What a value holds already is not counted again.
    let again = "{{ $x := repeat 100000 \"x\" }}{{ range until 1000 }}{{ $y := list $x | first | default $x }}{{ end }}";
    run_within(budget, again).expect("a text");
}

#[test]
fn what_a_function_takes_for_itself_is_limited() {
    let budget = Budget { memory: 1 << 20, ..Budget::default() };
    let of = |length: usize, call: &str| {
        format!("{{{{ $s := repeat {length} \"a,\" }}}}{{{{ $x := {call} }}}}")
    };
    for call in [
        "splitList \"\" $s",
        "splitList \",\" $s",
        "split \"\" $s",
        "splitn \",\" 100000 $s",
        "regexFindAll \"a\" $s -1",
        "regexSplit \",\" $s -1",
        "until (len $s)",
        "seq (len $s)",
    ] {
        run_within(budget, &of(1000, call)).expect(call);
        let error = run_within(budget, &of(100_000, call)).expect_err(call);
        assert!(error.contains("more than 1048576 bytes of memory"), "{call}: {error:.400}");
    }
    let wrapped = |length: usize| of(length, "wrapWith 1 (repeat 10000 \"x\") $s");
    run_within(Budget::default(), &wrapped(100)).expect("a text");
    refused(&wrapped(100_000), "bytes");
}

#[test]
fn regular_expressions_are_charged() {
    let of = |length: usize| {
        format!("{{{{ regexMatch \"(x{{0,100}}){{0,10}}y\" (repeat {length} \"x\") }}}}")
    };
    let budget = Budget { steps: 100_000, ..Budget::default() };
    assert_eq!(run_within(budget, &of(1000)).expect("a text"), "false");
    let error = run_within(budget, &of(1_000_000)).expect_err("a refusal");
    assert!(error.contains("more than 100000 steps"), "{error:.400}");
}

#[test]
fn compiling_expressions_takes_time_and_steps() {
    let template = r#"{{ regexMatch "\\pL{1,50}" "x" }}"#;
    let none = Budget { time: Duration::ZERO, ..Budget::default() };
    let error = run_within(none, template).expect_err("no time");
    assert!(error.contains("take longer than 0ns"), "{error}");
    let few = Budget { steps: 10_000, ..Budget::default() };
    let error = run_within(few, template).expect_err("few steps");
    assert!(error.contains("more than 10000 steps"), "{error}");
    assert_eq!(run(template).expect("in time"), "true");
}

#[test]
fn time_is_limited() {
    let budget = Budget { steps: u64::MAX, time: Duration::from_millis(50), ..Budget::default() };
    run_within(budget, "{{ range until 10 }}{{ . }}{{ end }}").expect("a text");
    for endless in [
        "{{ range 9223372036854775807 }}{{ end }}",
        "{{ define \"r\" }}{{ range 1000000000 }}{{ $x := . }}{{ end }}{{ end }}{{ include \"r\" . }}",
    ] {
        let error = run_within(budget, endless).expect_err("a refusal");
        assert!(error.contains("longer than 50ms"), "{error:.400}");
    }
}

#[test]
fn all_templates_of_a_chart_have_one_budget() {
    let chart = |files: usize| {
        let mut all = vec![("Chart.yaml".to_owned(), "apiVersion: v2\nname: c\nversion: 1.0.0\n")];
        all.extend(
            (0..files).map(|i| (format!("templates/{i}.txt"), "{{ range until 1000 }}{{ end }}")),
        );
        let file = |(name, text): (String, &str)| File {
            name,
            data: text.as_bytes().into(),
            modified: None,
        };
        Chart::from_files(all.into_iter().map(file).collect()).expect("a chart")
    };
    let options = Options {
        keep_integers: true,
        budget: Budget { steps: 10_000, ..Budget::default() },
        ..Options::new("r", "n")
    };
    render(&chart(3), &serde_json::Value::Null, &options).expect("few steps");
    let error = render(&chart(30), &serde_json::Value::Null, &options).expect_err("many steps");
    assert!(error.to_string().contains("more than 10000 steps"), "{error}");
}
