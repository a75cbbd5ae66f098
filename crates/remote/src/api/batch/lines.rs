//! Output files: one reply a line.

use std::io::BufRead;

use serde::Deserialize;
use serde_json::Value;

use super::file::LineId;
use crate::api::client::Client;
use crate::api::ledger::BatchReply;
use crate::api::{ledger::Intent, protocol};

/// Longest line of an output file, in bytes.
const LONGEST_LINE: u64 = 8 << 20;

#[derive(Deserialize)]
struct OutputLine {
    custom_id: String,
    response: Option<Response>,
}

#[derive(Deserialize)]
struct Response {
    status_code: u16,
    body: Value,
}

/// A line of an output file.
pub(super) enum Read {
    Reply(BatchReply),
    /// The request failed, or the line is not understood.
    Failed(String),
}

/// The next line; nothing at the end.
pub(super) fn next(reader: &mut dyn BufRead, client: &Client) -> std::io::Result<Option<Read>> {
    let mut line = Vec::new();
    let mut limited = std::io::Read::take(reader, LONGEST_LINE);
    if limited.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(match understand(&line, client) {
        Ok(reply) => Read::Reply(reply),
        Err(problem) => Read::Failed(problem),
    }))
}

fn understand(line: &[u8], client: &Client) -> Result<BatchReply, String> {
    let line: OutputLine = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let id = LineId::parse(&line.custom_id)
        .ok_or_else(|| format!("a line with the id `{}`", line.custom_id))?;
    let response = line.response.ok_or("a line without a response")?;
    if response.status_code != 200 {
        return Err(format!("status {}", response.status_code));
    }
    let (reply, usage) = protocol::parse_value(client.protocol(), &response.body)?;
    let price = client.inner.price(usage, id.bytes, reply.text.len() as u64);
    let cost = (price as f64 * client.config().batch_price_share).ceil() as u64;
    Ok(BatchReply {
        intent: Intent {
            key: id.key,
            subject: id.subject,
            model: client.config().model.clone(),
            prompt_version: id.prompt_version,
            reserve: 0,
        },
        reply: serde_json::to_string(&reply).map_err(|error| error.to_string())?,
        cost,
        input_tokens: usage.input.unwrap_or(0),
        output_tokens: usage.output.unwrap_or(0),
    })
}
