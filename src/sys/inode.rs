//! What an inode has: its type, permission bits, times, and the numbers that tell it from others.

use bitflags::bitflags;

/// What kind of file an inode is: the upper four bits of its mode (`S_IFMT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// Something this kernel has and we have no word for.
    Unknown = 0,
    /// A named pipe.
    Fifo = 0o01,
    /// A character device.
    CharDevice = 0o02,
    /// A directory.
    Directory = 0o04,
    /// A block device.
    BlockDevice = 0o06,
    /// A regular file.
    Regular = 0o10,
    /// A symbolic link.
    Symlink = 0o12,
    /// A socket.
    Socket = 0o14,
}

impl FileType {
    /// The type in the upper bits of an inode's mode.
    #[must_use]
    pub const fn from_mode(mode: u32) -> Self {
        match mode >> 12 & 0xf {
            0o01 => Self::Fifo,
            0o02 => Self::CharDevice,
            0o04 => Self::Directory,
            0o06 => Self::BlockDevice,
            0o10 => Self::Regular,
            0o12 => Self::Symlink,
            0o14 => Self::Socket,
            _ => Self::Unknown,
        }
    }

    /// The mode bits that `mknod` takes for this type.
    #[must_use]
    pub const fn mode_bits(self) -> u32 {
        (self as u32) << 12
    }
}

bitflags! {
    /// A file's permission bits with setuid, setgid and sticky: no type bits.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Mode: u32 {
        /// Run as the owner.
        const ISUID = 0o4000;
        /// Run as the group.
        const ISGID = 0o2000;
        /// Sticky.
        const ISVTX = 0o1000;
        /// Read, write and execute for the owner.
        const RWXU = 0o700;
        /// Read, write and execute for the group.
        const RWXG = 0o070;
        /// Read, write and execute for the others.
        const RWXO = 0o007;
        /// Write for everyone but the owner.
        const WRITE_OTHERS = 0o022;
        /// All permissions, and no bit that lends somebody's privileges.
        const PERMISSIONS = 0o777;
        /// Read and write for everyone: what a new file has, but for the umask.
        const READ_WRITE = 0o666;
        /// Write for the owner.
        const WUSR = 0o200;
        /// Setuid, setgid and sticky.
        const SPECIAL = 0o7000;
    }
}

/// A time as the kernel gives it (`struct statx_timestamp`) and takes it
/// (`struct __kernel_timespec`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timestamp {
    /// Seconds since 1970.
    pub sec: i64,
    /// Nanoseconds, 0 to 999,999,999. 32 bits and 32 zeros in the former structure, 64 bits
    /// in the latter: the same on a little-endian machine.
    pub nsec: i64,
}

const _: () = assert!(size_of::<Timestamp>() == 16);
const _: () = assert!(cfg!(target_endian = "little"));

/// A device's two numbers, as `statx` gives them.
#[repr(C, align(8))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceNumbers {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

const _: () = assert!(size_of::<DeviceNumbers>() == 8);

impl DeviceNumbers {
    /// As `mknod` takes them (`new_encode_dev`, `include/linux/kdev_t.h`): 12 bits of major,
    /// 20 of minor.
    pub(super) const fn encode(self) -> u32 {
        let Self { major, minor } = self;
        (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
    }

    /// Takes apart what [`Self::encode`] and `struct stat` have put together.
    #[allow(clippy::cast_possible_truncation)] // 32 bits, whatever the field has
    pub(super) const fn decode(dev: u64) -> Self {
        let dev = dev as u32;
        Self {
            major: dev >> 8 & 0xfff,
            minor: (dev & 0xff) | (dev >> 12 & 0xfff00),
        }
    }

    /// As one number to compare: `statx`'s two halves side by side.
    pub(super) const fn number(self) -> u64 {
        (self.minor as u64) << 32 | self.major as u64
    }
}

/// Which file it is: device and inode number together, unique while the file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileId {
    /// Device that holds the file: a number to compare, not in the encoding of `st_dev`.
    pub dev: u64,
    /// Inode number on it.
    pub ino: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_put_together_and_taken_apart() {
        for (major, minor) in [(0, 0), (1, 7), (259, 0), (4095, 0xf_ffff), (8, 0x12345)] {
            let numbers = DeviceNumbers { major, minor };
            assert_eq!(DeviceNumbers::decode(numbers.encode().into()), numbers);
        }
    }

    #[test]
    fn types_are_found_in_modes() {
        for kind in [
            FileType::Fifo,
            FileType::CharDevice,
            FileType::Directory,
            FileType::BlockDevice,
            FileType::Regular,
            FileType::Symlink,
            FileType::Socket,
        ] {
            assert_eq!(FileType::from_mode(kind.mode_bits() | 0o7777), kind);
        }
        assert_eq!(FileType::from_mode(0o160_644), FileType::Unknown);
    }
}
