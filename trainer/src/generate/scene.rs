//! A context made ready: parsed once for every generator and type.

use std::sync::OnceLock;

use truefill_syntax::Draw;

use super::generator::Refusal;
use super::split;
use crate::contract::Parsed;
use crate::corpus::stable_hash;
use crate::rows::{Context, HallucinationType, Split};

/// A context with its tree.
pub struct Scene {
    /// The row.
    pub context: Context,
    /// The window with the golden completion in place.
    pub golden: Parsed,
    seed: u64,
    import: OnceLock<Result<(Split, Parsed), Refusal>>,
}

impl Scene {
    /// Parses a context; `None` where that takes too long.
    #[must_use]
    pub fn new(context: Context, seed: u64) -> Option<Self> {
        let golden = Parsed::new(
            context.language,
            &context.prefix,
            &context.golden,
            &context.suffix,
        )?;
        Some(Self {
            context,
            golden,
            seed,
            import: OnceLock::new(),
        })
    }

    /// Random numbers that depend on the seed, the context and `purpose` alone.
    #[must_use]
    pub fn draw(&self, purpose: &str) -> Draw {
        let parts = [self.context.id.as_bytes(), purpose.as_bytes()];
        Draw::new(stable_hash(self.seed, &parts))
    }

    /// The file cut at one of its import lines, the same one in every run.
    ///
    /// # Errors
    /// [`Refusal::PartOfFile`]: the imports, and what uses them, may lie outside of the window.
    /// [`Refusal::NoSite`] without an import.
    pub fn import(&self) -> Result<&(Split, Parsed), Refusal> {
        let found = self.import.get_or_init(|| {
            if !self.context.holds_file() {
                return Err(Refusal::PartOfFile);
            }
            self.draw_import().ok_or(Refusal::NoSite)
        });
        found.as_ref().map_err(Clone::clone)
    }

    fn draw_import(&self) -> Option<(Split, Parsed)> {
        let mut draw = self.draw("import line");
        let split = split::draw(&self.context, &self.golden, &mut draw)?;
        let parsed = self.parse_split(&split)?;
        Some((split, parsed))
    }

    /// Parses the window of a split.
    #[must_use]
    pub fn parse_split(&self, split: &Split) -> Option<Parsed> {
        Parsed::new(
            self.context.language,
            &split.prefix,
            &split.golden,
            &split.suffix,
        )
    }

    /// A number for a sample of one type.
    #[must_use]
    pub fn sample_seed(&self, kind: HallucinationType, sample: usize) -> u64 {
        // APIs take a seed of 31 bits.
        self.draw(&format!("{kind}/{sample}")).next_u64() >> 33
    }
}
