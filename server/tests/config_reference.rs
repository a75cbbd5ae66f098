//! `docs/config.md` and the settings of VS Code's extension say what the configuration's struct says.

use std::path::Path;

use truefill_server::config::reference;

/// Holds a file of the repository against what it should be, or writes it.
fn is_current(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    if std::env::var_os("TRUEFILL_RENEW").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, expected).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{name} differs from the struct: run `TRUEFILL_RENEW=1 cargo test -p truefill-server \
         --test config_reference`"
    );
}

#[test]
fn the_reference_page_is_current() {
    is_current("docs/config.md", &reference::markdown());
}

#[test]
fn the_extensions_settings_are_current() {
    let settings = reference::vscode();
    assert_eq!(settings["truefill.suggest.guard"]["enum"][0], "off");
    let text = serde_json::to_string_pretty(&settings).unwrap();
    is_current("editors/vscode/settings.json", &format!("{text}\n"));
}
