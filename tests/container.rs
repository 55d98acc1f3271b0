//! Runs the program where people want it most: alone in a `FROM scratch` image, as an
//! ordinary user without any capability, behind the default seccomp profile.
//!
//! The images are made by `scripts/image.sh` and podman, and run by runc. Nothing is
//! fetched: the first image starts from nothing, the second from the first.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use support::{
    Agree, Ran, TempDir, Tree, assert_same_tree, find_program, is_root, noise, odd_names, run,
    temp_dir, tree,
};

/// The user a careful cluster runs such a container as: `nobody`.
const USER: u32 = 65534;

/// The options of every run. runc by name, because podman's default may be crun, which
/// does not work on every layout of control groups; limits by number, because podman's own
/// defaults may be above what this process may hand on.
const RUN: &[&str] = &[
    "run",
    "--rm",
    "--pull=never",
    "--runtime=runc",
    "--ulimit=nofile=1024:1024",
    "--ulimit=nproc=1024:1024",
    "--network=none",
    // A program that hangs fails its test and does not stop the others.
    "--timeout=60",
];

/// What a Kubernetes pod's "restricted" security context comes to.
const RESTRICTED: &[&str] = &[
    "--user=65534:65534",
    "--read-only",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
];

/// The two images; removed when the last test that uses them ends.
struct Images {
    plain: String,
    payload: String,
    /// What /payload in the second image must hold.
    expected: Tree,
}

impl Images {
    /// Builds the images, or shares those another test of this process is using. `None`,
    /// aloud, if containers cannot be run here.
    fn get(test: &str) -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Images>> = Mutex::new(Weak::new());

        for program in ["podman", "runc"] {
            if find_program(program).is_none() {
                support::skip(test, &format!("{program} is not installed"));
                return None;
            }
        }
        if !is_root() {
            support::skip(test, "gives a folder to another user, which takes root");
            return None;
        }
        // Also shows whether podman can work here at all.
        let info = run(Command::new("podman").args([
            "info",
            "--format",
            "{{.Host.Security.SECCOMPEnabled}}",
        ]));
        if info.status != 0 || info.stdout_text().trim() != "true" {
            support::skip(
                test,
                &format!("podman does not work here with seccomp: {info:?}"),
            );
            return None;
        }
        // One test builds, the others wait; if it fails, the next one tries and says why.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(images) = shared.upgrade() {
            return Some(images);
        }
        let images = Arc::new(Self::build());
        *shared = Arc::downgrade(&images);
        Some(images)
    }

    fn build() -> Self {
        // The process number keeps two test runs on one machine apart, the count two builds
        // of this one: the first may still be on its way out when the second is made.
        static BUILDS: AtomicU32 = AtomicU32::new(0);
        let build = BUILDS.fetch_add(1, Ordering::Relaxed);
        let name = format!("localhost/annulet-test-{}-{build}", std::process::id());
        let dir = temp_dir();
        let payload_dir = dir.path().join("payload");
        make_payload(&payload_dir);
        let images = Self {
            plain: format!("{name}:plain"),
            payload: format!("{name}:payload"),
            expected: tree(&payload_dir),
        };

        let image_sh = run(Command::new(support::repository().join("scripts/image.sh"))
            .env("CONTAINER_TOOL", "podman")
            .arg("--binary")
            .arg(support::annulet())
            .arg(&images.plain))
        .expect_status(0);
        assert_eq!(
            image_sh.stdout_text().trim_end(),
            images.plain,
            "image.sh prints the tag"
        );

        let context = dir.path();
        // A tar, because COPY has been known to trip over odd names.
        run(Command::new("tar").current_dir(context).args([
            "--owner=0",
            "--group=0",
            "-cf",
            "payload.tar",
            "payload",
        ]))
        .expect_success();
        fs::write(
            context.join("Containerfile"),
            format!("FROM {}\nADD payload.tar /\n", images.plain),
        )
        .expect("write the Containerfile");
        run(Command::new("podman")
            .args([
                "build",
                "--isolation=chroot",
                "--pull=never",
                "-t",
                &images.payload,
            ])
            .arg(context))
        .expect_status(0);
        images
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        // Only what was built here, by name. If a build failed, there is less to remove.
        let _ = run(Command::new("podman").args(["rmi", "--force", &self.payload, &self.plain]));
    }
}

/// Makes the tree an init container brings: what a language's agent or a plugin looks like,
/// and every kind of name and file a copy trips over.
fn make_payload(top: &Path) {
    let deep = top.join("lib/python3/site-packages/agent");
    fs::create_dir_all(&deep).expect("folders");
    fs::create_dir(top.join("empty-folder")).expect("a folder");
    fs::create_dir(top.join("bin")).expect("a folder");
    fs::create_dir(top.join("names")).expect("a folder");

    fs::write(top.join("agent.jar"), noise(5 << 20, 1)).expect("the 5 MiB file");
    fs::write(top.join("empty"), b"").expect("the empty file");
    fs::write(deep.join("__init__.py"), b"import agent\n").expect("a file");
    fs::write(top.join("bin/agent"), b"#!/bin/false\n").expect("the executable");
    fs::set_permissions(top.join("bin/agent"), fs::Permissions::from_mode(0o755)).expect("chmod");
    for i in 0..200 {
        fs::write(
            deep.join(format!("module_{i}.py")),
            noise(i * 101, i as u64),
        )
        .expect("a file");
    }
    for name in odd_names() {
        fs::write(top.join("names").join(&name), name.as_encoded_bytes()).expect("an odd name");
    }

    symlink("bin/agent", top.join("agent")).expect("a link to a file");
    symlink("lib/python3", top.join("python")).expect("a link to a folder");
    symlink("/nowhere/at/all", top.join("dangling")).expect("a dangling link");
    symlink("../../..", deep.join("up")).expect("a link upwards");
}

/// A host folder that a container gets as a volume, owned by `uid`.
fn volume(uid: u32) -> TempDir {
    let dir = temp_dir();
    std::os::unix::fs::chown(dir.path(), Some(uid), Some(uid)).expect("chown the volume");
    dir
}

/// Runs `command` in `image` with `volume` mounted at /shared.
fn podman(options: &[&[&str]], volume: &Path, image: &str, command: &[&str]) -> Ran {
    let mut podman = Command::new("podman");
    podman.args(RUN);
    for options in options {
        podman.args(*options);
    }
    podman
        .arg("-v")
        .arg(format!("{}:/shared", volume.display()))
        .arg(image)
        .args(command);
    run(&mut podman)
}

#[test]
fn the_image_holds_one_file_under_two_names() {
    let Some(images) = Images::get("the_image_holds_one_file_under_two_names") else {
        return;
    };
    let mounted = run(Command::new("podman").args(["image", "mount", &images.plain]));
    let mounted = mounted.expect_status(0).stdout_text();
    let found = tree(Path::new(mounted.trim_end()));
    run(Command::new("podman").args(["image", "unmount", &images.plain])).expect_status(0);

    let names: Vec<_> = found.keys().map(|path| path.to_string_lossy()).collect();
    assert_eq!(names, ["", "bin", "bin/cat", "bin/cp"]);
    let cp = &found[Path::new("bin/cp")];
    assert_eq!(
        cp.same_as.as_deref(),
        Some(Path::new("bin/cat")),
        "stored twice"
    );
    assert_eq!((cp.mode, cp.uid, cp.gid), (0o755, 0, 0));
    assert_eq!(
        cp.size,
        fs::metadata(support::annulet()).expect("the program").len()
    );
}

#[test]
fn an_init_container_copies_its_payload_with_r() {
    let Some(images) = Images::get("an_init_container_copies_its_payload_with_r") else {
        return;
    };
    let shared = volume(USER);
    podman(
        &[RESTRICTED],
        shared.path(),
        &images.payload,
        &["cp", "-r", "/payload/.", "/shared"],
    )
    .expect_success();
    let found = tree(shared.path());
    assert_same_tree(&images.expected, &found, Agree::CONTENT);
    for (path, entry) in &found {
        assert_eq!(
            (entry.uid, entry.gid),
            (USER, USER),
            "owner of {}",
            path.display()
        );
    }
}

#[test]
fn an_init_container_copies_its_payload_with_a() {
    let Some(images) = Images::get("an_init_container_copies_its_payload_with_a") else {
        return;
    };
    let shared = volume(USER);
    podman(
        &[RESTRICTED],
        shared.path(),
        &images.payload,
        &["cp", "-a", "/payload/.", "/shared"],
    )
    .expect_success();
    // A layer keeps whole seconds only.
    let mut expected = images.expected.clone();
    for entry in expected.values_mut() {
        entry.mtime.1 = 0;
    }
    // The owner cannot be kept by an ordinary user, who is not told so.
    let agree = Agree {
        owner: false,
        ..Agree::ALL
    };
    assert_same_tree(&expected, &tree(shared.path()), agree);
}

#[test]
fn a_folder_of_somebody_else_takes_r() {
    // A Kubernetes emptyDir: root's, and writable for all.
    let Some(images) = Images::get("a_folder_of_somebody_else_takes_r") else {
        return;
    };
    let shared = volume(0);
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
    podman(
        &[RESTRICTED],
        shared.path(),
        &images.payload,
        &["cp", "-r", "/payload/.", "/shared"],
    )
    .expect_success();
    assert_same_tree(&images.expected, &tree(shared.path()), Agree::CONTENT);
}

#[test]
fn a_read_only_destination_is_an_error() {
    let Some(images) = Images::get("a_read_only_destination_is_an_error") else {
        return;
    };
    let shared = volume(USER);
    let ran = podman(
        &[RESTRICTED],
        shared.path(),
        &images.payload,
        &["cp", "-r", "/payload", "/copy"],
    )
    .expect_status(1);
    assert!(ran.stderr.starts_with("cp: "), "who complains\n{ran:?}");
    assert!(ran.stderr.contains("/copy"), "about what\n{ran:?}");
    assert!(
        ran.stderr.contains("Read-only file system"),
        "and why\n{ran:?}"
    );
    assert!(ran.stdout.is_empty(), "{ran:?}");
}

#[test]
fn cat_works_behind_the_default_profile() {
    let Some(images) = Images::get("cat_works_behind_the_default_profile") else {
        return;
    };
    let shared = volume(USER);
    let command = ["cat", "/payload/agent.jar", "/payload/bin/agent"];
    let ran = podman(&[RESTRICTED], shared.path(), &images.payload, &command).expect_success();
    let expected = [&noise(5 << 20, 1)[..], b"#!/bin/false\n"].concat();
    assert!(
        ran.stdout == expected,
        "{} bytes, not {}",
        ran.stdout.len(),
        expected.len()
    );
}

#[test]
fn io_uring_is_refused_by_the_default_profile() {
    // This is what makes the tests above tests of the way without a ring.
    let Some(images) = Images::get("io_uring_is_refused_by_the_default_profile") else {
        return;
    };
    let shared = volume(USER);
    let command = ["cp", "--io=ring", "/payload/agent.jar", "/shared/agent.jar"];
    let ran = podman(&[RESTRICTED], shared.path(), &images.payload, &command).expect_status(1);
    assert!(
        ran.stderr.contains("io_uring"),
        "the message names what is missing\n{ran:?}"
    );
}

#[test]
fn every_way_of_copying_works_without_a_profile() {
    let Some(images) = Images::get("every_way_of_copying_works_without_a_profile") else {
        return;
    };
    for io in ["--io=ring", "--io=auto", "--io=sync"] {
        let shared = volume(USER);
        podman(
            &[RESTRICTED, &["--security-opt=seccomp=unconfined"]],
            shared.path(),
            &images.payload,
            &["cp", "-r", io, "/payload/.", "/shared"],
        )
        .expect_success();
        assert_same_tree(&images.expected, &tree(shared.path()), Agree::CONTENT);
    }
}

#[test]
fn root_keeps_everything() {
    let Some(images) = Images::get("root_keeps_everything") else {
        return;
    };
    let shared = volume(0);
    podman(
        &[],
        shared.path(),
        &images.payload,
        &["cp", "-a", "/payload", "/shared/copy"],
    )
    .expect_success();
    let copy = shared.path().join("copy");
    let meta = fs::metadata(copy.join("bin/agent")).expect("the executable was copied");
    assert_eq!((meta.mode() & 0o7777, meta.uid()), (0o755, 0));
    let mut expected = images.expected.clone();
    for entry in expected.values_mut() {
        entry.mtime.1 = 0;
        (entry.uid, entry.gid) = (0, 0);
    }
    assert_same_tree(&expected, &tree(&copy), Agree::ALL);
}
