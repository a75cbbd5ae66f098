//! A target in a temporary folder and a request for it.

use std::path::{Path, PathBuf};

use reqwest::Url;
use tempfile::TempDir;
use truefill_remote::download::{DownloadError, Downloaded, Request};

use crate::support::{Server, downloader};

pub fn request<'a>(url: &'a Url, to: &'a Path) -> Request<'a> {
    Request {
        url,
        to,
        max_bytes: 1 << 20,
        expected_bytes: None,
        expected_sha256: None,
        token: None,
    }
}

pub struct Target {
    _folder: TempDir,
    pub to: PathBuf,
}

impl Target {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let to = folder.path().join("model.gguf");
        Self {
            _folder: folder,
            to,
        }
    }

    pub fn part(&self) -> PathBuf {
        self.to.with_extension("gguf.part")
    }
}

pub fn url(server: &Server) -> Url {
    Url::parse(&format!("{}/file?signature=secret", server.url)).unwrap()
}

pub async fn get(
    server: &Server,
    target: &Target,
    retries: usize,
) -> Result<Downloaded, DownloadError> {
    let url = url(server);
    downloader(retries)
        .download(&request(&url, &target.to), &mut |_, _| ())
        .await
}

pub fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}
