//! What a template can take, and what all of them together cannot.

use std::time::Duration;

use super::{Budget, rendered_within};
use crate::render::RenderError;

/// Small limits, but for time: what is counted does not depend on how much there is of it.
fn small() -> Budget {
    Budget { steps: 200_000, memory: 16 << 20, output: 1 << 20, ..full() }
}

/// What charts have, on however slow a machine.
fn full() -> Budget {
    Budget { time: Duration::from_secs(3600), ..Budget::default() }
}

fn page(template: &str, budget: Budget) -> Result<String, RenderError> {
    let base = [
        ("values.yaml", "list: [a, b]\nmap: {x: 1}\ntext: hello\n"),
        ("files/a.txt", "0123456789"),
    ];
    let macros = "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}";
    let pages = [("templates/a.txt.j2", template), ("templates/_macros.j2", macros)];
    rendered_within(&[base, pages].concat(), budget)
}

const STEPS: &str = "the templates take more than 200000 steps";
const MEMORY: &str = "the templates take more than 16777216 bytes of memory";
const OUTPUT: &str = "the templates write more than 1048576 bytes";
const DEPTH: &str = "nests deeper than 1000 levels";

/// Says what was exceeded, in which file and line.
#[track_caller]
fn refused(template: &str, words: &[&str]) {
    let error = page(template, small()).expect_err(template);
    let text = error.to_string();
    assert!(words.iter().any(|words| text.contains(words)), "{template}\n{text}");
    let place = &error.places()[0];
    if place.file == "c/templates/_macros.j2" {
        assert!(text.contains("in c/templates/a.txt.j2") || template.contains("import"), "{text}");
        return;
    }
    assert_eq!(place.file, "c/templates/a.txt.j2", "{template}\n{text}");
    let line = template.lines().position(|line| line.contains("HERE"));
    assert_eq!(place.line, line.map_or(1, |line| line + 1), "{template}\n{text}");
}

/// Forty times; each time the value doubles.
fn doubled(how: &str) -> String {
    format!(
        "{{% set ns = namespace(x='ab', l=[1, 2], m={{'k': 1}}) %}}{{% for i in range(40) %}}\n{how}{{# HERE #}}\n{{% endfor %}}"
    )
}

#[test]
fn what_doubles_is_refused_before_it_is_made() {
    for how in [
        "{% set ns.x = ns.x ~ ns.x %}",
        "{% set ns.x = ns.x + ns.x %}",
        "{% set ns.x = ns.x * 2 %}",
        "{% set ns.x = 2 * ns.x %}",
        "{% set ns.x = [ns.x, ns.x]|join %}",
        "{% set ns.x = ns.x|replace('a', 'aabb')|replace('bb', '') ~ ns.x %}",
        "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}",
        "{% set ns.x|upper %}{{ ns.x }}{{ ns.x }}{% endset %}",
        "{% set ns.x = '%s%s'|format(ns.x, ns.x) %}",
        "{% set ns.x = ns.x|map('string')|list + ns.x|list %}",
        "{% from '_macros.j2' import twice %}{% set ns.x = twice(ns.x) %}",
        "{% macro m(x) %}{{ caller() }}{{ caller() }}{% endmacro %}{% set ns.x %}{% call m(1) %}{{ ns.x }}{% endcall %}{% endset %}",
        "{% filter replace('a', 'aa') %}{{ ns.x }}{% set ns.x = ns.x ~ ns.x %}{% endfilter %}",
        "{% set ns.x = cat(ns.x, ns.x) %}",
        "{% set ns.x = repeat(2, ns.x) %}",
        "{% set ns.x = ns.x|repeat(3) %}",
        "{% set ns.x = printf('%s%s', ns.x, ns.x) %}",
        "{% set ns.l = ns.l + ns.l %}",
        "{% set ns.l = ns.l * 2 %}",
        "{% set ns.l = ns.l|list + ns.l|list %}",
        "{% set ns.l = ns.l|chain(ns.l) %}",
        "{% set ns.l = concat(ns.l, ns.l) %}",
        "{% set ns.l = [ns.l, ns.l]|sum(start=[]) %}",
        "{% set ns.l = (ns.l|list + ns.l|list)[0:] %}",
        "{% set ns.l = list(*ns.l, *ns.l) %}",
        "{% set ns.l = ns.l|zip(ns.l)|sum(start=()) %}",
    ] {
        refused(&doubled(how), &[STEPS, MEMORY, OUTPUT]);
    }
}

/// A value that holds another twice, forty times over, is small; whoever walks through it is not done.
#[test]
fn who_walks_through_a_value_that_holds_itself_many_times_is_stopped() {
    for how in [
        "{{ ns.l }}",
        "{{ ns.l ~ '' }}",
        "{{ ns.l|tojson }}",
        "{{ ns.l|string }}",
        "{{ ns.l|pprint }}",
        "{{ toYaml(ns.l) }}",
        "{{ ns.l|toJson }}",
        "{{ ns.l|join }}",
        "{{ ns.l == ns.k }}",
        "{{ ns.l < ns.k }}",
        "{{ ns.l in [ns.k] }}",
        "{{ [ns.l, ns.k]|sort }}",
        "{{ [ns.l, ns.k]|unique }}",
        "{{ [ns.l, ns.k]|max }}",
        "{{ {ns.l: 1} }}",
        "{{ {1: 2}[ns.l] }}",
        "{{ ns.l is eq(ns.k) }}",
        "{{ ns.l is in([ns.k]) }}",
        "{{ [ns.l]|select('eq', ns.k)|list }}",
        "{{ 1 != ns.l == ns.k }}",
        "{{ ns.l|map('string')|list }}",
        "{{ '%s'|format(ns.l) }}",
        "{{ ns.l|replace('a', 'b') }}",
        "{{ 'a'|replace(ns.l, 'b') }}",
        "{% for x in [ns.l, ns.k] %}{{ loop.changed(x) }}{% endfor %}",
        "{{ [{'k': ns.l}, {'k': ns.k}]|groupby('k') }}",
        "{% autoescape 'json' %}{{ ns.l }}{% endautoescape %}",
        "{{ ns.m }}",
        "{{ ns.m == ns.m }}",
        "{{ ns|string }}",
        "{{ {'a': ns.l}|dictsort(by='value') }}",
        "{{ [ns.l]|urlencode }}",
        "{{ deepEqual(ns.l, ns.k) }}",
        "{{ ns.l|escape }}",
    ] {
        let nested = "{% set ns = namespace(l=[1], k=[1], m={}) %}{% for i in range(40) %}{% set ns.l = [ns.l, ns.l] %}\
                      {% set ns.k = [ns.k, ns.k] %}{% set ns.m = {'a': ns.m, 'b': ns.m} %}{% endfor %}";
        refused(&format!("{nested}{how}"), &[STEPS, MEMORY]);
    }
}

#[test]
fn a_single_step_cannot_take_all_memory() {
    for template in [
        "{{ 'a' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ (1, 2) * 100000000 }}",
        "{{ 'a'|indent(1000000000) }}",
        "{{ 'a'|indent(width=1000000000) }}",
        "{{ 'a\n\nb'|indent(500000000, true, true) }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ '%*d'|format(1000000000, 1) }}",
        "{{ '%.1000000000f'|format(1.5) }}",
        "{{ [1, 2, 3]|batch(1000000000, 0) }}",
        "{{ [1]|slice(1000000000) }}",
        "{{ ('a' * 10000)|replace('a', 'b' * 10000) }}",
        "{{ (range(10000))|join('b' * 10000) }}",
        "{{ ('a' * 10000)|replace('', 'b' * 10000) }}",
        "{{ [[1]]|tojson(1000000000) }}",
        "{{ repeat(1000000000, 'a') }}",
        "{{ until(1000000000) }}",
        "{{ indent(1000000000, 'a') }}",
        "{{ 'a'|nindent(1000000000) }}",
        "{{ randAlpha(1000000000) }}",
        "{{ [range(100000)]|sum(start=[]) * 1000 }}",
        "{% for a in range(100000) * 1000 if a %}{% endfor %}",
        "{{ dict(**{'a': 1})|list * 100000000 }}",
        "{{ ('a' * 1000000)|list }}",
        "{{ ('a ' * 500000)|split }}",
        "{{ ('a\n' * 500000)|lines }}",
        "{{ ('a' * 500000)|map('upper')|list }}",
        "{{ ('a' * 1000000)|batch(1)|list }}",
        "{% set x = namespace(*[{'a': 1}]) %}{{ x.a|string * 100000000 }}",
        "{{ [range(100000)] * 100 ~ '' }}",
        "{{ genPrivateKey('rsa') ~ 'a' * 10000000 }}",
        "{{ ('1e300 ' * 100000)|split|map('float')|list ~ '' }}",
    ] {
        let error = page(template, small()).expect_err(template).to_string();
        let words = [
            STEPS,
            MEMORY,
            OUTPUT,
            "too large",
            "the templates take more",
            "the templates write more",
        ];
        assert!(words.iter().any(|words| error.contains(words)), "{template}\n{error}");
    }
}

#[test]
fn what_never_ends_ends() {
    for template in [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "\n\n{# HERE #}{% for a in range(99999) %}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) if b is odd %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = bcrypt('a') %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = range(99999)|list %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = range(99999)|sum %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = ('a' * 99999)[5] %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = range(99999)[::-1] %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = [a] * 9999 in [[a]] %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = Files.Get('files/a.txt') * 9999 %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = {'a': {'b': [a]}} %}{% endfor %}",
        "{% for a in range(99999) %}{% macro m() %}{{ a }}{% endmacro %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = namespace() %}{% endfor %}",
        "{% for a in range(99999) %}{% from '_macros.j2' import twice %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = fromYaml('a: [1, 2]') %}{% endfor %}",
    ] {
        refused(template, &[STEPS, MEMORY, OUTPUT]);
    }
}

#[test]
fn what_nests_too_deep_ends() {
    for template in [
        "{% include 'a.txt.j2' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('a') }}",
        "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
    ] {
        assert!(page(template, small()).is_err(), "{template}");
    }
    for walks in [
        "{{ ns.x }}",
        "{{ ns.x ~ '' }}",
        "{{ ns.x == ns.x }}",
        "{{ toYaml(ns.x) }}",
        "{{ ns.x|string }}",
    ] {
        for deeper in [
            "[ns.x]",
            "{'a': ns.x}",
            "(ns.x,)",
            "dict(a=ns.x)",
            "namespace(a=ns.x)",
            "[ns.x] + [1]",
        ] {
            let nested = format!(
                "{{% set ns = namespace(x=1) %}}{{% for i in range(1500) %}}{{% set ns.x = {deeper} %}}{{% endfor %}}"
            );
            refused(&format!("{nested}{walks}"), &[DEPTH]);
        }
        let itself = "{% set ns = namespace() %}{% set ns.x = ns %}";
        refused(&format!("{itself}{walks}"), &[DEPTH]);
    }
}

/// Freed as deep as memory allows, on the stack that there is.
#[test]
fn values_nest_as_deep_as_memory_allows() {
    let nested = "{% set ns = namespace(x=1) %}{% for i in range(100000) %}{% for i in range(99) %}{% set ns.x = [ns.x] %}\
                  {% endfor %}{% endfor %}";
    let error = page(nested, full()).expect_err("too deep").to_string();
    assert!(error.contains("536870912 bytes of memory"), "{error}");
}

/// The largest that the budget of charts lets be made.
const LARGE: [&str; 10] = [
    "{% set ns = namespace(x='ab') %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[]) %}{% for i in range(40) %}{% set ns.x = ns.x + ['a' * (60000000 + i)] %}{% endfor %}",
    "{% set ns = namespace(x=[]) %}{% for i in range(9) %}{% set ns.x = ns.x + ['<' * 30000000] %}{% endfor %}{{ ns.x|tojson }}",
    "{% set x = '<' * 60000000 %}{% set y = x|escape %}",
    "{% set x = ('a\n' * 300000)|lines|list %}{% set y = x|map('upper')|list|sort|reverse|list %}{% set z = (y + x) * 40 %}",
    "{% set x = [1.5] * 150000 %}{% for i in range(99) %}{% set y = x ~ x %}{% endfor %}",
    "{% macro m(x) %}{{ x }}{{ x }}{{ x }}{% endmacro %}{% set x = m('a' * 20000000) %}{% set y = m(x) %}{{ x }}{{ y }}",
    "{% set x = range(100000)|list %}{% for i in range(99) %}{% set y = x|list|sort|unique|list|batch(2)|list %}{% endfor %}",
    "{% set x = 'a' * 60000000 %}{% set y = trunc(-1, b64enc(x)) ~ sha256sum(x) ~ quote(x) ~ toJson([x, x]) ~ nindent(2, x) %}",
];

/// In a process of its own that has 1.5 GiB beside the stack.
#[test]
fn large_values_end_within_the_memory_that_there_is() {
    const LIMITED: &str = "PINNACE_TEST_MEMORY_IS_LIMITED";
    if std::env::var_os(LIMITED).is_some() {
        for template in LARGE {
            let error = page(template, full()).expect_err(template).to_string();
            assert!(error.contains("the templates "), "{template}\n{error}");
        }
        return;
    }
    let name = "render::jinja::tests::limits::large_values_end_within_the_memory_that_there_is";
    let tests = std::env::current_exe().expect("this program");
    let run = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 2097152 && exec \"$0\" --exact \"$1\""])
        .args([tests.as_os_str(), name.as_ref()])
        .env(LIMITED, "yes")
        .output()
        .expect("sh can be run");
    let told = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && told.contains("1 passed"), "{}\n{told}\n{errors}", run.status);
}

#[test]
fn all_pages_share_one_allowance() {
    let budget = Budget { steps: 1_000_000, ..small() };
    let page = "{% for a in range(9000) %}{{ 'a' * 1 }}{% endfor %}";
    let names: Vec<String> = (0..100).map(|i| format!("templates/{i}.txt.j2")).collect();
    let pages: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), page)).collect();
    assert!(
        rendered_within(&pages[..1], budget).is_err_and(|e| matches!(e, RenderError::Manifest(_)))
    );
    let error = rendered_within(&pages, budget).expect_err("too many steps").to_string();
    assert!(error.contains("more than 1000000 steps"), "{error}");
    let held = "{% set x = 'a' * 1000000 %}a: 1\n";
    let pages: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), held)).collect();
    assert!(rendered_within(&pages[..10], budget).is_ok());
    let error = rendered_within(&pages, budget).expect_err("too much memory").to_string();
    assert!(error.contains(MEMORY), "{error}");
    let written = "# {{ 'a' * 100000 }}\n";
    let pages: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), written)).collect();
    assert!(rendered_within(&pages[..9], budget).is_ok());
    let error = rendered_within(&pages, budget).expect_err("too much output").to_string();
    assert!(error.contains(OUTPUT), "{error}");
}

#[test]
fn time_is_looked_at_in_every_loop() {
    let budget = Budget { time: Duration::ZERO, ..full() };
    for template in [
        "{{ 1 }}",
        "text",
        "{% for a in [1] %}{% endfor %}",
        "{% macro m() %}{% endmacro %}{{ m() }}",
        "{% set x = 1 + 1 %}",
    ] {
        let error = page(template, budget).expect_err(template).to_string();
        assert!(error.contains("the templates take longer than 0ns"), "{template}: {error}");
    }
}

/// On the other side of each limit.
#[test]
fn a_large_page_is_what_it_was() {
    let lines = "{% for i in range(100000) %}\n- {{ 'x' * 90 }}{{ i }}\n{% endfor %}";
    let text = rendered_within(&[("templates/a.yaml.j2", &format!("a:\n{lines}"))], full());
    let expected: String = (0..100_000).map(|i| format!("- {}{i}\n", "x".repeat(90))).collect();
    assert_eq!(
        text.expect("it renders"),
        format!("---\n# Source: c/templates/a.yaml.j2\na:\n{expected}\n")
    );
    let appended = "{% set ns = namespace(l=[], t='') %}{% for i in range(20000) %}{% set ns.l = ns.l + [i] %}\
                    {% set ns.t = ns.t ~ (i % 10) if i < 5000 else ns.t %}{% endfor %}a: {{ ns.l|length }} {{ ns.t|length }} {{ ns.l[19999] }}";
    let text = rendered_within(&[("templates/a.yaml.j2", appended)], full());
    assert_eq!(
        text.expect("it renders"),
        "---\n# Source: c/templates/a.yaml.j2\na: 20000 5000 19999\n"
    );
}

#[test]
fn templates_on_which_the_parser_would_take_too_long() {
    for (template, words) in [
        (format!("{{{{ {}1 }}}}", "-".repeat(10_000_000)), "more than 20000 words"),
        (format!("{{{{ {}1 }}}}", "not ".repeat(1_000_000)), "more than 20000 words"),
        (format!("{{{{ 1{} }}}}", "+1".repeat(1_000_000)), "more than 20000 words"),
        (format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(1_000_000)), "more than 20000 words"),
        (
            format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(100_000)),
            "more than 2000 `elif`s",
        ),
        ("{{a}}".repeat(1_000_000), "more than 500000 words"),
        (format!("{{{{ {}1 }}}}", "(".repeat(10_000)), "recursion limits"),
    ] {
        let error = page(&template, full()).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
    for template in [
        format!("a: {{{{ {}1 }}}}", "-".repeat(19_000)),
        format!("a: {{{{ {}1 }}}}", "not ".repeat(19_000)),
        format!("a: {{{{ 1{} }}}}", "+1".repeat(9_900)),
        format!("a: {{{{ 1{} }}}}", " if 1 else 1".repeat(4_900)),
        format!("a: {{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(1_900)),
    ] {
        assert!(page(&template, full()).is_ok(), "{}", &template[..40]);
    }
}

#[test]
fn names_of_ours_are_refused() {
    for template in [
        "{{ __x }}",
        "{% set __x = 1 %}",
        "{{ 1|__text }}",
        "{{ 1 is __x }}",
        "{% macro __m() %}{% endmacro %}",
        "{{ __x() }}",
    ] {
        let error = page(&format!("a: 1\n{template}"), small()).expect_err(template);
        assert!(error.to_string().contains("names that begin with `__` are reserved"), "{error}");
        assert_eq!(error.places()[0].line, 2, "{template}");
    }
    assert!(page("a: {{ {'__x': 1}.__x }}", small()).is_ok());
    let error =
        page("\n{% import '_macros.j2' as 1 %}", small()).expect_err("not a name").to_string();
    assert!(error.contains(":2: `as` takes a name"), "{error}");
}
