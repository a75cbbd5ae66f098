use serde_json::json;

use super::*;
use crate::api::client::Finish;
use crate::api::config::TokenLimitKey;

fn request() -> ChatRequest {
    ChatRequest {
        subject: "c1/0".into(),
        prompt_version: "method-1".into(),
        system: "Do it.".into(),
        user: "code".into(),
        temperature: 0.8,
        seed: Some(7),
        max_tokens: 64,
    }
}

fn config(protocol: Protocol) -> EndpointConfig {
    EndpointConfig::new("http://localhost", protocol, "m")
}

#[test]
fn each_dialect_says_the_same_in_its_words() {
    assert_eq!(
        body(&config(Protocol::OpenaiChat), &request()),
        json!({
            "model": "m", "temperature": 0.8, "max_tokens": 64, "seed": 7,
            "messages": [
                {"role": "system", "content": "Do it."},
                {"role": "user", "content": "code"},
            ],
        })
    );
    assert_eq!(
        body(&config(Protocol::OpenaiResponses), &request()),
        json!({
            "model": "m", "temperature": 0.8, "max_output_tokens": 64, "store": false,
            "instructions": "Do it.", "input": "code",
        })
    );
    assert_eq!(
        body(&config(Protocol::Anthropic), &request()),
        json!({
            "model": "m", "temperature": 0.8, "max_tokens": 64, "system": "Do it.",
            "messages": [{"role": "user", "content": "code"}],
        })
    );
}

#[test]
fn a_recipe_leaves_fields_out_and_adds_its_own() {
    let mut config = config(Protocol::OpenaiChat);
    config.token_limit_key = TokenLimitKey::MaxCompletionTokens;
    config.omit = vec!["temperature".into(), "seed".into()];
    config.extra.insert("reasoning_effort".into(), "low".into());
    let body = body(&config, &request());
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "max_completion_tokens",
            "messages",
            "model",
            "reasoning_effort"
        ]
    );
}

#[test]
fn replies_are_understood() {
    let table = [
        (
            Protocol::OpenaiChat,
            json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
                   "usage": {"prompt_tokens": 3, "completion_tokens": 1}}),
            ("hi", Finish::Stop, Some(3)),
        ),
        (
            Protocol::OpenaiChat,
            json!({"choices": [{"message": {"content": null}, "finish_reason": "content_filter"}]}),
            ("", Finish::Blocked, None),
        ),
        (
            Protocol::OpenaiChat,
            json!({"choices": [{"message": {"content": null, "refusal": "no"}}]}),
            ("", Finish::Blocked, None),
        ),
        (
            Protocol::OpenaiChat,
            json!({"choices": [{"message": {"content": "ha"}, "finish_reason": "length"}]}),
            ("ha", Finish::Length, None),
        ),
        (
            Protocol::OpenaiResponses,
            json!({"status": "completed", "output": [
                {"type": "reasoning", "summary": []},
                {"type": "message", "content": [{"type": "output_text", "text": "a"},
                                                {"type": "output_text", "text": "b"}]}],
                   "usage": {"input_tokens": 9, "output_tokens": 2}}),
            ("ab", Finish::Stop, Some(9)),
        ),
        (
            Protocol::OpenaiResponses,
            json!({"status": "incomplete", "output": [],
                   "incomplete_details": {"reason": "max_output_tokens"}}),
            ("", Finish::Length, None),
        ),
        (
            Protocol::Anthropic,
            json!({"stop_reason": "end_turn", "content": [{"type": "text", "text": "x"}],
                   "usage": {"input_tokens": 5, "output_tokens": 1}}),
            ("x", Finish::Stop, Some(5)),
        ),
        (
            Protocol::Anthropic,
            json!({"stop_reason": "refusal", "content": []}),
            ("", Finish::Blocked, None),
        ),
    ];
    for (protocol, value, (text, finish, input)) in table {
        let (reply, usage) = parse(protocol, value.to_string().as_bytes()).unwrap();
        assert_eq!(
            (reply.text.as_str(), reply.finish),
            (text, finish),
            "{value}"
        );
        assert_eq!(usage.input, input, "{value}");
    }
}

#[test]
fn nonsense_is_refused_in_every_dialect() {
    let bad = [
        "",
        "[]",
        "{}",
        "null",
        r#"{"choices":[]}"#,
        r#"{"choices":[{"message":{"content":3}}]}"#,
        r#"{"choices":[{"message":{"content":"x"#,
        r#"{"status":"failed","output":[]}"#,
        r#"{"status":"completed","output":[]}"#,
        r#"{"stop_reason":"end_turn","content":[]}"#,
        r#"{"stop_reason":"end_turn","content":"x"}"#,
    ];
    for body in bad {
        for protocol in [
            Protocol::OpenaiChat,
            Protocol::OpenaiResponses,
            Protocol::Anthropic,
        ] {
            assert!(parse(protocol, body.as_bytes()).is_err(), "{body}");
        }
    }
}

#[test]
fn vectors_come_in_the_order_of_the_texts() {
    let body = json!({"data": [{"index": 1, "embedding": [0.5, 1]},
                               {"index": 0, "embedding": [2, 3]}],
                      "usage": {"prompt_tokens": 4}});
    let (vectors, usage) = parse_embeddings(body.to_string().as_bytes(), 2).unwrap();
    assert_eq!(vectors, [[2.0, 3.0], [0.5, 1.0]]);
    assert_eq!(usage.input, Some(4));
    for bad in [
        json!({"data": [{"embedding": [1]}]}),
        json!({"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}),
        json!({"data": [{"embedding": ["x"]}, {"embedding": [1]}]}),
        json!({"data": [{"index": 9, "embedding": [1]}, {"embedding": [1]}]}),
        json!({"data": [{"embedding": []}, {"embedding": []}]}),
    ] {
        assert!(
            parse_embeddings(bad.to_string().as_bytes(), 2).is_err(),
            "{bad}"
        );
    }
}
