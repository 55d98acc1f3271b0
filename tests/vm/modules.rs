//! The modules that a guest loads, out of those that came with its kernel.

use object::LittleEndian;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, SectionHeader};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::run;

/// What the guest needs that a kernel may have as modules: the disk's bus, the disk, its file
/// system.
const MODULES: [&str; 3] = ["virtio_pci", "virtio_blk", "ext4"];

/// Puts the modules the guest needs into `to`, named so that their order is that of loading.
pub fn collect(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder for modules");
    let builtin = fs::read_to_string(from.join("modules.builtin")).unwrap_or_default();
    let builtin: BTreeSet<_> = builtin.lines().map(module_name).collect();
    let files = find_modules(from);
    let mut loaded = BTreeSet::new();
    for name in MODULES {
        collect_module(name, &files, &builtin, &mut loaded, to);
    }
}

/// Copies one module, after those it depends on.
fn collect_module(
    name: &str,
    files: &[PathBuf],
    builtin: &BTreeSet<String>,
    loaded: &mut BTreeSet<String>,
    to: &Path,
) {
    if builtin.contains(name) || loaded.contains(name) {
        return;
    }
    let file = find(name, files).unwrap_or_else(|| panic!("the kernel has no module {name}"));
    let image = uncompressed(file);
    for dependency in dependencies(&image, "depends=") {
        collect_module(&dependency, files, builtin, loaded, to);
    }
    // An algorithm, which the kernel would have modprobe load by what it is named. Any module that
    // has it would do; this one needs nothing of the processor.
    for name in dependencies(&image, "softdep=pre: ") {
        let algorithm = name.strip_prefix("crypto_").unwrap_or(&name);
        let generic = format!("{algorithm}_generic");
        if find(&generic, files).is_some() {
            collect_module(&generic, files, builtin, loaded, to);
        }
    }
    let place = to.join(format!("{:02}-{name}.ko", loaded.len()));
    fs::write(place, image).expect("write the module");
    loaded.insert(name.to_owned());
}

fn find<'a>(name: &str, files: &'a [PathBuf]) -> Option<&'a PathBuf> {
    files
        .iter()
        .find(|file| module_name(&file.to_string_lossy()) == name)
}

/// `kernel/fs/ext4/ext4.ko.xz` is the module `ext4`. A dash and an underscore are the same.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split_once(".ko")
        .map_or(file, |(name, _)| name)
        .replace('-', "_")
}

fn find_modules(from: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut pending = vec![from.to_owned()];
    while let Some(folder) = pending.pop() {
        let entries = fs::read_dir(&folder)
            .unwrap_or_else(|e| panic!("cannot list {}: {e}", folder.display()));
        for entry in entries {
            let entry = entry.expect("a folder entry");
            // A link here leads to the kernel's source or build folder.
            if entry.file_type().expect("its type").is_dir() {
                pending.push(entry.path());
            } else if entry.file_name().to_string_lossy().contains(".ko") {
                files.push(entry.path());
            }
        }
    }
    files
}

/// Debian 12 stores modules as they are, later releases compress them, and the guest's /init
/// has nothing to undo that with.
fn uncompressed(file: &Path) -> Vec<u8> {
    let program = match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::read(file).expect("read the module"),
    };
    run(Command::new(program).arg("-dc").arg(file))
        .expect_success()
        .stdout
}

/// The modules a module needs, which it says itself: `depends=a,b` in its section `.modinfo`, or
/// `softdep=pre: a b`.
fn dependencies(module: &[u8], field: &str) -> Vec<String> {
    let header = FileHeader64::<LittleEndian>::parse(module).expect("a module is an ELF file");
    let sections = header.sections(LittleEndian, module).expect("sections");
    let (_, info) = sections
        .section_by_name(LittleEndian, b".modinfo")
        .expect(".modinfo");
    let info = info.data(LittleEndian, module).expect("its data");
    info.split(|&byte| byte == 0)
        .filter_map(|line| line.strip_prefix(field.as_bytes()))
        .flat_map(|list| list.split(|byte| b", ".contains(byte)))
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).replace('-', "_"))
        .collect()
}
