//! A user without a network, and what there is to fetch.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use truefill_model::store::Store;
use truefill_remote::download::Options;
use truefill_remote::retry::RetryPolicy;
use truefill_remote::wheel::{Pip, WheelModel};
use truefill_server::commands::models::{Look, ModelsArgs, ModelsContext, Shipped, run_in};
use truefill_server::paths::Paths;

const FIXTURES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/model/tests/data/parity"
);

#[derive(Parser)]
#[command(no_binary_name = true)]
pub struct Cli {
    #[command(flatten)]
    models: ModelsArgs,
}

/// What a command did.
pub struct Outcome {
    pub success: bool,
    pub code: Option<ExitCode>,
    pub out: String,
    pub err: String,
}

/// A user without a network.
pub struct User {
    pub home: TempDir,
    pub hub_cache: PathBuf,
    pub pip: Option<Pip>,
    pub default: WheelModel,
    pub shipped: Option<Shipped>,
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

pub fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

impl User {
    pub fn new() -> Self {
        let home = TempDir::new().unwrap();
        let gguf = std::fs::read(fixture("gguf/llama-q4_1.gguf")).unwrap();
        let default = WheelModel {
            package: "tiny",
            version: "1.0",
            wheel: "tiny-1.0-py3-none-any.whl",
            wheel_sha256: hash(&wheel(&gguf)).leak(),
            wheel_bytes: wheel(&gguf).len() as u64,
            member: "tiny/model.gguf",
            member_sha256: hash(&gguf).leak(),
            member_bytes: gguf.len() as u64,
        };
        Self {
            hub_cache: home.path().join("hub"),
            home,
            pip: None,
            default,
            shipped: None,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn store(&self) -> Store {
        Store::open(&self.path("data")).unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = Cli::try_parse_from(arguments)
            .map_err(|error| error.to_string())
            .unwrap();
        let cache = self.hub_cache.to_str().unwrap().to_owned();
        let variables = move |name: &str| match name {
            "HF_HUB_CACHE" => Some(cache.clone()),
            // A port where nothing listens.
            "HF_ENDPOINT" => Some("http://127.0.0.1:9".to_owned()),
            _ => None,
        };
        let mut context = ModelsContext {
            paths: Paths::from_home(Some(self.path("data").into())).unwrap(),
            variables: &variables,
            pip: self.pip.clone(),
            default: self.default.clone(),
            shipped: self.shipped.clone(),
            network: Options {
                connect_timeout: Duration::from_secs(1),
                silence_timeout: Duration::from_secs(1),
                retry: RetryPolicy {
                    retries: 1,
                    first_delay: Duration::from_millis(1),
                    ..RetryPolicy::default()
                },
            },
            out: &mut out,
            err: &mut err,
            look: Look::Lines,
            now: 1_700_000_000,
        };
        let result = run_in(&args.models, &mut context);
        let mut err = String::from_utf8(err).unwrap();
        let code = match result {
            Ok(code) => Some(code),
            Err(error) => {
                err.push_str(&format!("{error:#}"));
                None
            }
        };
        let success = code == Some(ExitCode::SUCCESS);
        Outcome {
            success,
            code,
            out: String::from_utf8(out).unwrap(),
            err,
        }
    }

    pub fn id(&self, name: &str) -> String {
        self.store().find(name).unwrap().to_string()
    }
}

pub fn wheel(gguf: &[u8]) -> Vec<u8> {
    // A stored archive of one file, written by hand: the format is part of what is tested.
    let name = b"tiny/model.gguf";
    let crc = crc32(gguf);
    let mut common = Vec::new();
    common.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
    common.extend(crc.to_le_bytes());
    common.extend((gguf.len() as u32).to_le_bytes());
    common.extend((gguf.len() as u32).to_le_bytes());
    common.extend((name.len() as u16).to_le_bytes());
    common.extend([0, 0]);
    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&common);
    archive.extend(name);
    archive.extend(gguf);
    let directory = archive.len() as u32;
    archive.extend(b"PK\x01\x02\x14\x00");
    archive.extend(&common);
    archive.extend([0; 14]);
    archive.extend(name);
    let length = archive.len() as u32 - directory;
    archive.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    archive.extend(length.to_le_bytes());
    archive.extend(directory.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(unix)]
pub fn python(user: &User, script: &str) -> Pip {
    std::fs::write(user.path("python3.sh"), script).unwrap();
    let program = user.path("python3");
    let player = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/remote/tests/data/python3");
    std::os::unix::fs::symlink(player, &program).unwrap();
    Pip {
        python: program,
        timeout: Duration::from_secs(20),
    }
}
