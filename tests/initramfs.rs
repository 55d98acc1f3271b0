//! Puts annulet into the images that a distribution's own tools make, in the ways README shows,
//! and boots them: the image has to find its shell, to mount the root file system and to start
//! what is there, and its `cp` and `cat` have to be annulet's.
//!
//! Those tools run in a small Debian in `$ANNULET_DEBIAN_ROOT` or `target/debian-root`; put one
//! there with `scripts/debian-root.sh make target/debian-root target/vm-kernel`. The kernel is
//! that of `tests/vm`.

mod support;

use object::LittleEndian;
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Ran, find_program, is_root, run, script, skip, temp_dir};

/// How long a machine may take. Dracut's image needs about twenty seconds on an idle machine;
/// emulation on a busy one has been seen to take ten times as long.
const TIMEOUT_S: &str = "400";

/// A shell function `probe`, which is run within the image before the root file system is
/// mounted. `folder` goes before the commands' names.
fn probe(folder: &str) -> String {
    format!(
        r#"
probe() {{
    echo
    /bin/sh -c 'echo "annulet-probe: /bin/sh is alive"'
    {folder}cp --version
    {folder}cat --version
    echo "annulet-probe: copied" >/annulet-probe
    {folder}cp -a /annulet-probe /annulet-copy
    {folder}cat /annulet-copy
    rm /annulet-probe /annulet-copy
}}
"#
    )
}

/// The last process of every boot. Busybox is the only program where it is. A line of its own:
/// systemd leaves the console in the middle of one.
const LAST: &str = r#"
/bin/busybox echo
/bin/busybox echo "annulet-vm: PASS"
/bin/busybox poweroff -f
"#;

/// The lines that the console must show before the one that `scripts/vm.sh` waits for.
fn check_probe(ran: &Ran) {
    let console = ran.stdout_text();
    assert_eq!(ran.status, 0, "the console:\n{console}\n{}", ran.stderr);
    let version = env!("CARGO_PKG_VERSION");
    for wanted in [
        "annulet-probe: /bin/sh is alive",
        &format!("cp (annulet) {version}"),
        &format!("cat (annulet) {version}"),
        "annulet-probe: copied",
    ] {
        assert!(
            console.lines().any(|line| line.trim_end() == wanted),
            "no line {wanted:?} on the console:\n{console}"
        );
    }
}

/// Boots `image`.
fn boot(kernel: &Path, image: &Path, more: &[&str]) -> Ran {
    let accel = std::env::var("ANNULET_VM_ACCEL").unwrap_or_else(|_| "tcg".to_owned());
    run(script("vm.sh")
        .args(["--timeout", TIMEOUT_S, "--accel", &accel])
        .args(["--arch", std::env::consts::ARCH, "--kernel"])
        .arg(kernel.join("vmlinuz"))
        .arg("--initramfs")
        .arg(image)
        .args(more))
}

/// Appends annulet to `image`, in place.
fn append_annulet(image: &Path) {
    run(script("initramfs.sh")
        .arg("--binary")
        .arg(support::annulet())
        .arg("--append-to")
        .arg(image)
        .arg(image))
    .expect_success();
}

fn write(path: &Path, text: &str) {
    let folder = path.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).expect("its folder");
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

fn copy_tree(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to)).expect_success();
}

/// Packs a folder as an uncompressed archive, with entries for its folders.
fn pack(folder: &Path) -> Vec<u8> {
    let pack = "find . | LC_ALL=C sort | cpio --create --format=newc --owner=0:0 --quiet";
    run(Command::new("sh").args(["-c", pack]).current_dir(folder))
        .expect_success()
        .stdout
}

/// What processors' microcode comes in: an uncompressed archive before the image's own.
fn early_microcode() -> Vec<u8> {
    let dir = temp_dir();
    write(
        &dir.path().join("kernel/x86/microcode/GenuineIntel.bin"),
        "not a microcode\n",
    );
    pack(dir.path())
}

/// Busybox, if it needs no libraries.
fn static_busybox(test: &str) -> Option<PathBuf> {
    let Some(busybox) = find_program("busybox") else {
        skip(test, "busybox is not installed");
        return None;
    };
    let file = fs::read(&busybox).expect("read busybox");
    let header = FileHeader64::<LittleEndian>::parse(&file[..]).expect("an ELF file");
    let segments = header
        .program_headers(LittleEndian, &file[..])
        .expect("program headers");
    if segments
        .iter()
        .any(|segment| segment.p_type(LittleEndian) == PT_INTERP)
    {
        skip(test, "busybox is not static (package busybox-static)");
        return None;
    }
    Some(busybox)
}

#[test]
fn what_is_appended_has_no_folder() {
    let test = "what_is_appended_has_no_folder";
    if !support::has_programs(test, &["cpio", "gzip"]) {
        return;
    }
    let dir = temp_dir();
    let archive = dir.path().join("annulet.cpio.gz");
    let more = dir.path().join("more");
    write(&more, "to be added\n");
    run(script("initramfs.sh")
        .arg("--binary")
        .arg(support::annulet())
        .arg("--add")
        .arg(format!("{}=/etc/more", more.display()))
        .arg(&archive))
    .expect_success();
    let list = "gzip -dc \"$1\" | cpio --list --verbose --numeric-uid-gid --quiet";
    let listed = run(Command::new("sh").args(["-c", list, "sh"]).arg(&archive)).expect_success();
    let listed = listed.stdout_text();
    let entries: Vec<_> = listed
        .lines()
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            assert_eq!(words[2..4], ["0", "0"], "whose is it? {line}");
            // Type and mode, and the name with what a symlink leads to; size and date between.
            format!("{} {}", words[0], words[8..].join(" "))
        })
        .collect();
    assert_eq!(
        entries,
        [
            "-rwxr-xr-x bin/annulet",
            "lrwxrwxrwx bin/cat -> annulet",
            "lrwxrwxrwx bin/cp -> annulet",
            "-rwxr-xr-x etc/more",
        ]
    );

    let ran = run(script("initramfs.sh")
        .arg("--add")
        .arg(format!("{}=/etc", dir.path().display()))
        .arg(dir.path().join("out")));
    assert!(
        ran.status == 1 && ran.stderr.contains("--bootable"),
        "{ran:?}"
    );
}

#[test]
fn an_image_is_appended_to_in_place_and_keeps_its_mode() {
    let test = "an_image_is_appended_to_in_place_and_keeps_its_mode";
    if !support::has_programs(test, &["cpio"]) {
        return;
    }
    let dir = temp_dir();
    for length in 0..5 {
        let image = dir.path().join("initrd.img");
        let link = dir.path().join("initrd");
        let content = vec![b'x'; length];
        fs::write(&image, &content).expect("an image");
        // Dracut's images are for root alone.
        fs::set_permissions(&image, fs::Permissions::from_mode(0o600)).expect("its mode");
        symlink("initrd.img", &link).expect("a symlink to it");
        run(script("initramfs.sh")
            .arg("--binary")
            .arg(support::annulet())
            .arg("--append-to")
            .arg(&image)
            .arg(&link))
        .expect_success();

        let meta = fs::symlink_metadata(&image).expect("the image");
        assert_eq!(meta.mode(), 0o100_600);
        assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
        let appended = fs::read(&image).expect("the image");
        assert!(appended.starts_with(&content), "what was there is gone");
        let zeros = appended[length..].iter().take_while(|&&b| b == 0).count();
        assert!(zeros >= 4, "an image compressed with lz4 ends with four");
        let start = length + zeros;
        assert_eq!(start % 4, 0, "the archive starts at {start}");
        assert_eq!(appended[start..][..6], *b"070701", "and is a newc archive");
        let names = fs::read_dir(dir.path()).expect("the folder").count();
        assert_eq!(names, 2, "something was left there");
        fs::remove_file(&image).expect("remove it");
        fs::remove_file(&link).expect("remove it");
    }

    let missing = dir.path().join("missing");
    let ran = run(script("initramfs.sh")
        .arg("--append-to")
        .arg(&missing)
        .arg(dir.path().join("out")));
    assert!(
        ran.status == 1 && ran.stderr.contains("no such file"),
        "{ran:?}"
    );
    assert!(!dir.path().join("out").exists());
}

#[test]
fn readme_shows_the_hook_and_the_module() {
    let readme = fs::read_to_string(support::repository().join("README.md")).expect("README.md");
    for name in ["initramfs-tools.hook", "dracut-module.sh"] {
        let file = support::repository().join("scripts").join(name);
        let text = fs::read_to_string(&file).expect("the script");
        assert!(readme.contains(&format!("scripts/{name}")), "{name}");
        for line in text
            .lines()
            .filter(|line| !line.starts_with("# shellcheck"))
        {
            assert!(
                readme.contains(line),
                "README does not show {name}'s {line}"
            );
        }
    }
}

#[test]
fn an_image_of_any_compression_is_appended_to() {
    let test = "an_image_of_any_compression_is_appended_to";
    let Some(kernel) = support::vm_kernel(test) else {
        return;
    };
    let Some(busybox) = static_busybox(test) else {
        return;
    };
    // As Debian's: the folders are symlinks, and cp, cat, the shell and others are one file.
    let dir = temp_dir();
    let root = dir.path().join("root");
    // By their paths: the shell of Debian's static busybox takes `cp` for itself.
    let probe = probe("/bin/");
    write(
        &root.join("init"),
        &format!("#!/bin/sh\n{probe}probe\n{LAST}"),
    );
    fs::create_dir_all(root.join("usr/bin")).expect("a folder");
    symlink("usr/bin", root.join("bin")).expect("a symlink");
    fs::copy(busybox, root.join("bin/busybox")).expect("busybox");
    for name in ["sh", "cp", "cat", "rm"] {
        fs::hard_link(root.join("bin/busybox"), root.join("bin").join(name)).expect("a link");
    }
    let packed = dir.path().join("packed");
    fs::write(&packed, pack(&root)).expect("the archive");

    let appended = dir.path().join("annulet.cpio.gz");
    run(script("initramfs.sh")
        .arg("--binary")
        .arg(support::annulet())
        .arg(&appended))
    .expect_success();
    let appended = fs::read(appended).expect("the archive");

    for (compress, with_microcode, by_cat) in [
        ("cat", false, false),
        ("gzip -9n", true, true),
        ("xz --check=crc32", false, true),
        ("zstd -q", true, true),
        ("lz4 -l -9 -q -", true, false),
        ("bzip2", false, false),
    ] {
        let program = compress.split(' ').next().expect("a word");
        if !support::has_programs(test, &[program]) {
            continue;
        }
        let compressed = run(Command::new("sh")
            .args(["-c", &format!("{compress} <\"$1\""), "sh"])
            .arg(&packed))
        .expect_success()
        .stdout;
        let early = if with_microcode {
            early_microcode()
        } else {
            Vec::new()
        };
        let image = dir.path().join("image");
        let original = [early, compressed].concat();
        fs::write(&image, &original).expect("the image");
        append_annulet(&image);
        eprintln!("{compress}, appended to by the script");
        check_probe(&boot(&kernel, &image, &[]));
        if by_cat {
            fs::write(&image, [&original[..], &appended].concat()).expect("the image");
            eprintln!("{compress}, appended to by cat");
            check_probe(&boot(&kernel, &image, &[]));
        }
    }
}

/// What makes the images.
#[derive(Clone, Copy)]
enum Tool {
    Mkinitramfs,
    Dracut,
}

/// How annulet gets into an image.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// The finished image is appended to.
    Appended,
    /// The tool puts it in, by the hook or the module of `scripts`.
    ByTheTool,
    /// The hook or the module is there, and annulet is not.
    NotInstalled,
}

/// The small Debian that the tools run in.
fn debian_root(test: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ANNULET_DEBIAN_ROOT").map_or_else(
        || support::repository().join("target/debian-root"),
        PathBuf::from,
    );
    if !is_root() {
        skip(test, "making a distribution's image takes root");
        return None;
    }
    if !root.join("etc/kernel-version").exists() {
        let root = root.display();
        let make = format!("scripts/debian-root.sh make {root} target/vm-kernel");
        skip(test, &format!("no Debian in {root}; run {make}"));
        return None;
    }
    Some(root)
}

/// Runs a command in the small Debian, where each of `seen` is seen under its second name.
fn in_root(root: &Path, seen: &[(&Path, &str)], command: &[&str]) -> Ran {
    let mut run_in = script("debian-root.sh");
    run_in.arg("run").arg(root);
    for (from, to) in seen {
        run_in.arg("--bind").arg(format!("{}={to}", from.display()));
    }
    run(run_in.args(command)).expect_status(0)
}

/// Puts the probe, and the hook or the module if `way` says so, into a tool's folder.
fn configure(tool: Tool, way: Way, folder: &Path) {
    let probe = format!("{}probe </dev/null >/dev/console 2>&1\n", probe(""));
    let (file, installed_as) = match tool {
        Tool::Mkinitramfs => {
            let prereqs = "[ \"$1\" != prereqs ] || exit 0";
            write(
                &folder.join("scripts/init-premount/probe"),
                &format!("#!/bin/sh\n{prereqs}\n{probe}"),
            );
            ("initramfs-tools.hook", "hooks/annulet")
        }
        Tool::Dracut => {
            write(
                &folder.join("99probe/probe.sh"),
                &format!("#!/bin/sh\n{probe}"),
            );
            write(
                &folder.join("99probe/module-setup.sh"),
                "install() { inst_hook pre-mount 50 \"$moddir/probe.sh\"; }\n",
            );
            ("dracut-module.sh", "90annulet/module-setup.sh")
        }
    };
    if way != Way::Appended {
        let text = fs::read_to_string(support::repository().join("scripts").join(file));
        write(&folder.join(installed_as), &text.expect("the script"));
    }
}

/// Makes an image by the distribution's own tool: `image` in the folder it gives.
fn make_image(root: &Path, tool: Tool, way: Way, dir: &Path) -> PathBuf {
    let folder = |name| {
        let folder = dir.join(name);
        fs::create_dir(&folder).expect("a folder");
        folder
    };
    let (out, installed) = (folder("out"), folder("bin"));
    if way == Way::ByTheTool {
        fs::copy(support::annulet(), installed.join("annulet")).expect("install annulet");
    }
    // Where the tool looks for what is to be put in, with the distribution's own.
    let place = match tool {
        Tool::Mkinitramfs => "/etc/initramfs-tools",
        Tool::Dracut => "/usr/lib/dracut/modules.d",
    };
    let ours = dir.join("configuration");
    copy_tree(&root.join(&place[1..]), &ours);
    configure(tool, way, &ours);

    let mut command = match tool {
        Tool::Mkinitramfs => vec!["mkinitramfs", "-o", "/mnt/image"],
        // For any machine, as a distribution's installer makes it; packed in less time.
        Tool::Dracut => vec![
            "dracut",
            "--no-hostonly",
            "--compress=gzip -1",
            "/mnt/image",
        ],
    };
    let version = fs::read_to_string(root.join("etc/kernel-version")).expect("the version");
    command.push(version.trim_end());
    let seen = [
        (&out as &Path, "/mnt"),
        (&installed, "/usr/local/bin"),
        (&ours, place),
    ];
    in_root(root, &seen, &command);
    out
}

/// A disk with a root file system, whose init is the end of the boot.
fn root_disk(busybox: &Path, dir: &Path) -> PathBuf {
    let root = dir.join("root");
    for folder in ["bin", "dev", "etc", "proc", "run", "sys", "tmp"] {
        fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    fs::copy(busybox, root.join("bin/busybox")).expect("busybox");
    write(
        &root.join("sbin/init"),
        &format!("#!/bin/busybox sh\n{LAST}"),
    );
    // systemd changes to nothing that does not look like a system.
    fs::write(root.join("etc/os-release"), "ID=annulet-test\n").expect("a file");
    let disk = dir.join("disk.img");
    let image = fs::File::create(&disk).expect("the disk image");
    image.set_len(32 << 20).expect("a sparse disk image");
    let mkfs = find_program("mkfs.ext4").expect("looked for before");
    run(Command::new(mkfs).arg("-q").arg("-d").arg(&root).arg(&disk)).expect_status(0);
    disk
}

fn boots(test: &str, tool: Tool, way: Way) {
    let Some(kernel) = support::vm_kernel(test) else {
        return;
    };
    let Some(root) = debian_root(test) else {
        return;
    };
    let Some(busybox) = static_busybox(test) else {
        return;
    };
    if !support::has_programs(test, &["mkfs.ext4"]) {
        return;
    }
    let dir = temp_dir();
    let image = make_image(&root, tool, way, dir.path()).join("image");
    if way == Way::Appended {
        append_annulet(&image);
    }
    let disk = root_disk(&busybox, dir.path());
    let disk = disk.to_str().expect("a temporary folder's name");
    let append = "root=/dev/vda rootfstype=ext4 rw";
    check_probe(&boot(
        &kernel,
        &image,
        &["--disk", disk, "--append", append],
    ));
}

#[test]
fn mkinitramfs_and_annulet_appended() {
    boots(
        "mkinitramfs_and_annulet_appended",
        Tool::Mkinitramfs,
        Way::Appended,
    );
}

#[test]
fn dracut_and_annulet_appended() {
    boots("dracut_and_annulet_appended", Tool::Dracut, Way::Appended);
}

#[test]
fn mkinitramfs_with_the_hook() {
    boots(
        "mkinitramfs_with_the_hook",
        Tool::Mkinitramfs,
        Way::ByTheTool,
    );
}

#[test]
fn dracut_with_the_module() {
    boots("dracut_with_the_module", Tool::Dracut, Way::ByTheTool);
}

#[test]
fn an_image_keeps_its_own_commands_where_annulet_is_not_installed() {
    let test = "an_image_keeps_its_own_commands_where_annulet_is_not_installed";
    let Some(root) = debian_root(test) else {
        return;
    };
    for (tool, list) in [
        (Tool::Mkinitramfs, "lsinitramfs"),
        (Tool::Dracut, "lsinitrd"),
    ] {
        let dir = temp_dir();
        let out = make_image(&root, tool, Way::NotInstalled, dir.path());
        let listed = in_root(&root, &[(&out, "/mnt")], &[list, "/mnt/image"]).stdout_text();
        for command in ["usr/bin/cp", "usr/bin/cat"] {
            assert!(
                listed.lines().any(|line| line.ends_with(command)),
                "{list} shows no {command}:\n{listed}"
            );
        }
        // Lines of lsinitrd begin with mode and owner.
        let links = listed.lines().filter(|line| line.ends_with("annulet"));
        assert_eq!(links.collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
