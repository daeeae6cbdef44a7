//! A chart's files on this machine.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use pinnace_engine::chart::{File, MAX_SIZE, Rules};

/// How deep a chart's folder may nest; a link in a circle ends here.
const MAX_DEPTH: usize = 64;

/// The bytes of a `.tgz`.
pub fn archive(path: &Path) -> anyhow::Result<Vec<u8>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!(
                "path {:?} not found; give a chart's folder, a .tgz file or an oci:// reference",
                path.display().to_string()
            )
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read the chart {}", path.display()));
        }
    };
    if metadata.len() > MAX_SIZE {
        bail!("the chart {} is larger than {MAX_SIZE} bytes", path.display());
    }
    let archive =
        fs::read(path).with_context(|| format!("cannot read the chart {}", path.display()))?;
    if !archive.starts_with(b"\x1f\x8b") {
        let hint = match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml") => "; values files are given with --values",
            _ => "",
        };
        bail!("{} is not a gzipped chart archive{hint}", path.display());
    }
    Ok(archive)
}

/// The files below a folder, less what its `.helmignore` leaves out.
pub fn files(folder: &Path) -> anyhow::Result<Vec<File>> {
    let rules = match fs::read_to_string(folder.join(".helmignore")) {
        Ok(text) => Rules::parse(&text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Rules::parse("")?,
        Err(error) => return Err(error).context("cannot read .helmignore"),
    };
    let mut walk = Walk { rules, files: Vec::new(), budget: MAX_SIZE };
    walk.folder(folder, "", 0)?;
    Ok(walk.files)
}

struct Walk {
    rules: Rules,
    files: Vec<File>,
    budget: u64,
}

impl Walk {
    /// Follows links, as Helm does: the folder is the person's own.
    fn folder(&mut self, folder: &Path, below: &str, depth: usize) -> anyhow::Result<()> {
        if depth > MAX_DEPTH {
            bail!("{} is nested deeper than {MAX_DEPTH} folders", folder.display());
        }
        let mut entries: Vec<_> = fs::read_dir(folder)
            .with_context(|| format!("cannot list {}", folder.display()))?
            .collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                bail!("the name of {} is not UTF-8", path.display());
            };
            let name = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            let kind = match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => kind,
                _ => fs::metadata(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?
                    .file_type(),
            };
            if self.rules.ignores(&name, kind.is_dir()) {
                continue;
            }
            if kind.is_dir() {
                self.folder(&path, &name, depth + 1)?;
            } else if kind.is_file() {
                self.file(&path, name)?;
            } else {
                bail!("cannot load {}: it is neither a file nor a folder", path.display());
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: String) -> anyhow::Result<()> {
        let read = || {
            let file = fs::File::open(path)?;
            let metadata = file.metadata()?;
            // A byte more shows the end of the file, or that it is too large.
            let wanted = metadata.len().min(self.budget) + 1;
            let mut data = Vec::with_capacity(wanted as usize);
            file.take(self.budget + 1).read_to_end(&mut data)?;
            Ok::<_, std::io::Error>((metadata, data))
        };
        let (metadata, data) = read().with_context(|| format!("cannot read {}", path.display()))?;
        match self.budget.checked_sub(data.len() as u64) {
            Some(left) => self.budget = left,
            None => bail!("chart exceeds maximum decompressed size of {MAX_SIZE} bytes"),
        }
        let modified = metadata.modified().ok().map(Into::into);
        self.files.push(File { name, data: data.into(), modified });
        Ok(())
    }
}
