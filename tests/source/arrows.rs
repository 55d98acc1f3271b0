//! Which file knows which, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use proc_macro2::{TokenStream, TokenTree};

use super::modules::{Modules, Target};
use super::{Source, is_ident, is_punct};

/// Which files each file uses something of, and a place where it does: the line and the path
/// there.
///
/// Seen are paths. What is reached by a method alone is not; but whoever has a value to call it
/// on has the value's type from somewhere.
pub struct Arrows {
    paths: Vec<String>,
    /// From one file to another, by index.
    pub all: BTreeMap<(usize, usize), (usize, String)>,
}

impl Arrows {
    /// Of `sources`; `for_tests`: with what is there for tests only.
    pub fn new(sources: &[Source], for_tests: bool) -> Self {
        let modules = Modules::new(sources, for_tests);
        let mut arrows = Self {
            paths: sources.iter().map(|source| source.path.clone()).collect(),
            all: BTreeMap::new(),
        };
        for (index, module) in modules.all.iter().enumerate() {
            // A mod.rs that hands on what others define does not use it.
            let hands_on = matches!(file_name(&arrows.paths[module.file]), "mod.rs" | "lib.rs");
            let imports = module.imports.iter();
            for import in imports.filter(|import| !(hands_on && import.is_public)) {
                let target = modules.resolve(index, &import.path);
                arrows.add(&modules, index, target, &import.path, import.line);
            }
        }
        for (file, source) in sources.iter().enumerate() {
            let tokens = if for_tests {
                &source.tokens
            } else {
                &source.program
            };
            if let Some(module) = modules.of_file[file] {
                arrows.add_paths(&modules, module, tokens);
            }
        }
        arrows
    }

    /// Adds the arrow of `path`, which stands in `module` and leads to `target`.
    fn add(
        &mut self,
        modules: &Modules,
        module: usize,
        target: Option<Target>,
        path: &[String],
        line: usize,
    ) {
        // A module by itself is a name for what is in it: that counts where it is used.
        let Some(Target::Item(to)) = target else {
            return;
        };
        let from = modules.all[module].file;
        if from != to {
            let place = (line, path.join("::"));
            self.all.entry((from, to)).or_insert(place);
        }
    }

    /// Adds the arrows of all paths in `tokens` but those of `use`.
    fn add_paths(&mut self, modules: &Modules, module: usize, tokens: &TokenStream) {
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at += match &tokens[at] {
                TokenTree::Ident(ident) if ident == "use" => {
                    let mut rest = tokens[at..].iter();
                    rest.position(|token| is_punct(token, ';'))
                        .unwrap_or(tokens.len() - at)
                }
                TokenTree::Ident(_) => self.add_path(modules, module, &tokens, at),
                TokenTree::Group(group) => {
                    let inner = declared_before(modules, module, &tokens[..at]);
                    self.add_paths(modules, inner.unwrap_or(module), &group.stream());
                    1
                }
                _ => 1,
            };
        }
    }

    /// Adds the arrow of the path that begins at `at`; returns how many tokens it has.
    fn add_path(
        &mut self,
        modules: &Modules,
        module: usize,
        tokens: &[TokenTree],
        at: usize,
    ) -> usize {
        let path = path_at(&tokens[at..]);
        let is_field = at > 0 && is_punct(&tokens[at - 1], '.');
        let target = match path.as_slice() {
            _ if is_field => None,
            [name] => modules.through_glob(module, name),
            path => modules.resolve(module, path),
        };
        let line = tokens[at].span().start().line;
        self.add(modules, module, target, &path, line);
        // Each name but the last is followed by two colons.
        3 * path.len() - 2
    }

    fn reached_from(&self, start: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut next = vec![start];
        while let Some(file) = next.pop() {
            let arrows = self.all.keys().filter(|(from, _)| *from == file);
            next.extend(arrows.map(|&(_, to)| to).filter(|&to| reached.insert(to)));
        }
        reached
    }

    /// The sets of files of which each reaches all others.
    pub fn circles(&self) -> Vec<BTreeSet<usize>> {
        let reached: Vec<_> = (0..self.paths.len())
            .map(|file| self.reached_from(file))
            .collect();
        let mut circles = BTreeSet::new();
        for (file, there) in reached.iter().enumerate() {
            if there.contains(&file) {
                let circle = there
                    .iter()
                    .filter(|&&other| reached[other].contains(&file));
                circles.insert(circle.copied().collect::<BTreeSet<_>>());
            }
        }
        circles.into_iter().collect()
    }

    /// The names of the files in `circle`.
    pub fn names<'a>(&'a self, circle: &'a BTreeSet<usize>) -> impl Iterator<Item = &'a str> {
        circle.iter().map(|&file| self.paths[file].as_str())
    }

    /// The files of `circle`, and for each arrow within it a line that makes it.
    pub fn describe(&self, circle: &BTreeSet<usize>) -> String {
        let names: Vec<_> = self.names(circle).collect();
        let mut text = format!("a circle of {}: {}", names.len(), names.join(", "));
        for (&(from, to), (line, path)) in &self.all {
            if circle.contains(&from) && circle.contains(&to) {
                let (from, to) = (&self.paths[from], &self.paths[to]);
                let _ = write!(text, "\n    src/{from}:{line} knows {to}: {path}");
            }
        }
        text
    }
}

/// The module whose body comes behind `tokens`, if they end with `mod name`.
fn declared_before(modules: &Modules, module: usize, tokens: &[TokenTree]) -> Option<usize> {
    match tokens {
        [.., keyword, TokenTree::Ident(name)] if is_ident(keyword, "mod") => {
            modules.child(module, &name.to_string())
        }
        _ => None,
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The path that `tokens`, which begin with a name, begin with.
fn path_at(tokens: &[TokenTree]) -> Vec<String> {
    let mut path = Vec::new();
    let mut rest = tokens;
    while let [TokenTree::Ident(name), after @ ..] = rest {
        path.push(name.to_string());
        match after {
            [first, second, next @ ..] if is_punct(first, ':') && is_punct(second, ':') => {
                rest = next;
            }
            _ => break,
        }
    }
    path
}
