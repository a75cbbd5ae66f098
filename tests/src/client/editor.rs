//! What an editor does with documents, and what the scripted engine saw of it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Server;
use crate::script::{Event, events};

impl Server {
    /// Waits until the engine is ready.
    pub fn wait_ready(&mut self) {
        self.notification("truefill/status", |status| status["kind"] == "Normal");
    }

    /// Opens a document.
    pub fn open(&mut self, uri: &str, language: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": language, "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Changes a document.
    pub fn change(&mut self, uri: &str, version: i32, changes: &[Value]) {
        let document = json!({ "uri": uri, "version": version });
        let params = json!({ "textDocument": document, "contentChanges": changes });
        self.notify("textDocument/didChange", params);
    }

    /// Asks for suggestions and gives the request's id.
    pub fn ask(&mut self, uri: &str, position: Value, invoked: bool) -> i64 {
        let params = json!({
            "textDocument": { "uri": uri }, "position": position,
            "context": { "triggerKind": if invoked { 1 } else { 2 } },
        });
        self.request("textDocument/inlineCompletion", params)
    }

    /// Waits for the items of a request for suggestions.
    ///
    /// # Panics
    /// Where the answer is an error or no list.
    pub fn items(&mut self, id: i64) -> Vec<Value> {
        let result = self.answer(id).expect("suggestions are no error");
        result["items"]
            .as_array()
            .expect("the answer is a list")
            .clone()
    }

    /// A document as the server holds it.
    pub fn text(&mut self, uri: &str) -> Option<String> {
        let params = json!({ "textDocument": { "uri": uri } });
        let result = self
            .call("truefill/text", params)
            .expect("the server tells its text");
        result["text"].as_str().map(str::to_owned)
    }

    /// What the engine recorded so far.
    pub fn events(&self) -> Vec<Event> {
        events(&self.home.path().join("record.jsonl"))
    }

    /// Waits until the engine recorded something that fits.
    ///
    /// # Panics
    /// Where it does not in time.
    pub fn event(&self, fits: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(event) = self.events().into_iter().find(|event| fits(event)) {
                return event;
            }
            assert!(
                Instant::now() < deadline,
                "the engine recorded {:?}",
                self.events()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Where the script and the record are.
    pub fn record(&self) -> PathBuf {
        self.home.path().join("record.jsonl")
    }
}
