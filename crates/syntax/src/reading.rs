//! A file read once for all that is asked of it: a walk over a tree takes about as long as a
//! quarter of its parse.

use tree_sitter::{Node, Tree};

use crate::{
    holes::{Cutter, Hole, HoleKind},
    language::Language,
    roles::{role, walk_nodes},
    symbols::{Collector, Symbols},
};

/// The holes of `kinds` that can be cut into `text` and its symbols but their names, from one walk
/// over its tree; `see` is shown every node, parents before their children.
#[must_use]
pub fn holes_and_symbols<'tree>(
    language: Language,
    text: &str,
    tree: &'tree Tree,
    kinds: &[HoleKind],
    mut see: impl FnMut(Node<'tree>),
) -> (Vec<Hole>, Symbols) {
    let mut cutter = Cutter::new(language, text, kinds);
    let mut collector = Collector::new(language, text);
    walk_nodes(language, tree, 0..text.len(), |path, is_leaf| {
        see(path.leaf());
        cutter.node(path);
        if is_leaf {
            let is_name = path.last().what.is_name;
            let role = is_name.then(|| role(language, text, path));
            cutter.leaf(path, role);
            collector.leaf(path, role);
        }
    });
    (cutter.finish(), collector.symbols)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{holes_in, parse, real_files::real_files, symbols_of};

    #[test]
    fn one_walk_finds_what_two_find() {
        for (path, language, text) in real_files() {
            let tree = parse(language, &text).expect("parses");
            let mut nodes = 0;
            let (holes, mut symbols) =
                holes_and_symbols(language, &text, &tree, &HoleKind::ALL, |_| nodes += 1);
            let mut alone = holes_in(language, &text, &tree);
            assert_eq!(holes, alone, "{}", path.display());
            let some = [HoleKind::Identifier, HoleKind::Block];
            let (holes, _) = holes_and_symbols(language, &text, &tree, &some, |_| ());
            alone.retain(|hole| some.contains(&hole.kind));
            assert_eq!(holes, alone, "{}", path.display());
            let all = symbols_of(language, &text, &tree);
            symbols.names.clone_from(&all.names);
            assert_eq!(symbols, all, "{}", path.display());
            assert_eq!(nodes, tree.root_node().descendant_count());
        }
    }
}
