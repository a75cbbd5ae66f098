//! `truefill bench`.

use serde_json::Value;
use truefill_tests::tiny_model;

use crate::{json, user};

/// A share is a part of a whole; gives both.
fn share(value: &Value) -> (u64, u64) {
    let (part, of) = (
        value["part"].as_u64().unwrap(),
        value["of"].as_u64().unwrap(),
    );
    assert!(part <= of, "{value}");
    (part, of)
}

/// Percentiles rise; gives their count.
fn percentiles(value: &Value) -> u64 {
    let at = |key: &str| value[key].as_f64().unwrap();
    assert!(
        0.0 <= at("p50") && at("p50") <= at("p95") && at("p95") <= at("p99"),
        "{value}"
    );
    value["count"].as_u64().unwrap()
}

#[test]
fn bench_gives_every_figure() {
    let user = user();
    let model = tiny_model();
    let model = model.to_str().unwrap();
    let pulled = user.run(&["models", "pull", model, "--name", "tiny"]);
    assert_eq!(pulled.code, Some(0), "{}", pulled.err);
    let file = user.write(
        "b.py",
        &"def add(a, b):\n    total = a + b\n    return total\n\n".repeat(6),
    );
    let arguments = [
        "bench",
        "keystrokes",
        file.to_str().unwrap(),
        "--json",
        "--lines",
        "2",
    ];
    let model = ["--model", "tiny", "--habit", "mixed"];
    let value = json(&user.run(&[&arguments[..], &model[..]].concat()));
    let reports = value["reports"].as_array().unwrap();
    assert_eq!(reports.len(), 1);
    let report = &reports[0];
    let requests = report["requests"].as_u64().unwrap();
    assert!(requests > 0 && report["peer"].is_string() && report["setting"].is_string());
    // Each answer was awaited, so no key came first.
    assert!(report["answered_before_next"].is_null());
    let answered = percentiles(&report["reply_ms"]);
    assert!(answered <= requests);
    assert!(percentiles(&report["first_token_ms"]) <= requests);
    let (suggested, of) = share(&report["suggested"]);
    assert_eq!(of, answered);
    let number = |key: &str| report[key].as_u64().unwrap();
    assert!(number("accepts") <= suggested);
    assert!(number("accepts") <= number("accepted_characters"));
    assert!(number("characters") > 0);
    let saved = (number("accepted_characters") as f64 - number("accepts") as f64)
        / number("characters") as f64;
    assert!((report["saved"].as_f64().unwrap() - saved).abs() < 1e-9);
    let server = &report["server"];
    for key in ["ready_ms", "decode_tokens_per_second"] {
        assert!(server[key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert!(share(&server["from_cache"]).1 == requests);
    share(&server["prompt_reused"]);
    let reached = percentiles(&server["engine_first_token_ms"]);
    assert_eq!(percentiles(&server["engine_total_ms"]), reached);
    assert!(percentiles(&server["edit_while_busy_ms"]) > 0);
    if cfg!(target_os = "linux") {
        assert!(server["peak_memory_mb"].as_f64().unwrap() > 1.0);
    }
    assert!(server["prefill_tokens_per_second"].is_number());
    assert!(server.get("rest_after_cancel_ms").is_some());
}
