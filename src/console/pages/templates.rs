//! The templates, compiled into the program.

use std::sync::LazyLock;

use minijinja::{Environment, Error, Value};

pub const CSS: &str = include_str!("templates/console.css");
pub const SCRIPT: &str = include_str!("templates/console.js");

const TEMPLATES: [(&str, &str); 8] = [
    ("base.html", include_str!("templates/base.html")),
    ("sign_in.html", include_str!("templates/sign_in.html")),
    ("environments.html", include_str!("templates/environments.html")),
    ("charts.html", include_str!("templates/charts.html")),
    ("new.html", include_str!("templates/new.html")),
    ("environment.html", include_str!("templates/environment.html")),
    ("state.html", include_str!("templates/state.html")),
    ("error.html", include_str!("templates/error.html")),
];

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    for (name, source) in TEMPLATES {
        pages.add_template(name, source).expect("the templates of this program are well-formed");
    }
    pages
});

/// Renders a page; text is escaped.
pub fn render(name: &str, values: Value) -> Result<String, Error> {
    PAGES.get_template(name)?.render(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let page = render("error.html", minijinja::context! { error => "<script>" }).unwrap();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));
    }
}
