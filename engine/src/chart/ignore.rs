//! .helmignore.

use crate::path_pattern::Pattern;

/// The rules of a `.helmignore` file, in their order, and Helm's own: `templates/.?*`.
#[derive(Clone, Debug)]
pub struct Rules(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    /// None: it matches nothing.
    pattern: Option<Pattern>,
    negated: bool,
    directories_only: bool,
    base_name_only: bool,
}

/// A line that Helm refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(".helmignore line {line}: {why}")]
pub struct IgnoreError {
    pub line: usize,
    pub why: &'static str,
}

impl Rules {
    /// The rules of a file's text; an empty text for a chart without `.helmignore`.
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for (line, rule) in text.lines().chain(["templates/.?*"]).enumerate() {
            let rule = rule.trim();
            if rule.is_empty() || rule.starts_with('#') {
                continue;
            }
            let refused = |why| IgnoreError { line: line + 1, why };
            if rule.contains("**") {
                return Err(refused("double-star (**) syntax is not supported"));
            }
            Pattern::parse(rule).map_err(|_| refused("syntax error in pattern"))?;
            rules.push(Rule::new(rule));
        }
        Ok(Self(rules))
    }

    /// Whether to leave out the file or (with all below it) the directory of this path, which is
    /// relative to the chart. The first matching rule decides; a negated rule leaves out all that
    /// it does not match.
    pub fn ignores(&self, path: &str, is_directory: bool) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        let base_name = path.rsplit_once('/').map_or(path, |(_, base)| base);
        for rule in &self.0 {
            let name = if rule.base_name_only { base_name } else { path };
            let matched = rule.pattern.as_ref().is_some_and(|pattern| pattern.matches(name));
            if rule.negated {
                if (rule.directories_only && !is_directory) || !matched {
                    return true;
                }
            } else if matched && (is_directory || !rule.directories_only) {
                return true;
            }
        }
        false
    }
}

impl Rule {
    fn new(text: &str) -> Self {
        let (negated, text) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let (directories_only, text) =
            text.strip_suffix('/').map_or((false, text), |rest| (true, rest));
        let base_name_only = !text.contains('/');
        let pattern = Pattern::parse(text.strip_prefix('/').unwrap_or(text)).ok();
        Self { pattern, negated, directories_only, base_name_only }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_as_in_helm() {
        let rules = Rules::parse("# comment\n\n.git/\n*.swp\n/root.txt\na/b.txt\n").expect("valid");
        for (path, directory, ignored) in [
            (".git", true, true),
            (".git", false, false),
            ("x/y.swp", false, true),
            ("root.txt", false, true),
            ("x/root.txt", false, false),
            ("a/b.txt", false, true),
            ("templates/.hidden", false, true),
            ("templates/a.yaml", false, false),
        ] {
            assert_eq!(rules.ignores(path, directory), ignored, "{path}");
        }
        assert!(Rules::parse("a/**").is_err());
        assert!(Rules::parse("[a").is_err());
    }
}
