//! Writes one event.

use rusqlite::{Connection, named_params};

use crate::clock::UnixMicros;
use crate::queue::Stamped;
use crate::record::{Event, OutcomeRecord, SuggestionRecord};
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
        Event::Suggestion(record) => suggestion(db, at, record, judged.judgement, salt)?,
        Event::Outcome(record) => outcome(db, at, record)?,
    };
    Ok(rows > 0)
}

/// Prepares the statements: an error means that the tables are not what their version says.
pub fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.prepare_cached(SUGGESTION)?;
    db.prepare_cached(OUTCOME)?;
    Ok(())
}

const SUGGESTION: &str = "
    INSERT INTO suggestion (
        id, at, session, document, path_policy, language, checkpoint, arm, format, format_version,
        prompt_sha256, trigger, shape, prompt_tokens, cached_tokens, completion_tokens, delay_us,
        queue_us, render_us, prefill_us, first_token_us, decode_us, clean_up_us, guard_us, total_us,
        completion, withheld, completion_bytes, stop_reason, guard, guard_kind, guard_reason,
        guard_detail, seed, silence
    ) VALUES (
        :id, :at, :session, :document, :path_policy, :language, :checkpoint, :arm, :format,
        :format_version, :prompt_sha256, :trigger, :shape, :prompt_tokens, :cached_tokens,
        :completion_tokens, :delay_us, :queue_us, :render_us, :prefill_us, :first_token_us,
        :decode_us, :clean_up_us, :guard_us, :total_us, :completion, :withheld, :completion_bytes,
        :stop_reason, :guard, :guard_kind, :guard_reason, :guard_detail, :seed, :silence
    ) ON CONFLICT DO NOTHING";

const OUTCOME: &str = "
    INSERT INTO outcome (suggestion, event, sequence, at, extent, chars, reason, inferred)
    VALUES (:suggestion, :event, :sequence, :at, :extent, :chars, :reason, :inferred)
    ON CONFLICT DO NOTHING";

fn suggestion(
    db: &Connection,
    at: UnixMicros,
    record: &SuggestionRecord,
    judgement: Judgement,
    salt: &[u8],
) -> rusqlite::Result<usize> {
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
    db.prepare_cached(SUGGESTION)?.execute(named_params! {
        ":id": record.id.to_string(),
        ":at": at.0,
        ":session": record.session,
        ":document": withhold::document_key(salt, &record.document.path),
        ":path_policy": if judgement.denied { "denied" } else { "open" },
        ":language": record.language,
        ":checkpoint": record.checkpoint,
        ":arm": record.arm,
        ":format": record.format.name,
        ":format_version": record.format.version,
        ":prompt_sha256": record.prompt_sha256,
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
    })
}

/// SQLite's integers are signed; no stage takes 300,000 years.
fn micros(value: Option<u64>) -> Option<i64> {
    value.map(|value| i64::try_from(value).unwrap_or(i64::MAX))
}
