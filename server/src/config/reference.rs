//! The configuration's reference page, made from the same description as the struct.

use std::fmt::Write;

use serde_json::{Value, json};

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

/// The same keys as VS Code's settings: `contributes.configuration.properties` of the extension's manifest.
pub fn vscode() -> serde_json::Map<String, Value> {
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let mut settings = serde_json::Map::new();
    for section in SECTIONS {
        for key in section.keys {
            let order = settings.len();
            let default = &defaults[section.name][key.name];
            let name = format!("truefill.{}.{}", section.name, key.name);
            let mut property = property(section.name, key, default);
            property["order"] = order.into();
            settings.insert(name, property);
        }
    }
    settings
}

fn property(section: &str, key: &Key, default: &Value) -> Value {
    let mut property = json!({
        "type": match default {
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::Array(_) => "array",
            _ => "string",
        },
        // In short form, as on the page.
        "default": serde_json::from_str::<Value>(&shown(default)).unwrap_or_else(|_| default.clone()),
        "markdownDescription": key.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "),
        "scope": key.scope,
    });
    if default.is_array() {
        property["items"] = json!({ "type": "string" });
    }
    let choices = choices(section, key.name);
    if !choices.is_empty() {
        property["enum"] = choices.into();
    }
    property
}

/// The values that a key has a name for: what its type says that it had expected.
fn choices(section: &str, key: &str) -> Vec<String> {
    let nobodys = json!("\u{0}");
    let refused = Config::default().set(section, key, nobodys);
    let Some(Err(error)) = refused else {
        return Vec::new();
    };
    let said = error.to_string();
    let expected = said.split_once(", expected ").map_or("", |(_, rest)| rest);
    if !said.starts_with("unknown variant") {
        return Vec::new();
    }
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn text(doc: &[&str]) -> String {
    doc.iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A value as TOML writes it; the two languages agree on everything used here but spaces.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(shown).collect::<Vec<_>>().join(", ")
            )
        }
        // The numbers with a fraction are 32 bits wide; as such they have their short form.
        Value::Number(number) if number.is_f64() => number
            .as_f64()
            .map(|number| (number as f32).to_string())
            .unwrap_or_default(),
        other => other.to_string(),
    }
}
