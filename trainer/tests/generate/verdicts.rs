//! What the contract says of negatives that people wrote for places of the golden corpus, pinned.

use std::fmt::Write as _;
use std::path::Path;

use truefill_syntax::Language;
use truefill_trainer::contract::{Parsed, check};
use truefill_trainer::rows::HallucinationType::{
    self, Import, Method, Parameter, UndefinedVariable,
};

/// A file, a place in it, and candidates for the place.
pub type Case = (
    &'static str,
    &'static str,
    &'static [(HallucinationType, &'static str)],
);

const CASES: &[Case] = &[
    (
        "Inventory.java",
        "shelves.merge(shelf, List.copyOf(items)",
        &[
            (Method, "shelves.combine(shelf, List.copyOf(items)"),
            (Method, "shelves.merge(shelf, List.duplicateOf(items)"),
            (UndefinedVariable, "shelves.merge(rack, List.copyOf(items)"),
            (UndefinedVariable, "shelves.merge(items, List.copyOf(items)"),
        ],
    ),
    (
        "Inventory.java",
        "Duration.between(lastCount, now)",
        &[
            (Parameter, "Duration.between(lastCount, now, clockZone)"),
            (Parameter, "Duration.between(lastCount, now, now)"),
            (Method, "Interval.between(lastCount, now)"),
        ],
    ),
    (
        "Inventory.java",
        "import java.time.Duration;",
        &[
            (Import, "import java.time.Interval;"),
            (Import, "import java.clock.Duration;"),
            (Import, "import java.clock.Interval;"),
            (Import, "import java.util.ArrayList;"),
        ],
    ),
    (
        "Pipeline.cs",
        "_means.AddOrUpdate(reading.Sensor, (reading.Celsius, 1)",
        &[
            (
                Method,
                "_means.PutOrUpdate(reading.Sensor, (reading.Celsius, 1)",
            ),
            (
                UndefinedVariable,
                "_averages.AddOrUpdate(reading.Sensor, (reading.Celsius, 1)",
            ),
        ],
    ),
    (
        "Pipeline.cs",
        "_channel.Writer.WriteAsync(reading, token)",
        &[
            (
                Parameter,
                "_channel.Writer.WriteAsync(reading, token, flush: true)",
            ),
            (
                Parameter,
                "_channel.Writer.WriteAsync(flush: true, reading, token)",
            ),
            (Method, "_channel.Writer.SendAsync(reading, token)"),
        ],
    ),
    (
        "Pipeline.cs",
        "using System.Collections.Concurrent;",
        &[
            (Import, "using System.Collections.Parallelism;"),
            (Import, "using System.Collections.Generic;"),
            (Import, "using System.Pools.Parallelism;"),
        ],
    ),
    (
        "Router.php",
        "use Psr\\Http\\Message\\ServerRequestInterface as Request;",
        &[
            (
                Import,
                "use Psr\\Http\\Message\\IncomingRequestInterface as Request;",
            ),
            (
                Import,
                "use Psr\\Http\\Message\\ServerRequestInterface as Incoming;",
            ),
            (
                Import,
                "use Psr\\Web\\Message\\IncomingRequestInterface as Request;",
            ),
        ],
    ),
    (
        "Router.php",
        "$this->notFound($request)",
        &[
            (Method, "$this->missing($request)"),
            (UndefinedVariable, "$this->notFound($incoming)"),
            (Parameter, "$this->notFound($request, status: 404)"),
            (Parameter, "$this->notFound()"),
            (Parameter, "$this->notFound($request, $request)"),
        ],
    ),
    (
        "Router.php",
        "Closure::fromCallable($handler)",
        &[
            (Method, "Closure::ofCallable($handler)"),
            (UndefinedVariable, "Closure::fromCallable($callback)"),
            (UndefinedVariable, "Lambda::fromCallable($handler)"),
        ],
    ),
    (
        "cache.rs",
        "self.order.insert(stamp, key.clone())",
        &[
            (Method, "self.order.enqueue(stamp, key.clone())"),
            (Method, "self.order.insert(stamp, key.duplicate())"),
            (UndefinedVariable, "self.order.insert(tick, key.clone())"),
            (Parameter, "self.order.insert(stamp, key.clone(), true)"),
        ],
    ),
    (
        "cache.rs",
        "Cache::with_limit(32)",
        &[
            (Parameter, "Cache::with_limit(32, 64)"),
            (Method, "Cache::with_capacity(32)"),
            (UndefinedVariable, "Store::with_limit(32)"),
        ],
    ),
    (
        "ledger.py",
        "csv.DictReader(lines, delimiter=\";\")",
        &[
            (Method, "csv.RowReader(lines, delimiter=\";\")"),
            (Parameter, "csv.DictReader(lines, separator=\";\")"),
            (Parameter, "csv.DictReader(delimiter=\";\", lines)"),
            (UndefinedVariable, "csv.DictReader(rows, delimiter=\";\")"),
        ],
    ),
    (
        "ledger.py",
        "sums: defaultdict[str, Decimal] = defaultdict(Decimal)",
        &[
            (
                UndefinedVariable,
                "sums: dict_list[str, Decimal] = defaultdict(Decimal)",
            ),
            (
                Parameter,
                "sums: defaultdict[str, Decimal] = defaultdict(Decimal, strict=True)",
            ),
        ],
    ),
    (
        "ledger.py",
        "from collections import defaultdict",
        &[
            (Import, "from collections import typeddict"),
            (Import, "from collections import Counter"),
            (Import, "from containers import defaultdict"),
        ],
    ),
    (
        "matrix.cpp",
        "sum->add(word)",
        &[
            (Method, "sum->absorb(word)"),
            (UndefinedVariable, "sum->add(token)"),
            (Parameter, "sum->add(word, word)"),
        ],
    ),
    (
        "matrix.cpp",
        "#include <string_view>",
        &[
            (Import, "#include <string_slice>"),
            (Import, "#include <string>"),
            (Import, "#include <vector>"),
        ],
    ),
    (
        "queue.js",
        "const { EventEmitter, once } = require('node:events');",
        &[
            (
                Import,
                "const { EventEmitter, once } = require('node:emitters');",
            ),
            (
                Import,
                "const { EventEmitter, onceOnly } = require('node:events');",
            ),
            (
                Import,
                "const { EventEmitter, once } = require('node:process');",
            ),
            (Import, "const { EventEmitter } = require('node:events');"),
        ],
    ),
    (
        "queue.js",
        "this.#drain()",
        &[(Method, "this.#flush()"), (Method, "this.#attempt()")],
    ),
    (
        "queue.js",
        "this.emit('retry', { error, attempt, delay })",
        &[
            (Method, "this.fire('retry', { error, attempt, delay })"),
            (
                Parameter,
                "this.emit('retry', { error, attempt, delay }, { once: true })",
            ),
            (
                Parameter,
                "this.emit('retry', { error, attempt, delay, jitter: 2 })",
            ),
            (
                UndefinedVariable,
                "this.emit('retry', { error, attempt, pause })",
            ),
        ],
    ),
    (
        "scheduler.rb",
        "require 'json'",
        &[
            (Import, "require 'json_codec'"),
            (Import, "require 'yaml'"),
            (Import, "require_relative 'json'"),
        ],
    ),
    (
        "scheduler.rb",
        "ENV.fetch('TZ_OFFSET', '+01:00')",
        &[
            (Method, "ENV.lookup('TZ_OFFSET', '+01:00')"),
            (Parameter, "ENV.fetch('TZ_OFFSET', '+01:00', strict: true)"),
            (UndefinedVariable, "SETTINGS.fetch('TZ_OFFSET', '+01:00')"),
        ],
    ),
    (
        "scheduler.rb",
        "Conflict.new(left, right)",
        &[
            (Parameter, "Conflict.new(left, right, depth: 1)"),
            (UndefinedVariable, "Conflict.new(left, upper)"),
        ],
    ),
    (
        "server.go",
        "s.Resolve(r.Context(), r.PathValue(\"slug\"))",
        &[
            (Method, "s.Lookup(r.Context(), r.PathValue(\"slug\"))"),
            (
                Parameter,
                "s.Resolve(r.Context(), r.PathValue(\"slug\"), true)",
            ),
            (
                UndefinedVariable,
                "store.Resolve(r.Context(), r.PathValue(\"slug\"))",
            ),
        ],
    ),
    (
        "server.go",
        "\"encoding/json\"",
        &[
            (Import, "\"encoding/yaml\""),
            (Import, "\"encoding/xml\""),
            (Import, "\"codec/yaml\""),
        ],
    ),
    (
        "store.ts",
        "diff(previous, state)",
        &[
            (Method, "compare(previous, state)"),
            (Parameter, "diff(previous)"),
            (Parameter, "diff(previous, state, previous)"),
            (Parameter, "diff(previous, state, { deep: true })"),
            (UndefinedVariable, "diff(former, state)"),
            (UndefinedVariable, "diff(placeholder, state)"),
            (Method, "diff(previous, state);"),
        ],
    ),
    (
        "store.ts",
        "new Set<Listener<State>>()",
        &[
            (UndefinedVariable, "new Bag<Listener<State>>()"),
            (Method, "new Bag<Listener<State>>()"),
        ],
    ),
];

#[test]
fn verdicts_of_each_language() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/reference/snippets");
    let text = judged(&folder, CASES);
    insta::with_settings!({snapshot_path => "../data/generate", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("verdicts", text);
    });
}

/// What the contract says of each candidate.
pub fn judged(folder: &Path, cases: &[Case]) -> String {
    let mut text = String::new();
    for (file, golden, candidates) in cases {
        let path = folder.join(file);
        let whole = std::fs::read_to_string(&path).unwrap();
        let (prefix, suffix) = whole
            .split_once(golden)
            .unwrap_or_else(|| panic!("{golden}"));
        let language = Language::from_path(&path).unwrap();
        let parsed = Parsed::new(language, prefix, golden, suffix).unwrap();
        writeln!(text, "{file}: {golden}").unwrap();
        for (kind, candidate) in *candidates {
            let verdict = match check(&parsed, *kind, candidate) {
                Ok(()) => "kept".to_owned(),
                Err(violation) => format!("{}: {violation}", violation.reason()),
            };
            writeln!(text, "  {kind:<18} {candidate}\n      {verdict}").unwrap();
        }
    }
    text
}
