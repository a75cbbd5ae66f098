//! Writes one event.

use rusqlite::{Connection, named_params};

use crate::clock::UnixMicros;
use crate::queue::Stamped;
use crate::record::{Event, HoleRecord, OutcomeRecord, SuggestionRecord};
use crate::varint;
use crate::withhold::{self, Judgement, Withheld};

/// An event whose text has been judged.
pub struct Judged<'a> {
    pub event: &'a Stamped,
    pub judgement: Judgement,
}

/// Writes an event; `false` if it is there already, which changes nothing.
pub fn insert(db: &Connection, judged: &Judged<'_>, salt: &[u8]) -> rusqlite::Result<bool> {
    let at = judged.event.at;
    let rows = match &judged.event.event {
        Event::Suggestion(record) => suggestion(db, at, record, &judged.judgement, salt)?,
        Event::Outcome(record) => outcome(db, at, record)?,
        Event::Hole(record) => hole(db, at, record, &judged.judgement)?,
    };
    Ok(rows > 0)
}

/// Prepares the statements: an error means that the tables are not what their version says.
pub fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.prepare_cached(SUGGESTION)?;
    db.prepare_cached(OUTCOME)?;
    db.prepare_cached(HOLE)?;
    Ok(())
}

const SUGGESTION: &str = "
    INSERT INTO suggestion (
        id, at, session, document, path_policy, language, checkpoint, arm, format, format_version,
        prompt_sha256, trigger, shape, prompt_tokens, cached_tokens, completion_tokens, delay_us,
        queue_us, render_us, prefill_us, first_token_us, decode_us, clean_up_us, guard_us, total_us,
        completion, withheld, completion_bytes, stop_reason, guard, guard_kind, guard_reason,
        guard_detail, seed, silence, request, unit, generation, shares, shadow_of, repository, folders,
        prefix_sha256, suffix_sha256, prompt_token_ids, completion_token_ids, comparison
    ) VALUES (
        :id, :at, :session, :document, :path_policy, :language, :checkpoint, :arm, :format,
        :format_version, :prompt_sha256, :trigger, :shape, :prompt_tokens, :cached_tokens,
        :completion_tokens, :delay_us, :queue_us, :render_us, :prefill_us, :first_token_us,
        :decode_us, :clean_up_us, :guard_us, :total_us, :completion, :withheld, :completion_bytes,
        :stop_reason, :guard, :guard_kind, :guard_reason, :guard_detail, :seed, :silence, :request, :unit,
        :generation, :shares, :shadow_of, :repository, :folders, :prefix_sha256, :suffix_sha256,
        :prompt_token_ids, :completion_token_ids, :comparison
    ) ON CONFLICT DO NOTHING";

/// An outcome or a hole of a suggestion that was forgotten meanwhile is not written.
const OUTCOME: &str = "
    INSERT INTO outcome (
        suggestion, event, sequence, at, extent, chars, reason, inferred, of_chars, after_s
    )
    SELECT :suggestion, :event, :sequence, :at, :extent, :chars, :reason, :inferred, :of_chars, :after_s
    WHERE EXISTS (SELECT 1 FROM suggestion WHERE id = :suggestion)
    ON CONFLICT DO NOTHING";

const HOLE: &str = "
    INSERT INTO hole (suggestion, at, prefix, golden, suffix, kind, own)
    SELECT :suggestion, :at, :prefix, :golden, :suffix, :kind, :own
    WHERE EXISTS (SELECT 1 FROM suggestion WHERE id = :suggestion)
    ON CONFLICT DO NOTHING";

fn suggestion(
    db: &Connection,
    at: UnixMicros,
    record: &SuggestionRecord,
    judgement: &Judgement,
    salt: &[u8],
) -> rusqlite::Result<usize> {
    let key = |text: &String| withhold::document_key(salt, text);
    let text = record
        .completion
        .as_ref()
        .map(|completion| completion.text.as_str());
    let kept = text.filter(|_| judgement.text == Some(Ok(())));
    let guard = record.guard.as_ref();
    let detail = guard
        .and_then(|guard| guard.detail.as_deref())
        .filter(|_| judgement.detail);
    let stages = &record.stages;
    let path = &record.document.path;
    // Short texts could be guessed from a hash that everybody can compute.
    let salted = |hash: &String| hex::encode(withhold::digest(salt, hash));
    let open = |hash: &String| (!judgement.denied).then(|| salted(hash));
    let context = record.context.as_ref();
    let tokens = record.completion.as_ref().and_then(|it| it.tokens.as_ref());
    let tokens = tokens.filter(|_| judgement.tokens);
    db.prepare_cached(SUGGESTION)?.execute(named_params! {
        ":id": record.id.to_string(),
        ":at": at.0,
        ":session": record.session,
        ":document": key(path),
        ":path_policy": if judgement.denied { "denied" } else { "open" },
        ":language": record.language,
        ":checkpoint": record.checkpoint,
        ":arm": record.arm,
        ":format": record.format.name,
        ":format_version": record.format.version,
        ":prompt_sha256": record.prompt_sha256.as_ref().and_then(open),
        ":trigger": record.trigger.as_str(),
        ":shape": record.shape.map(|shape| shape.as_str()),
        ":prompt_tokens": record.prompt_tokens,
        ":cached_tokens": record.cached_tokens,
        ":completion_tokens": record.completion_tokens,
        ":delay_us": micros(stages.delay),
        ":queue_us": micros(stages.queue),
        ":render_us": micros(stages.render),
        ":prefill_us": micros(stages.prefill),
        ":first_token_us": micros(stages.first_token),
        ":decode_us": micros(stages.decode),
        ":clean_up_us": micros(stages.clean_up),
        ":guard_us": micros(stages.guard),
        ":total_us": micros(stages.total),
        ":completion": kept,
        ":withheld": judgement.text.and_then(Result::err).map(Withheld::as_str),
        ":completion_bytes": text.map(|text| text.len() as i64),
        ":stop_reason": record.stop_reason,
        ":guard": guard.map(|guard| guard.verdict.as_str()),
        ":guard_kind": guard.and_then(|guard| guard.kind.as_deref()),
        ":guard_reason": guard.and_then(|guard| guard.reason.as_deref()),
        ":guard_detail": detail,
        ":seed": record.seed.map(u64::cast_signed),
        ":silence": record.silence,
        ":request": record.request.to_string(),
        ":unit": record.assignment.as_ref().map(|it| key(&it.unit)),
        ":generation": record.assignment.as_ref().map(|it| it.generation.cast_signed()),
        ":shares": record.assignment.as_ref().map(|it| json(&it.shares)),
        ":comparison": record.assignment.as_ref().map(|it| &it.comparison),
        ":shadow_of": record.shadow_of.map(|id| id.to_string()),
        ":repository": record.document.repository.as_ref().map(key),
        ":folders": withhold::folder_keys(salt, path),
        ":prefix_sha256": context.and_then(|hashes| open(&hashes.prefix)),
        ":suffix_sha256": context.and_then(|hashes| open(&hashes.suffix)),
        ":prompt_token_ids": tokens.map(|tokens| varint::encode(&tokens.prompt)),
        ":completion_token_ids": tokens.map(|tokens| varint::encode(&tokens.completion)),
    })
}

fn hole(
    db: &Connection,
    at: UnixMicros,
    record: &HoleRecord,
    judgement: &Judgement,
) -> rusqlite::Result<usize> {
    let Some((prefix, suffix)) = &judgement.around else {
        return Ok(1);
    };
    db.prepare_cached(HOLE)?.execute(named_params! {
        ":suggestion": record.suggestion.to_string(),
        ":at": at.0,
        ":prefix": prefix,
        ":golden": record.golden,
        ":suffix": suffix,
        ":kind": record.kind.as_str(),
        ":own": json(&record.own),
    })
}

fn outcome(db: &Connection, at: UnixMicros, record: &OutcomeRecord) -> rusqlite::Result<usize> {
    db.prepare_cached(OUTCOME)?.execute(named_params! {
        ":suggestion": record.suggestion.to_string(),
        ":event": record.outcome.event(),
        ":sequence": record.sequence,
        ":at": at.0,
        ":extent": record.outcome.extent().map(|extent| extent.as_str()),
        ":chars": record.outcome.chars(),
        ":reason": record.outcome.reason(),
        ":inferred": record.inferred,
        ":of_chars": record.outcome.of(),
        ":after_s": record.outcome.after_s(),
    })
}

/// Numbers and names always have a form in JSON.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// SQLite's integers are signed; no stage takes 300,000 years.
fn micros(value: Option<u64>) -> Option<i64> {
    value.map(|value| i64::try_from(value).unwrap_or(i64::MAX))
}
