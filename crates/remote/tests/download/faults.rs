//! Downloads that fail, and what is said about it.

use std::time::{Duration, Instant};

use reqwest::Url;
use truefill_remote::Secret;
use truefill_remote::download::{DownloadError, Request};

use crate::shared::{Target, content, get, request, url};
use crate::support::{Server, Step, downloader, head, patient, ranged, reply, sha256, until};

#[tokio::test]
async fn refusals_are_told_in_one_sentence_and_not_repeated() {
    for (status, expected) in [
        ("401 Unauthorized", "access to it must be granted first"),
        ("403 Forbidden", "access to it must be granted first"),
        ("404 Not Found", "there is no such file"),
        ("418 Teapot", "status 418"),
    ] {
        let server = Server::start(move |_, _| reply(status, &[], b"<html>")).await;
        let error = get(&server, &Target::new(), 5)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("/file: expected the file"), "{error}");
        assert!(!error.contains("signature"), "{error}");
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_fails_is_asked_again_and_may_say_when() {
    let second = "Thu, 01 Jan 1970 00:00:01 GMT";
    for (status, header, at_least) in [
        ("500 Oops", None, 0),
        ("503 Busy", None, 0),
        ("429 Slow", Some("1"), 1000),
        ("503 Busy", Some(second), 0),
    ] {
        let served = content(100);
        let server = Server::start(move |number, seen| match (number, header) {
            (0, Some(wait)) => reply(status, &[("Retry-After", wait)], b""),
            (0, None) => reply(status, &[], b""),
            _ => ranged(seen, &served, "\"v\"", usize::MAX),
        })
        .await;
        let started = Instant::now();
        let done = get(&server, &Target::new(), 1).await.unwrap();
        assert_eq!(done.sha256, sha256(&content(100)));
        assert!(
            started.elapsed() >= Duration::from_millis(at_least),
            "{status}"
        );
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_server_that_asks_for_too_long_a_wait_is_not_waited_for() {
    let server = Server::start(|_, _| reply("429 Slow", &[("Retry-After", "3600")], b"")).await;
    let error = get(&server, &Target::new(), 5)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("too many requests, try again in 3600 s"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn retries_end() {
    let server = Server::start(|_, _| reply("500 Oops", &[], b"")).await;
    let error = get(&server, &Target::new(), 3)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("status 500; the server fails"), "{error}");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_wrong_hash_discards_the_file() {
    let served = content(100);
    let server = Server::start(move |_, seen| ranged(seen, &served, "\"v\"", usize::MAX)).await;
    let target = Target::new();
    let url = url(&server);
    let expected = sha256(b"other");
    let wanted = Request {
        expected_sha256: Some(&expected),
        ..request(&url, &target.to)
    };
    let error = downloader(3)
        .download(&wanted, &mut |_, _| ())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&expected) && error.contains(&sha256(&content(100))),
        "{error}"
    );
    assert_eq!(
        std::fs::read_dir(target.to.parent().unwrap())
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn sizes_are_checked_before_and_while_bytes_arrive() {
    let target = Target::new();
    let announced =
        Server::start(|_, _| vec![head("200 OK", &[("Content-Length", "4611686018427387904")])])
            .await;
    let error = get(&announced, &target, 0).await.unwrap_err();
    assert!(matches!(error, DownloadError::TooLarge { .. }), "{error}");

    let endless = Server::start(|_, _| {
        vec![
            head("200 OK", &[]),
            Step::Send(vec![0; 2 << 20]),
            Step::Hang,
        ]
    })
    .await;
    let error = get(&endless, &target, 5).await.unwrap_err().to_string();
    assert!(
        error.contains("expected at most 1048576 bytes, found more"),
        "{error}"
    );
    assert_eq!(std::fs::metadata(target.part()).unwrap().len(), 0);

    let served = content(100);
    let other = Server::start(move |_, seen| ranged(seen, &served, "\"v\"", usize::MAX)).await;
    let url = url(&other);
    let wanted = Request {
        expected_bytes: Some(99),
        ..request(&url, &target.to)
    };
    let error = downloader(3)
        .download(&wanted, &mut |_, _| ())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expected 99 bytes, found a file of 100"),
        "{error}"
    );

    // Without an announced length only the repository's knowledge tells that bytes are missing.
    let short =
        Server::start(|_, _| vec![head("200 OK", &[]), Step::Send(b"only this".to_vec())]).await;
    let url = self::url(&short);
    let wanted = Request {
        expected_bytes: Some(100),
        ..request(&url, &target.to)
    };
    let error = downloader(1)
        .download(&wanted, &mut |_, _| ())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expected 100 bytes, found only 9"),
        "{error}"
    );
}

#[tokio::test]
async fn silence_and_absence_are_told_apart() {
    let silent = Server::start(|_, _| vec![Step::Hang]).await;
    let (address, target) = (url(&silent), Target::new());
    let error = patient(1, Duration::from_millis(300))
        .download(&request(&address, &target.to), &mut |_, _| ())
        .await
        .unwrap_err();
    assert!(matches!(error, DownloadError::Silent { .. }), "{error}");
    assert_eq!(silent.requests().len(), 2);

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let target = Target::new();
    let wanted = request(&url, &target.to);
    let error = downloader(5)
        .download(&wanted, &mut |_, _| ())
        .await
        .unwrap_err();
    assert!(
        matches!(error, DownloadError::Unreachable { .. }),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.starts_with("cannot reach 127.0.0.1:") && text.contains("refused"),
        "{text}"
    );
}

#[tokio::test]
async fn the_token_does_not_follow_a_redirect_to_another_host() {
    let served = content(100);
    let storage = Server::start(move |_, seen| ranged(seen, &served, "\"v\"", usize::MAX)).await;
    let location = format!("{}/blob?signature=s", storage.url);
    let hub = Server::start(move |_, _| reply("302 Found", &[("Location", &location)], b"")).await;
    let target = Target::new();
    let url = url(&hub);
    let token = Secret::new("hf_secret").unwrap();
    let wanted = Request {
        token: Some(&token),
        ..request(&url, &target.to)
    };
    downloader(0)
        .download(&wanted, &mut |_, _| ())
        .await
        .unwrap();
    assert_eq!(
        hub.requests()[0].header("authorization"),
        Some("Bearer hf_secret")
    );
    assert_eq!(storage.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn one_process_downloads_a_file_at_a_time() {
    let server = Server::start(|_, _| vec![Step::Hang]).await;
    let target = Target::new();
    let url = url(&server);
    let wanted = request(&url, &target.to);
    let slow = downloader(0);
    let mut nothing = |_, _| ();
    let second = async {
        until(|| !server.requests().is_empty()).await;
        get(&server, &target, 0).await
    };
    tokio::select! {
        first = slow.download(&wanted, &mut nothing) => panic!("{first:?}"),
        second = second => {
            assert!(matches!(second, Err(DownloadError::Busy { .. })), "{second:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_called_one() {
    // Every write to this device fails as on a full disk.
    let target = Target::new();
    std::os::unix::fs::symlink("/dev/full", target.part()).unwrap();
    let served = content(100);
    let server = Server::start(move |_, seen| ranged(seen, &served, "\"v\"", usize::MAX)).await;
    let error = get(&server, &target, 3).await.unwrap_err();
    assert!(matches!(error, DownloadError::Disk { .. }), "{error}");
    assert!(
        error.to_string().contains("the disk is full; make room"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 1);
}
