//! Our engine.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pinnace_engine::Chart;
use pinnace_engine::chart::File;
use pinnace_engine::render::{Capabilities, Operation, Options, execute};
use pinnace_engine::template::Budget;

use crate::case::Case;
use crate::helm::Outcome;

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
    files.extend(case.files.iter().map(|(name, text)| file(name, text)));
    let chart = Chart::from_files(files).map_err(|error| error.to_string())?;
    let values = case.values.as_object().cloned().unwrap_or_default();
    let options = Options {
        release_name: "demo",
        namespace: "space",
        revision: 1,
        operation: Operation::Install,
        capabilities: Capabilities::default(),
        lookup: None,
        skip_schema_validation: true,
        keep_integers: case.integers,
        budget: Budget::default(),
    };
    let mut texts = execute(&chart, &values, &options).map_err(|error| error.to_string())?;
    Ok(texts.remove("t/templates/case.txt").unwrap_or_default())
}
