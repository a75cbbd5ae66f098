//! Files of all sources, one after the other, in batches: one thread reads and unpacks while the
//! others work. At most three batches are in memory: one that is worked on, one that waits and one
//! that is being read.

use std::io::{self, Read};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use truefill_syntax::{Language, MAX_PARSE_BYTES};

use super::{Entry, Source};
use crate::mine::reason::Reason;
use crate::mine::recipe::Limits;
use crate::mine::{packages, survey::paths};

/// Bytes of text in a batch.
const BATCH_BYTES: usize = 8 << 20;

/// Events in a batch.
const BATCH_EVENTS: usize = 2048;

/// The longest manifest or licence, in bytes.
const LONGEST_META: u64 = 1 << 20;

/// What the reader saw.
pub enum Event {
    /// A source begins.
    Begin(usize),
    /// A manifest or a licence.
    Meta {
        /// Its path in the source.
        path: String,
        /// Its text.
        text: String,
    },
    /// A file in one of the languages.
    Code(Code),
    /// A source ends, or broke.
    End(usize, Result<(), String>),
}

/// A file in one of the languages.
pub struct Code {
    /// Counts the source's files in the languages, from 0.
    pub number: u32,
    /// Its path in the source.
    pub path: String,
    /// Its language.
    pub language: Language,
    /// Its bytes, or why they were not read.
    pub body: Result<Vec<u8>, Reason>,
}

/// Which files are read.
pub struct Reading<'a> {
    /// All sources.
    pub sources: &'a [Source],
    /// The first source that is read.
    pub from: usize,
    /// Files of other languages are passed over.
    pub languages: &'a [Language],
    /// What an archive may hold.
    pub limits: &'a Limits,
    /// Manifests are given too.
    pub metas: bool,
    /// Whether a source is opened at all; of another its begin and its end are given.
    pub opened: &'a (dyn Fn(usize) -> bool + Sync),
    /// Whether a file, by its source and number, is given at all.
    pub wanted: &'a (dyn Fn(usize, u32) -> bool + Sync),
    /// While somebody holds it nothing is read ahead, so that what is measured meanwhile has the
    /// machine, and takes nothing over from it.
    pub gate: &'a Mutex<()>,
}

impl Reading<'_> {
    /// Hands all events to `take`, in order, in batches.
    ///
    /// # Errors
    /// What `take` returns; reading ends there.
    pub fn batches(&self, mut take: impl FnMut(Vec<Event>) -> Result<()>) -> Result<()> {
        let (sender, receiver) = sync_channel(1);
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut batch = Batch::new(sender);
                // An error here is that nobody takes any more.
                let _ = self.read(&mut batch).and_then(|()| batch.send());
            });
            receiver.into_iter().try_for_each(&mut take)
        })
    }

    fn read(&self, batch: &mut Batch) -> io::Result<()> {
        for (number, source) in self.sources.iter().enumerate().skip(self.from) {
            batch.add(Event::Begin(number))?;
            let mut codes = 0;
            let mut result = Ok(());
            if (self.opened)(number) {
                let mut visit = |entry: Entry<'_>| self.entry(number, entry, &mut codes, batch);
                result = source
                    .visit(self.limits, &mut visit)
                    .map_err(|error| error.to_string());
            }
            batch.add(Event::End(number, result))?;
        }
        Ok(())
    }

    fn entry(
        &self,
        source: usize,
        entry: Entry<'_>,
        codes: &mut u32,
        batch: &mut Batch,
    ) -> io::Result<()> {
        drop(self.gate.lock().unwrap_or_else(PoisonError::into_inner));
        let refused = paths::refusal(entry.path, entry.bytes);
        // What copied code declares is not this repository's.
        let meta = self.metas
            && packages::is_meta(entry.path)
            && entry.bytes <= LONGEST_META
            && refused != Some(Reason::Vendored);
        let language = paths::language(entry.path).filter(|it| self.languages.contains(it));
        let number = *codes;
        *codes += u32::from(language.is_some());
        let language = language.filter(|_| (self.wanted)(source, number));
        if !meta && language.is_none() {
            return Ok(());
        }
        let mut body = Vec::new();
        if meta || refused.is_none() {
            let limit = MAX_PARSE_BYTES as u64 + 1;
            entry.reader.take(limit).read_to_end(&mut body)?;
        }
        if meta {
            let event = Event::Meta {
                path: entry.path.to_owned(),
                text: String::from_utf8_lossy(&body).into_owned(),
            };
            batch.add(event)?;
        }
        let Some(language) = language else {
            return Ok(());
        };
        let refused = refused.or((body.len() > MAX_PARSE_BYTES).then_some(Reason::TooLarge));
        let event = Event::Code(Code {
            number,
            path: entry.path.to_owned(),
            language,
            body: refused.map_or(Ok(body), Err),
        });
        batch.add(event)
    }
}

/// The batch that is being read.
struct Batch {
    events: Vec<Event>,
    bytes: usize,
    sender: SyncSender<Vec<Event>>,
}

impl Batch {
    const fn new(sender: SyncSender<Vec<Event>>) -> Self {
        Self {
            events: Vec::new(),
            bytes: 0,
            sender,
        }
    }

    /// Adds an event; an error where the work was stopped.
    fn add(&mut self, event: Event) -> io::Result<()> {
        self.bytes += match &event {
            Event::Code(Code { body: Ok(body), .. }) => body.len(),
            Event::Meta { text, .. } => text.len(),
            _ => 0,
        };
        self.events.push(event);
        if self.bytes >= BATCH_BYTES || self.events.len() >= BATCH_EVENTS {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        self.bytes = 0;
        self.sender
            .send(std::mem::take(&mut self.events))
            .map_err(|_| io::Error::other("the work was stopped"))
    }
}
