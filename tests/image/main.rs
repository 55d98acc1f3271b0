//! What `scripts/image.sh` writes: looked at as a file, and (`taken.rs`) given to podman, skopeo,
//! Docker Engine, containerd and a registry. What runs in such an image: `tests/container.rs`.

mod engines;
#[path = "../support/image.rs"]
mod layout;
#[path = "../support/mod.rs"]
mod support;
mod taken;

use layout::Layout;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Ran, TempDir, is_root, run, skip, temp_dir};

/// An architecture as images call it, what its ELF files say, and the target that is built for it.
const ARCHITECTURES: [(&str, u16, &str); 3] = [
    ("amd64", 62, "x86_64-unknown-linux-gnu"),
    ("arm64", 183, "aarch64-unknown-linux-gnu"),
    ("riscv64", 243, "riscv64gc-unknown-linux-gnu"),
];

/// The labels' beginning.
const LABEL: &str = "org.opencontainers.image";

/// The name that the image here has.
const NAME: &str = "localhost/annulet-test:1";

/// An image of three architectures.
struct Image {
    dir: TempDir,
    file: PathBuf,
}

impl Image {
    /// Has the script make it. `None`, aloud, where that cannot be.
    fn make(test: &str) -> Option<Self> {
        if !support::has_programs(test, &["python3"]) {
            return None;
        }
        let dir = temp_dir();
        let file = dir.path().join("annulet.tar");
        let mut image_sh = image_sh(&file);
        for (name, machine, _) in ARCHITECTURES {
            image_sh.args([
                "--binary".as_ref(),
                program(dir.path(), name, machine).as_os_str(),
            ]);
        }
        let ran = run(image_sh.args(["--no-load", NAME])).expect_status(0);
        assert_eq!(ran.stdout_text().trim_end(), file.to_str().expect("UTF-8"));
        Some(Self { dir, file })
    }

    fn layout(&self) -> Layout {
        Layout::unpack(&self.file, &self.dir.path().join("layout"))
    }
}

/// The script, which is to write its image there.
fn image_sh(file: &Path) -> Command {
    let mut command = support::script("image.sh");
    command.env_remove("CONTAINER_TOOL");
    command.env_remove("SOURCE_DATE_EPOCH");
    command.arg("--output").arg(file);
    command
}

/// Writes the program with another machine in its header: of the program nothing else is looked
/// at.
fn program(dir: &Path, name: &str, machine: u16) -> PathBuf {
    let mut program = fs::read(support::annulet()).expect("the program");
    program[18..20].copy_from_slice(&machine.to_le_bytes());
    let path = dir.join(name);
    fs::write(&path, program).expect("a program");
    path
}

#[test]
fn the_same_programs_give_the_same_bytes() {
    let test = "the_same_programs_give_the_same_bytes";
    let Some(image) = Image::make(test) else {
        return;
    };
    if !Path::new("/usr/bin/python3").exists() {
        return skip(
            test,
            "there is no /usr/bin/python3, which every user can start",
        );
    }
    // Somebody else, elsewhere, later, with another umask, locale and zone, and the programs in
    // another order. The scripts are copied to where that user can read them.
    let dir = temp_dir();
    fs::create_dir(dir.path().join("scripts")).expect("a folder");
    for name in ["Cargo.toml", "scripts/image.sh", "scripts/image.py"] {
        fs::copy(support::repository().join(name), dir.path().join(name)).expect("a copy");
    }
    let out = dir.path().join("out");
    fs::create_dir(&out).expect("a folder");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o1777)).expect("chmod");
    let mut command = Command::new("setpriv");
    if is_root() {
        let user = support::lonely_user();
        command.args([format!("--reuid={user}"), format!("--regid={user}")]);
        command.arg("--clear-groups");
    }
    command.args(["bash", "-c", "umask 077; exec \"$@\"", "bash"]);
    command.arg(dir.path().join("scripts/image.sh"));
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command.envs([
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "Asia/Kolkata"),
        ("PYTHONHASHSEED", "1"),
    ]);
    command.current_dir("/").arg("--no-load").arg(NAME);
    for (name, machine, _) in ARCHITECTURES.iter().rev() {
        let program = program(dir.path(), name, *machine);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o444)).expect("chmod");
        command.args(["--binary".as_ref(), program.as_os_str()]);
    }
    let again = out.join("again.tar");
    run(command.arg("--output").arg(&again)).expect_status(0);

    let (first, second) = (fs::read(&image.file), fs::read(&again));
    assert!(
        first.expect("a file") == second.expect("a file"),
        "they differ"
    );

    // Of one thing only they depend on the environment.
    command.env("SOURCE_DATE_EPOCH", "86400");
    run(&mut command).expect_status(0);
    let layout = Layout::unpack(&again, &dir.path().join("layout"));
    for (name, ..) in ARCHITECTURES {
        let manifest = layout.manifest(name);
        let config = layout.json(layout.blob(&manifest["config"]));
        assert_eq!(config["created"], "1970-01-02T00:00:00Z");
        let listed = list(&layout.blob(&manifest["layers"][0]));
        assert!(
            listed.contains("1970-01-02 00:00:00 bin/annulet"),
            "{listed}"
        );
    }
    assert!(list(&again).contains("1970-01-02 00:00:00 index.json"));
}

/// What GNU's tar says is in an archive.
fn list(archive: &Path) -> String {
    let mut tar = support::command("tar");
    tar.args([
        "--list",
        "--verbose",
        "--numeric-owner",
        "--utc",
        "--full-time",
        "--file",
    ]);
    let listed = run(tar.arg(archive)).expect_success().stdout_text();
    // Columns are as wide as the widest.
    let lines = listed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_blob_is_what_its_descriptor_says() {
    let Some(image) = Image::make("every_blob_is_what_its_descriptor_says") else {
        return;
    };
    let layout = image.layout();
    let outer = layout.json("index.json");
    let mut descriptors = outer["manifests"].as_array().expect("descriptors").clone();
    let mut seen = BTreeSet::new();
    while let Some(descriptor) = descriptors.pop() {
        let blob = layout.blob(&descriptor);
        assert_eq!(
            descriptor["size"],
            fs::metadata(&blob).expect("a blob").len()
        );
        let hash = run(Command::new("sha256sum").arg(&blob))
            .expect_success()
            .stdout_text();
        let name = blob.file_name().expect("a name").to_str().expect("UTF-8");
        assert_eq!(hash.split(' ').next(), Some(name));
        seen.insert(name.to_owned());

        let kind = descriptor["mediaType"].as_str().expect("a media type");
        let kind = kind
            .strip_prefix("application/vnd.oci.image.")
            .expect("one of OCI's");
        let content = match kind {
            "index.v1+json" | "manifest.v1+json" => layout.json(&blob),
            "config.v1+json" | "layer.v1.tar" => continue,
            other => panic!("{other}"),
        };
        assert_eq!(content["mediaType"], descriptor["mediaType"]);
        let lists = ["manifests", "layers"].map(|list| content[list].as_array().cloned());
        descriptors.extend(lists.into_iter().flatten().flatten());
        descriptors.extend(content.get("config").cloned());
    }
    let blobs = fs::read_dir(image.dir.path().join("layout/blobs/sha256")).expect("blobs");
    let names = blobs.map(|blob| blob.expect("a blob").file_name());
    let names: BTreeSet<_> = names
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    assert_eq!(names, seen, "some are not named by any descriptor");
}

#[test]
fn one_descriptor_leads_to_all_platforms() {
    let Some(image) = Image::make("one_descriptor_leads_to_all_platforms") else {
        return;
    };
    let layout = image.layout();
    assert_eq!(
        layout.json("oci-layout"),
        json!({ "imageLayoutVersion": "1.0.0" })
    );
    let outer = layout.json("index.json");
    assert_eq!(outer["schemaVersion"], 2);
    let descriptors = outer["manifests"].as_array().expect("descriptors");
    assert_eq!(
        descriptors.len(),
        1,
        "podman and skopeo refuse a file with more"
    );
    assert_eq!(
        descriptors[0]["annotations"][format!("{LABEL}.ref.name")],
        NAME
    );

    let index = layout.index();
    let manifests = index["manifests"].as_array().expect("manifests");
    let platforms: Vec<&Value> = manifests.iter().map(|one| &one["platform"]).collect();
    let (amd64, riscv64) = (
        json!({ "architecture": "amd64", "os": "linux" }),
        json!({ "architecture": "riscv64", "os": "linux" }),
    );
    let arm64 = json!({ "architecture": "arm64", "os": "linux", "variant": "v8" });
    assert_eq!(platforms, [&amd64, &arm64, &riscv64]);
}

#[test]
fn each_platform_has_its_program_and_the_same_configuration() {
    let test = "each_platform_has_its_program_and_the_same_configuration";
    let Some(image) = Image::make(test) else {
        return;
    };
    let layout = image.layout();
    let size = fs::metadata(support::annulet()).expect("the program").len();
    let labels = json!({
        format!("{LABEL}.title"): env!("CARGO_PKG_NAME"),
        format!("{LABEL}.description"): env!("CARGO_PKG_DESCRIPTION"),
        format!("{LABEL}.version"): env!("CARGO_PKG_VERSION"),
        format!("{LABEL}.licenses"): env!("CARGO_PKG_LICENSE"),
    });
    assert_eq!(layout.index()["annotations"], labels);
    for (architecture, ..) in ARCHITECTURES {
        let manifest = layout.manifest(architecture);
        assert_eq!(manifest["annotations"], labels);
        let layers = manifest["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 1);
        let expected = format!(
            "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 bin/\n\
             -rwxr-xr-x 0/0 {size} 1970-01-01 00:00:00 bin/annulet\n\
             hrwxr-xr-x 0/0 0 1970-01-01 00:00:00 bin/cat link to bin/annulet\n\
             hrwxr-xr-x 0/0 0 1970-01-01 00:00:00 bin/cp link to bin/annulet"
        );
        assert_eq!(list(&layout.blob(&layers[0])), expected);
        let root = layout.root(
            architecture,
            &image.dir.path().join("root").join(architecture),
        );
        let program = fs::read(root.join("bin/cp")).expect("the program");
        assert!(program == fs::read(image.dir.path().join(architecture)).expect("the program"));

        let config = layout.json(layout.blob(&manifest["config"]));
        assert_eq!(config["architecture"], architecture);
        assert_eq!(config["os"], "linux");
        assert_eq!(
            config["rootfs"],
            json!({ "type": "layers", "diff_ids": [layers[0]["digest"]] })
        );
        // No User and no Entrypoint.
        let expected = json!({ "Cmd": ["cp", "--help"], "Env": ["PATH=/bin"], "Labels": labels });
        assert_eq!(config["config"], expected);
    }
}

#[test]
fn older_engines_are_told_of_amd64_alone() {
    let Some(image) = Image::make("older_engines_are_told_of_amd64_alone") else {
        return;
    };
    let layout = image.layout();
    let manifest = layout.manifest("amd64");
    let path = |descriptor: &Value| {
        let path = layout.blob(descriptor);
        let path = path
            .strip_prefix(image.dir.path().join("layout"))
            .expect("a blob");
        path.to_str().expect("UTF-8").to_owned()
    };
    let expected = json!([{
        "Config": path(&manifest["config"]),
        "Layers": [path(&manifest["layers"][0])],
        "RepoTags": [NAME],
    }]);
    assert_eq!(layout.json("manifest.json"), expected);

    // Without amd64 there is nothing to be told.
    let file = image.dir.path().join("arm64.tar");
    let arm64 = image.dir.path().join("arm64");
    run(image_sh(&file).arg("--no-load").arg("--binary").arg(arm64)).expect_status(0);
    let listed = list(&file);
    assert!(
        listed.contains(" index.json") && !listed.contains("manifest.json"),
        "{listed}"
    );
}

#[test]
fn what_cannot_run_in_it_is_refused() {
    let Some(image) = Image::make("what_cannot_run_in_it_is_refused") else {
        return;
    };
    let dir = image.dir.path();
    let text = dir.join("text");
    fs::write(&text, "#!/bin/sh\n").expect("a file");
    let mips = program(dir, "mips", 8);
    let second = program(dir, "second", 62);
    let this = std::env::current_exe().expect("this program, which has a libc");
    let amd64 = dir.join("amd64");
    let machines = "not a program for Linux on amd64, arm64, riscv64";
    for (binaries, says) in [
        (vec![&text], machines),
        (vec![&mips], machines),
        (vec![&this], "needs a loader, which is not in the image"),
        (vec![&amd64, &second], "a second program for amd64"),
        (vec![&dir.join("missing")], "no such file"),
    ] {
        let file = dir.join("refused.tar");
        let mut command = image_sh(&file);
        for binary in &binaries {
            command.arg("--binary").arg(binary);
        }
        let ran = run(command.arg("--no-load")).expect_status(1);
        let at_fault = binaries.last().expect("a binary").display();
        assert_eq!(ran.stderr, format!("image.sh: {says}: {at_fault}\n"));
        assert!(ran.stdout.is_empty() && !file.exists(), "{ran:?}");
    }
}

#[test]
fn names_are_made_whole() {
    let Some(image) = Image::make("names_are_made_whole") else {
        return;
    };
    let amd64 = image.dir.path().join("amd64");
    for (given, whole) in [
        ("", "localhost/annulet:latest"),
        ("annulet", "localhost/annulet:latest"),
        ("annulet:2", "localhost/annulet:2"),
        ("me/annulet", "localhost/me/annulet:latest"),
        ("localhost/annulet:2", "localhost/annulet:2"),
        ("localhost:5000/annulet", "localhost:5000/annulet:latest"),
        (
            "registry.example/a/annulet:2",
            "registry.example/a/annulet:2",
        ),
    ] {
        // `true` loads everything.
        let ran = run(image_sh(&image.dir.path().join("named.tar"))
            .env("CONTAINER_TOOL", "true")
            .arg("--binary")
            .arg(&amd64)
            .args(Some(given).filter(|given| !given.is_empty())));
        assert_eq!(ran.expect_status(0).stdout_text().trim_end(), whole);
        let layout = Layout::unpack(
            &image.dir.path().join("named.tar"),
            &image.dir.path().join("named"),
        );
        let name = &layout.json("index.json")["manifests"][0]["annotations"];
        assert_eq!(name[format!("{LABEL}.ref.name")], whole);
        assert_eq!(layout.json("manifest.json")[0]["RepoTags"], json!([whole]));
    }
}

/// Runs the script with these programs on its path and no others.
fn with_path(dir: &Path, programs: &[(&str, &str)], command: &mut Command) -> Ran {
    let bin = dir.join("path");
    fs::create_dir_all(&bin).expect("a folder");
    for name in ["bash", "dirname", "mkdir", "realpath", "python3"] {
        // A version manager's python3 takes more programs, to find the real one.
        let usual = Path::new("/usr/bin").join(name);
        let program = Some(usual).filter(|usual| usual.exists());
        let program = program
            .or_else(|| support::find_program(name))
            .expect("installed");
        let _ = std::os::unix::fs::symlink(program, bin.join(name));
    }
    for (name, text) in programs {
        fs::write(bin.join(name), text).expect("a program");
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("chmod");
    }
    run(command.env("PATH", bin))
}

#[test]
fn without_an_engine_the_file_is_all() {
    let Some(image) = Image::make("without_an_engine_the_file_is_all") else {
        return;
    };
    let (dir, file) = (image.dir.path(), image.dir.path().join("alone.tar"));
    let command = || {
        let mut command = image_sh(&file);
        command.arg("--binary").arg(dir.join("amd64"));
        command
    };
    let ran = with_path(dir, &[], &mut command()).expect_status(0);
    assert_eq!(ran.stdout_text().trim_end(), file.to_str().expect("UTF-8"));

    // Where one is installed it has to take the file, or to be left out.
    let docker = [("docker", "#!/bin/bash\necho no daemon >&2\nexit 1\n")];
    let ran = with_path(dir, &docker, &mut command()).expect_status(1);
    assert!(ran.stderr.contains("docker cannot load"), "{ran:?}");
    assert!(ran.stdout.is_empty(), "{ran:?}");
    with_path(dir, &docker, command().arg("--no-load")).expect_status(0);
}

#[test]
fn what_is_not_built_is_named() {
    let Some(image) = Image::make("what_is_not_built_is_named") else {
        return;
    };
    // A toolchain for two of the targets, which builds what is there already.
    let dir = image.dir.path();
    fs::create_dir(dir.join("libdir")).expect("a folder");
    let rustc = "#!/bin/bash\n\
        case $4 in aarch64*) echo /nonexistent/libdir ;; *) echo \"$DIR/libdir\" ;; esac\n";
    let cargo = "#!/bin/bash\n\
        [ \"${*:1:5}\" = 'build --release --bin annulet --target' ] || exit 1\n\
        case $6 in x86_64*) from=amd64 ;; riscv64*) from=riscv64 ;; esac\n\
        mkdir -p \"$CARGO_TARGET_DIR/$6/release\"\n\
        exec /bin/cp \"$DIR/$from\" \"$CARGO_TARGET_DIR/$6/release/annulet\"\n";
    let mut command = support::script("image.sh");
    command
        .env("CARGO_TARGET_DIR", dir.join("target"))
        .env("DIR", dir)
        .arg("--no-load");
    let ran = with_path(dir, &[("rustc", rustc), ("cargo", cargo)], &mut command);
    let ran = ran.expect_status(0);
    let file = dir.join("target/annulet.tar");
    assert_eq!(ran.stdout_text().trim_end(), file.to_str().expect("UTF-8"));
    let left_out = "left out: aarch64 (rustup target add aarch64-unknown-linux-gnu)";
    assert!(ran.stderr.contains(left_out), "{ran:?}");
    let layout = Layout::unpack(&file, &dir.join("layout"));
    let index = layout.index();
    let manifests = index["manifests"].as_array().expect("manifests");
    let found: Vec<_> = manifests
        .iter()
        .map(|one| &one["platform"]["architecture"])
        .collect();
    assert_eq!(found, ["amd64", "riscv64"]);
}
