//! Container engines that leave those of the machine alone: everything they keep is in a temporary
//! folder, and they end with the test.

use std::ffi::OsStr;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::support::{self, Ran, TempDir, is_root, run, skip, temp_dir};

/// Debian's client. Not what is first in PATH, which may be anything that is called so.
pub const DOCKER: &str = "/usr/bin/docker";

/// Whether such a test can run here.
fn can_run(test: &str, programs: &[&str]) -> bool {
    if !is_root() {
        skip(test, "container engines take root");
        return false;
    }
    support::has_programs(test, programs)
}

/// Starts a program that is killed at the latest when this thread ends.
fn start(command: &str, folder: &Path) -> Command {
    let log = fs::File::create(folder.join("log")).expect("a log");
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--pdeathsig=KILL", command]);
    setpriv.stdin(Stdio::null());
    setpriv.stdout(log.try_clone().expect("a log")).stderr(log);
    setpriv
}

/// Waits until a daemon answers.
fn wait_for(folder: &Path, answers: impl Fn() -> bool) {
    let start = Instant::now();
    while !answers() {
        if start.elapsed() > Duration::from_secs(120) {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            panic!("it does not answer:\n{log}");
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// podman with a storage of its own.
pub struct Podman(TempDir);

impl Podman {
    pub fn new(test: &str) -> Option<Self> {
        can_run(test, &["podman"]).then(|| Self(temp_dir()))
    }

    /// Runs a command that has to succeed, and returns what it printed.
    pub fn run(&self, arguments: &[impl AsRef<OsStr>]) -> String {
        let mut podman = Command::new("podman");
        for (option, folder) in [
            ("--root", "root"),
            ("--runroot", "run"),
            ("--tmpdir", "tmp"),
        ] {
            podman.arg(option).arg(self.0.path().join(folder));
        }
        let ran = run(podman.arg("--storage-driver=vfs").args(arguments));
        ran.expect_status(0).stdout_text().trim_end().to_owned()
    }
}

/// Docker Engine with its containerd.
pub struct Docker {
    dir: TempDir,
    daemon: Child,
}

/// In namespaces of its own, so that what it mounts is gone with it, all its processes end with
/// it, and what it puts into /run is not that of another one.
const DAEMON: &str = r#"
    mount -t tmpfs tmpfs /run
    exec dockerd --config-file="$1/daemon.json" --data-root="$1/data" --exec-root="$1/exec" \
        --pidfile="$1/pid" --host="unix://$1/sock" --group=root --cgroup-parent="$2" \
        --bridge=none --iptables=false --ip6tables=false --storage-driver=vfs
"#;

impl Docker {
    /// `None`, aloud, where it cannot be started.
    pub fn start(test: &str) -> Option<Self> {
        if !can_run(test, &["dockerd", "containerd", "ctr", "runc"]) {
            return None;
        }
        if !Path::new(DOCKER).exists() {
            skip(test, &format!("there is no {DOCKER}"));
            return None;
        }
        let dir = temp_dir();
        fs::write(dir.path().join("daemon.json"), "{}").expect("a file");
        let mut unshare = start("unshare", dir.path());
        unshare.args(["--mount", "--propagation=private", "--pid", "--fork"]);
        unshare.args([
            "--kill-child",
            "--mount-proc",
            "bash",
            "-euc",
            DAEMON,
            "bash",
        ]);
        unshare.arg(dir.path()).arg(control_group(dir.path()));
        let daemon = unshare.spawn().expect("unshare is started");
        let engine = Self { dir, daemon };
        wait_for(engine.dir.path(), || {
            engine.docker(&["version"]).status == 0
        });
        Some(engine)
    }

    /// Its address.
    pub fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("sock").display())
    }

    /// Runs a command of its client.
    pub fn docker(&self, arguments: &[&str]) -> Ran {
        let mut docker = support::command(DOCKER);
        docker.env("DOCKER_CONFIG", self.dir.path().join("client"));
        run(docker.env("DOCKER_HOST", self.host()).args(arguments))
    }

    /// Runs a command of containerd's client that has to succeed, with `input` on its standard
    /// input, and returns what it printed.
    pub fn ctr(&self, arguments: &[impl AsRef<OsStr>], input: &[u8]) -> Vec<u8> {
        let address = self.dir.path().join("exec/containerd/containerd.sock");
        let mut ctr = Command::new("ctr");
        ctr.arg("--address").arg(address).args(arguments);
        let ran = support::run_with_input(&mut ctr, input);
        ran.expect_status(0).stdout
    }
}

/// Below which its containers are: the temporary folder's name.
fn control_group(folder: &Path) -> &OsStr {
    folder.file_name().expect("a name")
}

impl Drop for Docker {
    fn drop(&mut self) {
        // Not by a signal that may be caught: everything it has is removed.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let group = control_group(self.dir.path());
        let hierarchies = fs::read_dir("/sys/fs/cgroup")
            .into_iter()
            .flatten()
            .flatten();
        for folder in hierarchies
            .map(|entry| entry.path())
            .chain(["/sys/fs/cgroup".into()])
        {
            let _ = fs::remove_dir(folder.join(group));
        }
    }
}

/// A registry on this machine's loopback.
pub struct Registry {
    port: u16,
    daemon: Child,
    _dir: TempDir,
}

impl Registry {
    /// `None`, aloud, where it cannot be started.
    pub fn start(test: &str) -> Option<Self> {
        if !can_run(test, &["docker-registry"]) {
            return None;
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let dir = temp_dir();
        let config = dir.path().join("config.yml");
        let storage = dir.path().join("storage");
        let settings = format!(
            "version: 0.1\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: \"127.0.0.1:{port}\" }}\n",
            storage.display()
        );
        fs::write(&config, settings).expect("a file");
        let mut registry = start("docker-registry", dir.path());
        let daemon = registry
            .arg("serve")
            .arg(&config)
            .spawn()
            .expect("it is started");
        wait_for(dir.path(), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(Self {
            port,
            daemon,
            _dir: dir,
        })
    }

    /// What an image in it is called.
    pub fn name(&self, image: &str) -> String {
        format!("127.0.0.1:{}/{image}", self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
