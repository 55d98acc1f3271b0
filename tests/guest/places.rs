//! The guest's network, its servers, and what it mounts.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::report::Report;
use crate::sources::Lack;
use crate::support::{Ran, run};

/// A mounted file system.
pub struct Place {
    pub name: &'static str,
    /// Where it is mounted.
    pub far: PathBuf,
    /// The same files without the mount, where the guest has them itself.
    pub behind: Option<PathBuf>,
    /// A folder that is not on it.
    pub near: PathBuf,
    /// What cannot be kept there. It is looked at, so that no check is left out unseen.
    pub lacks: &'static [Lack],
}

impl Place {
    /// What is at `path`, past the mount if that is where it is.
    pub fn past_the_mount(&self, path: &Path) -> PathBuf {
        match (&self.behind, path.strip_prefix(&self.far)) {
            (Some(behind), Ok(name)) => behind.join(name),
            _ => path.to_owned(),
        }
    }
}

/// A command that has to succeed, in words without quotes.
pub fn sh(line: &str) {
    tried(line).expect_status(0);
}

fn tried(line: &str) -> Ran {
    run(Command::new("sh").args(["-c", line]))
}

/// The disk, and a loopback over which every packet takes 1 ms.
pub fn disk_and_network() {
    sh("ip link set lo up && tc qdisc add dev lo root netem delay 1ms");
    // What a file is given ahead of what is written would make no two files alike.
    sh("mount -t xfs -o allocsize=4k /dev/vdb /srv && mkdir /srv/near /srv/nfs /srv/smb");
    sh("mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib/nfs");
}

/// A server of NFS for `/srv/nfs`, in the versions 4.2 and 3.
pub fn serve_nfs() {
    sh("mkdir -p /run/rpcbind /var/lib/nfs/v4recovery && mount -t nfsd nfsd /proc/fs/nfsd");
    sh("touch /var/lib/nfs/etab /var/lib/nfs/rmtab");
    let export = "/srv/nfs *(rw,fsid=0,no_root_squash,no_subtree_check,sync)\n";
    fs::write("/etc/exports", export).unwrap();
    sh("rpcbind && rpc.mountd -p 20048 && exportfs -a");
    sh("rpc.nfsd -G 10 -L 10 8");
    // There are no clients from before to wait for.
    fs::write("/proc/fs/nfsd/v4_end_grace", "Y").unwrap();
    // From Linux 6.12 on a client beside its server leaves out the network.
    let _ = fs::write("/sys/module/nfs/parameters/localio_enabled", "N");
}

/// A server of SMB for `/srv/smb`: the kernel's.
pub fn serve_smb() {
    sh("modprobe ksmbd && mkdir -p /etc/ksmbd");
    let config = "[global]\n\tworkgroup = W\n\tserver string = annulet\n\
        [share]\n\tpath = /srv/smb\n\tread only = no\n\tvalid users = root\n\tforce user = root\n";
    fs::write("/etc/ksmbd/smb.conf", config).unwrap();
    // Later releases call it so.
    let _ = symlink("smb.conf", "/etc/ksmbd/ksmbd.conf");
    sh("ksmbd.adduser -a root -p secret && ksmbd.mountd");
}

/// All file systems that are there to be had.
pub fn mounted(report: &mut Report) -> Vec<Place> {
    report.step("disk and network", disk_and_network);
    let mut places = Vec::new();
    if report.step("NFS: the server", serve_nfs).is_some() {
        places.extend(mount(
            report,
            "NFS 4.2",
            "nfs",
            "127.0.0.1:/",
            "vers=4.2,sec=sys",
            Some("/srv/nfs"),
            &[],
        ));
        let options = "vers=3,nolock,proto=tcp,port=2049,mountproto=tcp,mountport=20048";
        let source = "127.0.0.1:/srv/nfs";
        let lacks = &[Lack::Xattr];
        places.extend(mount(
            report,
            "NFS 3",
            "nfs",
            source,
            options,
            Some("/srv/nfs"),
            lacks,
        ));
    }
    let options = "trans=virtio,version=9p2000.L,msize=262144";
    let lacks = &[Lack::Fifo, Lack::Nanoseconds];
    places.extend(mount(report, "9p", "9p", "9p", options, None, lacks));
    places.extend(mount(
        report,
        "virtiofs",
        "virtiofs",
        "virtiofs",
        "rw",
        None,
        &[],
    ));
    if report.step("SMB: the server", serve_smb).is_some() {
        // It takes a moment until the kernel has heard of the share.
        thread::sleep(Duration::from_secs(1));
        let options = "ip=127.0.0.1,username=root,password=secret,vers=3.1.1,mfsymlinks";
        let source = "//127.0.0.1/share";
        places.extend(mount(
            report,
            "SMB",
            "cifs",
            source,
            options,
            Some("/srv/smb"),
            &[Lack::Fifo, Lack::Owners, Lack::Modes, Lack::OddNames],
        ));
    }
    places
}

fn mount(
    report: &mut Report,
    name: &'static str,
    kind: &str,
    source: &str,
    options: &str,
    behind: Option<&str>,
    lacks: &'static [Lack],
) -> Option<Place> {
    let far = PathBuf::from(format!("/mnt/{}", name.replace(' ', "-")));
    report.step(&format!("{name}: mount"), || {
        fs::create_dir_all(&far).unwrap();
        sh(&format!(
            "mount -t {kind} -o {options} {source} {}",
            far.display()
        ));
        // What two versions of one protocol serve is one file system.
        let folder = name.replace(' ', "-");
        let place = Place {
            name,
            near: Path::new("/srv/near").join(&folder),
            behind: behind.map(|behind| Path::new(behind).join(&folder)),
            far: far.join(&folder),
            lacks,
        };
        for folder in [&place.near, &place.far] {
            fs::create_dir(folder).unwrap();
        }
        place
    })
}
