//! Our engine.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pinnace_engine::Chart;
use pinnace_engine::chart::File;
use pinnace_engine::render::{Options, execute};
use pinnace_engine::values::strvals::{self, Form};
use pinnace_engine::yaml;
use serde_json::{Map, Value};

use crate::case::Case;
use crate::helm::{Outcome, without_address, without_key_types};

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Panics are reported as differences, by [`render`].
pub fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|info| {
        LAST_PANIC.with(|last| *last.borrow_mut() = info.to_string());
    }));
}

/// What our engine makes of a case, or the message of its panic. Needs a large stack.
pub fn render(case: &Case) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| outcome(case)))
        .map_err(|_| LAST_PANIC.with(|last| last.borrow().clone()))
}

/// What is set on top of values, as `pinnace template` does it; `--set-file` gives the path.
fn values(case: &Case) -> Result<Map<String, Value>, String> {
    let mut values = case.values.clone();
    if !case.sets.is_empty() && !case.integers {
        yaml::as_go_floats(&mut values);
    }
    let mut values = values.as_object().cloned().unwrap_or_default();
    let path = |path: &str| Ok(path.to_owned());
    for set in &case.sets {
        let form = match set.form.as_str() {
            "string" => Form::Text,
            "json" => Form::Json,
            "file" => Form::File(&path),
            "literal" => Form::Literal,
            _ => Form::Typed,
        };
        strvals::set(&set.line, &mut values, form).map_err(|error| error.to_string())?;
    }
    Ok(values)
}

fn outcome(case: &Case) -> Outcome {
    let file = |name: &str, text: &str| File {
        name: name.to_owned(),
        data: text.as_bytes().into(),
        modified: None,
    };
    let mut files = vec![
        file("Chart.yaml", "apiVersion: v2\nname: t\nversion: 1.0.0\n"),
        file("templates/case.txt", &case.template),
    ];
    files
        .extend(case.templates.iter().map(|(name, text)| file(&format!("templates/{name}"), text)));
    // A loader takes the mark off; Helm is handed the files behind its own.
    let marked = |text: &String| match text.starts_with('\u{feff}') {
        true => format!("\u{feff}{text}"),
        false => text.clone(),
    };
    files.extend(case.files.iter().map(|(name, text)| file(name, &marked(text))));
    let chart = Chart::from_files(files).map_err(|error| error.to_string())?;
    let values = values(case)?;
    let options = Options {
        skip_schema_validation: true,
        keep_integers: case.integers || !case.sets.is_empty(),
        ..Options::new("demo", "space")
    };
    let mut texts = execute(&chart, &values, &options).map_err(|error| error.to_string())?;
    let text = texts.remove("t/templates/case.txt").unwrap_or_default();
    Ok(without_key_types(without_address(text)))
}
