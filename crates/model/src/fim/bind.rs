//! A format with its tokens resolved.

use std::sync::Arc;

use super::format::{FimFormat, Item, Layout, Lead, Slot};
use super::memo::Memo;
use super::{FimError, Prompt};
use crate::tokenizer::Tokenizer;
use crate::tokens::TokenId;

/// A format for one tokenizer and one layout.
#[derive(Clone, Debug)]
pub struct BoundFormat {
    pub(super) format: FimFormat,
    pub(super) tokenizer: Tokenizer,
    pub(super) layout: Layout,
    pub(super) items: Vec<BoundItem>,
    pub(super) context: BoundContext,
    pub(super) end: Option<TokenId>,
    stop: Vec<TokenId>,
    banned: Vec<TokenId>,
    pub(super) memo: Arc<Memo>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BoundItem {
    Token(TokenId),
    Slot { slot: Slot, lead_space: bool },
    Text(String),
}

/// Empty lists where the tokenizer lacks one of the context's sentinels.
#[derive(Clone, Debug, Default)]
pub(super) struct BoundContext {
    pub repo: Vec<BoundItem>,
    pub chunk: Vec<BoundItem>,
    pub current: Vec<BoundItem>,
    pub file: Vec<BoundItem>,
    pub always: bool,
}

impl BoundFormat {
    pub(super) fn new(format: &FimFormat, tokenizer: &Tokenizer) -> Result<Self, FimError> {
        let layout = format.layout;
        let items = bind_layout(format, tokenizer, layout)?;
        let context = bind_context(format, tokenizer);
        let ends: Vec<TokenId> = format
            .end
            .iter()
            .filter_map(|token| tokenizer.id(token))
            .collect();
        let end = ends.first().copied().or(tokenizer.eos());
        let named = format.stop.iter().filter_map(|token| tokenizer.id(token));
        let sentinels = format.sentinels().filter_map(|token| tokenizer.id(token));
        let mut stop: Vec<TokenId> = ends
            .iter()
            .copied()
            .chain(tokenizer.eos())
            .chain(named)
            .chain(sentinels)
            .collect();
        stop.extend(tokenizer.specials());
        stop.sort_unstable();
        stop.dedup();
        let banned = if format.ban_end {
            stop.clone()
        } else {
            Vec::new()
        };
        let format = format.clone();
        Ok(Self {
            format,
            tokenizer: tokenizer.clone(),
            layout,
            items,
            context,
            end,
            stop,
            banned,
            memo: Arc::default(),
        })
    }

    /// The same format with another of its layouts.
    ///
    /// # Errors
    /// [`FimError::UnknownLayout`] and [`FimError::MissingToken`].
    pub fn with_layout(mut self, layout: Layout) -> Result<Self, FimError> {
        self.items = bind_layout(&self.format, &self.tokenizer, layout)?;
        self.layout = layout;
        Ok(self)
    }

    /// The same with a layout of this name.
    ///
    /// # Errors
    /// As [`BoundFormat::with_layout`].
    pub fn with_layout_named(self, name: &str) -> Result<Self, FimError> {
        let known = self.format.layouts.keys().copied();
        match known.clone().find(|layout| layout.name() == name) {
            Some(layout) => self.with_layout(layout),
            None => Err(unknown(&self.format, name)),
        }
    }

    /// The format's name.
    pub fn name(&self) -> &str {
        self.format.name()
    }

    /// The format's version.
    pub fn version(&self) -> u32 {
        self.format.version()
    }

    /// The layout that is rendered.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The tokenizer that it was bound to.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The token that ends a middle.
    pub fn end_token(&self) -> Option<TokenId> {
        self.end
    }

    /// Tokens that end a generation, in order: the end token, all sentinels, every control token.
    pub fn stop_tokens(&self) -> &[TokenId] {
        &self.stop
    }

    /// Tokens that must not be drawn before the first text that is not blank. A model without
    /// sentinels was not trained to fill in nothing, so its end token says nothing there; empty for
    /// all other formats.
    pub fn banned_before_text(&self) -> &[TokenId] {
        &self.banned
    }

    /// The exact prompt, sentinels by their literal spelling.
    pub fn show(&self, prompt: &Prompt) -> String {
        self.tokenizer.decode(&prompt.tokens)
    }
}

fn bind_layout(
    format: &FimFormat,
    tokenizer: &Tokenizer,
    layout: Layout,
) -> Result<Vec<BoundItem>, FimError> {
    let Some(items) = format.layouts.get(&layout) else {
        return Err(unknown(format, layout.name()));
    };
    items
        .iter()
        .map(|item| bind_item(format, tokenizer, item))
        .collect()
}

fn unknown(format: &FimFormat, layout: &str) -> FimError {
    let known: Vec<&str> = format.layouts.keys().map(|layout| layout.name()).collect();
    FimError::UnknownLayout {
        format: format.name.clone(),
        layout: layout.to_owned(),
        known: known.join(", "),
    }
}

fn bind_item(
    format: &FimFormat,
    tokenizer: &Tokenizer,
    item: &Item,
) -> Result<BoundItem, FimError> {
    let find = |token: &str| {
        tokenizer.id(token).ok_or_else(|| FimError::MissingToken {
            format: format.name.clone(),
            token: token.to_owned(),
        })
    };
    Ok(match item {
        Item::Bos => match (&format.begin, tokenizer.bos()) {
            (Some(begin), _) => BoundItem::Token(find(begin)?),
            (None, Some(bos)) if tokenizer.add_bos() => BoundItem::Token(bos),
            (None, _) => BoundItem::Text(String::new()),
        },
        Item::Slot { slot, lead } => BoundItem::Slot {
            slot: *slot,
            lead_space: match lead {
                Lead::None => false,
                Lead::Space => true,
                Lead::Tokenizer => tokenizer.lead_space(),
            },
        },
        Item::Text(template) => BoundItem::Text(template.clone()),
        Item::Token(token) => BoundItem::Token(find(token)?),
    })
}

fn bind_context(format: &FimFormat, tokenizer: &Tokenizer) -> BoundContext {
    let bind = |items: &[Item]| -> Vec<BoundItem> {
        let items: Result<_, _> = items
            .iter()
            .map(|item| bind_item(format, tokenizer, item))
            .collect();
        items.unwrap_or_default()
    };
    let style = &format.context;
    BoundContext {
        repo: bind(&style.repo),
        chunk: bind(&style.chunk),
        current: bind(&style.current),
        file: bind(&style.file),
        always: style.always,
    }
}
