//! Real files, from `mine` to negatives, as a user makes them; and what the contract says of
//! negatives that people wrote for them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use truefill_trainer::corpus::WindowCheck;
use truefill_trainer::rows::HallucinationType::{Import, Method, Parameter, UndefinedVariable};
use truefill_trainer::rows::{Context, Negative, RowReader};

use crate::verdicts::{Case, judged};

/// Small files, so that there is little context; few holes of each kind, so that a person can read
/// what they give.
const RECIPE: &str = "[mine]\nper_file = 3\nselector = { min_score = 0.4 }\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden")
}

fn trainer(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truefill-trainer"));
    let ran = command.current_dir(folder).args(args).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn real_files_give_these_holes_and_negatives() {
    let work = tempfile::tempdir().unwrap();
    std::fs::write(work.path().join("r.toml"), RECIPE).unwrap();
    let sources = folder();
    let mine = [
        "mine",
        "--recipe",
        "r.toml",
        "--each",
        sources.to_str().unwrap(),
    ];
    trainer(work.path(), &[&mine[..], &["--out", "c.jsonl"]].concat());
    trainer(work.path(), &["generate", "c.jsonl", "--out", "n.jsonl"]);
    let negatives = RowReader::<Negative>::open(&work.path().join("n.jsonl"), "negatives");
    let negatives: Vec<Negative> = negatives.unwrap().collect::<Result<_, _>>().unwrap();
    let contexts = RowReader::<Context>::open(&work.path().join("c.jsonl"), "contexts").unwrap();
    let mut pages: Vec<(String, String)> = Vec::new();
    for context in contexts {
        let context = context.unwrap();
        if pages.last().is_none_or(|(path, _)| *path != context.path) {
            pages.push((context.path.clone(), String::new()));
        }
        let (_, page) = pages.last_mut().unwrap();
        let line = context.prefix.matches('\n').count() + 1;
        writeln!(
            page,
            "{}:{line} {:?}",
            context.hole_kind.name(),
            context.golden
        )
        .unwrap();
        let check = WindowCheck::of(&context);
        for row in negatives.iter().filter(|row| row.context_id == context.id) {
            check.check(row).unwrap();
            let [_, golden, _] = row.hole(&context);
            let golden = if golden == context.golden { "" } else { golden };
            writeln!(page, "  {} {golden}\n    {}", row.kind, row.rejected).unwrap();
        }
    }
    assert_eq!(pages.len(), 10, "a file of each language");
    for (path, page) in pages {
        let name = Path::new(&path)
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        insta::with_settings!({snapshot_path => "../data/golden/snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(name, page);
        });
    }
}

const CASES: &[Case] = &[
    (
        "rich/rich/rule.py",
        "title_text.truncate(truncate_width, overflow=\"ellipsis\")",
        &[
            (
                Method,
                "title_text.shorten(truncate_width, overflow=\"ellipsis\")",
            ),
            (
                Method,
                "title_text.expand_tabs(truncate_width, overflow=\"ellipsis\")",
            ),
            (
                Parameter,
                "title_text.truncate(truncate_width, strategy=\"ellipsis\")",
            ),
            (
                UndefinedVariable,
                "title_text.truncate(clip_width, overflow=\"ellipsis\")",
            ),
            (
                UndefinedVariable,
                "title_text.truncate(required_space, overflow=\"ellipsis\")",
            ),
        ],
    ),
    (
        "rich/rich/rule.py",
        "from .measure import Measurement",
        &[
            (Import, "from .measure import MeasureResult"),
            (Import, "from .measures import Measurement"),
            (Import, "from .style import Style"),
        ],
    ),
    (
        "express/lib/express.js",
        "mixin(app, EventEmitter.prototype, false)",
        &[
            (Method, "mixin(app, EventEmitter.template, false)"),
            (Parameter, "mixin(app, EventEmitter.prototype, false, true)"),
            (
                UndefinedVariable,
                "mixin(app, EventSource.prototype, false)",
            ),
            (UndefinedVariable, "mixin(app, proto, false)"),
        ],
    ),
    (
        "express/lib/express.js",
        "var Router = require('router');",
        &[
            (Import, "var Router = require('router-core');"),
            (Import, "var Router = require('body-parser');"),
        ],
    ),
    (
        "query-core/src/onlineManager.ts",
        "this.setEventListener(this.#setup)",
        &[
            (Method, "this.addListener(this.#setup)"),
            (Parameter, "this.setEventListener(this.#setup, this.#setup)"),
            (Parameter, "this.setEventListener()"),
            (UndefinedVariable, "this.setEventListener(this.#listener)"),
        ],
    ),
    (
        "query-core/src/onlineManager.ts",
        "import { Subscribable } from './subscribable'",
        &[
            (Import, "import { Subscriber } from './subscribable'"),
            (Import, "import { Subscribable } from './observable'"),
            (Import, "import Subscribable from './subscribable'"),
        ],
    ),
    (
        "etcd/pkg/fileutil/purge.go",
        "TryLockFile(f, os.O_WRONLY, PrivateFileMode)",
        &[
            (Method, "AcquireFile(f, os.O_WRONLY, PrivateFileMode)"),
            (Method, "TryLockFile(f, os.O_EXCLUSIVE, PrivateFileMode)"),
            (
                UndefinedVariable,
                "TryLockFile(f, os.O_WRONLY, SharedFileMode)",
            ),
            (
                Parameter,
                "TryLockFile(f, os.O_WRONLY, PrivateFileMode, true)",
            ),
        ],
    ),
    (
        "etcd/pkg/fileutil/purge.go",
        "purgeFile(lg, dirname, suffix, max, interval, stop, nil, nil)",
        &[
            (
                Parameter,
                "purgeFile(lg, dirname, suffix, max, interval, stop, nil)",
            ),
            (
                Parameter,
                "purgeFile(lg, dirname, suffix, max, interval, stop, nil, nil, nil)",
            ),
            (
                Parameter,
                "purgeFile(lg, dirname, suffix, max, interval, stop, nil, stop)",
            ),
        ],
    ),
    (
        "etcd/pkg/fileutil/purge.go",
        "\"path/filepath\"",
        &[
            (Import, "\"path/walker\""),
            (Import, "\"os\""),
            (Import, "\"paths/walker\""),
        ],
    ),
    (
        "netty/codec/src/main/java/io/netty/handler/codec/protobuf/ProtobufVarint32FrameDecoder.java",
        "readRawVarint32(in)",
        &[
            (Method, "decodeRawVarint32(in)"),
            (Parameter, "readRawVarint32(in, preIndex)"),
            (Parameter, "readRawVarint32()"),
            (UndefinedVariable, "readRawVarint32(input)"),
        ],
    ),
    (
        "netty/codec/src/main/java/io/netty/handler/codec/protobuf/ProtobufVarint32FrameDecoder.java",
        "import io.netty.handler.codec.CorruptedFrameException;",
        &[
            (
                Import,
                "import io.netty.handler.codec.BrokenFrameException;",
            ),
            (
                Import,
                "import io.netty.handler.frames.CorruptedFrameException;",
            ),
            (Import, "import io.netty.buffer.ByteBuf;"),
        ],
    ),
    (
        "newtonsoft-json/Src/Newtonsoft.Json/Linq/JsonPath/ArraySliceFilter.cs",
        "Math.Max(stopIndex, -1)",
        &[
            (Method, "Math.Clamp(stopIndex, -1)"),
            (Parameter, "Math.Max(stopIndex, -1, lower: 0)"),
            (UndefinedVariable, "Math.Max(endIndex, -1)"),
            (UndefinedVariable, "Math.Max(startIndex, -1)"),
        ],
    ),
    (
        "newtonsoft-json/Src/Newtonsoft.Json/Linq/JsonPath/ArraySliceFilter.cs",
        "using System.Globalization;",
        &[
            (Import, "using System.Cultures;"),
            (Import, "using System;"),
        ],
    ),
    (
        "leveldb/db/leveldbutil.cc",
        "DumpFile(env, files[i], &printer)",
        &[
            (Method, "PrintFile(env, files[i], &printer)"),
            (Parameter, "DumpFile(env, files[i], &printer, true)"),
            (UndefinedVariable, "DumpFile(env, files[i], &writer_out)"),
            (UndefinedVariable, "DumpFile(env, files[i], &command)"),
        ],
    ),
    (
        "leveldb/db/leveldbutil.cc",
        "leveldb::HandleDumpCommand(env, argv + 2, argc - 2)",
        &[
            (Parameter, "leveldb::HandleDumpCommand(env, argv + 2)"),
            (
                Parameter,
                "leveldb::HandleDumpCommand(env, argv + 2, argc - 2, true)",
            ),
        ],
    ),
    (
        "leveldb/db/leveldbutil.cc",
        "#include \"leveldb/dumpfile.h\"",
        &[
            (Import, "#include \"leveldb/dumper.h\""),
            (Import, "#include <leveldb/dumpfile.h>"),
            (Import, "#include \"leveldb/env.h\""),
        ],
    ),
    (
        "monolog/src/Monolog/Handler/RedisHandler.php",
        "$tx->ltrim($redisKey, -$capSize, -1)",
        &[
            (Method, "$tx->lcut($redisKey, -$capSize, -1)"),
            (UndefinedVariable, "$tx->ltrim($redisKey, -$capLimit, -1)"),
            (UndefinedVariable, "$tx->ltrim($redisKey, -$record, -1)"),
            (
                Parameter,
                "$tx->ltrim($redisKey, -$capSize, -1, strict: true)",
            ),
        ],
    ),
    (
        "monolog/src/Monolog/Handler/RedisHandler.php",
        "use Monolog\\Formatter\\LineFormatter;",
        &[
            (Import, "use Monolog\\Formatter\\RowFormatter;"),
            (Import, "use Monolog\\Layout\\LineFormatter;"),
            (Import, "use Monolog\\Logger;"),
        ],
    ),
    (
        "rubocop/lib/rubocop/cop/style/rescue_modifier.rb",
        "correct_rescue_block(corrector, rescue_node, parenthesized)",
        &[
            (
                Method,
                "fix_rescue_block(corrector, rescue_node, parenthesized)",
            ),
            (Parameter, "correct_rescue_block(corrector, rescue_node)"),
            (
                Parameter,
                "correct_rescue_block(corrector, rescue_node, parenthesized, node)",
            ),
            (
                UndefinedVariable,
                "correct_rescue_block(fixer, rescue_node, parenthesized)",
            ),
        ],
    ),
    (
        "tokio-macros/src/select.rs",
        "clean_pattern(&mut input)",
        &[
            (Method, "strip_pattern(&mut input)"),
            (Parameter, "clean_pattern(&mut input, true)"),
            (Parameter, "clean_pattern()"),
            (UndefinedVariable, "clean_pattern(&mut token_input)"),
        ],
    ),
    (
        "tokio-macros/src/select.rs",
        "use proc_macro2::Span;",
        &[
            (Import, "use proc_macro2::TokenSpan;"),
            (Import, "use proc_macro3::Span;"),
            (Import, "use proc_macro2::{Span};"),
        ],
    ),
];

#[test]
fn verdicts_on_real_files() {
    let text = judged(&folder(), CASES);
    insta::with_settings!({snapshot_path => "../data/golden/snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("verdicts", text);
    });
}
