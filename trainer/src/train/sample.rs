//! The sample that is shown before the first step: what the model reads, and what it learns of it.
//!
//! It can be read without colour: every token to learn stands in `⟦…⟧`, FGit's mark behind it.

use std::fmt::Write;

use truefill_model::tokenizer::Tokenizer;
use truefill_model::tokens::TokenId;

use super::data::Place;
use super::example::{Example, Renderer};
use crate::hidden::is_hidden;

/// Colours of a terminal, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI's codes.
    Always,
}

const DIM: &str = "2";
const LEARNED: &str = "32";
const MARKED: [&str; 2] = ["33", "1;31"];

/// Shows an example with its marks.
pub fn show(example: &Example, renderer: &Renderer, place: &Place, colour: Colour) -> String {
    let tokenizer = renderer.tokenizer();
    let mut out = head(example, renderer, place);
    out.push_str(match renderer.needs().prompt {
        true => "prompt, learned too:\n",
        false => "prompt, not learned:\n",
    });
    out.push_str(&paint(&prompt(tokenizer, &example.prompt), DIM, colour));
    let marks = match example.chosen_marks.is_empty() {
        true => "",
        false => ", marks behind them",
    };
    let _ = write!(out, "\nto learn, token by token{marks}:\n");
    out.push_str(&completion(
        tokenizer,
        &example.chosen,
        &example.chosen_marks,
        colour,
    ));
    if !example.rejected.is_empty() {
        out.push_str("\nrejected:\n");
        out.push_str(&completion(
            tokenizer,
            &example.rejected,
            &example.rejected_marks,
            colour,
        ));
    }
    out.push('\n');
    out
}

fn head(example: &Example, renderer: &Renderer, place: &Place) -> String {
    let how = match example.layout {
        Some(layout) => {
            let format = renderer.format();
            let (name, version) = (format.name(), format.version());
            format!("format {name}, version {version}, layout {layout}")
        }
        None => "chat template".to_owned(),
    };
    let (prompt, chosen) = (example.prompt.len(), example.chosen.len());
    let end = visible(renderer.tokenizer(), renderer.end());
    let mut head = format!(
        "sample {place}: {how}\n{prompt} tokens of prompt, {chosen} to learn, the last of them the end \
         token ⟦{end}⟧"
    );
    if example.moved > 0 {
        let _ = write!(head, "; the hole begins {} bytes later", example.moved);
    }
    head.push('\n');
    head
}

fn completion(tokenizer: &Tokenizer, tokens: &[TokenId], marks: &[u8], colour: Colour) -> String {
    let mut out = String::new();
    for (at, id) in tokens.iter().enumerate() {
        let mark = marks.get(at).copied().unwrap_or_default();
        let (style, sign) = match mark {
            0 => (LEARNED, ""),
            1 => (MARKED[0], "¹"),
            _ => (MARKED[1], "²"),
        };
        let token = format!("⟦{}⟧{sign}", visible(tokenizer, *id));
        out.push_str(&paint(&token, style, colour));
    }
    out
}

/// Sets the colour line by line: pagers forget it at a line's end.
fn paint(text: &str, style: &str, colour: Colour) -> String {
    if colour == Colour::Never {
        return text.to_owned();
    }
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| match line.is_empty() {
            true => String::new(),
            false => format!("\x1b[{style}m{line}\x1b[0m"),
        })
        .collect();
    lines.join("\n")
}

/// The prompt as text. Its own control characters are spelled: a file must not drive the terminal.
fn prompt(tokenizer: &Tokenizer, tokens: &[TokenId]) -> String {
    let text = tokenizer.decode(tokens);
    text.chars().map(|c| spelled(c, "\n")).collect()
}

/// A token as text; what is no character is spelled by its bytes.
fn visible(tokenizer: &Tokenizer, id: TokenId) -> String {
    let bytes = tokenizer.token_bytes(id).unwrap_or_default();
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.extend(chunk.valid().chars().map(|c| spelled(c, "↵\n")));
        for byte in chunk.invalid() {
            let _ = write!(out, "<{byte:02X}>");
        }
    }
    out
}

fn spelled(c: char, line_end: &str) -> String {
    match c {
        '\n' => line_end.to_owned(),
        '\r' => "␍".to_owned(),
        '\t' => "\t".to_owned(),
        c if is_hidden(c) => format!("<U+{:04X}>", c as u32),
        c => c.to_string(),
    }
}
