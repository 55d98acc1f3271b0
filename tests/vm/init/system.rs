//! What the first process asks of the kernel.
//!
//! rustc links std against the C library already; the few functions std does not offer are declared
//! here, so that no package is needed to compile this one program.

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_long, c_short, c_ulong, c_void};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::{Step, text};

unsafe extern "C" {
    fn mount(
        source: *const c_char,
        target: *const c_char,
        fstype: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
    fn umount(target: *const c_char) -> c_int;
    fn mknod(path: *const c_char, mode: u32, device: u64) -> c_int;
    fn chown(path: *const c_char, uid: u32, gid: u32) -> c_int;
    fn sync();
    fn reboot(how: c_int) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn getauxval(entry: c_ulong) -> c_ulong;
    fn chroot(path: *const c_char) -> c_int;
    fn unshare(flags: c_int) -> c_int;
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
}

/// `finit_module`'s number: asm-generic's, but for x86-64.
const FINIT_MODULE: c_long = if cfg!(target_arch = "x86_64") {
    313
} else {
    273
};
/// `AT_PAGESZ` of `linux/auxvec.h`.
const PAGE_SIZE: c_ulong = 6;
/// `CLONE_NEWNS` of `linux/sched.h`.
const NEW_MOUNTS: c_int = 0x0002_0000;
/// `MS_BIND | MS_REC` and `MS_MOVE` of `linux/mount.h`.
const BIND_ALL: c_ulong = 4096 | 16384;
const MOVE: c_ulong = 8192;
/// `AF_INET`, `SOCK_DGRAM`.
const INTERNET: c_int = 2;
const DATAGRAMS: c_int = 2;
/// `SIOCSIFFLAGS` of `linux/sockios.h`, and `IFF_UP` of `linux/if.h`.
const SET_FLAGS: c_ulong = 0x8914;
const UP: c_short = 1;
/// `RB_POWER_OFF` of `linux/reboot.h`.
const POWER_OFF: c_int = 0x4321_fedc;

/// Loads `/modules/*` in the order of their names. `tests/vm` has put them there, uncompressed,
/// each after those it needs.
pub fn load_modules() -> Step {
    let Ok(entries) = fs::read_dir("/modules") else {
        return Ok(()); // all built in
    };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    for path in paths {
        let file = File::open(&path).map_err(text)?;
        // SAFETY: the descriptor is open, the parameters are an empty C string.
        let result = unsafe { syscall(FINIT_MODULE, file.as_raw_fd(), c"".as_ptr(), 0 as c_int) };
        if result != 0 {
            return Err(format!(
                "{}: {}",
                path.display(),
                std::io::Error::last_os_error()
            ));
        }
    }
    Ok(())
}

/// Waits for the kernel to find a device; it does so in its own time.
pub fn wait_for(path: &str) -> Step {
    for _ in 0..200 {
        if Path::new(path).exists() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("{path} did not appear"))
}

pub fn mount_at(source: &str, target: &str, fstype: &str, data: Option<&str>) -> Step {
    fs::create_dir_all(target).map_err(text)?;
    let (source, fstype) = (c_path(Path::new(source)), c_path(Path::new(fstype)));
    let c_target = c_path(Path::new(target));
    let data = data.map(|data| c_path(Path::new(data)));
    let data = data
        .as_ref()
        .map_or(std::ptr::null(), |data| data.as_ptr().cast());
    // SAFETY: every pointer is a C string that lives until the end of this function, or null.
    let result = unsafe { mount(source.as_ptr(), c_target.as_ptr(), fstype.as_ptr(), 0, data) };
    checked(result).map_err(|e| format!("mount {target}: {e}"))
}

/// Makes a folder the root of this process, which gets mounts of its own, as a boot does it. A mere
/// `chroot` would be another thing: a process in one may not have mounts of its own.
///
/// To be called between `fork` and `execve`: it allocates nothing.
pub fn enter(root: &CStr) -> std::io::Result<()> {
    let (none, at) = (std::ptr::null(), c".".as_ptr());
    // SAFETY: takes a number.
    checked(unsafe { unshare(NEW_MOUNTS) })?;
    // SAFETY: C strings that outlive the calls, or null, here and below.
    checked(unsafe { mount(root.as_ptr(), root.as_ptr(), none, BIND_ALL, none.cast()) })?;
    std::env::set_current_dir(OsStr::from_bytes(root.to_bytes()))?;
    // SAFETY: as above.
    checked(unsafe { mount(at, c"/".as_ptr(), none, MOVE, none.cast()) })?;
    // SAFETY: as above.
    checked(unsafe { chroot(at) })
}

pub fn unmount(target: &str) -> Step {
    let c_target = c_path(Path::new(target));
    // SAFETY: a C string that outlives the call.
    checked(unsafe { umount(c_target.as_ptr()) }).map_err(|e| format!("unmount {target}: {e}"))
}

pub fn own(path: &Path, uid: u32, gid: u32) -> std::io::Result<()> {
    let path = c_path(path);
    // SAFETY: a C string that outlives the call.
    checked(unsafe { chown(path.as_ptr(), uid, gid) })
}

pub fn node(path: &Path, mode: u32, device: u64) -> std::io::Result<()> {
    let path = c_path(path);
    // SAFETY: a C string that outlives the call.
    checked(unsafe { mknod(path.as_ptr(), mode, device) })
}

/// The part of `struct ifreq` of `linux/if.h` that has an interface's flags, and the rest.
#[repr(C)]
struct Interface {
    name: [u8; 16],
    flags: c_short,
    rest: [u8; 22],
}

const _: () = assert!(size_of::<Interface>() == 40);

/// Lets this machine reach itself by the network.
pub fn start_loopback() -> Step {
    let mut interface = Interface {
        name: [0; 16],
        flags: UP,
        rest: [0; 22],
    };
    interface.name[..2].copy_from_slice(b"lo");
    // SAFETY: takes numbers.
    let socket = unsafe { socket(INTERNET, DATAGRAMS, 0) };
    checked(socket.min(0)).map_err(text)?;
    // SAFETY: nobody else has the number.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: reads a `struct ifreq`.
    let result = unsafe { ioctl(socket.as_raw_fd(), SET_FLAGS, &raw const interface) };
    checked(result).map_err(text)
}

/// The kernel's version.
pub fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split('.').map_while(|number| number.parse().ok());
    (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    )
}

/// The size of a page in bytes.
pub fn page_size() -> u64 {
    // SAFETY: takes a number.
    u64::from(unsafe { getauxval(PAGE_SIZE) })
}

/// Switches the machine off.
pub fn power_off() {
    // SAFETY: takes nothing.
    unsafe { sync() };
    // SAFETY: takes a number; the machine has nothing left to lose.
    unsafe { reboot(POWER_OFF) };
}

pub fn checked(result: c_int) -> std::io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL in these names")
}
