//! Reading and writing rows.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use zstd::bulk::Compressor;

use super::manifest::Input;
use super::whole;

/// The longest row, in bytes: a file of a megabyte three times over, with room for escapes.
const LONGEST_ROW: u64 = 32 << 20;

/// Compression that costs less time than it saves in writing.
const LEVEL: i32 = 3;

/// Of files that are read again soon and thrown away.
const QUICK: i32 = 1;

/// Why rows could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The file system refused.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it said.
        reason: std::io::Error,
    },
    /// A line is no row.
    #[error("{}:{line}: expected a row of `{expected}`, found {found}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The type of row.
        expected: &'static str,
        /// What is wrong.
        found: String,
    },
}

impl RowError {
    fn file(path: &Path) -> impl Fn(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |reason| Self::File {
            path: path.clone(),
            reason,
        }
    }
}

/// Reads the rows of a file one by one, and its hash on the way.
pub struct RowReader<T> {
    path: PathBuf,
    expected: &'static str,
    lines: Box<dyn BufRead>,
    line: u64,
    buffer: Vec<u8>,
    row: PhantomData<T>,
}

impl<T: DeserializeOwned> RowReader<T> {
    /// Opens a file of `expected` rows.
    ///
    /// # Errors
    /// [`RowError::File`].
    pub fn open(path: &Path, expected: &'static str) -> Result<Self, RowError> {
        let file = File::open(path).map_err(RowError::file(path))?;
        let lines: Box<dyn BufRead> = if is_compressed(path) {
            let decoder = zstd::Decoder::new(file).map_err(RowError::file(path))?;
            Box::new(BufReader::with_capacity(1 << 16, decoder))
        } else {
            Box::new(BufReader::with_capacity(1 << 16, file))
        };
        Ok(Self {
            path: path.to_owned(),
            expected,
            lines,
            line: 0,
            buffer: Vec::new(),
            row: PhantomData,
        })
    }

    /// The error that names the row read last.
    pub fn wrong(&self, found: impl Into<String>) -> RowError {
        RowError::Row {
            path: self.path.clone(),
            line: self.line,
            expected: self.expected,
            found: found.into(),
        }
    }

    /// The row read last as it stands in the file, with its line break.
    pub fn text(&self) -> &[u8] {
        &self.buffer
    }

    /// The line of the row read last, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    fn read(&mut self) -> Result<Option<T>, RowError> {
        loop {
            self.buffer.clear();
            self.line += 1;
            let read = (&mut self.lines)
                .take(LONGEST_ROW)
                .read_until(b'\n', &mut self.buffer)
                .map_err(RowError::file(&self.path))?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == LONGEST_ROW && self.buffer.last() != Some(&b'\n') {
                return Err(self.wrong(format!("a line of more than {LONGEST_ROW} bytes")));
            }
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            return serde_json::from_slice(&self.buffer)
                .map(Some)
                .map_err(|error| self.wrong(error.to_string()));
        }
    }
}

impl<T: DeserializeOwned> Iterator for RowReader<T> {
    type Item = Result<T, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// Its rows.
    pub rows: u64,
    /// Its bytes as they lie on the disk.
    pub bytes: u64,
    /// SHA-256 of those bytes, in hex.
    pub sha256: String,
}

/// Writes rows under a temporary name; [`RowWriter::finish`] gives the file its own.
pub struct RowWriter<T> {
    path: PathBuf,
    sink: Sink,
    rows: u64,
    /// The row that is being written: compressors are slow at taking it in small pieces.
    buffer: Vec<u8>,
    row: PhantomData<T>,
}

/// Rows that are compressed by themselves, to be appended as they are.
pub struct Frame {
    bytes: Vec<u8>,
    rows: u64,
}

impl Frame {
    /// Compresses rows for a file that is read again soon: three times as fast, a third larger.
    ///
    /// # Errors
    /// Where a row cannot be written as JSON.
    pub fn new<'r, T: Serialize + 'r>(
        rows: impl IntoIterator<Item = &'r T>,
    ) -> std::io::Result<Self> {
        PRESS.with_borrow_mut(|press| {
            press.text.clear();
            let mut count = 0;
            for row in rows {
                serde_json::to_writer(&mut press.text, row)?;
                press.text.push(b'\n');
                count += 1;
            }
            let bytes = press.compress()?;
            Ok(Self { bytes, rows: count })
        })
    }
}

thread_local! {
    static PRESS: RefCell<Press> = RefCell::default();
}

/// What makes frames, one for each thread: to make it anew, and to let its text grow again, takes
/// as long as to compress the rows of a file.
#[derive(Default)]
struct Press {
    text: Vec<u8>,
    compressor: Option<Compressor<'static>>,
}

impl Press {
    fn compress(&mut self) -> std::io::Result<Vec<u8>> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(QUICK)?),
        };
        compressor.compress(&self.text)
    }
}

enum Sink {
    /// Bytes as they are: text, or whole frames.
    Plain(BufWriter<NamedTempFile>),
    Compressed(zstd::Encoder<'static, BufWriter<NamedTempFile>>),
}

impl Sink {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(writer) => writer,
            Self::Compressed(encoder) => encoder,
        }
    }
}

impl<T: Serialize> RowWriter<T> {
    /// Begins a file; its folder is made where it is not there.
    ///
    /// # Errors
    /// [`RowError::File`].
    pub fn create(path: &Path) -> Result<Self, RowError> {
        let file = begin(path)?;
        let sink = if is_compressed(path) {
            let encoder = zstd::Encoder::new(file, LEVEL).map_err(RowError::file(path))?;
            Sink::Compressed(encoder)
        } else {
            Sink::Plain(file)
        };
        Ok(Self::onto(path, sink))
    }

    /// Begins a file of frames that are made elsewhere: [`RowWriter::append`] alone writes to it.
    ///
    /// # Errors
    /// [`RowError::File`].
    pub fn of_frames(path: &Path) -> Result<Self, RowError> {
        let mut writer = Self::onto(path, Sink::Plain(begin(path)?));
        // A file without any frame is none of the format's.
        let none = Frame::new::<()>([]).map_err(RowError::file(path))?;
        writer.append(&none)?;
        Ok(writer)
    }

    fn onto(path: &Path, sink: Sink) -> Self {
        Self {
            path: path.to_owned(),
            sink,
            rows: 0,
            buffer: Vec::new(),
            row: PhantomData,
        }
    }

    /// Appends rows that are compressed already, to a file of frames.
    ///
    /// # Errors
    /// [`RowError::File`], as where the disk is full.
    pub fn append(&mut self, frame: &Frame) -> Result<(), RowError> {
        let written = self.sink.writer().write_all(&frame.bytes);
        written.map_err(RowError::file(&self.path))?;
        self.rows += frame.rows;
        Ok(())
    }

    /// Appends a row.
    ///
    /// # Errors
    /// [`RowError::File`], as where the disk is full.
    pub fn write(&mut self, row: &T) -> Result<(), RowError> {
        let mut text = std::mem::take(&mut self.buffer);
        text.clear();
        serde_json::to_writer(&mut text, row)
            .map_err(|error| RowError::file(&self.path)(error.into()))?;
        text.push(b'\n');
        self.copy(&text)?;
        self.buffer = text;
        Ok(())
    }

    /// Appends a row as another file has it ([`RowReader::text`]).
    ///
    /// # Errors
    /// [`RowError::File`], as where the disk is full.
    pub fn copy(&mut self, text: &[u8]) -> Result<(), RowError> {
        let written = self.sink.writer().write_all(text);
        written.map_err(RowError::file(&self.path))?;
        self.rows += 1;
        Ok(())
    }

    /// Brings everything to the disk and gives the file its name.
    ///
    /// # Errors
    /// [`RowError::File`]; an older file of that name is then still whole.
    pub fn finish(self) -> Result<Written, RowError> {
        let wrong = RowError::file(&self.path);
        let writer = match self.sink {
            Sink::Plain(writer) => writer,
            Sink::Compressed(encoder) => encoder.finish().map_err(&wrong)?,
        };
        let file = writer
            .into_inner()
            .map_err(|error| wrong(error.into_error()))?;
        whole::put(file, &self.path).map_err(&wrong)?;
        let (sha256, bytes) = hash(&self.path).map_err(&wrong)?;
        Ok(Written {
            path: self.path,
            rows: self.rows,
            bytes,
            sha256,
        })
    }
}

impl Input {
    /// Hashes a file that is about to be read.
    ///
    /// # Errors
    /// [`RowError::File`].
    pub fn of(path: &Path) -> Result<Self, RowError> {
        let (sha256, _) = hash(path).map_err(RowError::file(path))?;
        Ok(Self {
            path: path.to_owned(),
            sha256,
        })
    }
}

fn hash(path: &Path) -> std::io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex::encode(hasher.finalize()), bytes));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}

fn begin(path: &Path) -> Result<BufWriter<NamedTempFile>, RowError> {
    let file = whole::begin(path).map_err(RowError::file(path))?;
    Ok(BufWriter::with_capacity(1 << 16, file))
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{Subject, Verdict, VerdictKind};

    fn verdict(row: &str) -> Verdict {
        Verdict {
            row: row.into(),
            subject: Subject::Golden,
            kind: VerdictKind::Blind,
            judge: "j".into(),
            prompt_version: "1".into(),
            first: None,
            verdict: None,
            missing: Some("blocked".into()),
        }
    }

    #[test]
    fn rows_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a/verdicts.jsonl", "verdicts.jsonl.zst"] {
            let path = folder.path().join(name);
            let mut writer = RowWriter::create(&path).expect("begun");
            for number in 0..1000 {
                writer.write(&verdict(&number.to_string())).expect("room");
            }
            assert!(!path.exists(), "only a whole file has the name");
            let written = writer.finish().expect("whole");
            assert_eq!(written.rows, 1000);
            assert_eq!(written.sha256, Input::of(&path).expect("there").sha256);
            let read: Vec<Verdict> = RowReader::open(&path, "verdicts")
                .expect("there")
                .collect::<Result<_, _>>()
                .expect("rows");
            assert_eq!(read.len(), 1000);
            assert_eq!(read[7], verdict("7"));
        }
    }

    #[test]
    fn a_wrong_row_is_named_by_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("verdicts.jsonl");
        let good = serde_json::to_string(&verdict("1")).expect("JSON");
        std::fs::write(&path, format!("{good}\n\n{{\"row\": 1}}\n")).expect("written");
        let mut reader = RowReader::<Verdict>::open(&path, "verdicts").expect("there");
        assert!(reader.next().expect("a row").is_ok());
        let error = reader
            .next()
            .expect("a row")
            .expect_err("wrong")
            .to_string();
        assert!(
            error.contains("verdicts.jsonl:3") && error.contains("`verdicts`"),
            "{error}"
        );
        let gone = RowReader::<Verdict>::open(Path::new("/nowhere.jsonl"), "verdicts");
        assert!(
            gone.err()
                .expect("refused")
                .to_string()
                .contains("/nowhere.jsonl")
        );
    }

    #[test]
    fn an_unfinished_file_leaves_the_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("verdicts.jsonl");
        std::fs::write(&path, "old").expect("written");
        let mut writer = RowWriter::create(&path).expect("begun");
        writer.write(&verdict("1")).expect("room");
        drop(writer);
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 1);
    }
}
