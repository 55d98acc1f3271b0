//! The tree of modules, and which file defines what a path names.

use std::collections::HashMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::{Item, UseTree};

use super::Source;

/// How many re-exports are followed: more than there are, and an end where they go in a circle.
const MOST_HOPS: u32 = 16;

pub struct Module {
    /// Index of its file among the sources.
    pub file: usize,
    parent: Option<usize>,
    children: HashMap<String, usize>,
    /// What is defined in it, and in which file.
    items: HashMap<String, usize>,
    pub imports: Vec<Import>,
}

/// One name that a `use` brings in.
pub struct Import {
    /// Empty for all that a module has (`*`).
    alias: String,
    pub path: Vec<String>,
    pub line: usize,
    /// `pub use`, in whatever measure.
    pub is_public: bool,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Module(usize),
    /// An item that this file defines.
    Item(usize),
}

/// All modules of the library and of the program.
pub struct Modules {
    pub all: Vec<Module>,
    /// The library, whose name is `annulet` in the program.
    library: usize,
    /// The module that each file is; `None` for one that only tests have.
    pub of_file: Vec<Option<usize>>,
}

impl Modules {
    /// `for_tests`: with what only tests have.
    pub fn new(sources: &[Source], for_tests: bool) -> Self {
        let mut modules = Self {
            all: Vec::new(),
            library: 0,
            of_file: vec![None; sources.len()],
        };
        for root in ["lib.rs", "main.rs"] {
            if let Some(file) = sources.iter().position(|source| source.path == root) {
                let root = modules.declare(file, None);
                modules.fill(root, "", sources, for_tests);
            }
        }
        modules
    }

    fn declare(&mut self, file: usize, parent: Option<usize>) -> usize {
        self.all.push(Module {
            file,
            parent,
            children: HashMap::new(),
            items: HashMap::new(),
            imports: Vec::new(),
        });
        self.all.len() - 1
    }

    /// Reads the file of `module`, whose modules lie in `folder`.
    fn fill(&mut self, module: usize, folder: &str, sources: &[Source], for_tests: bool) {
        let source = &sources[self.all[module].file];
        self.of_file[self.all[module].file] = Some(module);
        if for_tests {
            let tree = syn::parse2(source.tokens.clone()).expect("parsed before");
            self.add_items(module, folder, &tree, sources, for_tests);
        } else {
            self.add_items(module, folder, &source.tree, sources, for_tests);
        }
    }

    fn add_items(
        &mut self,
        module: usize,
        folder: &str,
        tree: &syn::File,
        sources: &[Source],
        for_tests: bool,
    ) {
        for item in &tree.items {
            self.add_item(module, folder, item, sources, for_tests);
        }
    }

    fn add_item(
        &mut self,
        module: usize,
        folder: &str,
        item: &Item,
        sources: &[Source],
        for_tests: bool,
    ) {
        let file = self.all[module].file;
        match item {
            Item::Mod(inner) => self.add_module(module, folder, inner, sources, for_tests),
            Item::Use(item) => {
                let is_public = !matches!(item.vis, syn::Visibility::Inherited);
                let line = item.use_token.span.start().line;
                flatten(&item.tree, &mut Vec::new(), &mut |alias, path| {
                    self.all[module].imports.push(Import {
                        alias,
                        path,
                        line,
                        is_public,
                    });
                });
            }
            Item::Macro(item) => self.add_macro(module, item),
            other => {
                if let Some(name) = name_of(other) {
                    self.all[module].items.insert(name, file);
                }
            }
        }
    }

    /// What a macro is called that is defined here, or what one that is called here defines.
    fn add_macro(&mut self, module: usize, item: &syn::ItemMacro) {
        let file = self.all[module].file;
        let is_exported = item
            .attrs
            .iter()
            .any(|attribute| attribute.path().is_ident("macro_export"));
        let home = if is_exported { self.library } else { module };
        let names = match &item.ident {
            Some(name) => vec![name.to_string()],
            None => defined_in(item.mac.tokens.clone()),
        };
        let names = names.into_iter().map(|name| (name, file));
        self.all[home].items.extend(names);
    }

    fn add_module(
        &mut self,
        module: usize,
        folder: &str,
        inner: &syn::ItemMod,
        sources: &[Source],
        for_tests: bool,
    ) {
        let name = inner.ident.to_string();
        let path = format!("{folder}{name}");
        let child = if inner.content.is_some() {
            self.declare(self.all[module].file, Some(module))
        } else {
            let file = sources.iter().position(|source| {
                source.path == format!("{path}.rs") || source.path == format!("{path}/mod.rs")
            });
            // Made-up sources need not have all that they declare.
            let Some(file) = file else { return };
            self.declare(file, Some(module))
        };
        self.all[module].children.insert(name, child);
        let folder = format!("{path}/");
        match &inner.content {
            None => self.fill(child, &folder, sources, for_tests),
            Some((_, items)) => {
                for item in items {
                    self.add_item(child, &folder, item, sources, for_tests);
                }
            }
        }
    }

    /// The module that `name` is within `module`.
    pub fn child(&self, module: usize, name: &str) -> Option<usize> {
        self.all[module].children.get(name).copied()
    }

    /// What `path` names in `module`; nothing for what other packages have, and for names that
    /// are no module's.
    pub fn resolve(&self, module: usize, path: &[String]) -> Option<Target> {
        self.follow(module, path, MOST_HOPS)
    }

    /// What a name that stands alone in `module` has come by `use …::*`.
    pub fn through_glob(&self, module: usize, name: &str) -> Option<Target> {
        self.look_up_globs(module, name, MOST_HOPS)
    }

    fn follow(&self, module: usize, path: &[String], hops: u32) -> Option<Target> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Target::Module(self.root(module)),
            "annulet" if self.root(module) != self.library => Target::Module(self.library),
            "self" => Target::Module(module),
            "super" => Target::Module(self.all[module].parent?),
            name => self.look_up(module, name, rest.is_empty(), hops)?,
        };
        while let (Target::Module(module), Some((name, after))) = (at, rest.split_first()) {
            at = match name.as_str() {
                "super" => Target::Module(self.all[module].parent?),
                "self" => at,
                name => self.look_up(module, name, after.is_empty(), hops)?,
            };
            rest = after;
        }
        Some(at)
    }

    fn root(&self, mut module: usize) -> usize {
        while let Some(parent) = self.all[module].parent {
            module = parent;
        }
        module
    }

    /// What `name` is in `module`. A function may be called like the module it is from: at a
    /// path's end it is meant, else the module.
    fn look_up(&self, module: usize, name: &str, is_last: bool, hops: u32) -> Option<Target> {
        let hops = hops.checked_sub(1)?;
        let here = &self.all[module];
        let child = here.children.get(name).copied().map(Target::Module);
        let item = || here.items.get(name).copied().map(Target::Item);
        let imported = || {
            let import = here.imports.iter().find(|import| import.alias == name)?;
            self.follow(module, &import.path, hops)
        };
        let globbed = || self.look_up_globs(module, name, hops);
        let first = if is_last { None } else { child };
        first
            .or_else(item)
            .or_else(imported)
            .or(child)
            .or_else(globbed)
    }

    fn look_up_globs(&self, module: usize, name: &str, hops: u32) -> Option<Target> {
        let hops = hops.checked_sub(1)?;
        let globs = self.all[module]
            .imports
            .iter()
            .filter(|import| import.alias.is_empty());
        globs
            .filter_map(|glob| self.follow(module, &glob.path, hops))
            .find_map(|target| match target {
                Target::Module(other) if other != module => self.look_up(other, name, true, hops),
                _ => None,
            })
    }
}

/// Calls `found` with each name that a `use` brings in and the path it stands for.
fn flatten(tree: &UseTree, before: &mut Vec<String>, found: &mut dyn FnMut(String, Vec<String>)) {
    let with = |before: &[String], last: &str| {
        let mut path = before.to_vec();
        path.push(last.to_owned());
        path
    };
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found);
            before.pop();
        }
        // `use a::{self, b}` brings in `a`.
        UseTree::Name(name) if name.ident == "self" => {
            found(before.last().cloned().unwrap_or_default(), before.clone());
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found(name.clone(), with(before, &name));
        }
        UseTree::Rename(rename) => {
            // `use a::b as _` is for a trait's methods.
            found(
                rename.rename.to_string(),
                with(before, &rename.ident.to_string()),
            );
        }
        UseTree::Glob(_) => found(String::new(), before.clone()),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before, found);
            }
        }
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// What a macro's call seems to define, such as the structs of `bitflags!`.
fn defined_in(tokens: TokenStream) -> Vec<String> {
    const DEFINE: [&str; 8] = [
        "struct", "enum", "fn", "const", "static", "type", "trait", "union",
    ];
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let pairs = tokens.windows(2).filter_map(|pair| match pair {
        [TokenTree::Ident(keyword), TokenTree::Ident(name)]
            if DEFINE.iter().any(|word| keyword == word) =>
        {
            Some(name.to_string())
        }
        _ => None,
    });
    pairs.collect()
}
