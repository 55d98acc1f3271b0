//! What the kernel hands a new program: arguments, environment and auxiliary vector.
//!
//! They lie on the initial stack in this order (`fs/binfmt_elf.c`, `create_elf_tables`):
//! `argc`; `argc` addresses of strings; 0; addresses of environment strings; 0; pairs of
//! key and value; a pair with key 0. The strings lie above and stay for the program's life.

use core::ffi::{CStr, c_char};
use core::marker::PhantomData;

use super::Mutex;

/// The program's arguments, environment and auxiliary vector.
#[derive(Debug, Clone)]
pub struct Startup {
    /// Program name and arguments.
    pub args: CStrings,
    /// `NAME=value` strings.
    pub env: CStrings,
    aux: *const [usize; 2],
}

/// Keys of the auxiliary vector (`include/uapi/linux/auxvec.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum AuxKey {
    /// `AT_EXECFN`: address of the path that the program was started by.
    ExecFn = 31,
}

/// A null-terminated list of C strings that live as long as the program; iterating a clone
/// starts afresh.
#[derive(Debug, Clone)]
pub struct CStrings {
    at: *const *const c_char,
    strings: PhantomData<&'static CStr>,
}

impl CStrings {
    /// No strings.
    pub const NONE: Self = Self {
        at: &core::ptr::null(),
        strings: PhantomData,
    };

    /// The strings at `at`.
    ///
    /// # Safety
    /// `at` is an array of addresses of C strings that ends with a null, both for good.
    #[must_use]
    pub const unsafe fn new(at: *const *const c_char) -> Self {
        Self {
            at,
            strings: PhantomData,
        }
    }
}

impl Iterator for CStrings {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: `at` never moves past the terminating null (by `new`'s contract there is one).
        let string = unsafe { self.at.read() };
        if string.is_null() {
            return None;
        }
        // SAFETY: this element was not the null, so the next one exists.
        self.at = unsafe { self.at.add(1) };
        // SAFETY: by `new`'s contract a C string that lives for good.
        Some(unsafe { CStr::from_ptr(string) })
    }
}

impl Startup {
    /// Takes the initial stack apart.
    ///
    /// # Safety
    /// `stack` is the stack pointer as the kernel set it at the program's entry, and what it
    /// points at stays unchanged.
    #[must_use]
    pub unsafe fn from_stack(stack: *const usize) -> Self {
        // SAFETY: the first word is the number of arguments.
        let count = unsafe { stack.read() };
        // SAFETY: the argument addresses follow it.
        let list = unsafe { stack.add(1) };
        // SAFETY: `count` addresses and a null stand between the list and the environment.
        let envp = unsafe { list.add(count + 1) };
        let mut end = envp;
        // SAFETY: the environment ends with a null, before which `end` does not stop.
        while unsafe { end.read() } != 0 {
            // SAFETY: as above.
            end = unsafe { end.add(1) };
        }
        // SAFETY: the auxiliary vector follows the environment's null.
        let aux = unsafe { end.add(1) }.cast();
        // SAFETY: null-terminated, and the strings live on the initial stack.
        let args = unsafe { CStrings::new(list.cast()) };
        // SAFETY: as above.
        let env = unsafe { CStrings::new(envp.cast()) };
        Self { args, env, aux }
    }

    /// The auxiliary vector's value for `key`.
    #[must_use]
    pub fn aux(&self, key: AuxKey) -> Option<usize> {
        let mut at = self.aux;
        loop {
            // SAFETY: pairs follow until one with key 0, at which this stops.
            let [found, value] = unsafe { at.read() };
            if found == key as usize {
                return Some(value);
            }
            if found == 0 {
                return None;
            }
            // SAFETY: this pair was not the last.
            at = unsafe { at.add(1) };
        }
    }

    /// The path that the program was started by (`AT_EXECFN`), for a caller that passed no
    /// arguments at all.
    #[must_use]
    pub fn exec_path(&self) -> Option<&'static CStr> {
        let address = self.aux(AuxKey::ExecFn)?;
        let path: *const c_char = core::ptr::with_exposed_provenance(address);
        // SAFETY: the kernel's own C string at the top of the stack.
        (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) })
    }
}

/// What the program is called.
#[cfg(not(all(test, loom)))]
static NAME: Mutex<&[u8]> = Mutex::new(b"annulet");
#[cfg(all(test, loom))]
loom::lazy_static! { static ref NAME: Mutex<&'static [u8]> = Mutex::new(b"annulet"); }

/// Says what messages of [`program_name`]'s callers are to begin with.
pub fn set_program_name(name: &'static [u8]) {
    *NAME.lock() = name;
}

/// What the program is called, for messages that are given where nothing else is at hand.
#[must_use]
pub fn program_name() -> &'static [u8] {
    *NAME.lock()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn an_initial_stack_is_taken_apart() {
        let word = |number| core::ptr::without_provenance::<c_char>(number);
        let stack = vec![
            word(2),
            c"cp".as_ptr(),
            c"".as_ptr(),
            word(0),
            c"A=1".as_ptr(),
            c"B".as_ptr(),
            word(0),
            word(6),
            word(4096),
            word(31),
            word(c"/bin/cp".as_ptr().expose_provenance()),
            word(0),
            word(0),
        ];
        // SAFETY: laid out as the kernel does; the strings are static.
        let startup = unsafe { Startup::from_stack(stack.as_ptr().cast()) };
        assert_eq!(startup.args.clone().collect::<Vec<_>>(), [c"cp", c""]);
        assert_eq!(startup.env.clone().collect::<Vec<_>>(), [c"A=1", c"B"]);
        assert_eq!(startup.exec_path(), Some(c"/bin/cp"));

        let bare = [0; 5];
        // SAFETY: as above.
        let startup = unsafe { Startup::from_stack(bare.as_ptr()) };
        assert_eq!(startup.args.clone().count(), 0);
        assert_eq!(startup.env.clone().count(), 0);
        assert_eq!(startup.aux(AuxKey::ExecFn), None);
        assert_eq!(startup.exec_path(), None);
    }
}
