//! What the source declares: types, their fields and methods, names.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use crate::source::Source;
use crate::source::modules::{Modules, Target};
use crate::source::words::words;
use crate::written::has_asserted_size;

/// Lists of what was asked for, and the levels of a walk.
pub const MAY_HAVE_MANY_FIELDS: &[&str] = &["Options", "Settings", "Level"];

/// Words that say nothing about what bears them.
const NAMELESS: &[&str] = &[
    "util", "utils", "utility", "helper", "helpers", "misc", "common", "ui", "thing", "things",
    "stuff",
];

/// Types whose methods, own and of traits, stand in more than two files.
pub fn spread_types(sources: &[Source]) -> Vec<String> {
    let modules = Modules::new(sources, false);
    let mut files: BTreeMap<(usize, String), BTreeSet<&str>> = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        let Some(module) = modules.of_file[index] else {
            continue;
        };
        let mut impls = Impls(Vec::new());
        impls.visit_file(&source.tree);
        for path in impls.0 {
            // Others' types are not ours to gather.
            if let Some(Target::Item(home)) = modules.resolve(module, &path)
                && let Some(name) = path.last()
            {
                let files = files.entry((home, name.clone())).or_default();
                files.insert(&source.path);
            }
        }
    }
    let spread = files.iter().filter(|(_, files)| files.len() > 2);
    spread
        .map(|((_, name), files)| {
            let names: Vec<_> = files.iter().copied().collect();
            format!("{name}, {} files: {}", files.len(), names.join(", "))
        })
        .collect()
}

/// The types that have an `impl`.
struct Impls(Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Impls {
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let mut of = &*item.self_ty;
        while let syn::Type::Reference(reference) = of {
            of = &reference.elem;
        }
        if let syn::Type::Path(path) = of {
            let segments = path.path.segments.iter();
            self.0
                .push(segments.map(|segment| segment.ident.to_string()).collect());
        }
    }
}

/// The number of fields of the largest struct, and all structs with more than `many`.
pub fn largest_structs(sources: &[Source], many: usize) -> (usize, Vec<String>) {
    let mut largest = 0;
    let mut cases = Vec::new();
    for source in sources {
        let words = words(&source.program);
        let mut structs = Structs(Vec::new());
        structs.visit_file(&source.tree);
        for item in structs.0 {
            let name = item.ident.to_string();
            let is_exempt = MAY_HAVE_MANY_FIELDS.contains(&name.as_str());
            if is_exempt || has_asserted_size(&words, &name) {
                continue;
            }
            let fields = item.fields.len();
            largest = largest.max(fields);
            if fields > many {
                cases.push(format!("{name}, {fields} fields: {}", source.path));
            }
        }
    }
    (largest, cases)
}

struct Structs<'ast>(Vec<&'ast syn::ItemStruct>);

impl<'ast> Visit<'ast> for Structs<'ast> {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.0.push(item);
        visit::visit_item_struct(self, item);
    }
}

/// Functions, types, modules and fields that are named after nothing.
pub fn names_that_say_nothing(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let mut names = Names(Vec::new());
        names.visit_file(&source.tree);
        for name in names.0 {
            let says_nothing = words_of(&name.to_string())
                .iter()
                .any(|word| NAMELESS.contains(&word.as_str()));
            if says_nothing {
                let line = name.span().start().line;
                found.push(format!("src/{}:{line}: {name}", source.path));
            }
        }
    }
    found
}

/// What is declared.
struct Names<'ast>(Vec<&'ast syn::Ident>);

impl<'ast> Visit<'ast> for Names<'ast> {
    fn visit_signature(&mut self, item: &'ast syn::Signature) {
        self.0.push(&item.ident);
        visit::visit_signature(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.0.push(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.0.push(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.0.push(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.0.push(&item.ident);
        visit::visit_item_mod(self, item);
    }

    fn visit_field(&mut self, item: &'ast syn::Field) {
        self.0.extend(&item.ident);
        visit::visit_field(self, item);
    }
}

/// `HelperOf_this` in lower case: helper, of, this.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        if c != '_'
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// Enums above `sys` that can be compared by the order of their variants.
pub fn ordered_enums(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.layer() != "sys") {
        let mut enums = Enums(Vec::new());
        enums.visit_file(&source.tree);
        for item in enums.0 {
            let is_ordered = item.attrs.iter().any(derives_order);
            if is_ordered {
                found.push(format!("{}: {}", source.path, item.ident));
            }
        }
    }
    found
}

fn derives_order(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else {
        return false;
    };
    list.path.is_ident("derive")
        && words(&list.tokens)
            .iter()
            .any(|word| word.text == "PartialOrd")
}

struct Enums<'ast>(Vec<&'ast syn::ItemEnum>);

impl<'ast> Visit<'ast> for Enums<'ast> {
    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.0.push(item);
        visit::visit_item_enum(self, item);
    }
}

#[test]
fn names_are_taken_apart() {
    assert_eq!(words_of("xattr_util"), ["xattr", "util"]);
    assert_eq!(words_of("MiscOf"), ["", "misc", "of"]);
}

#[test]
fn structure_is_seen() {
    let made_up = [
        Source::new("lib.rs", "pub mod copy;"),
        Source::new("copy/mod.rs", "mod a; mod b; mod c; pub use a::Engine;"),
        Source::new(
            "copy/a.rs",
            "pub struct Engine { a: u8, b: u8, c: u8 } impl Engine { fn helper() {} }\n\
             #[derive(PartialEq, PartialOrd)] enum E { A, B }",
        ),
        Source::new("copy/b.rs", "use super::Engine; impl Clone for Engine {}"),
        Source::new(
            "copy/c.rs",
            "impl super::a::Engine { fn b() {} } struct Engine; impl u8 {}\n\
             struct Abi { a: u8, b: u8, c: u8 } const A: () = assert!(size_of::<Abi>() == 3);",
        ),
    ];
    assert_eq!(
        spread_types(&made_up),
        ["Engine, 3 files: copy/a.rs, copy/b.rs, copy/c.rs"]
    );
    let (largest, many) = largest_structs(&made_up, 2);
    assert_eq!((largest, many.len()), (3, 1), "{many:?}");
    assert_eq!(
        names_that_say_nothing(&made_up),
        ["src/copy/a.rs:1: helper"]
    );
    assert_eq!(ordered_enums(&made_up), ["copy/a.rs: E"]);
}
