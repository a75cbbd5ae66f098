//! A real llama.cpp server with an exported file writes what our decoder writes.
//! `scripts/peer/test-gguf.sh` starts one and runs this.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};
use truefill_model::checkpoint::Checkpoint;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::tokens::TokenId;
use truefill_trainer::score::likeliest;

const TOKENS: usize = 32;
/// Of the prompts, those that must agree in half precision.
const AGREE: usize = 9;

const PROMPTS: [&str; 10] = [
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
    "fn main() {\n    let values = vec![1, 2, 3];\n    for value in",
    "const express = require('express');\nconst app = express();\n",
    "package main\n\nimport \"fmt\"\n\nfunc main() {\n",
    "The capital of France is",
    "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n",
    "SELECT name, COUNT(*) FROM orders",
    "public static int max(int a, int b) {\n    return",
    "#include <stdio.h>\n\nint main(void) {\n",
    "To sort a list in Python, you can use the",
];

/// The likeliest tokens, and by how much each is ahead of the second.
fn greedy(decoder: &Decoder, prompt: &[TokenId]) -> Vec<(u32, f32)> {
    let mut cache = decoder.cache(prompt.len() + TOKENS).expect("a cache");
    let (mut next, mut found) = (prompt.to_vec(), Vec::new());
    while found.len() < TOKENS {
        let wanted = [next.len() - 1];
        let logits = decoder.forward(&mut cache, &next, &wanted, &|| false);
        let mut logits = logits.expect("computes");
        let token = likeliest(&logits).expect("one") as u32;
        let first = std::mem::replace(&mut logits[token as usize], f32::NEG_INFINITY);
        let second = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        found.push((token, first - second));
        next = vec![TokenId(token)];
    }
    found
}

fn served(server: &str, prompt: &[TokenId]) -> Vec<u32> {
    let ids: Vec<u32> = prompt.iter().map(|id| id.0).collect();
    let body = json!({
        "prompt": ids, "n_predict": TOKENS, "temperature": 0, "top_k": 1, "return_tokens": true,
        "cache_prompt": false, "stream": false,
    })
    .to_string();
    let mut socket = TcpStream::connect(server).expect("the server answers");
    write!(
        socket,
        "POST /completion HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut reply = String::new();
    socket.read_to_string(&mut reply).expect("answered");
    let (_, body) = reply.split_once("\r\n\r\n").expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let tokens = body["tokens"]
        .as_array()
        .unwrap_or_else(|| panic!("{body}"));
    let ids = tokens.iter().map(|id| id.as_u64().expect("an id") as u32);
    ids.collect()
}

#[test]
#[ignore = "needs a llama.cpp server: scripts/peer/test-gguf.sh"]
fn llama_cpp_writes_what_our_decoder_writes() {
    let variable = |name: &str| std::env::var(name).expect(name);
    let (server, kind) = (
        variable("TRUEFILL_EXPORT_SERVER"),
        variable("TRUEFILL_EXPORT_TYPE"),
    );
    let model = Checkpoint::open(Path::new(&variable("TRUEFILL_EXPORT_MODEL"))).expect("opens");
    let tokenizer = model.tokenizer().expect("a tokenizer").clone();
    let (config, weights) = (model.config.clone(), &*model.weights);
    let decoder = Decoder::on_cpu(config, weights, Precision::Exact, 256).expect("loads");
    let mut equal = 0;
    for prompt in PROMPTS {
        let tokens = tokenizer.encode(prompt).expect("spelled");
        let theirs = served(&server, &tokens);
        let (ours, ahead): (Vec<u32>, Vec<f32>) = greedy(&decoder, &tokens).into_iter().unzip();
        // A server stops at an end token, which is the last that it gives.
        let ended = theirs
            .last()
            .is_some_and(|id| tokenizer.is_special(TokenId(*id)));
        let agrees = ours.starts_with(&theirs) && (ended || theirs.len() == TOKENS);
        equal += usize::from(agrees);
        let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
        if !agrees && same < TOKENS {
            println!(
                "{prompt:?}: another token at {same}, where ours is {} ahead",
                ahead[same]
            );
        }
    }
    println!("{kind}: the first {TOKENS} greedy tokens are equal on {equal} of 10 prompts");
    assert!(kind != "f16" || equal >= AGREE, "{equal} of 10");
}
