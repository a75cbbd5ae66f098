//! The formats as data.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::FimError;
use super::bind::BoundFormat;
use crate::tokenizer::Tokenizer;

const SOURCE: &str = include_str!("formats.toml");

static FORMATS: LazyLock<Vec<FimFormat>> = LazyLock::new(|| match parse(SOURCE) {
    Ok(formats) => formats,
    // The file is compiled in and a test parses it.
    Err(problem) => unreachable!("formats.toml: {problem}"),
});

/// The order in which a prompt has its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Prefix, suffix, middle: a keystroke changes what stands before the suffix.
    Psm,
    /// The prefix up to a line start, suffix, then the rest of the prefix: typing appends.
    PsmLine,
    /// Suffix, prefix, middle: typing appends.
    Spm,
    /// The prefix alone.
    Causal,
}

impl Layout {
    /// As configuration and `formats.toml` write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Psm => "psm",
            Self::PsmLine => "psm-line",
            Self::Spm => "spm",
            Self::Causal => "causal",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A fill-in-the-middle format: its sentinels, layouts, context slots and stops, by their literal
/// spelling. `formats.toml` documents every field.
#[derive(Clone, Debug, PartialEq)]
pub struct FimFormat {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) detect: Option<Vec<String>>,
    pub(super) begin: Option<String>,
    pub(super) end: Vec<String>,
    pub(super) stop: Vec<String>,
    pub(super) layout: Layout,
    pub(super) layouts: BTreeMap<Layout, Vec<Item>>,
    pub(super) context: ContextStyle,
    pub(super) anchor_bytes: usize,
    pub(super) ban_end: bool,
}

/// One element of a layout or of a context header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A token by its literal spelling.
    Token(String),
    Bos,
    /// A text of the request, perhaps with a space before it.
    Slot {
        slot: Slot,
        lead: Lead,
    },
    /// Text with placeholders; in context headers only.
    Text(String),
}

/// Whether a space is encoded with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    None,
    Space,
    /// As the tokenizer does before a text that stands alone.
    Tokenizer,
}

/// The texts of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Context,
    File,
    Prefix,
    Head,
    Line,
    Suffix,
}

/// How other files and this file's path are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ContextStyle {
    pub repo: Vec<Item>,
    pub chunk: Vec<Item>,
    pub current: Vec<Item>,
    pub file: Vec<Item>,
    pub always: bool,
}

impl FimFormat {
    /// All formats of this build, in the order of detection.
    pub fn all() -> &'static [FimFormat] {
        &FORMATS
    }

    /// The format of that name.
    pub fn builtin(name: &str) -> Option<&'static FimFormat> {
        Self::all().iter().find(|format| format.name == name)
    }

    /// The format whose sentinels this tokenizer has; `causal` where it has none of any.
    pub fn detect(tokenizer: &Tokenizer) -> &'static FimFormat {
        let fits = |format: &&FimFormat| match &format.detect {
            Some(tokens) => tokens.iter().all(|token| tokenizer.id(token).is_some()),
            None => false,
        };
        // The last format asks for no token, so there is always one that fits.
        Self::all()
            .iter()
            .find(fits)
            .unwrap_or(&Self::all()[Self::all().len() - 1])
    }

    /// Resolves the sentinels in a tokenizer, for the format's own layout.
    ///
    /// # Errors
    /// [`FimError::MissingToken`].
    pub fn bind(&self, tokenizer: &Tokenizer) -> Result<BoundFormat, FimError> {
        BoundFormat::new(self, tokenizer)
    }

    /// What configuration and manifests call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts up with every change to what is rendered.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The layout to serve with.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The layouts that the format knows.
    pub fn layouts(&self) -> impl Iterator<Item = Layout> {
        self.layouts.keys().copied()
    }

    /// The literal spelling of every token that the layouts and context headers place.
    pub fn sentinels(&self) -> impl Iterator<Item = &str> {
        let context = [
            &self.context.repo,
            &self.context.chunk,
            &self.context.current,
            &self.context.file,
        ];
        tokens(self.layouts.values().chain(context))
    }

    /// The literal spelling of the tokens that context headers place: what a model writes where it
    /// goes on with another file.
    pub(super) fn context_sentinels(&self) -> impl Iterator<Item = &str> {
        let style = &self.context;
        tokens([&style.repo, &style.chunk, &style.current])
    }
}

fn tokens<'f>(lists: impl IntoIterator<Item = &'f Vec<Item>>) -> impl Iterator<Item = &'f str> {
    lists.into_iter().flatten().filter_map(|item| match item {
        Item::Token(token) => Some(token.as_str()),
        _ => None,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    version: u32,
    like: Option<String>,
    detect: Option<Vec<String>>,
    begin: Option<String>,
    end: Option<Vec<String>>,
    stop: Option<Vec<String>>,
    layout: Layout,
    layouts: Option<BTreeMap<Layout, Vec<String>>>,
    context: Option<ContextEntry>,
    anchor_bytes: Option<usize>,
    ban_end: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ContextEntry {
    repo: Vec<String>,
    chunk: Vec<String>,
    current: Vec<String>,
    file: Vec<String>,
    always: bool,
}

fn parse(source: &str) -> Result<Vec<FimFormat>, String> {
    let file: File = toml::from_str(source).map_err(|error| error.to_string())?;
    let mut formats: Vec<FimFormat> = Vec::new();
    for entry in file.format {
        let base = match &entry.like {
            None => None,
            Some(like) => {
                let base = formats.iter().find(|format| &format.name == like);
                Some(base.ok_or_else(|| {
                    format!("`{}` is like `{like}`, which is not above it", entry.name)
                })?)
            }
        };
        let format = entry.resolve(base)?;
        if !format.layouts.contains_key(&format.layout) {
            return Err(format!(
                "`{}` has no layout `{}`",
                format.name, format.layout
            ));
        }
        formats.push(format);
    }
    match formats.last() {
        Some(last) if last.detect.as_ref().is_some_and(Vec::is_empty) => Ok(formats),
        _ => Err("the last format must fit every tokenizer".into()),
    }
}

impl Entry {
    fn resolve(self, base: Option<&FimFormat>) -> Result<FimFormat, String> {
        let layouts = self.layouts.map(|layouts| {
            layouts
                .into_iter()
                .map(|(layout, items)| {
                    Ok((
                        layout,
                        items
                            .iter()
                            .map(|text| layout_item(text))
                            .collect::<Result<_, _>>()?,
                    ))
                })
                .collect::<Result<BTreeMap<Layout, Vec<Item>>, String>>()
        });
        let header = |items: Vec<String>| -> Vec<Item> {
            let item = |text: String| match text.contains('{') {
                true => Item::Text(text),
                false => Item::Token(text),
            };
            items.into_iter().map(item).collect()
        };
        let context = self.context.map(|context| ContextStyle {
            repo: header(context.repo),
            chunk: header(context.chunk),
            current: header(context.current),
            file: header(context.file),
            always: context.always,
        });
        Ok(FimFormat {
            version: self.version,
            // A variant is chosen by its name.
            detect: self.detect,
            begin: self.begin.or(base.and_then(|base| base.begin.clone())),
            end: self
                .end
                .or(base.map(|base| base.end.clone()))
                .unwrap_or_default(),
            stop: self
                .stop
                .or(base.map(|base| base.stop.clone()))
                .unwrap_or_default(),
            layout: self.layout,
            layouts: layouts
                .transpose()?
                .or(base.map(|base| base.layouts.clone()))
                .unwrap_or_default(),
            context: context
                .or(base.map(|base| base.context.clone()))
                .unwrap_or_default(),
            anchor_bytes: self
                .anchor_bytes
                .or(base.map(|base| base.anchor_bytes))
                .unwrap_or_default(),
            ban_end: self
                .ban_end
                .or(base.map(|base| base.ban_end))
                .unwrap_or_default(),
            name: self.name,
        })
    }
}

fn layout_item(text: &str) -> Result<Item, String> {
    let (lead, inner) = match (text.strip_prefix(' '), text.strip_prefix('\u{2581}')) {
        (Some(rest), _) => (Lead::Space, rest),
        (None, Some(rest)) => (Lead::Tokenizer, rest),
        (None, None) => (Lead::None, text),
    };
    let slot = match inner {
        "{bos}" => return Ok(Item::Bos),
        "{context}" => Slot::Context,
        "{file}" => Slot::File,
        "{prefix}" => Slot::Prefix,
        "{head}" => Slot::Head,
        "{line}" => Slot::Line,
        "{suffix}" => Slot::Suffix,
        other if other.contains('{') => return Err(format!("unknown item `{other}`")),
        _ => return Ok(Item::Token(text.to_owned())),
    };
    Ok(Item::Slot { slot, lead })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_file_is_sound() {
        let formats = parse(SOURCE).unwrap();
        let mut names: Vec<&str> = formats.iter().map(FimFormat::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), formats.len(), "names are unique");
        for format in &formats {
            for (layout, items) in &format.layouts {
                let slots: Vec<Slot> = items
                    .iter()
                    .filter_map(|item| match item {
                        Item::Slot { slot, .. } => Some(*slot),
                        _ => None,
                    })
                    .collect();
                let count = |slot| slots.iter().filter(|s| **s == slot).count();
                let name = &format.name;
                assert_eq!(count(Slot::Context), 1, "{name} {layout}");
                let file = usize::from(!format.context.file.is_empty());
                assert_eq!(count(Slot::File), file, "{name} {layout}");
                assert_eq!(
                    count(Slot::Suffix),
                    usize::from(*layout != Layout::Causal),
                    "{name}"
                );
                let anchored = usize::from(*layout == Layout::PsmLine);
                assert_eq!(count(Slot::Prefix), 1 - anchored, "{name} {layout}");
                assert_eq!(count(Slot::Head), anchored, "{name} {layout}");
                assert_eq!(count(Slot::Line), anchored, "{name} {layout}");
            }
            assert!(!format.end.is_empty(), "{}", format.name);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let entry = |more: &str| {
            parse(&format!(
                "[[format]]\nname = \"x\"\nversion = 1\nlayout = \"psm\"\n{more}"
            ))
            .unwrap_err()
        };
        assert!(entry("").contains("no layout `psm`"));
        assert!(entry("like = \"y\"").contains("`y`"));
        assert!(entry("[format.layouts]\npsm = [\"{prefx}\"]").contains("{prefx}"));
        assert!(entry("layuot = 1").contains("layuot"));
        assert!(entry("[format.layouts]\npsm = [\"{prefix}\"]").contains("last format"));
    }
}
