//! Generation on a tiny random model: what stops it, what it reuses, what it reports.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use truefill_model::checkpoint::Checkpoint;
use truefill_model::decoder::{Decoder, Precision};
use truefill_model::generate::{
    Flow, Generation, Limits, Request, Sampling, StopReason, Told, generate, generate_many, warm,
};
use truefill_model::kv::KvCache;
use truefill_model::tokens::TokenId;

struct Tiny {
    decoder: Decoder,
    checkpoint: Checkpoint,
}

impl Tiny {
    fn open() -> Self {
        Self::with(Precision::Exact)
    }

    fn serving() -> Self {
        Self::with(Precision::Serving)
    }

    fn with(precision: Precision) -> Self {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parity/gguf/llama-f32.gguf");
        let checkpoint = Checkpoint::open(&path).expect("opens");
        let config = checkpoint.config.clone();
        let decoder = Decoder::on_cpu(config, &*checkpoint.weights, precision, 128);
        Self {
            decoder: decoder.expect("loads"),
            checkpoint,
        }
    }

    fn prompt(&self, text: &str) -> Vec<TokenId> {
        self.checkpoint
            .tokenizer()
            .expect("has one")
            .encode(text)
            .expect("encodes")
    }

    fn run(&self, cache: &mut KvCache, prompt: &[TokenId], with: &With<'_>) -> Generation {
        generate(
            &self.decoder,
            cache,
            self.checkpoint.tokenizer().expect("has one"),
            prompt,
            with.sampling,
            &with.limits,
            with.clock,
            with.cancelled,
            &mut |text| (with.on_text)(text),
        )
        .expect("generates")
    }
}

struct With<'a> {
    sampling: Sampling,
    limits: Limits<'a>,
    clock: &'a dyn Fn() -> Instant,
    cancelled: &'a dyn Fn() -> bool,
    on_text: &'a dyn Fn(&str) -> Flow,
}

impl Default for With<'_> {
    fn default() -> Self {
        Self {
            sampling: Sampling::GREEDY,
            limits: Limits {
                max_new_tokens: 24,
                stop_tokens: &[],
                banned_before_text: &[],
                deadline: None,
            },
            clock: &Instant::now,
            cancelled: &|| false,
            on_text: &|_| Flow::Continue,
        }
    }
}

#[test]
fn a_cached_prompt_gives_the_same_text_as_a_cold_one() {
    let tiny = Tiny::open();
    let mut cache = tiny.decoder.cache(128).expect("cache");
    let prompt = tiny.prompt("def main():\n    return 1");
    let cold = tiny.run(&mut cache, &prompt, &With::default());
    assert_eq!((cold.cached_tokens, cold.prompt_tokens), (0, prompt.len()));
    assert_eq!((cold.tokens.len(), cold.stop), (24, StopReason::Limit));
    assert_eq!(cold.log_probabilities.len(), 24);
    assert!(cold.log_probabilities.iter().all(|p| *p <= 0.0));
    let again = tiny.run(&mut cache, &prompt, &With::default());
    assert_eq!(
        again.cached_tokens,
        prompt.len() - 1,
        "all but the last token is reused"
    );
    assert_eq!(again.tokens, cold.tokens);
    let mut warmed = tiny.decoder.cache(128).expect("cache");
    let shared = warm(&tiny.decoder, &mut warmed, &prompt[..5], &|| false).expect("warms");
    assert_eq!(shared, 0);
    let after = tiny.run(&mut warmed, &prompt, &With::default());
    assert_eq!((after.cached_tokens, &after.tokens), (5, &cold.tokens));
}

#[test]
fn a_stop_token_ends_the_text_and_is_no_part_of_it() {
    let tiny = Tiny::open();
    let mut cache = tiny.decoder.cache(128).expect("cache");
    let prompt = tiny.prompt("x = ");
    let free = tiny.run(&mut cache, &prompt, &With::default());
    let stop = free.tokens[6];
    let first = free
        .tokens
        .iter()
        .position(|token| *token == stop)
        .expect("drawn");
    let stops = [stop];
    let with = With {
        limits: Limits {
            stop_tokens: &stops,
            ..With::default().limits
        },
        ..With::default()
    };
    let stopped = tiny.run(&mut cache, &prompt, &with);
    assert_eq!(stopped.stop, StopReason::StopToken(stop));
    assert_eq!(stopped.tokens, free.tokens[..first]);
    assert_eq!(stopped.log_probabilities.len(), first);
    assert!(free.text.starts_with(&stopped.text));
}

#[test]
fn the_observer_cuts_the_text_at_a_character() {
    let tiny = Tiny::open();
    let mut cache = tiny.decoder.cache(128).expect("cache");
    let prompt = tiny.prompt("x = ");
    let with = With {
        on_text: &|text| match text.chars().count() {
            0..3 => Flow::Continue,
            _ => Flow::Stop {
                keep_bytes: text.len() - 1,
            },
        },
        ..With::default()
    };
    let generation = tiny.run(&mut cache, &prompt, &with);
    let free = tiny.run(&mut cache, &prompt, &With::default());
    assert_eq!(generation.stop, StopReason::Condition);
    assert!(free.text.starts_with(&generation.text));
    assert!(!generation.text.is_empty() && generation.tokens.len() < free.tokens.len());
}

/// After the flag is set, not one further token is drawn.
#[test]
fn cancellation_takes_effect_within_one_token() {
    let tiny = Tiny::open();
    let prompt = tiny.prompt("x = ");
    let pieces = Cell::new(0);
    let with = With {
        cancelled: &|| pieces.get() >= 3,
        on_text: &|_| {
            pieces.set(pieces.get() + 1);
            Flow::Continue
        },
        ..With::default()
    };
    let mut cache = tiny.decoder.cache(128).expect("cache");
    let generation = tiny.run(&mut cache, &prompt, &with);
    assert_eq!((generation.stop, pieces.get()), (StopReason::Cancelled, 3));
    let never = With {
        cancelled: &|| true,
        ..With::default()
    };
    let generation = tiny.run(
        &mut tiny.decoder.cache(128).expect("cache"),
        &prompt,
        &never,
    );
    assert_eq!(
        (generation.stop, generation.tokens.len()),
        (StopReason::Cancelled, 0)
    );
}

#[test]
fn the_deadline_ends_it_with_what_there_is() {
    let tiny = Tiny::open();
    let (begin, asked) = (Instant::now(), Cell::new(0));
    // Each look at the clock finds it one second on.
    let clock = || {
        asked.set(asked.get() + 1);
        begin + Duration::from_secs(asked.get())
    };
    let with = With {
        limits: Limits {
            deadline: Some(begin + Duration::from_secs(8)),
            ..With::default().limits
        },
        clock: &clock,
        ..With::default()
    };
    let mut cache = tiny.decoder.cache(128).expect("cache");
    let generation = tiny.run(&mut cache, &tiny.prompt("x = "), &with);
    assert_eq!(generation.stop, StopReason::Deadline);
    assert!(
        (1..8).contains(&generation.tokens.len()),
        "{}",
        generation.tokens.len()
    );
    assert_eq!(generation.prefill, Duration::from_secs(1));
    assert_eq!(generation.first_token, Duration::from_secs(3));
}

#[test]
fn banned_tokens_wait_for_text() {
    let tiny = Tiny::open();
    let prompt = tiny.prompt("x = ");
    let mut cache = tiny.decoder.cache(128).expect("cache");
    let free = tiny.run(&mut cache, &prompt, &With::default());
    let banned = [free.tokens[0]];
    let with = With {
        limits: Limits {
            banned_before_text: &banned,
            ..With::default().limits
        },
        ..With::default()
    };
    let held = tiny.run(&mut cache, &prompt, &with);
    assert_ne!(held.tokens[0], free.tokens[0]);
}

#[test]
fn samples_repeat_by_their_seed() {
    let tiny = Tiny::open();
    let prompt = tiny.prompt("x = ");
    let mut cache = tiny.decoder.cache(128).expect("cache");
    let mut draw = |seed| {
        let sampling = Sampling {
            temperature: 1.0,
            top_p: 0.95,
            seed,
        };
        tiny.run(
            &mut cache,
            &prompt,
            &With {
                sampling,
                ..With::default()
            },
        )
        .tokens
    };
    let (first, second) = (draw(1), draw(2));
    assert_ne!(first, second);
    assert_eq!(draw(1), first);
}

#[test]
fn a_full_cache_is_a_limit_not_an_error() {
    let tiny = Tiny::open();
    let prompt = tiny.prompt("x = ");
    let mut cache = tiny.decoder.cache(prompt.len() + 4).expect("cache");
    let generation = tiny.run(&mut cache, &prompt, &With::default());
    assert_eq!(
        (generation.stop, generation.tokens.len()),
        (StopReason::Limit, 5)
    );
}

/// What a prompt's completion is does not depend on what is completed beside it.
#[test]
fn many_prompts_at_once_give_what_each_gives_alone() {
    let tiny = Tiny::serving();
    let texts = [
        "def main():\n    return 1",
        "x",
        "import os\nimport sys\n\n\ndef walk(folder):\n    for name in os.listdir(folder):\n",
        "def main():\n    return 2",
        "class A:\n",
        "def main():\n",
    ];
    let prompts = texts.map(|text| tiny.prompt(text));
    let mut cache = tiny.decoder.cache(128).expect("cache");
    let mut alone: Vec<Generation> = Vec::new();
    let limits = |at: usize, stops: &'static [TokenId]| Limits {
        max_new_tokens: 5 + 7 * at,
        stop_tokens: stops,
        ..With::default().limits
    };
    let free = tiny.run(&mut cache, &prompts[4], &With::default());
    let stops: &'static [TokenId] = vec![free.tokens[3]].leak();
    let limits: Vec<Limits<'_>> = (0..prompts.len()).map(|at| limits(at, stops)).collect();
    let sampling = |at: usize| match at % 2 {
        0 => Sampling::GREEDY,
        _ => Sampling {
            temperature: 0.8,
            top_p: 0.9,
            seed: at as u64,
        },
    };
    for (at, prompt) in prompts.iter().enumerate() {
        let with = With {
            limits: Limits { ..limits[at] },
            sampling: sampling(at),
            ..With::default()
        };
        alone.push(tiny.run(&mut cache, prompt, &with));
    }
    assert!(
        alone
            .iter()
            .any(|found| found.stop == StopReason::StopToken(stops[0]))
    );
    assert!(alone.iter().any(|found| found.stop == StopReason::Limit));
    for width in [1, 2, 5, 40] {
        let requests = prompts.iter().enumerate().map(|(at, prompt)| Request {
            prompt: prompt.clone(),
            sampling: sampling(at),
            limits: &limits[at],
        });
        let mut found: Vec<Option<Generation>> = vec![None; prompts.len()];
        let tokenizer = tiny.checkpoint.tokenizer().expect("has one");
        generate_many(
            &tiny.decoder,
            tokenizer,
            requests,
            (width, 128),
            &Instant::now,
            &|| false,
            Told {
                text: &mut |_, _| Flow::Continue,
                done: &mut |at, generation| found[at] = generation.ok(),
            },
        )
        .expect("generates");
        for (found, alone) in found.iter().zip(&alone) {
            let found = found.as_ref().expect("told");
            assert_eq!(
                (&found.text, &found.tokens),
                (&alone.text, &alone.tokens),
                "{width}"
            );
            assert_eq!(found.log_probabilities, alone.log_probabilities, "{width}");
            assert_eq!(found.stop, alone.stop, "{width}");
        }
    }
}
