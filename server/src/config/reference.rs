//! The configuration's reference page, made from the same description as the struct.

use std::fmt::Write;

use super::{Config, SECTIONS};

/// A section of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// Its documentation, a line each.
    pub doc: &'static [&'static str],
    /// Its keys.
    pub keys: &'static [Key],
}

/// A key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Its documentation, a line each.
    pub doc: &'static [&'static str],
    /// `machine` where an editor must not take it from a workspace's settings, else `window`.
    pub scope: &'static str,
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from `server/src/config/mod.rs`; the test `config_reference` says how to renew it. -->

Truefill reads `truefill.toml` in the user's configuration folder (`~/.config/truefill/` on Linux,
or the folder that `TRUEFILL_HOME` names). An editor passes the same keys as
`initializationOptions` and in `workspace/didChangeConfiguration`, which win over the file. Every
key has a default; an unknown key is an error that names the nearest one. `truefill doctor` says
what is wrong with a file.

Nothing is read from a file of the workspace, except that git's ignore files and `.truefillignore` can
exclude files. Keys of the scope *machine* can run a program, open a connection, name a file
outside the workspace or take away a protection; an editor's plugin must not take them from a
workspace's settings.
";

/// The page in Markdown.
pub fn markdown() -> String {
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let mut page = INTRODUCTION.to_owned();
    for section in SECTIONS {
        let _ = write!(page, "\n## `[{}]`\n\n{}\n", section.name, text(section.doc));
        for key in section.keys {
            let default = &defaults[section.name][key.name];
            let _ = write!(
                page,
                "\n### `{}.{}`\n\n{}\n\n",
                section.name,
                key.name,
                text(key.doc)
            );
            let _ = writeln!(page, "Default: `{}`. Scope: {}.", shown(default), key.scope);
        }
    }
    page
}

fn text(doc: &[&str]) -> String {
    doc.iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A value as TOML writes it; the two languages agree on everything used here but spaces.
fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(shown).collect::<Vec<_>>().join(", ")
            )
        }
        // The numbers with a fraction are 32 bits wide; as such they have their short form.
        serde_json::Value::Number(number) if number.is_f64() => number
            .as_f64()
            .map(|number| (number as f32).to_string())
            .unwrap_or_default(),
        other => other.to_string(),
    }
}
