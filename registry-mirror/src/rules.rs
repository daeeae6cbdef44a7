//! Which registry is asked instead of which, in one table: for pulling, for copying, and for the
//! names of images in manifests.

use serde::{Deserialize, Serialize};

use crate::reference::Reference;

mod endpoint;

pub use endpoint::{Endpoint, EndpointError};

/// The table. Of all rules whose prefix fits a name, the longest prefix counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rules {
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// How to reach registries that are nobody's mirror; `location` is their host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<Endpoint>,
}

/// What has this prefix can be had from these mirrors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// `host[:port][/path]`; whole path components are compared.
    pub prefix: String,
    #[serde(default)]
    pub policy: Policy,
    /// In the order in which they are asked. `location` takes the prefix's place.
    pub mirrors: Vec<Endpoint>,
}

/// Whom to ask, and in which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Policy {
    /// Never the registry of the name itself.
    MirrorOnly,
    /// The registry of the name itself when no mirror has it.
    #[default]
    MirrorFirst,
    /// The mirrors when the registry of the name itself does not have it.
    DefaultFirst,
}

/// One place where something may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'a> {
    pub reference: Reference,
    /// How to reach it; `None` for a registry without settings.
    pub endpoint: Option<&'a Endpoint>,
    pub is_mirror: bool,
}

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    #[error("the mirror rules are not YAML of {{rules: [{{prefix, mirrors}}]}}: {0}")]
    Malformed(String),
    #[error("mirror rule {prefix:?} is not a prefix such as host[:port][/path]")]
    Prefix { prefix: String },
    #[error("mirror rule {prefix:?} has the mirror {location:?}, which is not host[:port][/path]")]
    Location { prefix: String, location: String },
    #[error("mirror rule {prefix:?} names no mirror")]
    NoMirror { prefix: String },
    #[error("there are two mirror rules for {prefix:?}")]
    Twice { prefix: String },
    #[error("the mirror rules are longer than {LONGEST} bytes")]
    TooLong,
    #[error(
        "{location:?} in the mirror rules has {field}: files cannot be named here; use secret and caCertificates"
    )]
    File { location: String, field: &'static str },
}

/// A ConfigMap holds no more.
const LONGEST: usize = 1024 * 1024;

impl Rules {
    /// Reads and checks a table.
    pub fn from_yaml(text: &str) -> Result<Self, RulesError> {
        if text.len() > LONGEST {
            return Err(RulesError::TooLong);
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let rules: Self = serde_saphyr::from_str(text).map_err(|error| {
            RulesError::Malformed(error.to_string().lines().next().unwrap_or_default().to_owned())
        })?;
        rules.checked()
    }

    /// The table that moves everything below `host[:port][/path]`, without its own host.
    pub fn all_to(location: &str) -> Result<Self, RulesError> {
        let mirrors = vec![Endpoint::at(location)];
        let everything = Rule { prefix: "*".to_owned(), policy: Policy::MirrorOnly, mirrors };
        Self { rules: vec![everything], registries: Vec::new() }.checked()
    }

    fn checked(self) -> Result<Self, RulesError> {
        for (index, rule) in self.rules.iter().enumerate() {
            let prefix = rule.prefix.clone();
            if prefix != "*" && !is_location(&prefix) {
                return Err(RulesError::Prefix { prefix });
            }
            if rule.mirrors.is_empty() {
                return Err(RulesError::NoMirror { prefix });
            }
            if let Some(bad) = rule.mirrors.iter().find(|mirror| !is_location(&mirror.location)) {
                return Err(RulesError::Location { prefix, location: bad.location.clone() });
            }
            if self.rules[..index].iter().any(|earlier| earlier.prefix == prefix) {
                return Err(RulesError::Twice { prefix });
            }
        }
        Ok(self)
    }

    /// Everything of which the table says how it is reached.
    pub fn endpoints_mut(&mut self) -> impl Iterator<Item = &mut Endpoint> {
        self.rules.iter_mut().flat_map(|rule| &mut rule.mirrors).chain(&mut self.registries)
    }

    /// Refuses a table that names files: whoever writes it must not choose what is read from the
    /// machine that uses it.
    pub fn without_files(self) -> Result<Self, RulesError> {
        let mirrors = self.rules.iter().flat_map(|rule| &rule.mirrors);
        let named = self.registries.iter().chain(mirrors).find_map(|endpoint| {
            let location = endpoint.location.clone();
            Some(RulesError::File { location, field: endpoint.file()? })
        });
        named.map_or(Ok(self), Err)
    }

    /// Where to look for something, best first; at least one place.
    pub fn places(&self, reference: &Reference) -> Vec<Place<'_>> {
        let own = Place {
            reference: reference.clone(),
            endpoint: self.settings(reference),
            is_mirror: false,
        };
        let Some((rule, rest)) = self.rule(reference) else { return vec![own] };
        let mirrors = rule.mirrors.iter().filter_map(|mirror| {
            let moved = reference.moved_to(&joined(&mirror.location, rest)).ok()?;
            Some(Place { reference: moved, endpoint: Some(mirror), is_mirror: true })
        });
        match rule.policy {
            Policy::MirrorOnly => mirrors.collect(),
            Policy::MirrorFirst => mirrors.chain([own]).collect(),
            Policy::DefaultFirst => [own].into_iter().chain(mirrors).collect(),
        }
    }

    /// The one name that stands for a reference where only one can stand, such as in a manifest:
    /// that of the first mirror, or its own if the registry itself is asked first.
    pub fn rewrite(&self, reference: &Reference) -> Reference {
        match self.rule(reference) {
            Some((rule, rest)) if rule.policy != Policy::DefaultFirst => {
                let moved = reference.moved_to(&joined(&rule.mirrors[0].location, rest));
                moved.unwrap_or_else(|_| reference.clone())
            }
            _ => reference.clone(),
        }
    }

    /// The same for an image as it is written in a manifest; `None` if it stays as it is, or is
    /// not the name of an image.
    pub fn rewrite_image(&self, image: &str) -> Option<String> {
        let reference = Reference::parse_image(image).ok()?;
        let moved = self.rewrite(&reference);
        (moved != reference).then(|| moved.image())
    }

    /// How to reach the registry of a name itself: the settings of a registry or mirror whose
    /// location the name lies in, the longest location first.
    pub fn settings(&self, reference: &Reference) -> Option<&Endpoint> {
        let mirrors = self.rules.iter().flat_map(|rule| &rule.mirrors);
        self.registries
            .iter()
            .chain(mirrors)
            .filter(|endpoint| below(&endpoint.location, reference).is_some())
            .max_by_key(|endpoint| endpoint.location.len())
    }

    /// The rule for a name, and what follows its prefix.
    fn rule<'s, 'r>(&'s self, reference: &'r Reference) -> Option<(&'s Rule, &'r str)> {
        let fits = |rule: &'s Rule| match rule.prefix.as_str() {
            "*" => Some((rule, reference.repository())),
            prefix => Some((rule, below(prefix, reference)?)),
        };
        self.rules
            .iter()
            .filter_map(fits)
            .max_by_key(|(rule, _)| if rule.prefix == "*" { 0 } else { rule.prefix.len() })
    }
}

/// What follows `host[/path]` in a name; empty for the name itself.
fn below<'r>(prefix: &str, reference: &'r Reference) -> Option<&'r str> {
    let prefix = prefix.trim_end_matches('/');
    let (host, path) = prefix.split_once('/').unwrap_or((prefix, ""));
    if !host.eq_ignore_ascii_case(reference.host()) {
        return None;
    }
    match reference.repository().strip_prefix(path)? {
        rest if path.is_empty() || rest.is_empty() => Some(rest),
        rest => rest.strip_prefix('/'),
    }
}

fn joined(location: &str, rest: &str) -> String {
    let location = location.trim_end_matches('/');
    if rest.is_empty() { location.to_owned() } else { format!("{location}/{rest}") }
}

/// A host, with or without a path.
fn is_location(text: &str) -> bool {
    let whole = joined(text, "x");
    Reference::parse(&whole).is_ok_and(|r| r.tag().is_none() && r.path() == whole)
}

#[cfg(test)]
mod tests;
