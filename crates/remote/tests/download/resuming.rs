//! Downloads that arrive, at once or in pieces.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use truefill_remote::download::Request;

use crate::shared::{Target, content, get, request, url};
use crate::support::{Server, Step, downloader, ranged, sha256};

#[tokio::test]
async fn a_file_arrives_with_its_hash_and_its_progress() {
    let bytes = content(100_000);
    let served = bytes.clone();
    let server = Server::start(move |_, seen| ranged(seen, &served, "\"v1\"", usize::MAX)).await;
    let target = Target::new();
    let url = url(&server);
    let mut told = Vec::new();
    let done = downloader(0)
        .download(&request(&url, &target.to), &mut |there, total| {
            told.push((there, total))
        })
        .await
        .unwrap();
    assert_eq!(done.bytes, 100_000);
    assert_eq!(done.sha256, sha256(&bytes));
    assert_eq!(std::fs::read(&target.to).unwrap(), bytes);
    assert_eq!(told.first(), Some(&(0, Some(100_000))));
    assert_eq!(told.last(), Some(&(100_000, Some(100_000))));
    assert!(told.is_sorted());
    assert_eq!(
        std::fs::read_dir(target.to.parent().unwrap())
            .unwrap()
            .count(),
        1
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_download_survives_cuts_at_any_points(
        length in 1_usize..5000,
        cuts in proptest::collection::vec(0_usize..2000, 0..6),
        reset in any::<bool>(),
    ) {
        let bytes = Arc::new(content(length));
        let served = Arc::clone(&bytes);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (done, requests) = runtime.block_on(async {
            let cut = cuts.clone();
            let server = Server::start(move |number, seen| {
                let most = cut.get(number).copied().unwrap_or(usize::MAX);
                let mut steps = ranged(seen, &served, "\"v1\"", most);
                if reset && number < cut.len() {
                    // Let the bytes through, or the reset may overtake them.
                    steps.extend([Step::Wait(Duration::from_millis(5)), Step::Reset]);
                }
                steps
            })
            .await;
            let target = Target::new();
            // A cut at 0 brings no byte: as many in a row must be survived as there are.
            let done = get(&server, &target, cuts.len() + 1).await.unwrap();
            assert_eq!(std::fs::read(&target.to).unwrap(), *bytes);
            (done, server.requests())
        });
        prop_assert_eq!(done.sha256, sha256(&content(length)));
        // What had arrived was not asked for again.
        let starts: Vec<usize> = requests
            .iter()
            .map(|seen| seen.header("range").map_or(0, |range| {
                range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap()
            }))
            .collect();
        prop_assert!(starts.is_sorted(), "{:?}", starts);
    }
}

#[tokio::test]
async fn a_later_process_goes_on_where_an_earlier_one_stopped() {
    let bytes = content(3000);
    let served = bytes.clone();
    let server = Server::start(move |number, seen| {
        ranged(
            seen,
            &served,
            "\"v1\"",
            if number == 0 { 1000 } else { usize::MAX },
        )
    })
    .await;
    let target = Target::new();
    let error = get(&server, &target, 0).await.unwrap_err().to_string();
    assert!(error.contains("goes on where it stopped"), "{error}");
    assert_eq!(std::fs::read(target.part()).unwrap(), bytes[..1000]);
    let done = get(&server, &target, 0).await.unwrap();
    assert_eq!(done.sha256, sha256(&bytes));
    let second = &server.requests()[1];
    assert_eq!(second.header("range"), Some("bytes=1000-"));
    assert_eq!(second.header("if-range"), Some("\"v1\""));
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_is_fetched_from_the_start() {
    let (old, new) = (
        content(3000),
        content(4000).into_iter().rev().collect::<Vec<_>>(),
    );
    let (first, second) = (old.clone(), new.clone());
    let server = Server::start(move |number, seen| match number {
        0 => ranged(seen, &first, "\"v1\"", 1000),
        _ => ranged(seen, &second, "\"v2\"", usize::MAX),
    })
    .await;
    let target = Target::new();
    let done = get(&server, &target, 2).await.unwrap();
    assert_eq!(done.sha256, sha256(&new));
    assert_eq!(std::fs::read(&target.to).unwrap(), new);
}

#[tokio::test]
async fn a_server_that_ignores_the_condition_is_not_believed() {
    let (old, new) = (
        content(3000),
        content(3000).into_iter().rev().collect::<Vec<_>>(),
    );
    let (first, second) = (old.clone(), new.clone());
    let server = Server::start(move |number, seen| {
        let mut seen = seen.clone();
        seen.head = seen
            .head
            .replace("if-range", "x-ignored")
            .replace("If-Range", "x-ignored");
        match number {
            0 => ranged(&seen, &first, "\"v1\"", 1000),
            _ => ranged(&seen, &second, "\"v2\"", usize::MAX),
        }
    })
    .await;
    let target = Target::new();
    let done = get(&server, &target, 3).await.unwrap();
    assert_eq!(done.sha256, sha256(&new));
}

#[tokio::test]
async fn without_a_strong_validator_nothing_is_continued() {
    let bytes = content(3000);
    let served = bytes.clone();
    let server = Server::start(move |number, seen| {
        ranged(
            seen,
            &served,
            "W/\"weak\"",
            if number == 0 { 1000 } else { usize::MAX },
        )
    })
    .await;
    let target = Target::new();
    assert_eq!(
        get(&server, &target, 1).await.unwrap().sha256,
        sha256(&bytes)
    );
    assert_eq!(server.requests()[1].header("range"), None);
}

#[tokio::test]
async fn what_lies_there_of_another_address_is_not_continued() {
    let bytes = content(3000);
    let served = bytes.clone();
    let server = Server::start(move |_, seen| ranged(seen, &served, "\"v1\"", usize::MAX)).await;
    let target = Target::new();
    std::fs::write(target.part(), b"something else").unwrap();
    std::fs::write(
        target.to.with_extension("gguf.part.json"),
        r#"{"url":"http://other/","state":{"total":3000,"validator":"\"v1\""}}"#,
    )
    .unwrap();
    assert_eq!(
        get(&server, &target, 0).await.unwrap().sha256,
        sha256(&bytes)
    );
    assert_eq!(server.requests()[0].header("range"), None);
}

/// What a process leaves that ended after the last byte and before the rename.
#[tokio::test]
async fn a_complete_part_is_finished_without_asking_again() {
    let bytes = content(1000);
    for (expected, asked) in [
        (Some(sha256(&bytes)), 0),
        (Some(sha256(b"other")), 1),
        (None, 1),
    ] {
        let served = bytes.clone();
        let server = Server::start(move |_, seen| ranged(seen, &served, "\"v\"", usize::MAX)).await;
        let target = Target::new();
        let url = url(&server);
        std::fs::write(target.part(), &bytes).unwrap();
        let plain = format!("{}/file", server.url);
        let state = format!(r#"{{"url":"{plain}","state":{{"total":1000,"validator":"\"v\""}}}}"#);
        std::fs::write(target.to.with_extension("gguf.part.json"), state).unwrap();
        let wanted = Request {
            expected_sha256: expected.as_deref(),
            ..request(&url, &target.to)
        };
        let done = downloader(0).download(&wanted, &mut |_, _| ()).await;
        assert_eq!(server.requests().len(), asked, "{expected:?}");
        assert_eq!(done.is_ok(), expected != Some(sha256(b"other")));
        if done.is_ok() {
            assert_eq!(std::fs::read(&target.to).unwrap(), bytes);
            let folder = target.to.parent().unwrap();
            assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
        }
    }
}
