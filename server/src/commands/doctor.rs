//! `truefill doctor`: is everything in place, and what to do where it is not.

mod checks;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

/// Options of `truefill doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// In order.
    Ok,
    /// It works, but not as well as it could.
    Warn,
    /// It does not work.
    Fail,
}

/// One line of the report.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Check {
    /// Something in order.
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            level: Level::Ok,
            found: found.into(),
            advice: None,
        }
    }

    /// Something that works, but not as well as it could.
    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name,
            level: Level::Warn,
            found: found.into(),
            advice: Some(advice.into()),
        }
    }

    /// Something that does not work.
    fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name,
            level: Level::Fail,
            found: found.into(),
            advice: Some(advice.into()),
        }
    }
}

/// Checks and prints; fails where a check fails.
///
/// # Errors
/// Where stdout cannot be written.
pub fn run(args: &DoctorArgs) -> Result<ExitCode> {
    let checks = checks::all();
    let mut out = std::io::stdout().lock();
    let failed = checks.iter().any(|check| check.level == Level::Fail);
    if args.json {
        writeln!(
            out,
            "{}",
            serde_json::json!({ "ok": !failed, "checks": checks })
        )?;
    } else {
        for check in &checks {
            let level = match check.level {
                Level::Ok => "ok  ",
                Level::Warn => "warn",
                Level::Fail => "FAIL",
            };
            writeln!(out, "{level}  {}: {}", check.name, check.found)?;
            if let Some(advice) = &check.advice {
                writeln!(out, "      → {advice}")?;
            }
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
