//! Runs `mine` in a folder of its own, and packs archives, sound and hostile ones.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest, Sha256};
use truefill_trainer::mine::{Job, Progress, Recipe};
use truefill_trainer::rows::{Context, Manifest, RowReader};

/// What a run gave.
pub struct Mined {
    /// Bytes that this run surveyed and mined; an earlier run's are not in it.
    pub read: [u64; 2],
    pub rows: Vec<Context>,
    pub manifest: Manifest,
    /// The output as it lies on the disk.
    pub bytes: Vec<u8>,
}

impl Mined {
    pub fn count(&self, name: &str) -> u64 {
        self.manifest.counts.get(name).copied().unwrap_or(0)
    }

    pub fn table(&self, name: &str) -> serde_json::Value {
        self.manifest.tables.get(name).cloned().unwrap_or_default()
    }
}

/// The golden corpus.
pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mine")
}

/// Mines into a folder that is gone afterwards.
pub fn mine(recipe: &Recipe, sources: &[PathBuf]) -> Mined {
    let folder = tempfile::tempdir().expect("a folder");
    try_mine(recipe, sources, folder.path(), false).expect("mined")
}

/// Mines into `folder/contexts.jsonl.zst`.
pub fn try_mine(
    recipe: &Recipe,
    sources: &[PathBuf],
    folder: &Path,
    keep_work: bool,
) -> Result<Mined> {
    let mut recipe = recipe.clone();
    recipe.sources.extend(sources.iter().cloned());
    recipe.sources.sort();
    let out = folder.join("contexts.jsonl.zst");
    let job = Job {
        recipe: &recipe,
        out: &out,
        bench: false,
        keep_work,
        model: None,
        progress: &Progress::silent(),
    };
    let outcome = job.run()?;
    let rows = RowReader::open(&out, "contexts")?.collect::<Result<_, _>>()?;
    Ok(Mined {
        rows,
        manifest: outcome.manifest,
        read: [outcome.rates.first_bytes, outcome.rates.second_bytes],
        bytes: std::fs::read(&out)?,
    })
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

pub fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, bytes).expect("written");
}

/// Writes files with their texts below a folder.
pub fn tree(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        write(&folder.join(path), text.as_bytes());
    }
}

/// The files below a folder, sorted by path.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inside = path.strip_prefix(folder).expect("inside");
            let name = inside.to_string_lossy().replace('\\', "/");
            found.push((name, std::fs::read(&path).expect("read")));
        }
    }
    found.sort();
    found
}

fn append(builder: &mut tar::Builder<impl Write>, path: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    builder
        .append_data(&mut header, path, bytes)
        .expect("packed");
}

/// A compressed tar archive with everything below `root`.
pub fn tar_gz(path: &Path, files: &[(String, Vec<u8>)], root: &str) -> PathBuf {
    write(path, &gzipped_tar(files, root));
    path.to_owned()
}

fn gzipped_tar(files: &[(String, Vec<u8>)], root: &str) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(encoder);
    for (name, bytes) in files {
        append(&mut builder, &format!("{root}{name}"), bytes);
    }
    let encoder = builder.into_inner().expect("packed");
    encoder.finish().expect("compressed")
}

/// A gem: a tar archive in which another lies.
pub fn gem(path: &Path, files: &[(String, Vec<u8>)]) -> PathBuf {
    let mut builder = tar::Builder::new(Vec::new());
    append(&mut builder, "data.tar.gz", &gzipped_tar(files, ""));
    write(path, &builder.into_inner().expect("packed"));
    path.to_owned()
}

/// A zip archive.
pub fn zip(path: &Path, files: &[(String, Vec<u8>)]) -> PathBuf {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer
            .start_file(name.as_str(), zip::write::SimpleFileOptions::default())
            .expect("begun");
        writer.write_all(bytes).expect("packed");
    }
    write(path, &writer.finish().expect("packed").into_inner());
    path.to_owned()
}

/// A tar archive with an entry that leads out of it, which the packer itself would refuse.
pub fn tar_escaping(path: &Path, entry: &str) {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_old();
    let bytes = b"print('out')\n";
    header.as_old_mut().name[..entry.len()].copy_from_slice(entry.as_bytes());
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    builder.append(&header, &bytes[..]).expect("packed");
    write(path, &builder.into_inner().expect("packed"));
}
