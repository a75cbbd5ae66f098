//! A model that answers generators, judges and selectors, and a server with every kind of fault.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::{Seen, Server, Step, head, mix, reply};

/// Requests of one question, and of these how many were answered in full.
#[derive(Clone, Default)]
pub struct Books(Arc<Mutex<HashMap<Vec<u8>, (usize, usize)>>>);

impl Books {
    /// Answers of questions that were answered before.
    pub fn duplicates(&self) -> usize {
        let books = self.0.lock().unwrap();
        books.values().map(|(_, answered)| answered - 1).sum()
    }

    pub fn questions(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn requests(&self) -> usize {
        self.0
            .lock()
            .unwrap()
            .values()
            .map(|(asked, _)| asked)
            .sum()
    }

    fn begin(&self, seen: &Seen) -> usize {
        let mut books = self.0.lock().unwrap();
        let (asked, _) = books.entry(seen.body.clone()).or_default();
        *asked += 1;
        *asked
    }

    fn answered(&self, seen: &Seen) {
        let mut books = self.0.lock().unwrap();
        books.entry(seen.body.clone()).or_default().1 += 1;
    }
}

/// A server that answers everything, of whose replies one in five is a fault where `faults` says so.
pub async fn serve(books: &Books, faults: bool) -> Server {
    let books = books.clone();
    Server::start(move |_, seen| {
        let asked = books.begin(seen);
        let draw = mix(&seen.body, asked);
        if faults && draw.is_multiple_of(5) {
            return fault(draw / 5, &answer(seen));
        }
        books.answered(seen);
        whole(seen)
    })
    .await
}

/// The whole reply to a question.
pub fn whole(seen: &Seen) -> Vec<Step> {
    reply("200 OK", &[], answer(seen).as_bytes())
}

/// The body of a reply.
pub fn answer(seen: &Seen) -> String {
    let body = seen.json();
    let content = |at: usize| body["messages"][at]["content"].as_str().unwrap().to_owned();
    let said = says(&content(0), &content(1));
    json!({
        "choices": [{"message": {"content": said}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    })
    .to_string()
}

fn fault(draw: u64, body: &str) -> Vec<Step> {
    let body = body.as_bytes();
    match draw % 80 {
        0 => vec![Step::Hang],
        1 => reply("429 Slow", &[("Retry-After", "1")], b""),
        2..=12 => reply("429 Slow", &[("Retry-After", "0")], b""),
        13..=22 => reply(
            "429 Slow",
            &[("Retry-After", "Sun, 06 Nov 1994 08:49:38 GMT")],
            b"",
        ),
        23..=32 => reply("500 Oh", &[], b"boom"),
        33..=42 => reply("503 Busy", &[], b""),
        43..=52 => reply("200 OK", &[], &body[..30]),
        53..=62 => reply("200 OK", &[], b"[1, 2]"),
        63..=72 => vec![
            head("200 OK", &[("Content-Length", "500")]),
            Step::Send(body[..40].to_vec()),
            Step::Reset,
        ],
        _ => reply("200 OK", &[], &vec![b'x'; 64 << 10]),
    }
}

/// What a model says; it depends on the question alone.
fn says(system: &str, user: &str) -> String {
    let between = |name: &str| {
        let (_, rest) = user.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.trim_matches('\n'))
    };
    let draw = mix(user.as_bytes(), 0);
    if system.contains("Reply with one digit") {
        return u64::from(!draw.is_multiple_of(3)).to_string();
    }
    if system.contains("Final Average Score") {
        return match draw % 10 {
            0 => "I would rather not say.".to_owned(),
            score => format!(
                "Detailed Reasoning: so\nFinal Average Score for Completion: {}",
                score % 2
            ),
        };
    }
    if let Some(file) = between("file") {
        return says_import(file, draw);
    }
    let golden = between("golden").unwrap_or("");
    let changed = match draw % 10 {
        0 => return "No.".to_owned(),
        1 => golden.to_owned(),
        _ if system.contains("Inject a") => golden.replacen(')', ", kit_rows)", 1),
        _ if system.contains("NOT defined") => golden.replacen("(row", "(kit_row", 1),
        _ => golden.replacen('(', "_kit(", 1),
    };
    format!("Generated completion: {changed}")
}

/// One of the file's imports, or one that it does not have.
fn says_import(file: &str, draw: u64) -> String {
    let lines = file.lines().map(str::trim);
    let imports: Vec<&str> = lines.filter(|line| line.contains("import ")).collect();
    let line = match draw % 10 {
        0 => return "Original import: import json".to_owned(),
        1 => "import none_such",
        _ => imports[(draw / 10) as usize % imports.len()],
    };
    format!("Original import: {line}\nHallucinated import: {line}_kit")
}
