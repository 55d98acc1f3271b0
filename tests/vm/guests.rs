//! The guests: architectures, each with kernels to try the program on.

use std::fs;
use std::path::PathBuf;

use crate::support::repository;

/// A kernel, and the architecture that it is of.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    pub arch: Arch,
    /// The folder in `target` that has the kernel.
    kernel: &'static str,
    /// What the kernel's version begins with.
    pub series: &'static str,
    pub page_kib: u32,
    /// Whether it is always tried: one of each architecture is.
    pub is_usual: bool,
}

/// An architecture that the program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    X86_64,
    Aarch64,
    Riscv64,
}

/// All that are tried. Linux 6.1 is the first whose `io_uring` has `DEFER_TASKRUN`;
/// `scripts/guests.sh` fetches them.
pub const GUESTS: [Guest; 7] = {
    use Arch::{Aarch64, Riscv64, X86_64};
    const fn guest(arch: Arch, kernel: &'static str, series: &'static str) -> Guest {
        Guest {
            arch,
            kernel,
            series,
            page_kib: 4,
            is_usual: false,
        }
    }
    const fn usual(guest: Guest) -> Guest {
        Guest {
            is_usual: true,
            ..guest
        }
    }
    [
        usual(guest(X86_64, "vm-kernel-6.1", "6.1.")),
        guest(X86_64, "vm-kernel-5.10", "5.10."),
        guest(X86_64, "vm-kernel-6.12", "6.12."),
        usual(Guest {
            page_kib: 16,
            ..guest(Aarch64, "vm-kernel-arm64-16k-6.12", "6.12.")
        }),
        guest(Aarch64, "vm-kernel-arm64-6.1", "6.1."),
        guest(Aarch64, "vm-kernel-arm64-6.12", "6.12."),
        usual(guest(Riscv64, "vm-kernel-riscv64-6.12", "6.12.")),
    ]
};

impl Guest {
    /// The folder with its kernel: for the architecture that has a usual one, that one if it is of
    /// this series. `None` if there is none.
    pub fn kernel(&self) -> Option<PathBuf> {
        let usual = match std::env::var_os("ANNULET_VM_KERNEL_DIR") {
            Some(dir) => PathBuf::from(dir),
            None => repository().join("target/vm-kernel"),
        };
        let package = fs::read_to_string(usual.join("package")).unwrap_or_default();
        let prefix = format!("linux-image-{}", self.series);
        let own = repository().join("target").join(self.kernel);
        let kernel = if self.arch == Arch::X86_64 && package.starts_with(&prefix) {
            usual
        } else {
            own
        };
        kernel.join("vmlinuz").exists().then_some(kernel)
    }
}

impl Arch {
    /// Its name for QEMU, for the kernel and in `std::env::consts::ARCH`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
            Self::Riscv64 => "riscv64",
        }
    }

    /// The target that rustc builds for.
    pub const fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Aarch64 => "aarch64-unknown-linux-gnu",
            Self::Riscv64 => "riscv64gc-unknown-linux-gnu",
        }
    }

    /// Whether it is this machine's.
    pub fn is_native(self) -> bool {
        self.name() == std::env::consts::ARCH
    }

    /// What the names of its compiler's and its linker's commands begin with.
    pub fn tools(self) -> String {
        if self.is_native() {
            String::new()
        } else {
            format!("{}-linux-gnu-", self.name())
        }
    }

    /// The folder with what tests find around them there (`scripts/userland.sh`). On this machine's
    /// they run without a guest.
    pub fn userland(self) -> Option<PathBuf> {
        let name = match self {
            _ if self.is_native() => return None,
            Self::X86_64 => "userland-amd64",
            Self::Aarch64 => "userland-arm64",
            Self::Riscv64 => "userland-riscv64",
        };
        Some(repository().join("target").join(name))
    }
}
