//! Which holes are tried, in which order.

use std::collections::{BTreeMap, VecDeque};

use truefill_syntax::{HoleKind, Language};

use crate::corpus::stable_digest;
use crate::mine::FolderHole;

/// Holes that are tried for each one that is wanted.
const TRIES: usize = 3;
/// Holes of a language and kind that go unseen before the first that is seen; then it is left alone. A
/// repository may have code that its tests do not know at all.
const FRUITLESS: usize = 5;
/// Holes of a round. What is drawn next depends on the outcomes of whole rounds, so not on how many are
/// tested at a time.
const ROUND: usize = 8;

/// A draw without replacement: as many tries for each language and kind, as long as it has holes.
pub(super) struct Draw {
    strata: Vec<Stratum>,
    wanted: usize,
    seen: usize,
}

/// A language and a kind.
struct Stratum {
    holes: VecDeque<FolderHole>,
    tried: usize,
    seen: usize,
}

impl Stratum {
    fn is_open(&self) -> bool {
        !self.holes.is_empty() && (self.seen > 0 || self.tried < FRUITLESS)
    }
}

/// A hole that was drawn.
pub(super) struct Pick {
    pub(super) hole: FolderHole,
    stratum: usize,
}

impl Draw {
    pub(super) fn new(mut holes: Vec<FolderHole>, seed: u64, wanted: usize) -> Self {
        holes.sort_by_cached_key(|hole| stable_digest(seed, &[b"holes", hole.id.as_bytes()]));
        let mut strata: BTreeMap<(Language, HoleKind), VecDeque<FolderHole>> = BTreeMap::new();
        for hole in holes {
            let stratum = strata.entry((hole.language, hole.kind)).or_default();
            stratum.push_back(hole);
        }
        // Few holes are not to be those of the first languages.
        let mut strata: Vec<_> = strata.into_iter().collect();
        strata.sort_by_cached_key(|((language, kind), _)| {
            stable_digest(seed, &[language.name().as_bytes(), kind.name().as_bytes()])
        });
        let strata = strata.into_iter().map(|(_, holes)| Stratum {
            holes,
            tried: 0,
            seen: 0,
        });
        Self {
            strata: strata.collect(),
            wanted,
            seen: 0,
        }
    }

    /// The next holes to try; none where there are enough, or no more.
    pub(super) fn round(&mut self) -> Vec<Pick> {
        let left = (TRIES * self.wanted).saturating_sub(self.tried());
        let size = ROUND.min(left).min(self.wanted.saturating_sub(self.seen));
        let mut picks = Vec::with_capacity(size);
        while picks.len() < size {
            let open = self.strata.iter_mut().enumerate();
            let open = open.filter(|(_, stratum)| stratum.is_open());
            let Some((at, stratum)) = open.min_by_key(|(_, stratum)| stratum.tried) else {
                break;
            };
            stratum.tried += 1;
            picks.extend(
                stratum
                    .holes
                    .pop_front()
                    .map(|hole| Pick { hole, stratum: at }),
            );
        }
        picks
    }

    /// What came of a hole.
    pub(super) fn tell(&mut self, pick: &Pick, seen: bool) {
        self.strata[pick.stratum].seen += usize::from(seen);
        self.seen += usize::from(seen);
    }

    /// Holes that were drawn.
    pub(super) fn tried(&self) -> usize {
        self.strata.iter().map(|stratum| stratum.tried).sum()
    }

    /// Holes of them that the tests do not see.
    pub(super) fn unseen(&self) -> usize {
        self.tried() - self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holes(count: usize, language: Language, kind: HoleKind) -> Vec<FolderHole> {
        let hole = |at: usize| FolderHole {
            id: format!("{language:?}{kind:?}{at}"),
            path: format!("{at}"),
            language,
            kind,
            range: 0..1,
        };
        (0..count).map(hole).collect()
    }

    /// Draws to the end; the ids that were seen, and how many were tried.
    fn drawn(
        holes: Vec<FolderHole>,
        wanted: usize,
        sees: impl Fn(&str) -> bool,
    ) -> (Vec<String>, usize) {
        let mut draw = Draw::new(holes, 1, wanted);
        let mut found = Vec::new();
        loop {
            let round = draw.round();
            if round.is_empty() {
                assert_eq!(draw.unseen(), draw.tried() - found.len());
                return (found, draw.tried());
            }
            for pick in &round {
                let seen = sees(&pick.hole.id);
                draw.tell(pick, seen);
                found.extend(seen.then(|| pick.hole.id.clone()));
            }
        }
    }

    #[test]
    fn languages_and_kinds_are_tried_alike() {
        let strata = [
            (40, Language::Python, HoleKind::Block),
            (3, Language::Python, HoleKind::Import),
            (400, Language::Go, HoleKind::Block),
        ];
        let all = strata
            .map(|(count, language, kind)| holes(count, language, kind))
            .concat();
        let (found, tried) = drawn(all.clone(), 20, |_| true);
        assert_eq!((found.len(), tried), (20, 20));
        let count = |start: &str| found.iter().filter(|id| id.starts_with(start)).count();
        assert_eq!(count("PythonImport"), 3);
        assert!(count("PythonBlock").abs_diff(count("GoBlock")) <= 1);
        assert_eq!(drawn(all.clone(), 20, |_| true).0, found);
        assert_eq!(drawn(all, 1000, |_| true).0.len(), 443);
    }

    #[test]
    fn what_the_tests_do_not_know_is_left_alone() {
        let go = holes(400, Language::Go, HoleKind::Block);
        let python = holes(40, Language::Python, HoleKind::Block);
        let both = [go.clone(), python].concat();
        let (found, tried) = drawn(both, 20, |id| id.starts_with("Python"));
        assert_eq!((found.len(), tried), (20, 20 + FRUITLESS));
        assert_eq!(drawn(go.clone(), 20, |_| false), (Vec::new(), FRUITLESS));
        // Where every fifth is seen, tries end.
        let asked = std::cell::Cell::new(0);
        let (found, tried) = drawn(go, 20, |_| asked.replace(asked.get() + 1) % 5 == 0);
        assert_eq!((found.len(), tried), (12, TRIES * 20));
    }
}
