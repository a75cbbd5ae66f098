//! Slowness, cuts, nonsense and floods.

use std::ops::ControlFlow;
use std::time::Duration;

use truefill_remote::complete::{BackendError, Finish, Wait};

use crate::shared::{SSE, STOP, backend, complete, events, limited, open_ai, raw, text};
use crate::support::{Server, Step, head, reply, until};

#[tokio::test]
async fn the_caller_can_end_it_and_the_server_learns() {
    let server = Server::start(|_, _| {
        let mut steps = events(&[&text("one"), &text(" two")]);
        steps.push(Step::Hang);
        steps
    })
    .await;
    let backend = backend(&server, open_ai());
    let done = backend
        .complete(&raw(), &mut |_| ControlFlow::Break(()))
        .await
        .unwrap();
    assert_eq!((done.text.as_str(), done.finish), ("one", Finish::Caller));
    abandoned(&server).await;
}

#[tokio::test]
async fn a_connection_that_is_closed_in_spite_of_a_promise_costs_nothing() {
    let server = Server::start(|_, _| {
        let body = format!("data: {STOP}\n\n");
        let length = body.len().to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: text/event-stream\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        // Long enough for the next request to arrive on it, unread.
        vec![
            Step::Send(head.into_bytes()),
            Step::Wait(Duration::from_millis(50)),
        ]
    })
    .await;
    let backend = backend(&server, open_ai());
    for _ in 0..3 {
        complete(&backend).await.unwrap();
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn dropping_the_future_closes_the_connection() {
    for sent in [vec![], events(&[&text("one")])] {
        let server = Server::start(move |_, _| {
            let mut steps = sent.clone();
            steps.push(Step::Hang);
            steps
        })
        .await;
        let backend = backend(&server, open_ai());
        tokio::select! {
            ended = complete(&backend) => panic!("{ended:?}"),
            () = until(|| !server.requests().is_empty()) => {}
        }
        abandoned(&server).await;
    }
}

/// Waits until the server has seen that nobody listens any more.
async fn abandoned(server: &Server) {
    until(|| *server.abandoned.lock().unwrap() > 0).await;
}

#[tokio::test]
async fn each_kind_of_slowness_has_its_limit() {
    let silent = Server::start(|_, _| vec![Step::Hang]).await;
    let headed = Server::start(|_, _| vec![head("200 OK", SSE), Step::Hang]).await;
    // Comments keep the connection alive, but are no text.
    let commenting = Server::start(|_, _| {
        let mut steps = vec![head("200 OK", SSE)];
        for _ in 0..100 {
            steps.extend([
                Step::Send(b": ping\n\n".to_vec()),
                Step::Wait(Duration::from_millis(20)),
            ]);
        }
        steps
    })
    .await;
    for server in [&silent, &headed, &commenting] {
        let backend = limited(server, |limits| {
            limits.first_piece = Duration::from_millis(400);
        });
        let error = complete(&backend).await.unwrap_err();
        assert!(
            matches!(
                error,
                BackendError::TimedOut {
                    wait: Wait::FirstPiece,
                    ..
                }
            ),
            "{error}"
        );
    }
    let stalling = Server::start(|_, _| {
        let mut steps = events(&[&text("one")]);
        steps.push(Step::Hang);
        steps
    })
    .await;
    let backend = limited(&stalling, |limits| {
        limits.silence = Duration::from_millis(200);
    });
    let error = complete(&backend).await.unwrap_err();
    assert!(
        matches!(
            error,
            BackendError::TimedOut {
                wait: Wait::NextPiece,
                ..
            }
        ),
        "{error}"
    );

    let dripping = Server::start(|_, _| {
        let mut steps = vec![head("200 OK", SSE)];
        for _ in 0..100 {
            let event = format!("data: {}\n\n", text("x"));
            steps.extend([
                Step::Send(event.into_bytes()),
                Step::Wait(Duration::from_millis(50)),
            ]);
        }
        steps
    })
    .await;
    let backend = limited(&dripping, |limits| {
        limits.total = Duration::from_millis(300);
    });
    let error = complete(&backend).await.unwrap_err();
    assert!(
        matches!(
            error,
            BackendError::TimedOut {
                wait: Wait::Total,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn replies_that_break_off_or_make_no_sense_are_named() {
    let cut = |steps: Vec<Step>| async {
        let server = Server::start(move |_, _| steps.clone()).await;
        complete(&backend(&server, open_ai())).await.unwrap_err()
    };
    let wait = Step::Wait(Duration::from_millis(20));
    let mut reset = events(&[&text("one")]);
    reset.extend([wait, Step::Reset]);
    let error = cut(reset).await;
    assert!(matches!(error, BackendError::Cut { .. }), "{error}");

    let error = cut(events(&[&text("one")])).await;
    assert!(
        error
            .to_string()
            .contains("ended before the completion did"),
        "{error}"
    );

    let error = cut(vec![]).await;
    assert!(matches!(error, BackendError::Cut { .. }), "{error}");

    let error = cut(events(&[r#"{"choices":[{"te"#])).await;
    assert!(matches!(error, BackendError::Malformed { .. }), "{error}");

    let error = cut(reply(
        "200 OK",
        &[("Content-Type", "application/json")],
        b"{\"cho",
    ))
    .await;
    assert!(matches!(error, BackendError::Malformed { .. }), "{error}");

    let error = cut(reply("200 OK", &[("Content-Type", "text/html")], b"<html>")).await;
    assert!(matches!(error, BackendError::Malformed { .. }), "{error}");

    let error = cut(events(&[r#"{"error":{"message":"out of memory"}}"#])).await;
    assert!(
        error.to_string().ends_with("failed: out of memory"),
        "{error}"
    );

    let error = cut(vec![Step::Send(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec())]).await;
    assert!(matches!(error, BackendError::Cut { .. }), "{error}");
}

#[tokio::test]
async fn nothing_oversized_is_taken() {
    let endless = Server::start(|_, _| {
        vec![
            head("200 OK", SSE),
            Step::Send(vec![b'x'; 1 << 20]),
            Step::Hang,
        ]
    })
    .await;
    let error = complete(&backend(&endless, open_ai())).await.unwrap_err();
    assert!(matches!(error, BackendError::TooLarge { .. }), "{error}");

    let long = Server::start(|_, _| {
        let piece = text(&"x".repeat(300));
        let pieces: Vec<&str> = std::iter::repeat_n(piece.as_str(), 4).collect();
        events(&pieces)
    })
    .await;
    let error = complete(&backend(&long, open_ai())).await.unwrap_err();
    let told = "more than 1000 bytes in the completion";
    assert!(error.to_string().contains(told), "{error}");

    let whole = Server::start(|_, _| {
        reply(
            "200 OK",
            &[("Content-Type", "application/json")],
            &vec![b' '; 6000],
        )
    })
    .await;
    let error = complete(&backend(&whole, open_ai())).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("more than 5000 bytes in its reply"),
        "{error}"
    );

    let refusing = Server::start(|_, _| {
        vec![
            head("500 No", &[]),
            Step::Send(vec![b'a'; 1 << 20]),
            Step::Hang,
        ]
    })
    .await;
    let error = complete(&backend(&refusing, open_ai()))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.len() < 500, "{}", error.len());
}

#[tokio::test]
async fn code_and_key_do_not_follow_a_redirect() {
    let other = Server::start(|_, _| events(&[STOP])).await;
    let location = format!("{}/v1/completions", other.url);
    let server =
        Server::start(move |_, _| reply("307 Temporary Redirect", &[("Location", &location)], b""))
            .await;
    let error = complete(&backend(&server, open_ai())).await.unwrap_err();
    assert!(
        matches!(error, BackendError::Status { status: 307, .. }),
        "{error}"
    );
    assert!(other.requests().is_empty());
}
