//! System calls that are refused, as a container's seccomp profile refuses them.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// A system call that is answered with an error.
#[derive(Debug, Clone, Copy)]
pub struct Refused {
    /// Its number.
    pub call: libc::c_long,
    /// Only where the argument of this index has this value.
    pub argument: Option<(u32, u32)>,
    /// The error.
    pub errno: i32,
}

impl Refused {
    /// One that is refused whatever its arguments.
    #[must_use]
    pub const fn always(call: libc::c_long, errno: i32) -> Self {
        Self {
            call,
            argument: None,
            errno,
        }
    }
}

/// Makes a call of the command fail, as a container's profile does.
///
/// # Panics
///
/// If the number is none.
#[allow(unsafe_code)]
pub fn refuse(command: &mut Command, refused: Refused) {
    let errno = u32::try_from(refused.errno).unwrap();
    let number = u32::try_from(refused.call).unwrap();
    // Where `struct seccomp_data` has the argument's lower half; the number is as good.
    let (offset, value) = refused
        .argument
        .map_or((0, number), |(index, value)| (16 + 8 * index, value));
    let install = move || {
        let op = |code: u32, jt, jf, k| libc::sock_filter {
            code: u16::try_from(code).unwrap(),
            jt,
            jf,
            k,
        };
        let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
        let compare = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        let answer = libc::BPF_RET | libc::BPF_K;
        let mut filter = [
            op(load, 0, 0, 0),
            op(compare, 0, 3, number),
            op(load, 0, 0, offset),
            op(compare, 0, 1, value),
            op(answer, 0, 0, libc::SECCOMP_RET_ERRNO | errno),
            op(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog {
            len: u16::try_from(filter.len()).unwrap(),
            filter: filter.as_mut_ptr(),
        };
        // SAFETY: takes numbers.
        if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
        let mode = libc::SECCOMP_MODE_FILTER;
        // SAFETY: `program` is a filter that the call only reads.
        if unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: `install` makes system calls only; it allocates nothing unless it fails.
    unsafe { command.pre_exec(install) };
}
