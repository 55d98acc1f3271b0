//! The table of operations, `src/ring/operations.md`: that it has each with its number, all that
//! makes one here, and what makes one in the io-uring crate. The first kernel and liburing's names
//! are written by hand; the kernel is compared with what the constructors' documentation says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use syn::visit::Visit;

use crate::documented::documentation;
use crate::source::{Source, marked, top};

const PAGE: &str = "src/ring/operations.md";
const NUMBERS: &str = "sys/io_uring/opcode.rs";

/// Constructors of [`annulet::ring::Sqe`] that make any operation.
const OF_ANY: &[&str] = &["from_raw"];

/// What the io-uring crate has for each operation, by the number that it says itself.
fn theirs() -> BTreeMap<u8, Vec<&'static str>> {
    macro_rules! numbered {
        ($($name:ident)*) => { [$((io_uring::opcode::$name::CODE, stringify!($name))),*] };
    }
    let all = numbered! {
        Nop Readv Writev Fsync ReadFixed WriteFixed PollAdd PollRemove SyncFileRange SendMsg RecvMsg
        RecvMsgMulti Timeout TimeoutRemove TimeoutUpdate Accept AcceptMulti AsyncCancel AsyncCancel2
        LinkTimeout Connect Fallocate OpenAt Close FilesUpdate Statx Read Write Fadvise Madvise Send
        SendBundle Recv RecvMulti RecvBundle RecvMultiBundle OpenAt2 EpollCtl Splice ProvideBuffers
        RemoveBuffers Tee Shutdown RenameAt UnlinkAt MkDirAt SymlinkAt LinkAt MsgRingData
        MsgRingSendFd FSetXattr SetXattr FGetXattr GetXattr Socket UringCmd16 UringCmd80 SetSockOpt
        SendZc SendMsgZc ReadMulti WaitId FutexWait FutexWake FutexWaitV FixedFdInstall Ftruncate
        Bind Listen RecvZc EpollWait ReadvFixed WritevFixed Pipe
    };
    let mut names = BTreeMap::<_, Vec<_>>::new();
    for (number, name) in all {
        names.entry(number).or_default().push(name);
    }
    names
}

/// An operation, and what makes it here.
struct Operation {
    number: u8,
    /// As the kernel spells it, without `IORING_OP_`.
    name: String,
    /// In the order of the sources.
    constructors: Vec<String>,
    /// The first kernel that the documentation of one of them names.
    kernel: Option<Kernel>,
}

type Kernel = (u32, u32);

/// A function of `Sqe`.
struct Function {
    name: String,
    is_constructor: bool,
    /// What it names: `Opcode::Read`, `Self::fsync`.
    paths: Vec<(String, String)>,
    documentation: String,
}

/// All operations by number; or what does not fit.
fn operations(sources: &[Source]) -> Result<Vec<Operation>, String> {
    let functions = functions(sources);
    let mut constructors = BTreeMap::<_, Vec<&Function>>::new();
    for function in functions.iter().filter(|function| function.is_constructor) {
        let made = opcodes(function, &functions);
        if made.is_empty() && !OF_ANY.contains(&&*function.name) {
            return Err(format!("Sqe::{} makes no operation", function.name));
        }
        for opcode in made {
            constructors.entry(opcode).or_default().push(function);
        }
    }
    let numbers = sources.iter().find(|source| source.path == NUMBERS);
    let numbers = numbers.ok_or_else(|| format!("there is no src/{NUMBERS}"))?;
    let operations = opcode_numbers(numbers).into_iter().map(|(opcode, number)| {
        let constructors = constructors.remove(&opcode).unwrap_or_default();
        let kernels = constructors.iter().map(|function| {
            first_kernel(&function.documentation)
                .ok_or_else(|| format!("Sqe::{} names no kernel", function.name))
        });
        Ok(Operation {
            number,
            name: kernel_name(&opcode),
            kernel: kernels
                .collect::<Result<Vec<_>, String>>()?
                .into_iter()
                .min(),
            constructors: constructors.iter().map(|each| each.name.clone()).collect(),
        })
    });
    let operations = operations.collect::<Result<Vec<_>, String>>()?;
    match constructors.first_key_value() {
        Some((opcode, _)) => Err(format!("there is no operation {opcode}")),
        None => Ok(operations),
    }
}

/// The functions of `Sqe`, which no other impl than its own has.
fn functions(sources: &[Source]) -> Vec<Function> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.layer() == "ring") {
        let tree = syn::parse_file(&source.text).expect("it was parsed before");
        for item in tree.items {
            let syn::Item::Impl(item) = item else {
                continue;
            };
            let is_sqe = matches!(&*item.self_ty, syn::Type::Path(path)
                if path.path.segments.last().is_some_and(|last| last.ident == "Sqe"));
            if is_sqe && item.trait_.is_none() {
                found.extend(item.items.iter().filter_map(function));
            }
        }
    }
    found
}

fn function(item: &syn::ImplItem) -> Option<Function> {
    let syn::ImplItem::Fn(item) = item else {
        return None;
    };
    let is_public = matches!(item.vis, syn::Visibility::Public(_));
    let mut paths = Paths(Vec::new());
    paths.visit_block(&item.block);
    Some(Function {
        name: item.sig.ident.to_string(),
        is_constructor: is_public && item.sig.receiver().is_none(),
        paths: paths.0,
        documentation: documentation(&item.attrs),
    })
}

/// Paths of two parts.
struct Paths(Vec<(String, String)>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        let parts: Vec<_> = path.path.segments.iter().collect();
        if let [first, last] = &*parts {
            self.0
                .push((first.ident.to_string(), last.ident.to_string()));
        }
    }
}

/// The operations that a function makes: those it names, or that the functions it calls do.
fn opcodes(function: &Function, all: &[Function]) -> BTreeSet<String> {
    let mut made = BTreeSet::new();
    for (first, last) in &function.paths {
        if first == "Opcode" {
            made.insert(last.clone());
        } else if first == "Self" && *last != function.name {
            let called = all.iter().filter(|other| other.name == *last);
            made.extend(called.flat_map(|other| opcodes(other, all)));
        }
    }
    made
}

/// The variants of `Opcode` and their numbers.
fn opcode_numbers(source: &Source) -> Vec<(String, u8)> {
    let mut items = source.tree.items.iter();
    let opcode = items.find_map(|item| match item {
        syn::Item::Enum(item) if item.ident == "Opcode" => Some(item),
        _ => None,
    });
    let variants = opcode.expect("the enum Opcode").variants.iter();
    let numbered = variants.map(|variant| {
        let Some((_, syn::Expr::Lit(number))) = &variant.discriminant else {
            panic!("Opcode::{} has no number", variant.ident);
        };
        let syn::Lit::Int(number) = &number.lit else {
            panic!("Opcode::{} has no number", variant.ident);
        };
        let number = number.base10_parse().expect("a number below 256");
        (variant.ident.to_string(), number)
    });
    numbered.collect()
}

/// `ReadFixed` as the kernel spells it, `READ_FIXED`.
fn kernel_name(opcode: &str) -> String {
    let mut name = String::new();
    for c in opcode.chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_uppercase());
    }
    name
}

/// The oldest kernel that a documentation names: `Linux 5.6`.
fn first_kernel(documentation: &str) -> Option<Kernel> {
    let named = documentation.split("Linux ").skip(1).filter_map(kernel);
    named.min()
}

/// The version that a text begins with.
fn kernel(text: &str) -> Option<Kernel> {
    let (major, rest) = text.split_once('.')?;
    let end = rest.find(|c: char| !c.is_ascii_digit());
    let minor = &rest[..end.unwrap_or(rest.len())];
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// What the page says by hand of each operation: first kernel, liburing's names.
fn by_hand(page: &str) -> BTreeMap<&str, (&str, &str)> {
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<_> = line.split(" | ").collect();
        let [_, name, kernel, _, _, liburing] = &*cells else {
            return None;
        };
        let name = name.strip_prefix('`')?.strip_suffix('`')?;
        Some((name, (*kernel, liburing.strip_suffix(" |")?)))
    });
    rows.collect()
}

fn cell(names: &[impl AsRef<str>]) -> String {
    let names: Vec<_> = names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    if names.is_empty() {
        "—".to_owned()
    } else {
        names.join(", ")
    }
}

/// The lines of the table; or what does not fit.
fn table(
    page: &str,
    operations: &[Operation],
    theirs: &BTreeMap<u8, Vec<&str>>,
) -> Result<Vec<String>, String> {
    let by_hand = by_hand(page);
    let mut lines = vec![
        "| | operation | Linux | [`Sqe`] | `io_uring::opcode` | liburing |".to_owned(),
        "| --: | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for operation in operations {
        let (number, name) = (operation.number, &operation.name);
        let (since, liburing) = by_hand
            .get(&**name)
            .ok_or_else(|| format!("{PAGE} has no row for {number}, {name}"))?;
        if operation.kernel.is_some() && kernel(since) != operation.kernel {
            let documented = operation.kernel;
            return Err(format!(
                "{PAGE} has {name} from Linux {since} on, its constructors from {documented:?} on"
            ));
        }
        let ours = cell(&operation.constructors);
        let theirs = cell(theirs.get(&number).map_or(&[], Vec::as_slice));
        lines.push(format!(
            "| {number} | `{name}` | {since} | {ours} | {theirs} | {liburing} |"
        ));
    }
    Ok(lines)
}

/// Compares the page with the sources and the io-uring crate, or writes what they tell
/// (`ANNULET_WRITE=1`).
pub fn check_page(sources: &[Source]) -> Result<(), String> {
    let page = fs::read_to_string(top().join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let lines = table(&page, &operations(sources)?, &theirs())?;
    marked::check(PAGE, "operations", "", &lines).map_err(|_| {
        let missing = lines.iter().filter(|line| !page.contains(&***line));
        let missing: Vec<_> = missing.map(String::as_str).collect();
        format!(
            "{PAGE} is to have these lines (ANNULET_WRITE=1 writes them):\n{}",
            missing.join("\n")
        )
    })
}

#[test]
fn what_makes_an_operation_is_found() {
    let opcodes = "pub enum Opcode { Nop = 0, ReadFixed = 4, Close = 19 }";
    let with = |ring: &str| {
        let sources = [
            Source::new(NUMBERS, opcodes),
            Source::new("ring/operation.rs", ring),
        ];
        let page = "| 0 | `NOP` | 5.1 | `x` | — | `nop` |\n| 4 | `READ_FIXED` | 5.1 | — | — | — |\n\
                    | 19 | `CLOSE` | 5.6 | — | — | `close`, `close_direct` |";
        let theirs = BTreeMap::from([(0, vec!["Nop"]), (4, vec!["ReadFixed", "Other"])]);
        let lines = table(page, &operations(&sources)?, &theirs)?;
        Ok::<_, String>(lines[2..].join("\n"))
    };
    let ring = "impl Sqe { fn new(opcode: Opcode) -> Self { x }
        /// Closes. Linux 5.6.
        pub fn close() -> Self { Self::new(Opcode::Close) }
        /// Closes a slot (that is Linux 5.15).
        pub fn close_direct() -> Self { Self::close().direct() }
        pub const fn direct(self) -> Self { self }
        pub fn from_raw(raw: RawSqe) -> Self { Self(raw) } }";
    let right = "| 0 | `NOP` | 5.1 | — | `Nop` | `nop` |\n\
                 | 4 | `READ_FIXED` | 5.1 | — | `ReadFixed`, `Other` | — |\n\
                 | 19 | `CLOSE` | 5.6 | `close`, `close_direct` | — | `close`, `close_direct` |";
    assert_eq!(with(ring).as_deref(), Ok(right));
    for (instead_of, wrong, said) in [
        ("Linux 5.6", "Linux 5.7", "CLOSE from Linux 5.6 on"),
        ("Linux 5.6", "", "Sqe::close names no kernel"),
        ("Opcode::Close", "Opcode::Open", "no operation Open"),
        ("Opcode::Close", "Other", "Sqe::close makes no operation"),
    ] {
        let ring = ring.replacen(instead_of, wrong, 1);
        let answer = with(&ring).expect_err(wrong);
        assert!(answer.contains(said), "{answer}");
    }
}
