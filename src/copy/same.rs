//! Whether source and destination are one file, and whether that does any harm.

use super::engine::{Engine, Job};
use super::options::{Backup, Flags};
use super::path::{Place, last_part, open_parent, trim_slashes};
use crate::report::{Message, Result};
use crate::sys::{self, AtFlags, CWD, FileType, Stat, Vec};

impl Engine<'_> {
    /// Fails with [`Message::SameFile`] where going on would lose the source, and with
    /// [`Message::Nothing`] where all is as it is to be.
    pub(super) fn check_same(&self, job: &Job<'_>) -> Result<()> {
        let options = &self.options;
        let one_file = job.before.id == job.stat.id;
        let links = options.has(Flags::LINK);
        if one_file && links {
            return Message::Nothing.into();
        }
        let backs_up = options.backup != Backup::None;
        let never_follows = !job.follow;
        // Both sides as they are, symlinks too.
        let (mut src, mut dst) = (job.stat, job.before);
        if !never_follows {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            if !one_file
                || job.src.stat(flags, &mut src).is_err()
                || job.dst.stat(flags, &mut dst).is_err()
            {
                return Ok(());
            }
        }
        let is_link = |stat: &Stat| stat.kind == FileType::Symlink;
        let one_inode = src.id == dst.id;
        let both_links = is_link(&src) && is_link(&dst);
        let one_name = || same_entry(job.src_shown(), job.dst_shown());
        let same_file = Message::SameFile.into();
        if never_follows && both_links {
            // Two names of one symlink: nothing to do. For such GNU cp takes one name as well that
            // is given by way of a symlink to its directory.
            return match (one_name(), one_inode && !backs_up) {
                (true, true) if are_held_apart(job) => Message::Nothing.into(),
                (true, _) => same_file,
                (_, true) => Message::Nothing.into(),
                _ => Ok(()),
            };
        }
        let removes = options.has(Flags::REMOVE_DESTINATION);
        if both_links && removes {
            return Ok(());
        }
        if backs_up {
            // Moved away, what the source leads to could not be opened any more.
            let harmless = if one_inode {
                !one_name()
            } else {
                never_follows || !is_link(&src) || is_link(&dst)
            };
            return if harmless { Ok(()) } else { same_file };
        }
        // Of a file with another name, this one can be removed.
        if removes && (is_link(&dst) || (one_inode && dst.nlink > 1 && !one_name())) {
            return Ok(());
        }
        // A symlink that is to be made is in the way of nothing but a symlink.
        if options.has(Flags::SYMLINK) && is_link(&dst) {
            return Ok(());
        }
        if !is_link(&src) && !is_link(&dst) {
            if !one_inode {
                return Ok(());
            }
        } else if never_follows {
            // A symlink and, perhaps, what it leads to.
            let to_link = is_link(&dst);
            let follow = AtFlags::empty();
            if job.src.stat(follow, &mut src).is_err()
                || job.dst.stat(follow, &mut dst).is_err()
                || src.id != dst.id
            {
                return Ok(());
            }
            if links {
                return if to_link {
                    Ok(())
                } else {
                    Message::Nothing.into()
                };
            }
        }
        same_file
    }
}

/// Whether two paths are the same entry of the same directory.
pub(super) fn same_entry(a: &[u8], b: &[u8]) -> bool {
    let (mut of_a, mut of_b) = (Stat::default(), Stat::default());
    last_part(trim_slashes(a)) == last_part(trim_slashes(b))
        && stat_parent(a, &mut of_a).is_ok()
        && stat_parent(b, &mut of_b).is_ok()
        && of_a.id == of_b.id
}

/// Whether source and destination are in different directories as their paths have it: a symlink
/// to one is another.
fn are_held_apart(job: &Job<'_>) -> bool {
    let (mut of_src, mut of_dst) = (Stat::default(), Stat::default());
    stat_parent_itself(&job.src, &mut of_src).is_ok()
        && stat_parent_itself(&job.dst, &mut of_dst).is_ok()
        && of_src.id != of_dst.id
}

/// Looks at the directory that holds a name, at a symlink to it as itself.
fn stat_parent_itself(place: &Place<'_>, stat: &mut Stat) -> sys::Result<()> {
    let name = trim_slashes(place.name.to_bytes());
    let above = name.len() - last_part(name).len();
    let parent = trim_slashes(name.get(..above).unwrap_or_default());
    if parent.is_empty() {
        return sys::stat_at(place.dir, c".", AtFlags::empty(), stat);
    }
    let path = &mut Vec::new();
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    sys::stat_at(place.dir, sys::c_string(path, b"", parent), flags, stat)
}

/// Looks at the directory that holds what `path` names.
pub(super) fn stat_parent(path: &[u8], stat: &mut Stat) -> sys::Result<()> {
    sys::stat_fd(open_parent(CWD, trim_slashes(path))?.as_fd(), stat)
}
