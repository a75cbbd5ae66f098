//! What ends the asking of a server, and what does not.

use std::time::Duration;

use serde_json::json;
use truefill_remote::api::{ApiError, Ledger};

use crate::shared::{answer, client, config, ledger, question};
use crate::support::{Server, Step, reply};

const TOO_MANY: &str = "429 Too Many Requests";

#[tokio::test]
async fn a_refused_key_stops_everything_at_once() {
    let message = "You exceeded your current quota, please check your plan. ".repeat(8);
    let quota = json!({"error": {"message": message, "code": "insufficient_quota"}}).to_string();
    for (status, body) in [
        ("401 Unauthorized", "bad key sk-secret"),
        ("403 Forbidden", ""),
        (TOO_MANY, &*quota),
    ] {
        let body = body.to_owned();
        let server = Server::start(move |_, _| reply(status, &[], body.as_bytes())).await;
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let mut config = config(&server.url);
        config.api_key_env = Some("KEY".into());
        let (client, _) = client(&config, &ledger);
        for number in 0..3 {
            let error = client.chat(&question(number)).await.unwrap_err();
            assert!(matches!(error, ApiError::Refused { .. }), "{error}");
            assert!(!error.to_string().contains("sk-secret"), "{error}");
        }
        assert_eq!(server.requests().len(), 1);
        let sent = server.requests().remove(0);
        assert_eq!(sent.header("authorization"), Some("Bearer sk-secret"));
    }
}

/// A day's limit: nothing further is sent, and what waits for it is not lost one by one.
#[tokio::test]
async fn a_wait_that_is_too_long_stops_everything_at_once() {
    let server = Server::start(|_, _| reply(TOO_MANY, &[("Retry-After", "86400")], b"")).await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let (client, timing) = client(&config(&server.url), &ledger);
    for number in 0..3 {
        let error = client.chat(&question(number)).await.unwrap_err();
        assert!(matches!(error, ApiError::Wait { .. }), "{error}");
        assert!(error.to_string().contains("longest_wait_s"), "{error}");
    }
    assert_eq!(server.requests().len(), 1);
    assert!(timing.waits().is_empty());
}

/// What is never sent does not wait for a turn: else a refusal would be told at the pace of the rate.
#[tokio::test]
async fn a_rate_holds_back_nothing_that_is_not_sent() {
    let refused: (&str, Option<f64>) = ("401 Unauthorized", None);
    let broke = ("200 OK", Some(1e-9));
    for (status, budget) in [refused, broke] {
        let server = Server::start(move |_, _| reply(status, &[], b"")).await;
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db"), budget).unwrap();
        let mut config = config(&server.url);
        config.requests_per_minute = std::num::NonZeroU32::new(1);
        let (client, timing) = client(&config, &ledger);
        for number in 0..5 {
            let asked = question(number);
            let asked = client.chat(&asked);
            let told = tokio::time::timeout(Duration::from_secs(30), asked).await;
            assert!(told.expect("it waits for a turn").is_err());
        }
        assert!(timing.waits().is_empty(), "{:?}", timing.waits());
        assert_eq!(server.requests().len(), usize::from(budget.is_none()));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_stops_everything_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    // Port 1 is nobody's.
    let mut config = config("http://127.0.0.1:1");
    config.retries = 2;
    let (client, timing) = client(&config, &ledger);
    for number in 0..3 {
        let error = client.chat(&question(number)).await.unwrap_err();
        assert!(matches!(error, ApiError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("is it running"), "{error}");
    }
    assert_eq!(timing.waits().len(), 2, "the first question's own");
    assert_eq!(ledger.counters().snapshot().attempts, 3);
}

/// A server that answered once may come back: only the questions of the meantime are lost.
#[tokio::test]
async fn a_server_that_went_away_is_asked_again() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let once = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 4096];
        assert!(stream.read(&mut asked).await.unwrap() > 0);
        for step in answer("yes") {
            let Step::Send(bytes) = step else { continue };
            stream.write_all(&bytes).await.unwrap();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let mut config = config(&url);
    config.retries = 1;
    let (client, _) = client(&config, &ledger);
    client.chat(&question(0)).await.unwrap();
    once.await.unwrap();
    for number in 1..3 {
        let error = client.chat(&question(number)).await.unwrap_err();
        assert!(matches!(error, ApiError::Failed { .. }), "{error}");
    }
}

/// A server that took the question and said nothing, and then is gone, never answered.
#[tokio::test]
async fn a_server_that_only_kept_silent_was_never_reached() {
    use tokio::io::AsyncReadExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(listener);
        while stream.read(&mut [0; 4096]).await.unwrap_or(0) > 0 {}
    });
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let mut config = config(&url);
    config.retries = 1;
    let (client, _) = client(&config, &ledger);
    let error = client.chat(&question(0)).await.unwrap_err();
    assert!(matches!(error, ApiError::Unreachable { .. }), "{error}");
    silent.await.unwrap();
}

/// A host that drops every packet: nothing was sent, so nothing is paid.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_host_that_is_silent_costs_nothing() {
    use std::net::TcpStream;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Where nobody accepts and the queue is full, Linux answers no further connection.
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(300));
    let queue: Vec<_> = (0..16).map(connect).take_while(Result::is_ok).collect();
    assert!(queue.len() < 16, "the queue has no end");
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    let mut config = config(&format!("http://{address}"));
    config.retries = 1;
    let (client, _) = client(&config, &ledger);
    let error = client.chat(&question(0)).await.unwrap_err();
    assert!(matches!(error, ApiError::Unreachable { .. }), "{error}");
    assert_eq!(ledger.totals().await.unwrap().spent, 0);
}
