//! How `helm template` prints what was rendered.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context as _, bail};
use pinnace_engine::Rendered;
use pinnace_engine::path_pattern::Pattern;
use pinnace_engine::render::{Hook, split};
use regex::Regex;

/// What to print beside the manifests.
#[derive(Clone, Copy)]
pub struct Choice {
    pub crds: bool,
    pub hooks: bool,
    pub tests: bool,
}

impl Choice {
    fn hooks(self, rendered: &Rendered) -> impl Iterator<Item = &Hook> {
        let wanted = move |hook: &&Hook| {
            self.hooks && (self.tests || !hook.events.iter().any(|event| event == "test"))
        };
        rendered.hooks.iter().filter(wanted)
    }
}

fn document(source: &str, content: &str) -> String {
    format!("---\n# Source: {source}\n{content}\n")
}

/// Everything, the white space after the last manifest made one line end. A large chart's text is not
/// put together in memory.
pub fn write(rendered: &Rendered, choice: Choice, out: &mut dyn Write) -> std::io::Result<()> {
    let crds = rendered.crds.iter().filter(|_| choice.crds);
    let crds = crds.map(|crd| (crd.filename.as_str(), crd.content.as_str()));
    let manifests = rendered.manifests.iter().map(|m| (m.source.as_str(), m.content.as_str()));
    let mut documents = crds.chain(manifests).peekable();
    while let Some((source, content)) = documents.next() {
        if documents.peek().is_some() {
            out.write_all(document(source, content).as_bytes())?;
        } else {
            out.write_all(document(source, content).trim_end().as_bytes())?;
        }
    }
    out.write_all(b"\n")?;
    for hook in choice.hooks(rendered) {
        out.write_all(document(&hook.path, &hook.manifest).as_bytes())?;
    }
    Ok(())
}

/// Only the documents of the templates that match a pattern, in the order of the patterns.
pub fn only(text: &str, patterns: &[String]) -> anyhow::Result<String> {
    static SOURCE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("# Source: [^/]+/(.+)").expect("a constant"));
    let documents = split(text);
    let mut chosen = String::new();
    for pattern in patterns {
        let read = Pattern::parse(pattern);
        let mut missing = true;
        for document in &documents {
            let Some(path) = SOURCE.captures(document).and_then(|found| found.get(1)) else {
                continue;
            };
            if read.as_ref().is_ok_and(|read| read.matches(path.as_str())) {
                chosen.push_str(&format!("---\n{document}\n"));
                missing = false;
            }
        }
        if missing {
            bail!("could not find template {pattern} in chart");
        }
    }
    Ok(chosen)
}

/// One file for each template: CRDs below `folder`, all else below `below`.
pub fn write_files(
    rendered: &Rendered,
    choice: Choice,
    folder: &Path,
    below: &Path,
    stdout: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut written = std::collections::HashSet::new();
    let crds = rendered.crds.iter().filter(|_| choice.crds);
    let crds = crds.map(|crd| (folder, crd.filename.as_str(), crd.content.as_str()));
    let manifests = rendered.manifests.iter();
    let manifests = manifests.map(|m| (below, m.source.as_str(), m.content.as_str()));
    for (folder, name, content) in crds.chain(manifests) {
        let again = !written.insert((folder.to_owned(), name));
        write_file(folder, name, content, again, stdout)?;
    }
    for hook in choice.hooks(rendered) {
        // Helm appends to whatever file is there.
        let exists = below.join(&hook.path).exists();
        write_file(below, &hook.path, &hook.manifest, exists, stdout)?;
    }
    Ok(())
}

/// Whole files, for a person who looks for what is wrong in them.
pub fn unsorted(files: &BTreeMap<String, String>) -> String {
    let files = files.iter().filter(|(_, content)| !content.trim().is_empty());
    let text: String = files.map(|(path, content)| document(path, content)).collect();
    format!("{}\n", text.trim())
}

fn write_file(
    folder: &Path,
    name: &str,
    content: &str,
    append: bool,
    stdout: &mut dyn Write,
) -> anyhow::Result<()> {
    let path = folder.join(name);
    let cannot = || format!("cannot write {}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(cannot)?;
    }
    let mut file = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .append(append)
        .truncate(!append)
        .open(&path)
        .with_context(cannot)?;
    file.write_all(document(name, content).as_bytes()).with_context(cannot)?;
    writeln!(stdout, "wrote {}", path.display()).context("cannot write to stdout")
}
