//! Runs the program where people want it most: alone in a `FROM scratch` image, as an
//! ordinary user without any capability, behind the default seccomp profile.
//!
//! The images are made by `scripts/image.sh` and podman, and run by runc. Nothing is
//! fetched: the first image starts from nothing, the second from the first.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
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

        for program in ["podman", "runc", "python3"] {
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
    fs::copy(support::annulet(), top.join("bin/tool")).expect("a program that can be run");
    fs::write(top.join("lib/agent.conf"), b"# not to be edited\n").expect("the read-only file");
    fs::set_permissions(
        top.join("lib/agent.conf"),
        fs::Permissions::from_mode(0o444),
    )
    .expect("chmod");
    fs::hard_link(top.join("agent.jar"), top.join("lib/agent-1.0.jar")).expect("a second name");
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
fn the_image_holds_one_file_under_three_names() {
    let Some(images) = Images::get("the_image_holds_one_file_under_three_names") else {
        return;
    };
    let mounted = run(Command::new("podman").args(["image", "mount", &images.plain]));
    let mounted = mounted.expect_status(0).stdout_text();
    let found = tree(Path::new(mounted.trim_end()));
    run(Command::new("podman").args(["image", "unmount", &images.plain])).expect_status(0);

    let names: Vec<_> = found.keys().map(|path| path.to_string_lossy()).collect();
    assert_eq!(names, ["", "bin", "bin/annulet", "bin/cat", "bin/cp"]);
    let program = Path::new("bin/annulet");
    for name in ["bin/cat", "bin/cp"] {
        let first = found[Path::new(name)].same_as.as_deref();
        assert_eq!(first, Some(program), "{name} is stored twice");
    }
    let program = &found[program];
    assert_eq!((program.mode, program.uid, program.gid), (0o755, 0, 0));
    assert_eq!(
        program.size,
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

/// The user of the distribution's own base images, who is not the owner of any volume.
const NONROOT: &[&str] = &[
    "--user=65532:65532",
    "--read-only",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
];

/// A pod's `fsGroup`: the group that a volume is given, and that every container is in.
const FS_GROUP: u32 = 2000;

/// The two kinds of volume of README's table.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shared {
    /// An emptyDir: root's, writable for everybody.
    Roots,
    /// With `fsGroup`: the group's, whose new folders are the group's as well.
    FsGroups,
}

impl Shared {
    fn make(self) -> TempDir {
        let dir = temp_dir();
        let (group, mode) = match self {
            Self::Roots => (0, 0o777),
            Self::FsGroups => (FS_GROUP, 0o2775),
        };
        std::os::unix::fs::chown(dir.path(), Some(0), Some(group)).expect("chown the volume");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).expect("its mode");
        dir
    }
}

/// A row of README's table: what a way of copying comes to.
#[allow(clippy::struct_excessive_bools)] // five answers that have nothing to do with each other
struct Row {
    /// What follows `cp` in README.
    arguments: &'static str,
    /// Whether it ends with 0. If not, the one thing it complains about is the volume's times.
    succeeds: bool,
    /// Whether what could be run still can be.
    keeps_x: bool,
    keeps_times: bool,
    keeps_hard_links: bool,
    /// Whether new folders of a volume with `fsGroup` are setgid, as their parent.
    keeps_setgid: bool,
}

const ROWS: &[Row] = &[
    Row {
        arguments: "-rf /payload/. /shared",
        succeeds: true,
        keeps_x: true,
        keeps_times: false,
        keeps_hard_links: false,
        keeps_setgid: true,
    },
    Row {
        arguments: "-dRf --preserve=links /payload/. /shared",
        succeeds: true,
        keeps_x: true,
        keeps_times: false,
        keeps_hard_links: true,
        keeps_setgid: true,
    },
    Row {
        arguments: "-af /payload/. /shared",
        succeeds: false,
        keeps_x: true,
        keeps_times: true,
        keeps_hard_links: true,
        keeps_setgid: false,
    },
    Row {
        arguments: "-af /payload/bin /payload/lib /shared",
        succeeds: true,
        keeps_x: true,
        keeps_times: true,
        keeps_hard_links: true,
        keeps_setgid: false,
    },
    Row {
        arguments: "-rf --no-preserve=mode /payload/. /shared",
        succeeds: true,
        keeps_x: false,
        keeps_times: false,
        keeps_hard_links: false,
        keeps_setgid: true,
    },
];

/// GNU's `cp`, and the options by which a container finds it and what it needs where they are.
fn gnu_cp(test: &str) -> Option<(String, Vec<String>)> {
    let (cp, version) = support::gnu("cp", test)?;
    if version < (9, 7) {
        // Earlier ones let new folders of a setgid one keep that with -a.
        eprintln!("{test}: GNU cp is older than 9.7 and is not compared with (scripts/gnu.sh)");
        return None;
    }
    // The fetched one knows its libraries by their absolute names, links resolved.
    let cp = fs::canonicalize(cp).expect("GNU's cp");
    let own = cp.parent().expect("a file is in a folder");
    let options = [
        Path::new("/usr"),
        Path::new("/lib"),
        Path::new("/lib64"),
        own,
    ]
    .iter()
    .filter(|folder| folder.is_dir())
    .map(|folder| format!("-v={0}:{0}:ro", folder.display()))
    .collect();
    Some((cp.display().to_string(), options))
}

/// Runs `cp` in an init container, and once more by GNU's `cp` into `gnus`, which must say and
/// answer the same.
fn init_container(
    images: &Images,
    gnu: Option<&(String, Vec<String>)>,
    (ours, gnus): (&Path, &Path),
    arguments: &str,
) -> Ran {
    let group = format!("--group-add={FS_GROUP}");
    let mut command = vec!["cp"];
    command.extend(arguments.split(' '));
    let ran = podman(&[NONROOT, &[&group]], ours, &images.payload, &command);
    if let Some((cp, mounts)) = gnu {
        let mounts: Vec<&str> = mounts.iter().map(String::as_str).collect();
        command[0] = cp;
        let gnu = podman(
            &[NONROOT, &[&group], &mounts],
            gnus,
            &images.payload,
            &command,
        );
        // It calls itself as it was called, by its path.
        let said = gnu.stderr.replace(cp, "cp");
        assert_eq!(sorted_lines(&ran.stderr), sorted_lines(&said));
        assert_eq!(ran.status, gnu.status, "{ran:?}\n{gnu:?}");
    }
    ran
}

/// Workers have no order among themselves.
fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn what_readme_says_of_init_containers_holds() {
    let test = "what_readme_says_of_init_containers_holds";
    let Some(images) = Images::get(test) else {
        return;
    };
    let gnu = gnu_cp(test);
    let readme = fs::read_to_string(support::repository().join("README.md")).expect("README.md");
    for row in ROWS {
        let shown = format!("| `cp {}` |", row.arguments);
        assert!(readme.contains(&shown), "README has no row {shown}");
        for shared in [Shared::Roots, Shared::FsGroups] {
            let (ours, gnus) = (shared.make(), shared.make());
            let volumes = (ours.path(), gnus.path());
            let ran = init_container(&images, gnu.as_ref(), volumes, row.arguments);
            check_row(row, shared, &images.expected, &ran, &tree(ours.path()));
            if gnu.is_some() {
                let agree = Agree {
                    mode: true,
                    owner: true,
                    times: row.keeps_times,
                    link_times: row.keeps_times,
                    hard_links: true,
                };
                let (mut ours, mut gnus) = (tree(ours.path()), tree(gnus.path()));
                // The volume's own time, which was not kept.
                ours.remove(Path::new(""));
                gnus.remove(Path::new(""));
                assert_same_tree(&gnus, &ours, agree);
            }
        }
    }
}

fn check_row(row: &Row, shared: Shared, payload: &Tree, ran: &Ran, found: &Tree) {
    let says = if row.succeeds {
        ""
    } else {
        "cp: preserving times for '/shared/.': Operation not permitted\n"
    };
    assert_eq!(ran.stderr, says, "{shared:?}\n{ran:?}");
    assert_eq!(ran.status, i32::from(!row.succeeds), "{shared:?}\n{ran:?}");

    // All of the payload, or those of its folders that are named.
    let named = |path: &Path| {
        row.arguments.contains("/payload/. ")
            || path.iter().next().is_some_and(|top| {
                row.arguments
                    .contains(&format!("/payload/{} ", top.display()))
            })
    };
    let copied = |tree: &Tree| -> Tree {
        tree.iter()
            .filter(|(path, _)| !path.as_os_str().is_empty() && named(path))
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect()
    };
    let mut expected = copied(payload);
    for entry in expected.values_mut() {
        // A layer keeps whole seconds only.
        entry.mtime.1 = 0;
        if !row.keeps_x && entry.kind == support::Kind::File {
            entry.mode &= !0o111;
        }
        // Of two names one may be outside of what was copied.
        entry.same_as = entry
            .same_as
            .take()
            .filter(|first| row.keeps_hard_links && named(first));
    }
    let agree = Agree {
        times: row.keeps_times,
        link_times: row.keeps_times,
        hard_links: true,
        ..Agree::CONTENT
    };
    assert_same_tree(&expected, &copied(found), agree);

    let group = if shared == Shared::FsGroups {
        FS_GROUP
    } else {
        65532
    };
    for (path, entry) in &copied(found) {
        let at = path.display();
        assert_eq!(
            (entry.uid, entry.gid),
            (65532, group),
            "{shared:?}: owner of {at}"
        );
        if entry.kind == support::Kind::Folder {
            let setgid = shared == Shared::FsGroups && row.keeps_setgid;
            assert_eq!(
                entry.mode & 0o2000 != 0,
                setgid,
                "{shared:?}: setgid of {at}"
            );
        }
    }
}

#[test]
fn an_init_container_that_runs_again_needs_f() {
    let test = "an_init_container_that_runs_again_needs_f";
    let Some(images) = Images::get(test) else {
        return;
    };
    let gnu = gnu_cp(test);
    for options in ["-r", "-dR --preserve=links", "-a"] {
        let (ours, gnus) = (Shared::Roots.make(), Shared::Roots.make());
        let volumes = (ours.path(), gnus.path());
        let names = "/payload/bin /payload/lib /payload/agent /shared";
        let copy = |options: &str| {
            init_container(
                &images,
                gnu.as_ref(),
                volumes,
                &format!("{options} {names}"),
            )
        };
        copy(options).expect_success();

        // What was copied is run, as long as its standard input is open.
        let mut running = Vec::new();
        let both = [ours.path(), gnus.path()].into_iter();
        for volume in both.take(1 + usize::from(gnu.is_some())) {
            let child = Command::new(volume.join("bin/tool"))
                .arg("cat")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn();
            running.push(child.expect("run what was copied"));
        }
        let before = tree(ours.path());
        let ran = copy(options).expect_status(1);
        assert_eq!(
            sorted_lines(&ran.stderr),
            [
                "cp: cannot create regular file '/shared/bin/tool': Text file busy",
                "cp: cannot create regular file '/shared/lib/agent.conf': Permission denied",
            ]
        );
        copy(&format!("-f {options}")).expect_success();
        assert_same_tree(&before, &tree(ours.path()), Agree::CONTENT);
        for mut child in running {
            // It goes on with the file that it was started from.
            let pipe = child.stdin.take().expect("a pipe");
            std::io::Write::write_all(&mut &pipe, b"still there").expect("it reads on");
            drop(pipe);
            let output = child.wait_with_output().expect("its end");
            assert_eq!(output.stdout, b"still there");
        }
    }
}
