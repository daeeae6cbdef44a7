//! Go's `filepath.Match`, which `.helmignore` and `--show-only` use.

use std::iter::Peekable;
use std::str::Chars;

/// A pattern that cannot be read, such as `[a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

/// A pattern: `*` and `?` stop at `/`, `[a-z]` and `[^a-z]` are classes, a backslash takes the next
/// character as it is.
#[derive(Clone, Debug)]
pub struct Pattern {
    parts: Vec<Part>,
    /// What a name has to end with: most names do not.
    tail: String,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let parts = parse(text)?;
        let tail = parts.iter().fold(String::new(), |mut tail, part| {
            match part {
                Part::Char(c) => tail.push(*c),
                _ => tail.clear(),
            }
            tail
        });
        Ok(Self { parts, tail })
    }

    /// Whether the whole of `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        name.ends_with(&self.tail) && run(&self.parts, name)
    }
}

#[derive(Clone, Debug)]
enum Part {
    Star,
    Any,
    Char(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => c != '/',
            Self::Char(own) => *own == c,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

fn parse(pattern: &str) -> Result<Vec<Part>, BadPattern> {
    let mut parts = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        parts.push(match c {
            '*' => Part::Star,
            '?' => Part::Any,
            '\\' => Part::Char(rest.next().ok_or(BadPattern)?),
            '[' => {
                let negated = rest.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while ranges.is_empty() || rest.next_if_eq(&']').is_none() {
                    let low = class_char(&mut rest)?;
                    let dash = rest.next_if_eq(&'-').is_some();
                    let high = if dash { class_char(&mut rest)? } else { low };
                    ranges.push((low, high));
                }
                Part::Class { negated, ranges }
            }
            c => Part::Char(c),
        });
    }
    Ok(parts)
}

fn class_char(rest: &mut Peekable<Chars<'_>>) -> Result<char, BadPattern> {
    match rest.next() {
        None | Some('-' | ']') => Err(BadPattern),
        Some('\\') => rest.next().ok_or(BadPattern),
        Some(c) => Ok(c),
    }
}

/// Backtracks to the last star only, so it takes time in the product of the two lengths at most.
fn run(parts: &[Part], name: &str) -> bool {
    let (mut part, mut rest) = (0, name.chars());
    let mut star: Option<(usize, Chars<'_>)> = None;
    loop {
        let mut next = rest.clone();
        match (parts.get(part), next.next()) {
            (None, None) => return true,
            (Some(Part::Star), _) => {
                part += 1;
                star = Some((part, rest.clone()));
                continue;
            }
            (Some(wanted), Some(c)) if wanted.takes(c) => {
                part += 1;
                rest = next;
                continue;
            }
            _ => {}
        }
        // The star takes one character more.
        let Some((after, from)) = &mut star else { return false };
        if from.next().is_none_or(|c| c == '/') {
            return false;
        }
        (part, rest) = (*after, from.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_in_go() {
        for (pattern, name, expected) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a/b.yaml", false),
            ("templates/*", "templates/a.yaml", true),
            ("templates/.?*", "templates/.x", true),
            ("templates/.?*", "templates/.", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("a*b*c", "aXbYbZc", true),
            ("a\\*", "a*", true),
            ("", "", true),
        ] {
            let read = Pattern::parse(pattern).expect(pattern);
            assert_eq!(read.matches(name), expected, "{pattern} {name}");
        }
        for pattern in ["[", "[]a]", "[a-]", "a\\"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
