//! Reading the configuration's layers, each on top of the one before.

use std::path::Path;

use serde_json::Value;

use super::{Config, SECTIONS};

/// Where values come from, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer<'a> {
    /// The user's file.
    File(&'a Path),
    /// The client's `initializationOptions`.
    InitializationOptions,
    /// The client's settings, sent later.
    Settings,
}

impl std::fmt::Display for Layer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::InitializationOptions => f.write_str("`initializationOptions`"),
            Self::Settings => f.write_str("the client's settings"),
        }
    }
}

/// Why a configuration was refused; the message names the origin, the key, what was
/// expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// What a command is to go by: the file that it was told, which must exist, else the user's.
    ///
    /// # Errors
    /// As [`Config::from_file`], and where the named file does not exist: defaults in its place
    /// would be a mistake that nobody sees.
    pub fn of_command(named: Option<&Path>, users: &Path) -> Result<Self, ConfigError> {
        match named {
            Some(file) if !file.exists() => Err(ConfigError(format!(
                "`{}` does not exist; `--config` expects a `truefill.toml`",
                file.display()
            ))),
            named => Self::from_file(named.unwrap_or(users)),
        }
    }

    /// The defaults, overlaid by the user's file if it exists.
    ///
    /// # Errors
    /// Where the file cannot be read, is no TOML, or holds an unknown key or a wrong value.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(config),
            Err(error) => {
                return Err(ConfigError(format!(
                    "`{}` cannot be read: {error}",
                    path.display()
                )));
            }
        };
        let values: Value = toml::from_str(&text).map_err(|error| {
            ConfigError(format!(
                "`{}` is no TOML: {}",
                path.display(),
                error.message()
            ))
        })?;
        config.overlay(&values, Layer::File(path))?;
        Ok(config)
    }

    /// Sets every key that `values` holds. `null` stands for nothing set.
    ///
    /// # Errors
    /// [`ConfigError`] at the first unknown key or wrong value; the configuration may have
    /// taken some keys by then, so work on a copy.
    pub fn overlay(&mut self, values: &Value, layer: Layer<'_>) -> Result<(), ConfigError> {
        for (section, values) in object(values, "", layer)? {
            for (key, value) in object(values, section, layer)? {
                self.set_key(section, key, value, layer)?;
            }
            if SECTIONS.iter().all(|known| known.name != section) {
                return Err(unknown(section, layer));
            }
        }
        self.validate()
            .map_err(|(key, sentence)| ConfigError(format!("`{key}` in {layer}: {sentence}")))
    }

    fn set_key(
        &mut self,
        section: &str,
        key: &str,
        value: &Value,
        layer: Layer<'_>,
    ) -> Result<(), ConfigError> {
        let name = format!("{section}.{key}");
        // Editors send `null` for a setting that nobody made.
        if value.is_null() && known(section, key) {
            return Ok(());
        }
        match self.set(section, key, value.clone()) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(ConfigError(format!("`{name}` in {layer}: {error}"))),
            None => Err(unknown(&name, layer)),
        }
    }
}

fn object<'a>(
    value: &'a Value,
    name: &str,
    layer: Layer<'_>,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)> + use<'a>, ConfigError> {
    match value {
        Value::Object(_) | Value::Null => Ok(value.as_object().into_iter().flatten()),
        _ if name.is_empty() => Err(ConfigError(format!(
            "{layer}: expected sections such as `model`, found a value"
        ))),
        _ if SECTIONS.iter().all(|known| known.name != name) => Err(unknown(name, layer)),
        _ => Err(ConfigError(format!(
            "`{name}` in {layer}: expected a section, found a value"
        ))),
    }
}

fn known(section: &str, key: &str) -> bool {
    SECTIONS
        .iter()
        .filter(|known| known.name == section)
        .any(|known| known.keys.iter().any(|known| known.name == key))
}

fn unknown(name: &str, layer: Layer<'_>) -> ConfigError {
    let keys = SECTIONS.iter().flat_map(|section| {
        let keys = section
            .keys
            .iter()
            .map(|key| format!("{}.{}", section.name, key.name));
        keys.chain(std::iter::once(section.name.to_owned()))
    });
    // Compared as a whole and by the last part, so that a key in the wrong section is found.
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let score = |key: &String| {
        let whole = strsim::normalized_damerau_levenshtein(name, key);
        whole.max(0.9 * strsim::normalized_damerau_levenshtein(&last(name), &last(key)))
    };
    let nearest = keys.max_by(|one, other| score(one).total_cmp(&score(other)));
    let hint = nearest
        .map(|key| format!(", the nearest key is `{key}`"))
        .unwrap_or_default();
    ConfigError(format!(
        "`{name}` in {layer} is no key of the configuration{hint}"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::GuardMode;
    use super::*;

    fn overlay(values: &Value) -> Result<Config, String> {
        let mut config = Config::default();
        config
            .overlay(values, Layer::InitializationOptions)
            .map(|()| config)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_set_and_others_keep_their_defaults() {
        let values = json!({
            "model": {"threads": 3, "format": null}, "suggest": {"guard": "block"}, "files": null,
        });
        let config = overlay(&values).unwrap();
        let mut expected = Config::default();
        expected.model.threads = 3;
        expected.suggest.guard = GuardMode::Block;
        assert_eq!(config, expected);
        assert_eq!(overlay(&Value::Null), Ok(Config::default()));
    }

    #[test]
    fn mistakes_name_the_key_and_what_was_expected() {
        let cases = [
            (
                json!({"model": {"thread": 3}}),
                "the nearest key is `model.threads`",
            ),
            (
                json!({"model": {"thread": null}}),
                "the nearest key is `model.threads`",
            ),
            (json!({"modle": {}}), "the nearest key is `model`"),
            (
                json!({"guard": "off"}),
                "the nearest key is `suggest.guard`",
            ),
            (
                json!({"model": {"guard": "off"}}),
                "the nearest key is `suggest.guard`",
            ),
            (
                json!({"model": 3}),
                "`model` in `initializationOptions`: expected a section",
            ),
            (json!([1]), "expected sections such as `model`"),
            (
                json!({"model": {"threads": "x"}}),
                "`model.threads` in `initializationOptions`",
            ),
            (json!({"suggest": {"guard": "maybe"}}), "unknown variant"),
            (
                json!({"context": {"window_tokens": 3}}),
                "expected a number from 64",
            ),
            (
                json!({"context": {"suffix_share": 1.5}}),
                "from 0 to 0.9, found 1.5",
            ),
            (
                json!({"suggest": {"delay_min_ms": 500}}),
                "at most `suggest.delay_max_ms` (400)",
            ),
            (json!({"files": {"deny": ["a{"]}}), "`files.deny`"),
            (
                json!({"model": {"device": "gpu"}}),
                "`auto`, `cpu`, `cuda` or `cuda:N`, found `gpu`",
            ),
            (json!({"remote": {"kind": "openai"}}), "`remote.url`"),
        ];
        for (values, expected) in cases {
            let message = overlay(&values).unwrap_err();
            assert!(message.contains(expected), "{values}: {message}");
        }
    }

    #[test]
    fn the_users_file_is_toml_and_may_be_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truefill.toml");
        assert_eq!(Config::from_file(&path), Ok(Config::default()));
        std::fs::write(&path, "[suggest]\nautomatic = false\n").unwrap();
        assert!(!Config::from_file(&path).unwrap().suggest.automatic);
        std::fs::write(&path, "[suggest]\nautomatically = false\n").unwrap();
        let message = Config::from_file(&path).unwrap_err().to_string();
        assert!(message.contains("truefill.toml") && message.contains("`suggest.automatic`"));
        assert!(Config::of_command(None, &path).is_err(), "the user's file");
        let absent = folder.path().join("typo.toml");
        assert_eq!(Config::of_command(None, &absent), Ok(Config::default()));
        let message = Config::of_command(Some(&absent), &path).unwrap_err();
        assert!(
            message.to_string().contains("typo.toml` does not exist"),
            "{message}"
        );
        std::fs::write(&path, "[suggest\n").unwrap();
        assert!(
            Config::from_file(&path)
                .unwrap_err()
                .to_string()
                .contains("is no TOML")
        );
    }

    #[test]
    fn longer_suggestions_ask_for_another_engine() {
        let with = |tokens: usize| {
            let mut config = Config::default();
            config.suggest.block_tokens = tokens;
            config
        };
        for (before, after, differs) in [
            (160, 1000, true),
            (1000, 160, true),
            (1000, 1001, true),
            (160, 200, false),
            (160, 160, false),
        ] {
            let found = with(before).engine_differs(&with(after));
            assert_eq!(found, differs, "from {before} to {after}");
        }
    }
}
