//! The image as container engines take it, by the commands of README.

use super::engines::{DOCKER, Docker, Podman, Registry};
use super::support::{self, run, temp_dir};
use super::{ARCHITECTURES, Image, LABEL, NAME, image_sh};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// This machine's architecture.
fn host() -> &'static str {
    let found = ARCHITECTURES.iter().find(|(.., target)| {
        let (machine, _) = target.split_once('-').expect("a target");
        machine.starts_with(std::env::consts::ARCH)
    });
    found.expect("one of the three").0
}

/// Lines that have to be in README, as they are there.
fn of_readme(lines: &str) -> &str {
    let readme = fs::read_to_string(support::repository().join("README.md")).expect("README.md");
    assert!(readme.contains(lines), "README has no {lines}");
    lines
}

impl Image {
    /// The file as podman and skopeo are told of it.
    fn reference(&self) -> String {
        format!("oci-archive:{}", self.file.display())
    }

    /// The arguments of a command in README, with this file in place of the one there.
    fn arguments(&self, command: &str) -> Vec<String> {
        let file = self.file.to_str().expect("UTF-8");
        let command = of_readme(command).replace("target/annulet.tar", file);
        command.split(' ').skip(1).map(str::to_owned).collect()
    }
}

#[test]
fn skopeo_finds_each_platform() {
    let test = "skopeo_finds_each_platform";
    if !support::has_programs(test, &["skopeo"]) {
        return;
    }
    let Some(image) = Image::make(test) else {
        return;
    };
    let layout = image.layout();
    let raw = run(Command::new("skopeo").args(["inspect", "--raw", &image.reference()]));
    let raw: Value = serde_json::from_slice(&raw.expect_success().stdout).expect("JSON");
    assert_eq!(raw, layout.index());
    for (architecture, ..) in ARCHITECTURES {
        let choice = format!("--override-arch={architecture}");
        let copy = image.dir.path().join(format!("copy-{architecture}"));
        let to = format!("dir:{}", copy.display());
        let ran = run(Command::new("skopeo").args([&choice, "copy", &image.reference(), &to]));
        ran.expect_status(0);
        let copied = fs::read(copy.join("manifest.json")).expect("a manifest");
        let copied: Value = serde_json::from_slice(&copied).expect("JSON");
        assert_eq!(copied, layout.manifest(architecture));
    }
}

/// Podman, with the image loaded.
fn loaded(test: &str) -> Option<(Podman, Image)> {
    let (podman, image) = (Podman::new(test)?, Image::make(test)?);
    podman.run(&["load", "--input", image.file.to_str().expect("UTF-8")]);
    Some((podman, image))
}

#[test]
fn podman_takes_the_platform_it_is_asked_for() {
    let test = "podman_takes_the_platform_it_is_asked_for";
    let Some((podman, image)) = loaded(test) else {
        return;
    };
    let architecture = ["image", "inspect", "--format={{.Architecture}}", NAME];
    assert_eq!(podman.run(&architecture), host());
    let pull = image.arguments("podman pull --arch arm64 oci-archive:target/annulet.tar");
    for (wanted, ..) in ARCHITECTURES {
        let pull = pull
            .iter()
            .map(|word| if word == "arm64" { wanted } else { word });
        podman.run(&pull.collect::<Vec<_>>());
        assert_eq!(podman.run(&architecture), wanted);
    }
    for label in ["title", "description", "version", "licenses"] {
        let format = format!("--format={{{{index .Labels \"{LABEL}.{label}\"}}}}");
        let value = podman.run(&["image", "inspect", &format, NAME]);
        let is_there = !value.is_empty() && value != "<no value>";
        assert!(is_there, "{label}: {value}");
    }
}

const COPY_FROM: &str = "COPY --from=localhost/annulet:latest /bin/cp /bin/cp";
const FROM: &str = "FROM localhost/annulet:latest\nCOPY plugins /payload";
const BUILD: &str =
    "podman build --platform linux/amd64,linux/arm64 --from oci-archive:target/annulet.tar";

#[test]
fn images_are_built_from_it() {
    let test = "images_are_built_from_it";
    let Some((podman, image)) = loaded(test) else {
        return;
    };
    podman.run(&["tag", NAME, "localhost/annulet:latest"]);
    let place = image.dir.path().join("context");
    fs::create_dir_all(place.join("plugins/a")).expect("folders");
    fs::write(place.join("plugins/a/file"), "text").expect("a file");
    let context = place.to_str().expect("UTF-8");
    let alone = format!("FROM scratch\n{}\n", of_readme(COPY_FROM));
    let added = "bin bin/annulet bin/cat bin/cp payload payload/a payload/a/file";
    for (recipe, names) in [(&alone[..], "bin bin/cp"), (of_readme(FROM), added)] {
        fs::write(place.join("Containerfile"), recipe).expect("a file");
        let options = ["--isolation=chroot", "--pull=never", "--tag=built", context];
        podman.run(&[&["build"], &options[..]].concat());
        let root = podman.run(&["image", "mount", "localhost/built"]);
        let tree = support::tree(Path::new(&root));
        let found = tree.keys().skip(1).map(|path| path.to_string_lossy());
        assert_eq!(found.collect::<Vec<_>>().join(" "), names);
        podman.run(&["image", "unmount", "localhost/built"]);
    }

    // From the same file for several platforms at once.
    let mut build = image.arguments(BUILD);
    build.extend(["--isolation=chroot", "--manifest=several", context].map(str::to_owned));
    podman.run(&build);
    let index = podman.run(&["manifest", "inspect", "several"]);
    let index: Value = serde_json::from_str(&index).expect("JSON");
    let manifests = index["manifests"].as_array().expect("manifests").iter();
    let mut platforms: Vec<_> = manifests
        .map(|one| one["platform"]["architecture"].as_str())
        .collect();
    platforms.sort_unstable();
    assert_eq!(platforms, [Some("amd64"), Some("arm64")]);
}

#[test]
fn docker_engine_loads_and_runs_it() {
    let test = "docker_engine_loads_and_runs_it";
    let (Some(engine), Some(image)) = (Docker::start(test), Image::make(test)) else {
        return;
    };
    let mut command = image_sh(&image.file);
    command
        .env("CONTAINER_TOOL", DOCKER)
        .env("DOCKER_HOST", engine.host());
    for (name, ..) in ARCHITECTURES {
        command.arg("--binary").arg(image.dir.path().join(name));
    }
    let ran = run(command.arg(NAME)).expect_status(0);
    assert_eq!(ran.stdout_text().trim_end(), NAME);
    let format = "--format={{.Architecture}} '{{.Config.User}}' {{.Config.Entrypoint}}";
    let inspected = engine.docker(&["image", "inspect", format, NAME]);
    assert_eq!(
        inspected.expect_success().stdout_text().trim_end(),
        "amd64 '' []"
    );
    if host() != "amd64" {
        return;
    }

    // As the container of README's recipe is run.
    let context = of_readme("runAsUser: 65532\n      readOnlyRootFilesystem: true");
    assert!(!context.is_empty());
    let shared = temp_dir();
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
    let volume = format!("--volume={}:/shared", shared.path().display());
    let options = [
        "run",
        "--rm",
        "--network=none",
        "--user=65532",
        "--read-only",
    ];
    let restricted = [
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        &volume,
    ];
    let command = [NAME, "/bin/cp", "-rf", "/bin/.", "/shared"];
    engine
        .docker(&[&options[..], &restricted, &command].concat())
        .expect_success();
    let copy = fs::read(shared.path().join("annulet")).expect("the copy");
    assert!(
        copy == fs::read(support::annulet()).expect("the program"),
        "it is cut short"
    );
    let help = engine
        .docker(&["run", "--rm", "--network=none", NAME])
        .expect_success();
    assert!(help.stdout_text().starts_with("Usage: cp "), "{help:?}");
}

#[test]
fn containerd_imports_the_platforms() {
    let test = "containerd_imports_the_platforms";
    let (Some(engine), Some(image)) = (Docker::start(test), Image::make(test)) else {
        return;
    };
    let layout = image.layout();
    let by_readme = image.arguments("ctr --namespace k8s.io images import target/annulet.tar");
    // What kind calls on each of its nodes.
    let by_kind = "ctr --namespace=kind images import --all-platforms --digests -";
    let by_kind = by_kind.split(' ').skip(1).map(str::to_owned).collect();
    let all = ARCHITECTURES.map(|(name, ..)| name);
    for (mut import, namespace, architectures) in [
        (by_readme, "--namespace=k8s.io", &[host()][..]),
        (by_kind, "--namespace=kind", &all),
    ] {
        // The usual one does not lie on every file system.
        import.insert(import.len() - 1, "--snapshotter=native".into());
        engine.ctr(&import, &fs::read(&image.file).expect("the file"));
        let listed = engine.ctr(
            &[namespace, "images", "list", &format!("name=={NAME}")],
            b"",
        );
        let listed = String::from_utf8_lossy(&listed);
        for architecture in architectures {
            assert!(
                listed.contains(&format!("linux/{architecture}")),
                "{listed}"
            );
            let manifest = layout.manifest(architecture);
            for part in [&manifest["config"], &manifest["layers"][0]] {
                let digest = part["digest"].as_str().expect("a digest");
                let content = engine.ctr(&[namespace, "content", "get", digest], b"");
                assert!(
                    content == fs::read(layout.blob(part)).expect("a blob"),
                    "{digest}"
                );
            }
        }
    }
}

#[test]
fn a_registry_serves_each_platform() {
    let test = "a_registry_serves_each_platform";
    if !support::has_programs(test, &["skopeo"]) {
        return;
    }
    let Some(podman) = Podman::new(test) else {
        return;
    };
    let (Some(registry), Some(image)) = (Registry::start(test), Image::make(test)) else {
        return;
    };
    let name = registry.name("annulet:1");
    let copy =
        "skopeo copy --all oci-archive:target/annulet.tar docker://registry.example/annulet:1";
    let arguments = image.arguments(copy).into_iter();
    let arguments = arguments.map(|word| word.replace("registry.example/annulet:1", &name));
    let mut skopeo = Command::new("skopeo");
    run(skopeo.args(arguments).arg("--dest-tls-verify=false")).expect_status(0);
    for (architecture, ..) in ARCHITECTURES {
        let platform = format!("--platform=linux/{architecture}");
        podman.run(&["pull", "--tls-verify=false", &platform, &name]);
        let found = podman.run(&["image", "inspect", "--format={{.Architecture}}", &name]);
        assert_eq!(found, architecture);
    }
}
