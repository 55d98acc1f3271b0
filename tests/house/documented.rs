//! What the ring's documentation has to have: an example of each public type, which is run.

use std::collections::BTreeMap;

use syn::parse::{Parse, ParseStream};

use crate::source::Source;

/// The module whose `pub use` are the ring's interface, and where what it names is defined.
const INTERFACE: &str = "ring/mod.rs";
const HOMES: &[&str] = &["ring/", "sys/io_uring/"];

/// The text of the documentation comments among attributes.
pub fn documentation(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        let syn::Expr::Lit(text) = &pair.value else {
            return None;
        };
        match &text.lit {
            syn::Lit::Str(text) if pair.path.is_ident("doc") => Some(text.value()),
            _ => None,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a documentation has an example that `cargo test` runs, and not one that is only shown,
/// or is to fail.
fn has_example(documentation: &str) -> bool {
    let mut fences = documentation.lines().filter_map(|line| {
        let info = line.trim_start().strip_prefix("```")?;
        Some(info.trim())
    });
    // Every other one ends a block.
    std::iter::from_fn(|| Some((fences.next()?, fences.next()))).any(|(info, _)| info.is_empty())
}

/// Public types of the ring that have no example.
pub fn types_without_example(sources: &[Source]) -> Vec<String> {
    let names = sources
        .iter()
        .find(|source| source.path == INTERFACE)
        .map(interface)
        .unwrap_or_default();
    let homes = sources
        .iter()
        .filter(|source| HOMES.iter().any(|home| source.path.starts_with(home)));
    let mut types = BTreeMap::new();
    for home in homes {
        let tree = syn::parse_file(&home.text).expect("it was parsed before");
        for (name, documentation) in tree.items.iter().flat_map(types_of) {
            let path = format!("src/{}: {name}", home.path);
            types.insert(name, (path, has_example(&documentation)));
        }
    }
    // What is all in capitals is a constant, what begins small a function.
    let is_type =
        |name: &&String| name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
    let without = names
        .iter()
        .filter(is_type)
        .filter_map(|name| match types.get(name) {
            Some((_, true)) => None,
            Some((path, false)) => Some(path.clone()),
            None => Some(format!("src/{INTERFACE}: {name}, wherever it is defined")),
        });
    let mut without: Vec<_> = without.collect();
    without.sort();
    without
}

/// What a module's `pub use` name.
fn interface(source: &Source) -> Vec<String> {
    fn add(tree: &syn::UseTree, names: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => add(&path.tree, names),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| add(tree, names)),
            syn::UseTree::Name(name) => names.push(name.ident.to_string()),
            _ => panic!("src/{INTERFACE}: a `pub use` names what it takes"),
        }
    }
    let mut names = Vec::new();
    for item in &source.tree.items {
        match item {
            syn::Item::Use(item) if matches!(item.vis, syn::Visibility::Public(_)) => {
                add(&item.tree, &mut names);
            }
            _ => {}
        }
    }
    names
}

/// The types that an item defines, and their documentation.
fn types_of(item: &syn::Item) -> Vec<(String, String)> {
    match item {
        syn::Item::Struct(item) => vec![(item.ident.to_string(), documentation(&item.attrs))],
        syn::Item::Enum(item) => vec![(item.ident.to_string(), documentation(&item.attrs))],
        syn::Item::Macro(item) if item.mac.path.is_ident("bitflags") => {
            let sets: Sets = item.mac.parse_body().expect("sets of flags");
            sets.0
        }
        _ => Vec::new(),
    }
}

/// What is in `bitflags! { … }`: attributes, `pub struct Name: u32 { … }`, and so on.
struct Sets(Vec<(String, String)>);

impl Parse for Sets {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut sets = Vec::new();
        while !input.is_empty() {
            let attributes = input.call(syn::Attribute::parse_outer)?;
            input.parse::<syn::Visibility>()?;
            input.parse::<syn::Token![struct]>()?;
            let name: syn::Ident = input.parse()?;
            input.parse::<syn::Token![:]>()?;
            input.parse::<syn::Type>()?;
            input.parse::<proc_macro2::Group>()?;
            sets.push((name.to_string(), documentation(&attributes)));
        }
        Ok(Self(sets))
    }
}

#[test]
fn examples_are_seen() {
    let interface = "pub use a::{Shown, Hidden, Failing, LIMIT, Elsewhere}; use a::Own;\n\
                     pub use crate::sys::io_uring::{Flags, Others};";
    let types = "/// One.\n///\n/// ```\n/// f();\n/// ```\npub struct Shown;\n\
                 /// Two.\npub enum Hidden { A }\npub struct Own; pub const LIMIT: u8 = 1;\n\
                 /// ```compile_fail\n/// f();\n/// ```\npub struct Failing;";
    let flags = "bitflags! {\n/// Flags.\n///\n/// ```\n/// f();\n/// ```\n\
                 #[derive(Debug)]\npub struct Flags: u32 { /// A\nconst A = 1; }\n\
                 /// Others.\npub struct Others: u8 {}\n}";
    let made_up = [
        Source::new("ring/mod.rs", interface),
        Source::new("ring/a.rs", types),
        Source::new("sys/io_uring/flags.rs", flags),
    ];
    assert_eq!(
        types_without_example(&made_up),
        [
            "src/ring/a.rs: Failing",
            "src/ring/a.rs: Hidden",
            "src/ring/mod.rs: Elsewhere, wherever it is defined",
            "src/sys/io_uring/flags.rs: Others",
        ]
    );
}
