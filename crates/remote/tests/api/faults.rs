//! One question, and everything that can go wrong with it.

use std::time::{Duration, Instant};

use serde_json::json;
use truefill_remote::api::{
    ApiError, Client, EmbedRequest, Failure, Finish, Ledger, NoDelay, Protocol,
};

use crate::shared::{answer, chat_body, client, config, ledger, question};
use crate::support::{Server, Step, head, reply, until};

const TOO_MANY: &str = "429 Too Many Requests";

/// Serves `first` once, then an answer; gives the waits and what the failed attempt cost.
async fn after(first: Vec<Step>) -> (Vec<Duration>, u64) {
    let server = Server::start(move |number, _| match number {
        0 => first.clone(),
        _ => answer("yes"),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let (client, timing) = client(&config(&server.url), &ledger);
    let reply = client.chat(&question(1)).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("yes", Finish::Stop));
    assert_eq!(server.requests().len(), 2);
    (timing.waits(), ledger.totals().await.unwrap().lost)
}

#[tokio::test]
async fn a_server_is_given_the_time_that_it_asks_for_in_both_forms() {
    for (header, seconds) in [("7", 7), ("Sun, 06 Nov 1994 08:50:07 GMT", 30)] {
        let (waits, lost) = after(reply(TOO_MANY, &[("Retry-After", header)], b"{}")).await;
        assert!(waits.contains(&Duration::from_secs(seconds)), "{waits:?}");
        assert_eq!(lost, 0);
    }
}

#[tokio::test]
async fn what_may_pass_is_asked_again() {
    let text = chat_body("no");
    let cut = text.len().to_string();
    let flood = vec![b' '; 64 << 10];
    let free = [
        reply("500 Oh", &[], b"boom"),
        reply("503 Busy", &[], b""),
        reply("529 Overloaded", &[], b""),
    ];
    for first in free {
        assert_eq!(after(first).await.1, 0);
    }
    // A server that breaks off may have done the work: it counts as paid.
    let lost = [
        reply("502 Bad Gateway", &[], b""),
        reply("504 Gateway Timeout", &[], b""),
        vec![Step::Hang],
        vec![Step::Reset],
        vec![
            head("200 OK", &[("Content-Length", &cut)]),
            Step::Send(text.as_bytes()[..20].to_vec()),
            Step::Reset,
        ],
        reply("200 OK", &[], &text.as_bytes()[..20]),
        reply("200 OK", &[], br#"{"choices": []}"#),
        reply("200 OK", &[], &flood),
    ];
    for (number, first) in lost.into_iter().enumerate() {
        assert!(after(first).await.1 > 0, "{number}");
    }
}

#[tokio::test]
async fn what_will_not_pass_is_not_asked_again() {
    let cases: [(Vec<Step>, fn(&Failure) -> bool); 2] = [
        (reply("400 Bad", &[], b"no"), |failure| {
            matches!(failure, Failure::Status { status: 400, .. })
        }),
        (
            reply("302 Found", &[("Location", "http://localhost:1/")], b""),
            |failure| matches!(failure, Failure::Status { status: 302, .. }),
        ),
    ];
    for (steps, expected) in cases {
        let server = Server::start(move |_, _| steps.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let (client, _) = client(&config(&server.url), &ledger);
        match client.chat(&question(1)).await {
            Err(ApiError::Failed {
                last, attempts: 1, ..
            }) => assert!(expected(&last), "{last}"),
            other => panic!("{other:?}"),
        }
        // A failure is not kept: another run asks again.
        assert_eq!(ledger.totals().await.unwrap().replies, 0);
    }
}

/// `Retry-After: 0`, or a date that is past because this clock is fast, are no leave to hurry.
#[tokio::test]
async fn a_server_is_never_asked_again_sooner_than_the_own_delay() {
    for header in ["0", "Sun, 06 Nov 1994 08:00:00 GMT"] {
        let server =
            Server::start(move |_, _| reply(TOO_MANY, &[("Retry-After", header)], b"")).await;
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let mut config = config(&server.url);
        config.retries = 3;
        let mut all = Vec::new();
        for number in 0..2 {
            let (client, timing) = client(&config, &ledger);
            client.chat(&question(number)).await.unwrap_err();
            let waits = timing.waits();
            assert_eq!(waits.len(), 3);
            for (wait, least) in waits.iter().zip([500, 1000, 2000]) {
                assert!(wait.as_millis() >= least, "{waits:?}");
            }
            all.push(waits);
        }
        assert_ne!(
            all[0], all[1],
            "requests that fail together are made again apart"
        );
    }
}

#[tokio::test]
async fn a_filter_is_no_failure_and_no_answer() {
    // As Azure, OpenAI and Anthropic say it.
    let azure = br#"{"error":{"message":"The response was filtered due to the prompt triggering Azure
        OpenAI's content management policy. Please modify your prompt and retry. To learn more about our
        content filtering policies please read our documentation:
        https://go.microsoft.com/fwlink/?linkid=2198766","type":null,"param":"prompt",
        "code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation",
        "content_filter_result":{"hate":{"filtered":false,"severity":"safe"},"jailbreak":
        {"filtered":true,"detected":true},"self_harm":{"filtered":false,"severity":"safe"}}}}}"#;
    let azure = String::from_utf8_lossy(azure).replace("\n        ", " ");
    let openai = r#"{"error": {"code": "content_policy_violation", "message": "Rejected."}}"#;
    let anthropic = r#"{"type": "error", "error": {"type": "invalid_request_error",
        "message": "Output blocked by content filtering policy"}}"#;
    // What quotes the question is not told by what it quotes.
    let quotes = r#"{"error": {"code": 400, "message": "bad input: `if content_filter:`"}}"#;
    let echo = "x = 1\n".repeat(5000);
    let echoes = json!({"error": {"a": echo, "code": "content_filter"}}).to_string();
    for (body, blocked) in [
        (azure.as_str(), true),
        (openai, true),
        (&echoes, true),
        (anthropic, true),
        (quotes, false),
    ] {
        let body = body.to_owned();
        let server = Server::start({
            let body = body.clone();
            move |_, _| reply("400 Bad Request", &[], body.as_bytes())
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let (client, _) = client(&config(&server.url), &ledger);
        let reply = client.chat(&question(1)).await;
        let found = reply.as_ref().map(|reply| (reply.finish, &*reply.text));
        match blocked {
            true => assert_eq!(found.ok(), Some((Finish::Blocked, "")), "{body}"),
            false => assert!(found.is_err(), "{body}"),
        }
    }
    let server = Server::start(move |_, _| reply("400 Bad Request", &[], openai.as_bytes())).await;
    let folder = tempfile::tempdir().unwrap();
    let (client, _) = client(&config(&server.url), &ledger(folder.path()));
    let request = EmbedRequest {
        subject: "c1".into(),
        texts: vec!["a".into()],
    };
    let error = client.embed(&request).await.unwrap_err().to_string();
    assert!(error.contains("a content filter refused it"), "{error}");
}

#[tokio::test]
async fn attempts_end() {
    let server = Server::start(|_, _| reply("500 Oh", &[], b"boom")).await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let mut config = config(&server.url);
    config.retries = 3;
    let (client, timing) = client(&config, &ledger);
    let error = client.chat(&question(1)).await.unwrap_err();
    assert!(error.to_string().contains("4 attempts"), "{error}");
    assert_eq!(timing.waits().len(), 3);
    let counters = ledger.counters().snapshot();
    assert_eq!(
        (counters.attempts, counters.retries, counters.failed),
        (4, 3, 1)
    );
}

#[tokio::test]
async fn the_budget_is_never_passed() {
    let server = Server::start(|_, _| answer("yes")).await;
    let folder = tempfile::tempdir().unwrap();
    // An answer costs 10 tokens and 2 tokens: 30 millionths. The most is several hundred.
    let budget = 0.001;
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::open(&path, Some(budget)).unwrap();
    let (client, _) = client(&config(&server.url), &ledger);
    let questions: Vec<_> = (0..100).map(question).collect();
    let replies = futures::future::join_all(questions.iter().map(|q| client.chat(q))).await;
    let answered = replies.iter().filter(|reply| reply.is_ok()).count();
    let totals = ledger.totals().await.unwrap();
    assert!(totals.spent <= 1_000_000, "{totals:?}");
    assert_eq!(totals.spent, answered as u64 * 30_000);
    // Reservations of what is under way are waited for: only the last request's own stays unused.
    let most = question_costs_at_most(&server);
    assert!(totals.spent > 1_000_000 - most, "{totals:?}, {most}");
    let refused = replies.into_iter().find_map(Result::err).unwrap();
    assert!(matches!(refused, ApiError::Budget { .. }), "{refused}");
    assert_eq!(server.requests().len(), answered);
}

/// A token for each byte of the question, and all tokens of the reply.
fn question_costs_at_most(server: &Server) -> u64 {
    let longest = server.requests().iter().map(|seen| seen.body.len()).max();
    longest.unwrap() as u64 * 1000 + 16 * 10_000
}

#[tokio::test]
async fn what_a_budget_cannot_bound_is_refused() {
    type Change = fn(&mut truefill_remote::api::EndpointConfig);
    let cases: [(Change, &str); 5] = [
        (
            |c| c.price_input_per_million = None,
            "price_input_per_million",
        ),
        (
            |c| c.price_output_per_million = None,
            "price_output_per_million",
        ),
        (|c| c.omit = vec!["max_tokens".into()], "`omit`"),
        (
            |c| {
                c.extra.insert("max_tokens".into(), "many".into());
            },
            "`extra`",
        ),
        (
            |c| {
                c.omit = vec!["max_tokens".into()];
                c.extra.insert("max_completion_tokens".into(), 9.into());
            },
            "",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    for (change, expected) in cases {
        let mut config = config("http://localhost:1");
        change(&mut config);
        for budget in [None, Some(1.0)] {
            let ledger = Ledger::open(&path, budget).unwrap();
            let timing = std::sync::Arc::new(NoDelay::at(crate::shared::now()));
            let opened = Client::new(&config, &ledger, timing, &|_| None);
            match opened.err() {
                None => assert!(budget.is_none() || expected.is_empty(), "{expected}"),
                Some(error) => {
                    assert!(budget.is_some(), "{error}");
                    assert!(error.to_string().contains(expected), "{error}");
                }
            }
        }
    }
}

/// What is reserved is what can come of the body that is sent: `extra` may ask for more.
#[tokio::test]
async fn the_reserve_is_of_what_is_sent() {
    let server = Server::start(|_, _| answer("yes")).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::open(&path, Some(0.01)).unwrap();
    let mut config = config(&server.url);
    config.extra.insert("max_tokens".into(), 500.into());
    config.extra.insert("n".into(), 2.into());
    let (client, _) = client(&config, &ledger);
    match client.chat(&question(1)).await {
        Err(ApiError::Budget { needed, .. }) => assert!(needed > 2 * 500 * 10_000, "{needed}"),
        other => panic!("{other:?}"),
    }
    assert!(server.requests().is_empty());
}

/// How long a question is told to wait for its turn. The rate's clock is the real one: what has
/// passed since the first question is no longer in it.
async fn turn_of(client: &Client, timing: &NoDelay, number: usize) -> Duration {
    let question = question(number);
    tokio::select! {
        answered = client.chat(&question) => panic!("no wait: {answered:?}"),
        () = until(|| !timing.waits().is_empty()) => timing.waits()[0],
    }
}

#[tokio::test]
async fn rates_are_kept() {
    let began = Instant::now();
    let server = Server::start(|_, _| answer("yes")).await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let mut config = config(&server.url);
    config.requests_per_minute = std::num::NonZeroU32::new(5);
    let (client, timing) = client(&config, &ledger);
    for number in 0..5 {
        client.chat(&question(number)).await.unwrap();
    }
    assert!(timing.waits().is_empty());
    let wait = turn_of(&client, &timing, 5).await;
    // A cell comes back every twelve seconds.
    assert!(
        wait + began.elapsed() > Duration::from_secs(11) && wait <= Duration::from_secs(12),
        "{wait:?}"
    );
    assert_eq!(server.requests().len(), 5);
}

/// A question of more tokens than a minute has takes the whole minute.
#[tokio::test]
async fn rates_of_tokens_are_kept() {
    let began = Instant::now();
    let server = Server::start(|_, _| answer("yes")).await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let mut config = config(&server.url);
    config.tokens_per_minute = std::num::NonZeroU32::new(1);
    let (client, timing) = client(&config, &ledger);
    client.chat(&question(0)).await.unwrap();
    assert!(timing.waits().is_empty());
    let wait = turn_of(&client, &timing, 1).await;
    assert!(
        wait + began.elapsed() > Duration::from_secs(59) && wait <= Duration::from_secs(60),
        "{wait:?}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn other_dialects_and_embeddings_go_the_same_way() {
    let server = Server::start(|_, seen| {
        let body: &[u8] = if seen.head.contains("/v1/messages") {
            br#"{"stop_reason":"end_turn","content":[{"type":"text","text":"yes"}]}"#
        } else if seen.head.contains("/v1/responses") {
            br#"{"status":"completed","output":[{"type":"message","content":
                [{"type":"output_text","text":"yes"}]}]}"#
        } else {
            br#"{"data":[{"index":0,"embedding":[1,2]}]}"#
        };
        reply("200 OK", &[], body)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    for protocol in [Protocol::Anthropic, Protocol::OpenaiResponses] {
        let mut config = config(&format!("{}/v1/", server.url));
        config.protocol = protocol;
        config.api_key_env = Some("KEY".into());
        let (client, _) = client(&config, &ledger);
        assert_eq!(client.chat(&question(1)).await.unwrap().text, "yes");
    }
    let anthropic = &server.requests()[0];
    assert_eq!(anthropic.header("x-api-key"), Some("sk-secret"));
    assert_eq!(anthropic.header("authorization"), None);
    // A proxy of one's own takes no key, and the version all the same.
    let mut keyless = config(&server.url);
    keyless.protocol = Protocol::Anthropic;
    let (client, _) = client(&keyless, &ledger);
    assert_eq!(client.chat(&question(2)).await.unwrap().text, "yes");
    let keyless = &server.requests()[2];
    assert_eq!(keyless.header("x-api-key"), None);
    for seen in [anthropic, keyless] {
        assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
    }
    let (client, _) = crate::shared::client(&config(&server.url), &ledger);
    let request = EmbedRequest {
        subject: "c1".into(),
        texts: vec!["a".into()],
    };
    for _ in 0..2 {
        assert_eq!(client.embed(&request).await.unwrap(), [[1.0, 2.0]]);
    }
    assert_eq!(
        server.requests().len(),
        4,
        "the second is answered from the ledger"
    );
}
