//! The guard through the whole server: what becomes of a suggestion that names something that
//! does not exist.

use serde_json::{Value, json};
use truefill_tests::{Answer, Folder, Script, Server, wait_indexed, why};

/// A suggestion with a function that nobody defines, and one with a function of another file.
const INVENTED: &str = "compute_everything(1)";
const KNOWN: &str = "compute_total(1)";

fn shop() -> Folder {
    Folder::new(&[("shop/sums.py", "def compute_total(n):\n    return n\n")])
}

fn options(guard: &str) -> Value {
    json!({ "suggest": { "guard": guard, "delay_min_ms": 0, "delay_max_ms": 0, "alternatives": 1 } })
}

/// A server that has read the folders and suggests these texts, one after the other.
fn start(guard: &str, folders: &[&Folder], texts: &[&str]) -> Server {
    let answers = texts.iter().map(|text| Answer {
        times: Some(1),
        ..Answer::text(text)
    });
    let folders: Vec<Value> = folders.iter().map(|folder| folder.as_workspace()).collect();
    let params = json!({
        "initializationOptions": options(guard),
        "workspaceFolders": folders,
    });
    let mut server = Server::start_with(&Script::new(answers), params);
    server.wait_ready();
    if !folders.is_empty() {
        wait_indexed(&mut server);
    }
    server
}

/// Opens `total = ` and gives what is suggested behind it.
fn suggested(server: &mut Server, uri: &str) -> Vec<String> {
    server.open(uri, "python", "total = ");
    let id = server.ask(uri, json!({ "line": 0, "character": 8 }), true);
    let items = server.items(id);
    let text = |item: &Value| item["insertText"].as_str().unwrap_or_default().to_owned();
    items.iter().map(text).collect()
}

#[test]
fn block_gives_no_item_and_tells_the_name_and_the_reason() {
    let folder = shop();
    let mut server = start("block", &[&folder], &[INVENTED, KNOWN]);
    let uri = folder.uri("a.py");
    assert!(suggested(&mut server, &uri).is_empty());
    let last = &why(&mut server, &uri)["last"];
    assert_eq!(last["suggested"], false);
    assert_eq!(last["reason"], "guard_blocked");
    let message = last["message"].as_str().unwrap_or_default();
    assert!(message.contains("`compute_everything`"), "{message}");
    assert!(message.contains("no function"), "{message}");
    passes_what_is_known(&mut server, &folder.uri("b.py"));
    server.shut_down();
}

#[test]
fn flag_gives_the_item_and_tells_what_is_doubtful() {
    let folder = shop();
    let mut server = start("flag", &[&folder], &[INVENTED, KNOWN]);
    let uri = folder.uri("a.py");
    assert_eq!(suggested(&mut server, &uri), [INVENTED]);
    let last = &why(&mut server, &uri)["last"];
    assert_eq!(last["suggested"], true);
    let guard = last["guard"].as_str().unwrap_or_default();
    assert!(
        guard.starts_with("`compute_everything`: no function"),
        "{guard}"
    );
    passes_what_is_known(&mut server, &folder.uri("b.py"));
    server.shut_down();
}

/// The next suggestion names what another file defines.
fn passes_what_is_known(server: &mut Server, uri: &str) {
    assert_eq!(suggested(server, uri), [KNOWN]);
    let last = &why(server, uri)["last"];
    assert_eq!(last["suggested"], true);
    assert_eq!(last["guard"], Value::Null);
}

#[test]
fn off_says_nothing() {
    let folder = shop();
    let mut server = start("off", &[&folder], &[INVENTED]);
    let uri = folder.uri("main.py");
    assert_eq!(suggested(&mut server, &uri), [INVENTED]);
    assert_eq!(why(&mut server, &uri)["last"]["guard"], Value::Null);
    server.shut_down();
}

#[test]
fn files_that_are_written_all_the_time_do_not_switch_it_off() {
    let folder = shop();
    let texts = [INVENTED; 10];
    let mut server = start("block", &[&folder], &texts);
    let uri = folder.uri("main.py");
    for round in 0..texts.len() {
        folder.write("app.log", &"line\n".repeat(round));
        folder.write(
            "shop/other.py",
            &format!("def other_{round}():\n    pass\n"),
        );
        let params = json!({ "textDocument": { "uri": folder.uri("shop/other.py") } });
        server.notify("textDocument/didSave", params);
        assert!(suggested(&mut server, &uri).is_empty(), "round {round}");
    }
    server.shut_down();
}

#[test]
fn what_the_index_does_not_know_is_not_judged() {
    let folder = shop();
    // No folder is open; a file is outside of the open one; a hidden folder is not indexed.
    let outside = Folder::new(&[]);
    for (folders, uri) in [
        (vec![], folder.uri("main.py")),
        (vec![&folder], outside.uri("main.py")),
        (vec![&folder], folder.uri(".github/main.py")),
        (vec![&folder], "untitled:Untitled-1".to_owned()),
    ] {
        let mut server = start("block", &folders, &[INVENTED]);
        assert_eq!(suggested(&mut server, &uri), [INVENTED], "{uri}");
        server.shut_down();
    }
}

#[test]
fn without_an_index_nothing_is_judged() {
    let folder = shop();
    let mut options = options("block");
    options["index"] = json!({ "enabled": false });
    let params = json!({
        "initializationOptions": options, "workspaceFolders": [folder.as_workspace()],
    });
    let mut server = Server::start_with(&Script::new([Answer::text(INVENTED)]), params);
    server.wait_ready();
    let uri = folder.uri("main.py");
    assert_eq!(suggested(&mut server, &uri), [INVENTED]);
    assert_eq!(why(&mut server, &uri)["index"]["complete"], false);
    server.shut_down();
}
