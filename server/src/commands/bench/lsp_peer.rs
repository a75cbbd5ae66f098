//! The real server as a peer: a child process, spoken to as an editor does.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::replay::{Answer, Buffer, Edit, Peer};
use crate::client::Client;

/// A document in a running server.
pub struct LspPeer<'a> {
    client: &'a mut Client,
    uri: String,
    language: String,
    invoked: bool,
    version: i64,
    text: String,
    cursor: usize,
    request: Option<i64>,
    offered: Option<Value>,
}

impl<'a> LspPeer<'a> {
    /// A document of this URI and language; `invoked` asks as a person does by a key, not as an
    /// editor does while typing.
    pub fn new(client: &'a mut Client, uri: &str, language: &str, invoked: bool) -> Self {
        Self {
            client,
            uri: uri.to_owned(),
            language: language.to_owned(),
            invoked,
            version: 1,
            text: String::new(),
            cursor: 0,
            request: None,
            offered: None,
        }
    }

    /// Waits until everything sent so far was handled: asks something that needs no engine.
    pub fn settled(&mut self) -> Result<()> {
        let id = self.client.request(
            "workspace/executeCommand",
            json!({ "command": "truefill.why", "arguments": [self.uri] }),
        )?;
        self.client.wait(id, Duration::from_secs(10)).map(|_| ())
    }

    /// Asks the server whether a suggestion is possible at a place of this text.
    ///
    /// # Errors
    /// The reason why not.
    pub fn must_answer(&mut self, text: &str, cursor: usize) -> Result<()> {
        let buffer = Buffer {
            text: text.to_owned(),
            cursor,
        };
        self.open(&buffer)?;
        let id = self.client.request(
            "workspace/executeCommand",
            json!({ "command": "truefill.why", "arguments": [self.uri, position(text, cursor)] }),
        )?;
        let why = self.client.wait(id, Duration::from_secs(10))?;
        self.close()?;
        if why.pointer("/here/eligible").and_then(Value::as_bool) == Some(false) {
            let message = why.pointer("/here/message").and_then(Value::as_str);
            bail!(
                "nothing is suggested here: {}",
                message.unwrap_or("no reason given")
            );
        }
        Ok(())
    }

    fn cancel(&mut self) -> Result<()> {
        match self.request.take() {
            Some(id) => self.client.notify("$/cancelRequest", json!({ "id": id })),
            None => Ok(()),
        }
    }

    fn suggestion(&mut self, result: &Value) -> Option<String> {
        let item = result.get("items")?.as_array()?.first()?;
        let text = item.get("insertText")?.as_str()?;
        let start = item
            .pointer("/range/start")
            .and_then(|position| byte_offset(&self.text, position))
            .unwrap_or(self.cursor);
        // What stands before the cursor already is repeated by the item, not added.
        let suggestion = text
            .strip_prefix(self.text.get(start..self.cursor)?)?
            .to_owned();
        self.offered = Some(item.clone());
        Some(suggestion)
    }
}

impl Peer for LspPeer<'_> {
    fn open(&mut self, buffer: &Buffer) -> Result<()> {
        self.text.clone_from(&buffer.text);
        self.client.notify(
            "textDocument/didOpen",
            json!({ "textDocument": {
                "uri": self.uri, "languageId": self.language, "version": self.version,
                "text": buffer.text,
            }}),
        )
    }

    fn change(&mut self, before: &str, edit: &Edit) -> Result<()> {
        self.version += 1;
        let change = json!({
            "range": { "start": position(before, edit.start), "end": position(before, edit.end) },
            "text": edit.text,
        });
        self.text.replace_range(edit.start..edit.end, &edit.text);
        self.client.notify(
            "textDocument/didChange",
            json!({
                "textDocument": { "uri": self.uri, "version": self.version },
                "contentChanges": [change],
            }),
        )?;
        self.cancel()
    }

    fn ask(&mut self, buffer: &Buffer) -> Result<()> {
        self.cancel()?;
        self.cursor = buffer.cursor;
        let kind = if self.invoked { 1 } else { 2 };
        let id = self.client.request(
            "textDocument/inlineCompletion",
            json!({
                "textDocument": { "uri": self.uri },
                "position": position(&buffer.text, buffer.cursor),
                "context": { "triggerKind": kind },
            }),
        )?;
        self.request = Some(id);
        Ok(())
    }

    fn answer(&mut self, wait: Duration) -> Result<Option<Answer>> {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Some(arrival) = self.client.receive(left)? else {
                return Ok(None);
            };
            let id = arrival.message.get("id").and_then(Value::as_i64);
            if id.is_none() || id != self.request {
                continue;
            }
            self.request = None;
            let result = arrival.message.get("result").cloned().unwrap_or_default();
            let suggestion = self.suggestion(&result);
            return Ok(Some(Answer {
                at: arrival.at,
                first_token: None,
                suggestion,
            }));
        }
    }

    fn accept(&mut self) -> Result<()> {
        let Some(command) = self
            .offered
            .take()
            .and_then(|item| item.get("command").cloned())
        else {
            return Ok(());
        };
        self.client.request(
            "workspace/executeCommand",
            json!({ "command": command["command"], "arguments": command["arguments"] }),
        )?;
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.cancel()?;
        self.client.notify(
            "textDocument/didClose",
            json!({ "textDocument": { "uri": self.uri } }),
        )
    }
}

/// The position of a byte offset, in lines and UTF-8 bytes, as negotiated.
pub fn position(text: &str, offset: usize) -> Value {
    let before = &text[..offset];
    let line = before.matches('\n').count();
    let column = offset - before.rfind('\n').map_or(0, |at| at + 1);
    json!({ "line": line, "character": column })
}

fn byte_offset(text: &str, position: &Value) -> Option<usize> {
    let line = usize::try_from(position.get("line")?.as_u64()?).ok()?;
    let column = usize::try_from(position.get("character")?.as_u64()?).ok()?;
    let start = match line {
        0 => 0,
        _ => text.match_indices('\n').nth(line - 1)?.0 + 1,
    };
    Some(start + column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_bytes() {
        let text = "aé\nb\n";
        for (offset, line, character) in [(0, 0, 0), (3, 0, 3), (4, 1, 0), (6, 2, 0)] {
            let found = position(text, offset);
            assert_eq!(found, json!({ "line": line, "character": character }));
            assert_eq!(byte_offset(text, &found), Some(offset));
        }
    }
}
