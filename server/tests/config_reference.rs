//! `docs/config.md` says what the configuration's struct says.

use std::path::Path;

use truefill_server::config::reference;

#[test]
fn the_reference_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/config.md");
    let page = reference::markdown();
    if std::env::var_os("TRUEFILL_RENEW").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/config.md differs from the struct: run `TRUEFILL_RENEW=1 cargo test -p \
         truefill-server --test config_reference`"
    );
}
