//! What took long to compute, on the disk as soon as it is there: a run that was killed does not
//! compute it again.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Error, ErrorKind, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::corpus::stable_digest;

/// What a value depends on, hashed.
pub type Key = [u8; 16];

/// The key of what depends on a number and on texts; where one ends and the next begins counts.
pub fn key(number: u64, parts: &[&str]) -> Key {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    let mut key = Key::default();
    key.copy_from_slice(&stable_digest(number, &parts)[..16]);
    key
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line<V> {
    key: String,
    value: V,
}

/// A file of values by their keys. A value costs 40 bytes of memory.
pub struct Kept<V> {
    path: PathBuf,
    file: File,
    places: HashMap<Key, u64>,
    end: u64,
    value: PhantomData<V>,
}

impl<V: Serialize + DeserializeOwned> Kept<V> {
    /// Opens the file, or begins it. A line that a killed run left half is cut off.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub fn open(path: &Path) -> Result<Self> {
        let open = || -> std::io::Result<Self> {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut options = OpenOptions::new();
            let file = options.read(true).append(true).create(true).open(path)?;
            // Two writers would take each other's lines for half ones.
            if let Err(TryLockError::WouldBlock) = file.try_lock() {
                return Err(Error::new(
                    ErrorKind::WouldBlock,
                    "another run is at work with it; wait until that ends, or stop it",
                ));
            }
            let (mut places, mut end) = (HashMap::new(), 0);
            let mut lines = BufReader::new(&file);
            let mut line = Vec::new();
            loop {
                line.clear();
                let read = lines.read_until(b'\n', &mut line)? as u64;
                if read == 0 || !line.ends_with(b"\n") {
                    break;
                }
                let found = serde_json::from_slice(&line).ok();
                if let Some(key) = found.and_then(|line: Line<IgnoredAny>| key_of(&line.key)) {
                    places.insert(key, end);
                }
                end += read;
            }
            file.set_len(end)?;
            Ok(Self {
                path: path.to_owned(),
                file,
                places,
                end,
                value: PhantomData,
            })
        };
        open().with_context(|| format!("{}: results cannot be kept there", path.display()))
    }

    /// The value of a key, if it was computed and has the form that it has now.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn get(&mut self, key: &Key) -> Result<Option<V>> {
        let Some(place) = self.places.get(key).copied() else {
            return Ok(None);
        };
        let mut read = || -> std::io::Result<Vec<u8>> {
            self.file.seek(SeekFrom::Start(place))?;
            let mut line = Vec::new();
            BufReader::new(&self.file).read_until(b'\n', &mut line)?;
            Ok(line)
        };
        let line = read().with_context(|| format!("{}: a line of it", self.path.display()))?;
        let line: Option<Line<V>> = serde_json::from_slice(&line).ok();
        Ok(line.map(|line| line.value))
    }

    /// Keeps a value.
    ///
    /// # Errors
    /// As where the disk is full.
    pub fn put(&mut self, key: Key, value: &V) -> Result<()> {
        let line = Line {
            key: hex::encode(key),
            value,
        };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        if let Err(error) = self.file.write_all(&text) {
            // Half a line in the middle would hide the next one.
            let _ = self.file.set_len(self.end);
            return Err(error)
                .with_context(|| format!("{}: cannot be written", self.path.display()));
        }
        self.places.insert(key, self.end);
        self.end += text.len() as u64;
        Ok(())
    }
}

fn key_of(text: &str) -> Option<Key> {
    let mut key = Key::default();
    hex::decode_to_slice(text, &mut key).ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_a_kill_in_the_middle_of_a_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x/samples.jsonl");
        let text = |name: &str| vec![name.to_owned(), "two\nlines".to_owned()];
        let mut samples = Kept::open(&path).expect("begun");
        samples.put([1; 16], &text("a")).expect("room");
        samples.put([2; 16], &text("b")).expect("room");
        assert_eq!(samples.get(&[1; 16]).expect("read"), Some(text("a")));
        samples.put([3; 16], &text("c")).expect("room");
        drop(samples);
        let whole = std::fs::read(&path).expect("there");
        std::fs::write(&path, &whole[..whole.len() - 5]).expect("torn");
        let mut samples = Kept::open(&path).expect("opened");
        assert_eq!(samples.get(&[2; 16]).expect("read"), Some(text("b")));
        assert_eq!(samples.get(&[3; 16]).expect("read"), None);
        samples.put([3; 16], &text("d")).expect("room");
        assert_eq!(samples.get(&[3; 16]).expect("read"), Some(text("d")));
        let error = Kept::<Vec<String>>::open(&path).err().expect("refused");
        assert!(format!("{error:#}").contains("another run"), "{error:#}");
        drop(samples);
        let mut again = Kept::open(&path).expect("opened");
        assert_eq!(again.get(&[3; 16]).expect("read"), Some(text("d")));
    }
}
