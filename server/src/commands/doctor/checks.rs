//! The checks, in the order in which one failure explains the next.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use truefill_journal::{Health, Journal, Options};
use truefill_model::store::{Resolved, Store};
use truefill_model::{device, threads};

use super::Check;
use crate::config::{Config, RemoteKind};
use crate::engine::locate::locate;
use crate::engine::open;
use crate::paths::Paths;

/// How long the journal's file may take to open.
const JOURNAL: Duration = Duration::from_secs(3);

/// Bytes of a page of the journal's database, by which it grows.
const JOURNAL_PAGE: u64 = 4096;

/// Memory that the server takes beside the model's weights and the KV cache.
const BASE_MEMORY: u64 = 150 << 20;

/// Everything that can be looked at; a check that others rest on ends the list when it fails.
pub fn all() -> Vec<Check> {
    let paths = match Paths::from_env() {
        Ok(paths) => paths,
        Err(error) => return vec![Check::fail("folders", error.to_string(), "set `HOME`")],
    };
    let mut checks = Vec::new();
    let config = match configuration(&paths, &mut checks) {
        Some(config) => config,
        None => return checks,
    };
    checks.push(folder("store", &paths.store()));
    checks.push(cpu());
    checks.push(thread_count(&config));
    checks.push(compute_device(&config));
    if config.remote.kind == RemoteKind::None {
        let size = model(&paths, &config, &mut checks);
        checks.push(memory(&config, size));
    } else {
        checks.push(remote(&config));
    }
    checks.push(journal(&paths, &config));
    checks.push(git());
    checks
}

fn configuration(paths: &Paths, checks: &mut Vec<Check>) -> Option<Config> {
    let file = paths.config_file();
    match Config::from_file(&file) {
        Ok(config) => {
            let found = if file.exists() {
                "is in order"
            } else {
                "is not there: defaults"
            };
            checks.push(Check::ok(
                "configuration",
                format!("`{}` {found}", file.display()),
            ));
            Some(config)
        }
        Err(error) => {
            let advice = "correct the file; docs/config.md lists every key";
            checks.push(Check::fail("configuration", error.to_string(), advice));
            None
        }
    }
}

/// Whether files can be made in a folder, by making one.
fn folder(name: &'static str, path: &Path) -> Check {
    let made = std::fs::create_dir_all(path).and_then(|()| tempfile::tempfile_in(path));
    match made {
        Ok(_) => Check::ok(name, format!("`{}` can be written", path.display())),
        Err(error) => Check::fail(
            name,
            format!("`{}` cannot be written: {error}", path.display()),
            "give yourself the right to write there, or set `TRUEFILL_HOME` to another folder",
        ),
    }
}

#[cfg(target_arch = "x86_64")]
fn cpu() -> Check {
    let has = |name: &'static str, there: bool| there.then_some(name);
    let features = [
        has("avx2", is_x86_feature_detected!("avx2")),
        has("fma", is_x86_feature_detected!("fma")),
        has("avx512f", is_x86_feature_detected!("avx512f")),
        has("avx512vnni", is_x86_feature_detected!("avx512vnni")),
    ];
    let found: Vec<&str> = features.into_iter().flatten().collect();
    let list = found.join(", ");
    if found.contains(&"avx2") && found.contains(&"fma") {
        Check::ok("cpu", list)
    } else {
        let advice = "Truefill needs avx2 and fma, which CPUs have since 2015";
        Check::fail("cpu", format!("only {list}"), advice)
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu() -> Check {
    let advice = "the fast kernels are for x86-64; a remote backend is an alternative";
    Check::warn("cpu", std::env::consts::ARCH, advice)
}

fn thread_count(config: &Config) -> Check {
    let available = threads::available();
    match config.model.threads {
        0 => Check::ok("threads", format!("{available}, one per core")),
        wanted if wanted <= available => Check::ok("threads", format!("{wanted} of {available}")),
        wanted => Check::warn(
            "threads",
            format!("{wanted} on {available} cores"),
            "set `model.threads` to 0: more threads than cores make it slower",
        ),
    }
}

fn compute_device(config: &Config) -> Check {
    match device::choose(&config.model.device) {
        Ok(choice) => Check::ok("device", choice.to_string()),
        Err(error) => Check::fail("device", error.to_string(), "set `model.device` to `cpu`"),
    }
}

/// Checks the model's files and opens it. Gives the bytes of its files.
fn model(paths: &Paths, config: &Config, checks: &mut Vec<Check>) -> u64 {
    let id = &config.model.id;
    let located = match locate(paths, id) {
        Ok(located) => located,
        Err(error) => {
            let advice = format!("truefill models pull {id}");
            checks.push(Check::fail("model", error.to_string(), advice));
            return 0;
        }
    };
    checks.push(verified(paths, id));
    let bytes = size(&located.path) + located.adapter.as_deref().map_or(0, size);
    let started = Instant::now();
    match open::open(paths, config) {
        Ok(engine) => {
            let (info, took) = (engine.info(), started.elapsed().as_millis());
            let (name, version) = (&info.format, info.format_version);
            let found = format!(
                "opens in {took} ms on {}, format {name} {version}",
                info.device
            );
            checks.push(Check::ok("engine", found));
        }
        Err(error) => {
            let advice = format!("truefill models verify, then truefill models pull {id}");
            checks.push(Check::fail("engine", error.to_string(), advice));
        }
    }
    bytes
}

/// Compares the files with their manifest, where they have one.
fn verified(paths: &Paths, id: &str) -> Check {
    let again = format!("truefill models pull {id}");
    let verification = Store::open(&paths.store()).and_then(|store| match store.resolve(id)? {
        Resolved::Stored(stored) => store.verify(stored.manifest.id(), &mut |_| {}).map(Some),
        Resolved::Path(_) => Ok(None),
    });
    match verification {
        Ok(Some(verification)) if verification.holds() => {
            let files = verification.files.len();
            Check::ok(
                "model",
                format!("`{}`, {files} files as they should be", verification.id),
            )
        }
        Ok(Some(verification)) => {
            let found = format!("`{}`: a file is missing or damaged", verification.id);
            Check::fail("model", found, again)
        }
        Ok(None) => Check::ok("model", format!("`{id}`, a path outside the store")),
        Err(error) => Check::fail("model", error.to_string(), again),
    }
}

/// Bytes of a file, or of the files in a folder.
fn size(path: &Path) -> u64 {
    let length = |path: PathBuf| std::fs::metadata(path).map(|data| data.len()).unwrap_or(0);
    match std::fs::read_dir(path) {
        Ok(entries) => entries
            .filter_map(Result::ok)
            .map(|entry| length(entry.path()))
            .sum(),
        Err(_) => length(path.to_owned()),
    }
}

fn memory(config: &Config, weights: u64) -> Check {
    let needed = weights + ((config.model.kv_memory_mb as u64) << 20) + BASE_MEMORY;
    let mib = |bytes: u64| bytes >> 20;
    match available_memory() {
        Some(available) if available < needed => Check::warn(
            "memory",
            format!(
                "{} MiB are free, about {} MiB are needed",
                mib(available),
                mib(needed)
            ),
            "choose a smaller model or a smaller `model.kv_memory_mb`",
        ),
        Some(available) => Check::ok(
            "memory",
            format!(
                "{} MiB are free, about {} MiB are needed",
                mib(available),
                mib(needed)
            ),
        ),
        None => Check::ok("memory", format!("about {} MiB are needed", mib(needed))),
    }
}

/// Bytes that programs can still take, where the system says so.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// What the configuration says of the backend; it is not contacted, because that would
/// send something.
fn remote(config: &Config) -> Check {
    let key = &config.remote.api_key_env;
    if !key.is_empty() && std::env::var_os(key).is_none() {
        return Check::fail(
            "remote",
            format!("the backend needs a key, and `{key}` is not set"),
            format!("set `{key}` in the editor's environment"),
        );
    }
    match crate::engine::remote::open(config) {
        Ok(engine) => Check::ok(
            "remote",
            format!(
                "`{}` is asked instead of a local model",
                engine.info().checkpoint
            ),
        ),
        Err(error) => Check::fail("remote", error.to_string(), "correct `remote.url`"),
    }
}

fn journal(paths: &Paths, config: &Config) -> Check {
    if !config.journal.enabled {
        return Check::ok("journal", "is off (`journal.enabled`)");
    }
    let path = paths.journal();
    let journal = Journal::open(&path, Options::default());
    match journal.wait_started(JOURNAL) {
        Health::Working => {
            let context = if config.journal.context {
                "with code"
            } else {
                "without code"
            };
            let bytes = path.metadata().map_or(0, |data| data.len());
            let limit = config.journal.max_mb;
            let used = bytes.div_ceil(1_000_000);
            let found = format!(
                "`{}` can be written, {context}; {used} of {limit} MB",
                path.display()
            );
            match is_full(bytes, limit) {
                false => Check::ok("journal", found),
                true => Check::warn(
                    "journal",
                    found,
                    "nothing more is kept: raise `journal.max_mb`, or move the file away",
                ),
            }
        }
        Health::Starting => Check::warn(
            "journal",
            format!(
                "`{}` did not open within {} s",
                path.display(),
                JOURNAL.as_secs()
            ),
            "look whether the disk is busy or the folder lies on a network",
        ),
        Health::Off(reason) => {
            let advice = "suggestions work without it; training on them does not";
            Check::warn("journal", reason.sentence, advice)
        }
    }
}

/// Whether a journal of so many bytes has no room for another page of its database.
fn is_full(bytes: u64, max_mb: u64) -> bool {
    bytes.saturating_add(JOURNAL_PAGE) > max_mb.saturating_mul(1_000_000)
}

/// Only the trainer asks git; the server starts no program.
fn git() -> Check {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = format!("git{}", std::env::consts::EXE_SUFFIX);
    match std::env::split_paths(&path)
        .map(|folder| folder.join(&name))
        .find(|git| git.is_file())
    {
        Some(git) => Check::ok("git", format!("`{}`", git.display())),
        None => Check::warn(
            "git",
            "is not on `PATH`",
            "install it to train on repositories",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_journal_is_full_where_no_page_fits_any_more() {
        for (bytes, max_mb, full) in [
            (28_672, 1, false),
            (995_328, 1, false),
            (999_424, 1, true),
            (999_424, 2, false),
            (0, 0, true),
        ] {
            assert_eq!(is_full(bytes, max_mb), full, "{bytes} of {max_mb} MB");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_fails() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(folder("store", &home.path().join("new")).level, Level::Ok);
        std::fs::write(home.path().join("file"), "").unwrap();
        let check = folder("store", &home.path().join("file"));
        assert_eq!(check.level, Level::Fail);
        assert!(check.advice.is_some());
    }

    #[test]
    fn too_many_threads_are_a_warning() {
        let mut config = Config::default();
        assert_eq!(thread_count(&config).level, Level::Ok);
        config.model.threads = threads::available() + 1;
        assert_eq!(thread_count(&config).level, Level::Warn);
    }

    #[test]
    fn a_missing_model_says_how_to_get_it() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::from_home(Some(home.path().into())).unwrap();
        let mut checks = Vec::new();
        model(&paths, &Config::default(), &mut checks);
        assert_eq!(checks[0].level, Level::Fail);
        assert_eq!(
            checks[0].advice.as_deref(),
            Some("truefill models pull default")
        );
    }
}
