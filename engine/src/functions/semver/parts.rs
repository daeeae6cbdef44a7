//! How versions are written, those in constraints among them.

/// `v1.2.3-rc.1+build`, taken apart. A part that is left out is empty.
pub(super) struct Parts<'a> {
    pub whole: &'a str,
    /// Major, minor and patch, without their dots.
    pub numbers: [&'a str; 3],
    pub prerelease: &'a str,
    pub metadata: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes the longest version that the text begins with, and gives what follows it. `digit` tells what
    /// numbers are made of.
    pub fn take(text: &'a str, digit: fn(u8) -> bool) -> Option<(Self, &'a str)> {
        let number = |text: &'a str| run(text, digit);
        let (major, mut rest) = number(text.strip_prefix('v').unwrap_or(text))?;
        let mut after = |sign: char, take: &dyn Fn(&'a str) -> Option<(&'a str, &'a str)>| {
            let (part, left) = rest.strip_prefix(sign).and_then(take).unwrap_or(("", rest));
            rest = left;
            part
        };
        let minor = after('.', &number);
        let patch = after('.', &number);
        let prerelease = after('-', &identifiers);
        let metadata = after('+', &identifiers);
        let whole = &text[..text.len() - rest.len()];
        Some((Parts { whole, numbers: [major, minor, patch], prerelease, metadata }, rest))
    }
}

/// The bytes of a class that the text begins with, at least one, and what follows.
fn run(text: &str, class: impl Fn(u8) -> bool) -> Option<(&str, &str)> {
    let end = text.bytes().take_while(|byte| class(*byte)).count();
    (end > 0).then(|| text.split_at(end))
}

/// Words with dots between.
fn identifiers(text: &str) -> Option<(&str, &str)> {
    let word = |text| run(text, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let (_, mut rest) = word(text)?;
    while let Some((_, after)) = rest.strip_prefix('.').and_then(word) {
        rest = after;
    }
    Some(text.split_at(text.len() - rest.len()))
}
