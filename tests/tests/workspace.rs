//! Several folders at once, another engine under way, and a file system that hangs.

use serde_json::{Value, json};
use truefill_tests::{Answer, Folder, Script, Server, wait_indexed, why};

fn options() -> Value {
    json!({ "suggest": {
        "guard": "block", "delay_min_ms": 0, "delay_max_ms": 0, "alternatives": 1,
    } })
}

fn start(script: &Script, folders: &[&Folder]) -> Server {
    let folders: Vec<Value> = folders.iter().map(|folder| folder.as_workspace()).collect();
    let params = json!({ "initializationOptions": options(), "workspaceFolders": folders });
    let mut server = Server::start_with(script, params);
    server.wait_ready();
    server
}

fn ask(server: &mut Server, uri: &str) -> i64 {
    server.ask(uri, json!({ "line": 0, "character": 8 }), true)
}

/// Opens `total = ` and gives what is suggested behind it, or the reason for nothing.
fn suggested(server: &mut Server, uri: &str) -> String {
    server.open(uri, "python", "total = ");
    let id = ask(server, uri);
    match server.items(id).first() {
        Some(item) => item["insertText"].as_str().unwrap_or_default().to_owned(),
        None => why(server, uri)["last"]["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    }
}

fn define(function: &str) -> String {
    format!("def {function}(n):\n    return n\n")
}

#[test]
fn folders_share_their_names_and_keep_their_rules() {
    let one = Folder::new(&[
        (".gitignore", "generated/\n"),
        ("a.py", &define("count_apples")),
    ]);
    let two = Folder::new(&[(".gitignore", "local/\n"), ("b.py", &define("count_pears"))]);
    for folder in [&one, &two] {
        folder.write("generated/c.py", &define("count_generated"));
        folder.write("local/d.py", "");
    }
    one.write("local/e.py", &define("count_locals"));
    let texts = [
        "count_apples(1)",
        "count_pears(1)",
        "count_locals(1)",
        "count_plums(1)",
    ];
    let answers = texts.map(|text| Answer {
        times: Some(1),
        ..Answer::text(text)
    });
    let mut server = start(&Script::new(answers), &[&one, &two]);
    wait_indexed(&mut server);
    // What one folder defines is known in the other; what neither does is not.
    for (uri, expected) in [
        (two.uri("1.py"), "count_apples(1)"),
        (one.uri("2.py"), "count_pears(1)"),
        (two.uri("3.py"), "count_locals(1)"),
        (two.uri("4.py"), "guard_blocked"),
    ] {
        assert_eq!(suggested(&mut server, &uri), expected);
    }
    // The same name is excluded in one folder and not in the other.
    for (uri, excluded) in [
        (one.uri("generated/x.py"), true),
        (two.uri("generated/x.py"), false),
        (one.uri("local/x.py"), false),
        (two.uri("local/x.py"), true),
    ] {
        let found = suggested(&mut server, &uri);
        assert_eq!(found == "ignored", excluded, "{uri}: {found}");
    }
    // A folder that goes takes its names along.
    let event = json!({ "added": [], "removed": [one.as_workspace()] });
    server.notify(
        "workspace/didChangeWorkspaceFolders",
        json!({ "event": event }),
    );
    wait_indexed(&mut server);
    // `b.py` and `generated/c.py`: this folder's own rules exclude `local/d.py`.
    let size = &why(&mut server, &two.uri("1.py"))["index"]["size"];
    assert_eq!(size["files"], 2);
    server.shut_down();
}

#[test]
fn another_model_is_opened_when_the_settings_name_one() {
    let folder = Folder::new(&[("a.py", &define("first")), ("b.py", &define("second"))]);
    let script = Script::new([Answer::text("first(1)")]).named("one");
    let mut server = start(&script, &[&folder]);
    wait_indexed(&mut server);
    let (one, two) = (folder.uri("1.py"), folder.uri("2.py"));
    assert_eq!(suggested(&mut server, &one), "first(1)");
    server.rewrite(&Script::new([Answer::text("second(1)")]).named("two"));
    let settings = |id: &str| {
        let mut settings = options();
        settings["model"] = json!({ "id": id });
        json!({ "settings": { "truefill": settings } })
    };
    // Settings that leave the model alone leave the engine alone.
    server.notify("workspace/didChangeConfiguration", settings("default"));
    assert_eq!(suggested(&mut server, &two), "first(1)");
    server.notify("workspace/didChangeConfiguration", settings("another"));
    server.notification("truefill/status", |status| {
        let message = status["message"].as_str().unwrap_or_default();
        status["kind"] == "Normal" && message.contains("`two`")
    });
    // What the first model wrote here is not served in the name of the second.
    assert_eq!(suggested(&mut server, &one), "second(1)");
    // Settings that cannot be used change nothing, and the user is told.
    let params = json!({ "settings": { "truefill": { "modle": {} } } });
    server.notify("workspace/didChangeConfiguration", params);
    server.notification("window/showMessage", |message| {
        let message = message["message"].as_str().unwrap_or_default();
        message.contains("`modle`")
    });
    assert_eq!(suggested(&mut server, &two), "second(1)");
    server.shut_down();
}

#[cfg(unix)]
#[test]
fn a_file_system_that_hangs_stops_nothing_else() {
    let hanging = Folder::new(&[]);
    // Who opens a pipe waits for the other end.
    let made = std::process::Command::new("mkfifo")
        .arg(hanging.path(".gitignore"))
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    let sound = Folder::new(&[]);
    let script = Script::new([Answer::text("1")]);
    let mut server = start(&script, &[&hanging, &sound]);
    let uri = hanging.uri("main.py");
    server.open(&uri, "python", "total = ");
    let first = ask(&mut server, &uri);
    let place = json!({ "line": 0, "character": 8 });
    let edit = json!({ "range": { "start": place, "end": place }, "text": "2" });
    server.change(&uri, 2, &[edit]);
    assert_eq!(server.text(&uri).as_deref(), Some("total = 2"));
    // A newer request ends the older one's waiting, and can be cancelled itself.
    let here = json!({ "command": "truefill.why", "arguments": [&uri, place] });
    let here = server.request("workspace/executeCommand", here);
    let more: Vec<i64> = (0..20).map(|_| ask(&mut server, &uri)).collect();
    assert!(server.items(first).is_empty());
    let (newest, older) = more.split_last().expect("there are some");
    for id in older {
        assert!(server.items(*id).is_empty());
    }
    assert_eq!(suggested(&mut server, &sound.uri("main.py")), "1");
    for id in [*newest, here] {
        server.cancel(id);
        assert_eq!(server.answer(id).map_err(|error| error.code), Err(-32800));
    }
    server.shut_down();
}
