//! Models of a hub that a mock plays.

#![allow(
    clippy::unwrap_used,
    reason = "helpers outside of test functions fail a test the same way"
)]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{downloader, sha256};
use tempfile::TempDir;
use truefill_remote::Secret;
use truefill_remote::hub::{Hub, HubError, HubOptions, HubReference, Plan};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn hub(endpoint: &str, token: Option<&str>, cache: Option<&Path>) -> Hub {
    let options = HubOptions {
        endpoint: endpoint.to_owned(),
        token: token.and_then(Secret::new),
        cache: cache.map(Path::to_owned),
    };
    Hub::new(downloader(1), options).unwrap()
}

fn reference(text: &str) -> HubReference {
    text.parse().unwrap()
}

async fn list(server: &MockServer, revision: &str, files: &[(&str, &[u8])]) {
    let siblings: Vec<Value> = files
        .iter()
        .map(|(name, bytes)| {
            let lfs = name
                .ends_with("safetensors")
                .then(|| json!({"sha256": sha256(bytes)}));
            json!({"rfilename": name, "size": bytes.len(), "lfs": lfs, "blobId": "x"})
        })
        .collect();
    Mock::given(method("GET"))
        .and(path(format!("/api/models/owner/repo/revision/{revision}")))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({"sha": COMMIT, "siblings": siblings, "gated": false})),
        )
        .mount(server)
        .await;
    for (name, bytes) in files {
        Mock::given(method("GET"))
            .and(path(format!("/owner/repo/resolve/{COMMIT}/{name}")))
            .respond_with(ResponseTemplate::new(200).set_body_bytes(*bytes))
            .mount(server)
            .await;
    }
}

async fn fetch(hub: &Hub, plan: &Plan, folder: &Path) -> Result<(), HubError> {
    for file in &plan.files {
        hub.fetch(plan, file, &folder.join(file.base_name()), &mut |_, _| ())
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_repository_in_shards_is_fetched_whole_and_at_one_commit() {
    let index = json!({"weight_map": {"a": "model-00001-of-00002.safetensors",
                                      "b": "model-00002-of-00002.safetensors"}})
    .to_string();
    let files: &[(&str, &[u8])] = &[
        ("README.md", b"readme"),
        ("config.json", b"{}"),
        ("tokenizer.json", b"{ }"),
        ("model.safetensors.index.json", index.as_bytes()),
        ("model-00001-of-00002.safetensors", b"one"),
        ("model-00002-of-00002.safetensors", b"two"),
    ];
    let server = MockServer::start().await;
    list(&server, "refs%2Fpr%2F1", files).await;
    let hub = hub(&server.uri(), None, None);
    let plan = hub
        .plan(&reference("hf:owner/repo@refs/pr/1"))
        .await
        .unwrap();
    assert_eq!(plan.commit, COMMIT);
    let names: Vec<&str> = plan.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "config.json",
            "tokenizer.json",
            "model.safetensors.index.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors"
        ]
    );
    assert_eq!(plan.bytes(), 2 + 3 + 3 + 3 + index.len() as u64);
    let folder = TempDir::new().unwrap();
    fetch(&hub, &plan, folder.path()).await.unwrap();
    for (name, bytes) in &files[1..] {
        assert_eq!(
            std::fs::read(folder.path().join(name)).unwrap(),
            *bytes,
            "{name}"
        );
    }
}

#[tokio::test]
async fn one_gguf_file_in_a_folder_is_fetched_by_name() {
    let server = MockServer::start().await;
    list(
        &server,
        "main",
        &[("a/x.gguf", b"GGUFx"), ("a/y.gguf", b"GGUFy")],
    )
    .await;
    let hub = hub(&server.uri(), None, None);
    let plan = hub
        .plan(&reference("hf:owner/repo/a/y.gguf"))
        .await
        .unwrap();
    let folder = TempDir::new().unwrap();
    fetch(&hub, &plan, folder.path()).await.unwrap();
    assert_eq!(
        std::fs::read(folder.path().join("y.gguf")).unwrap(),
        b"GGUFy"
    );

    let error = hub
        .plan(&reference("hf:owner/repo"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("found a/x.gguf, a/y.gguf; name one"),
        "{error}"
    );
}

#[tokio::test]
async fn what_the_hub_says_about_the_hash_is_checked() {
    let server = MockServer::start().await;
    list(
        &server,
        "main",
        &[
            ("config.json", b"{}"),
            ("tokenizer.json", b"{}"),
            ("model.safetensors", b"good"),
        ],
    )
    .await;
    let hub = hub(&server.uri(), None, None);
    let mut plan = hub.plan(&reference("hf:owner/repo")).await.unwrap();
    plan.files[2].sha256 = Some(sha256(b"evil"));
    let folder = TempDir::new().unwrap();
    let error = fetch(&hub, &plan, folder.path())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&sha256(b"evil")) && error.contains(&sha256(b"good")),
        "{error}"
    );
    assert!(!folder.path().join("model.safetensors").exists());
}

#[tokio::test]
async fn a_gated_repository_says_how_to_get_in() {
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Bearer hf_wrong"))
        .respond_with(ResponseTemplate::new(403).set_body_string("token hf_wrong refused"))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&server)
        .await;

    let plan = hub(&server.uri(), None, None)
        .plan(&reference("hf:owner/repo"))
        .await;
    insta_like(
        plan,
        "`owner/repo` does not exist or asks for a login: accept its terms on the repository's \
         page, create an access token, and set `HF_TOKEN` to it",
    );
    let plan = hub(&server.uri(), Some("hf_wrong"), None)
        .plan(&reference("hf:owner/repo"))
        .await;
    insta_like(
        plan,
        "this `HF_TOKEN` may not read `owner/repo`: accept the terms on the repository's page \
         with the account that the token belongs to, or use a token that may read it",
    );
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

fn insta_like(result: Result<Plan, HubError>, expected: &str) {
    assert_eq!(result.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn what_is_not_there_is_called_by_its_name() {
    let server = MockServer::start().await;
    let plan = hub(&server.uri(), None, None)
        .plan(&reference("hf:owner/repo@nope"))
        .await;
    insta_like(
        plan,
        "the hub has no `hf:owner/repo@nope` that can be seen; check the spelling, and set \
         `HF_TOKEN` to an access token if it is private",
    );
}

#[tokio::test]
async fn listings_that_are_none_are_refused() {
    for body in [
        json!({}),
        json!({"sha": "../..", "siblings": []}),
        json!([1]),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(200).set_body_json(&body))
            .mount(&server)
            .await;
        let error = hub(&server.uri(), None, None)
            .plan(&reference("hf:owner/repo"))
            .await
            .unwrap_err();
        assert!(matches!(error, HubError::Listing { .. }), "{body}: {error}");
    }
}

/// The hub's cache as its own tools write it.
fn cached(files: &[(&str, &[u8])]) -> TempDir {
    let cache = TempDir::new().unwrap();
    let repository = cache.path().join("models--owner--repo");
    let snapshot = repository.join("snapshots").join(COMMIT);
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(repository.join("refs")).unwrap();
    std::fs::write(repository.join("refs/main"), COMMIT).unwrap();
    for (name, bytes) in files {
        std::fs::write(snapshot.join(name), bytes).unwrap();
    }
    cache
}

#[tokio::test]
async fn without_a_network_the_hubs_cache_is_used_and_else_one_sentence_tells() {
    let files: &[(&str, &[u8])] = &[
        ("config.json", b"{}"),
        ("tokenizer.json", b"{}"),
        ("model.safetensors", b"weights"),
    ];
    let cache = cached(files);
    // A port where nothing listens.
    let endpoint = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let offline = hub(&endpoint, None, Some(cache.path()));
    let plan = offline.plan(&reference("hf:owner/repo")).await.unwrap();
    let folder = TempDir::new().unwrap();
    fetch(&offline, &plan, folder.path()).await.unwrap();
    assert_eq!(
        std::fs::read(folder.path().join("model.safetensors")).unwrap(),
        b"weights"
    );

    let error = offline
        .plan(&reference("hf:owner/other"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("`hf:owner/other` is not on this machine"),
        "{error}"
    );
    assert!(
        error.contains("cannot reach 127.0.0.1") && error.contains("PATH"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1);
}

#[tokio::test]
async fn a_cached_file_that_is_not_what_the_hub_says_is_downloaded() {
    let server = MockServer::start().await;
    list(
        &server,
        "main",
        &[
            ("config.json", b"{}"),
            ("tokenizer.json", b"{}"),
            ("model.safetensors", b"good"),
        ],
    )
    .await;
    let cache = cached(&[("config.json", b"{}"), ("model.safetensors", b"evil")]);
    let hub = hub(&server.uri(), None, Some(cache.path()));
    let plan = hub.plan(&reference("hf:owner/repo")).await.unwrap();
    let folder = TempDir::new().unwrap();
    fetch(&hub, &plan, folder.path()).await.unwrap();
    assert_eq!(
        std::fs::read(folder.path().join("model.safetensors")).unwrap(),
        b"good"
    );
    let asked: Vec<String> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|request| request.url.path().rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(asked, ["main", "tokenizer.json", "model.safetensors"]);
}

#[test]
fn the_environment_is_read_as_the_hubs_tools_read_it() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("token"), "hf_file\n").unwrap();
    let home = folder.path().to_str().unwrap().to_owned();
    let options = HubOptions::from_variables(&|name| match name {
        "HF_HOME" => Some(home.clone()),
        "HF_ENDPOINT" => Some("https://mirror.example/".into()),
        _ => None,
    });
    assert_eq!(options.endpoint, "https://mirror.example");
    assert_eq!(options.cache, Some(folder.path().join("hub")));
    assert!(options.token.is_some());
    assert!(!format!("{options:?}").contains("hf_file"));
    let none = HubOptions::from_variables(&|_| None);
    assert!(none.token.is_none() && none.cache.is_none());
    assert!(none.endpoint.starts_with("https://"));
    let bad = HubOptions {
        endpoint: "ftp://me:pw@x?token=hf_1".into(),
        ..none
    };
    let error = Hub::new(downloader(0), bad).unwrap_err().to_string();
    assert!(
        error.contains("HF_ENDPOINT") && error.contains("ftp://…@x"),
        "{error}"
    );
    assert!(!error.contains("pw") && !error.contains("hf_1"), "{error}");
}
