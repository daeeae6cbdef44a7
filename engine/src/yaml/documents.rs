//! A text of several documents, cut as Kubernetes' own reader cuts it.

const SEPARATOR: &str = "---";

/// A line that begins with `---` and goes on with more than a comment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid Yaml document separator: {0}")]
pub struct InvalidSeparator(String);

/// The documents between lines of `---`, which may end with spaces and a comment. A wrong line is the
/// last item. The first document keeps the separator that it begins with, and so its lines are
/// counted from there.
pub(crate) fn documents(text: &str) -> Vec<Result<&str, InvalidSeparator>> {
    let mut documents = Vec::new();
    let (mut start, mut end) = (0, 0);
    for line in text.split_inclusive('\n') {
        let next = end + line.len();
        if let Some(rest) = line.strip_prefix(SEPARATOR) {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                documents.push(Err(InvalidSeparator(rest.to_owned())));
                return documents;
            }
            if start < end {
                documents.push(Ok(&text[start..end]));
                start = next;
            }
        }
        end = next;
    }
    if start < end {
        documents.push(Ok(&text[start..end]));
    }
    documents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_dashes_part_documents() {
        let cut = |text| -> Vec<&str> {
            documents(text).into_iter().map(|document| document.expect(text)).collect()
        };
        assert_eq!(cut("a: 1\n--- # c\nb: |\n  ---\n---\n"), ["a: 1\n", "b: |\n  ---\n"]);
        assert_eq!(cut("---\na: 1\n--- \r\nb: 1"), ["---\na: 1\n", "b: 1"]);
        assert!(cut("").is_empty());
    }

    #[test]
    fn nothing_is_glued_to_them() {
        for (text, good, glued) in
            [("a: 1\n---b: 2\n", 0, "b: 2"), ("a: 1\n---\nb: 1\n----", 1, "-"), ("--- a", 0, "a")]
        {
            let found = documents(text);
            assert_eq!(found.len(), good + 1, "{text}");
            assert_eq!(found[good], Err(InvalidSeparator(glued.to_owned())), "{text}");
        }
    }
}
