//! What each call does to the folder below.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{
    DirEntryExt, FileExt, FileTypeExt, MetadataExt, PermissionsExt, lchown, symlink,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry,
    ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use super::calls::{Call, Counter};
use super::nodes::{Nodes, ROOT};
use super::{Behaviour, system};

/// Names and attributes may be kept for so long, as libfuse has it.
const KEPT: Duration = Duration::from_secs(1);
/// Bytes of a read or write at most.
const MOST_BYTES: u32 = 1 << 20;
const GENERATION: Generation = Generation(0);

/// What is open: a file, or the names of a folder as they were then.
enum Opened {
    File(File),
    Folder(Vec<Named>),
}

/// A name in a folder.
struct Named {
    name: OsString,
    number: u64,
    kind: FileType,
}

struct Handle {
    number: u64,
    opened: Opened,
}

impl Handle {
    fn file(&self) -> io::Result<&File> {
        match &self.opened {
            Opened::File(file) => Ok(file),
            Opened::Folder(_) => Err(errno(libc::EBADF)),
        }
    }
}

#[derive(Default)]
struct Handles {
    last: u64,
    open: HashMap<u64, Arc<Handle>>,
}

/// What whoever mounted it may look at meanwhile.
pub struct Shared {
    pub counter: Counter,
    nodes: Mutex<Nodes>,
    writes: Mutex<HashMap<u64, Vec<(u64, usize)>>>,
}

impl Shared {
    pub fn writes(&self, name: &Path) -> Vec<(u64, usize)> {
        let number = self.nodes.lock().unwrap().number(name);
        let writes = self.writes.lock().unwrap();
        let found = number.and_then(|number| writes.get(&number));
        found.cloned().unwrap_or_default()
    }
}

/// The file system.
pub struct Passthrough {
    folder: PathBuf,
    behaviour: Behaviour,
    shared: Arc<Shared>,
    handles: Mutex<Handles>,
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

impl Passthrough {
    pub fn new(folder: &Path, behaviour: Behaviour) -> io::Result<(Self, Arc<Shared>)> {
        let folder = fs::canonicalize(folder)?;
        let shared = Arc::new(Shared {
            counter: Counter::default(),
            nodes: Mutex::new(Nodes::new(fs::metadata(&folder)?.ino())),
            writes: Mutex::default(),
        });
        let file_system = Self {
            folder,
            behaviour,
            shared: Arc::clone(&shared),
            handles: Mutex::default(),
        };
        Ok((file_system, shared))
    }

    /// Counts a call, waits, and does it unless it is to fail. It is over before it is answered:
    /// who has the answer may make the next.
    fn serve<T>(&self, call: Call, work: impl FnOnce() -> io::Result<T>) -> Result<T, Errno> {
        self.shared.counter.came(call);
        let delay = (self.behaviour.delay)(call);
        if !delay.is_zero() {
            system::wait_exactly();
            thread::sleep(delay);
        }
        let done = match (self.behaviour.error)(call) {
            0 => work(),
            number => Err(errno(number)),
        };
        self.shared.counter.went(call);
        done.map_err(Errno::from)
    }

    /// Where a file is. What is gone is stale, as on NFS.
    fn path(&self, node: INodeNo) -> io::Result<PathBuf> {
        let path = self.shared.nodes.lock().unwrap().path(node.0);
        Ok(self.folder.join(path.ok_or(errno(libc::ESTALE))?))
    }

    fn place(&self, parent: INodeNo, name: &OsStr) -> io::Result<PathBuf> {
        Ok(self.path(parent)?.join(name))
    }

    fn keep(&self, number: u64, opened: Opened) -> FileHandle {
        let mut handles = self.handles.lock().unwrap();
        handles.last += 1;
        let key = handles.last;
        handles
            .open
            .insert(key, Arc::new(Handle { number, opened }));
        FileHandle(key)
    }

    fn handle(&self, key: FileHandle) -> io::Result<Arc<Handle>> {
        let handles = self.handles.lock().unwrap();
        handles.open.get(&key.0).cloned().ok_or(errno(libc::EBADF))
    }

    fn drop_handle(&self, key: FileHandle) -> io::Result<()> {
        // Closed when the lock is free again.
        let handle = self.handles.lock().unwrap().open.remove(&key.0);
        handle.map(drop).ok_or(errno(libc::EBADF))
    }

    /// Somebody's open file, for one that has no name any more.
    fn any_handle(&self, number: u64) -> Option<Arc<Handle>> {
        let handles = self.handles.lock().unwrap();
        let mut open = handles.open.values();
        open.find(|handle| handle.number == number && handle.file().is_ok())
            .cloned()
    }

    fn see(&self, parent: INodeNo, name: &OsStr, inode: u64) -> u64 {
        let mut nodes = self.shared.nodes.lock().unwrap();
        nodes.see(parent.0, name, inode)
    }

    /// The attributes of what has this name.
    fn find(&self, parent: INodeNo, name: &OsStr) -> io::Result<FileAttr> {
        let meta = fs::symlink_metadata(self.place(parent, name)?)?;
        Ok(attributes(self.see(parent, name, meta.ino()), &meta))
    }

    /// Gives what was just made its owner and mode, and looks at it. A folder with the set-group-ID
    /// bit hands its group on, and to folders the bit, which was done below.
    fn finish(
        &self,
        request: &Request,
        (parent, name): (INodeNo, &OsStr),
        mode: Option<u32>,
    ) -> io::Result<FileAttr> {
        let folder = self.path(parent)?;
        let path = folder.join(name);
        let inherits = fs::metadata(&folder)?.mode() & libc::S_ISGID != 0;
        let group = (!inherits).then_some(request.gid());
        lchown(&path, Some(request.uid()), group)?;
        if let Some(mode) = mode {
            let is_folder = fs::symlink_metadata(&path)?.is_dir();
            let handed_on = if inherits && is_folder {
                libc::S_ISGID
            } else {
                0
            };
            let mode = mode & 0o7777 | handed_on;
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
        self.find(parent, name)
    }

    fn get_attributes(&self, node: INodeNo, handle: Option<FileHandle>) -> io::Result<FileAttr> {
        let meta = match (handle, self.path(node)) {
            (Some(key), _) => self.handle(key)?.file()?.metadata()?,
            (None, Ok(path)) => fs::symlink_metadata(path)?,
            (None, Err(error)) => match self.any_handle(node.0) {
                Some(handle) => handle.file()?.metadata()?,
                None => return Err(error),
            },
        };
        Ok(attributes(node.0, &meta))
    }

    fn set_size(&self, node: INodeNo, handle: Option<FileHandle>, size: u64) -> io::Result<()> {
        match handle {
            Some(key) => self.handle(key)?.file()?.set_len(size),
            None => system::open(&self.path(node)?, libc::O_WRONLY, 0)?.set_len(size),
        }
    }

    fn open_file(&self, node: INodeNo, flags: i32) -> io::Result<(FileHandle, FopenFlags)> {
        let kept = libc::O_ACCMODE | libc::O_TRUNC;
        let file = system::open(&self.path(node)?, flags & kept, 0)?;
        Ok((self.keep(node.0, Opened::File(file)), self.open_flags()))
    }

    fn open_flags(&self) -> FopenFlags {
        match self.behaviour.most_read {
            Some(_) => FopenFlags::FOPEN_DIRECT_IO,
            None => FopenFlags::empty(),
        }
    }

    fn create_file(
        &self,
        request: &Request,
        (parent, name): (INodeNo, &OsStr),
        (mode, flags): (u32, i32),
    ) -> io::Result<(FileAttr, FileHandle)> {
        let kept = libc::O_ACCMODE | libc::O_TRUNC | libc::O_EXCL;
        let path = self.place(parent, name)?;
        let is_new = fs::symlink_metadata(&path).is_err();
        let file = system::open(&path, flags & kept | libc::O_CREAT, 0o600)?;
        let found = if is_new {
            self.finish(request, (parent, name), Some(mode))?
        } else {
            self.find(parent, name)?
        };
        let key = self.keep(found.ino.0, Opened::File(file));
        Ok((found, key))
    }

    fn open_folder(&self, node: INodeNo) -> io::Result<FileHandle> {
        let mut names = vec![
            Named::dots(".", node.0),
            // The kernel knows better.
            Named::dots("..", ROOT),
        ];
        for entry in fs::read_dir(self.path(node)?)? {
            let entry = entry?;
            let name = entry.file_name();
            names.push(Named {
                number: self.see(node, &name, entry.ino()),
                kind: kind(entry.file_type()?),
                name,
            });
        }
        Ok(self.keep(node.0, Opened::Folder(names)))
    }

    /// Gives `add` the names behind the first `from`, each with the number to go on at, until it
    /// has enough.
    fn list(
        &self,
        key: FileHandle,
        from: u64,
        mut add: impl FnMut(&Named, u64) -> bool,
    ) -> io::Result<()> {
        let handle = self.handle(key)?;
        let Opened::Folder(names) = &handle.opened else {
            return Err(errno(libc::ENOTDIR));
        };
        let mut numbered = names.iter().zip(1..).skip(usize::try_from(from).unwrap());
        while numbered
            .next()
            .is_some_and(|(named, next)| !add(named, next))
        {}
        Ok(())
    }

    /// The same with attributes; what is gone meanwhile is passed over.
    fn list_with_attributes(
        &self,
        node: INodeNo,
        key: FileHandle,
        from: u64,
        mut add: impl FnMut(&Named, u64, &FileAttr) -> bool,
    ) -> io::Result<()> {
        let folder = self.path(node)?;
        self.list(key, from, |named, next| {
            let found = fs::symlink_metadata(folder.join(&named.name));
            found.is_ok_and(|meta| add(named, next, &attributes(named.number, &meta)))
        })
    }

    fn read_at(&self, key: FileHandle, offset: u64, size: u32) -> io::Result<Vec<u8>> {
        let most = self.behaviour.most_read.unwrap_or(usize::MAX);
        let mut room = vec![0; most.min(size as usize)];
        let handle = self.handle(key)?;
        let mut len = 0;
        while len < room.len() {
            match handle
                .file()?
                .read_at(&mut room[len..], offset + len as u64)?
            {
                0 => break,
                n => len += n,
            }
        }
        room.truncate(len);
        Ok(room)
    }

    fn write_at(&self, key: FileHandle, offset: u64, data: &[u8], kill: bool) -> io::Result<u32> {
        let handle = self.handle(key)?;
        let file = handle.file()?;
        if kill {
            let mode = file.metadata()?.mode() & 0o7777;
            let kept = mode & !(libc::S_ISUID | libc::S_ISGID);
            if kept != mode {
                file.set_permissions(Permissions::from_mode(kept))?;
            }
        }
        file.write_all_at(data, offset)?;
        Ok(u32::try_from(data.len()).unwrap())
    }

    /// In the order in which they come, so before any of them waits.
    fn note_write(&self, node: INodeNo, offset: u64, len: usize) {
        let mut writes = self.shared.writes.lock().unwrap();
        writes.entry(node.0).or_default().push((offset, len));
    }

    fn remove(&self, parent: INodeNo, name: &OsStr, is_folder: bool) -> io::Result<()> {
        let path = self.place(parent, name)?;
        let last = is_folder || fs::symlink_metadata(&path)?.nlink() == 1;
        if is_folder {
            fs::remove_dir(&path)?;
        } else {
            fs::remove_file(&path)?;
        }
        let mut nodes = self.shared.nodes.lock().unwrap();
        nodes.lose(&(parent.0, name.to_owned()), last);
        Ok(())
    }

    fn move_name(
        &self,
        (parent, name): (INodeNo, &OsStr),
        (new_parent, new_name): (INodeNo, &OsStr),
        flags: RenameFlags,
    ) -> io::Result<()> {
        if flags.intersects(RenameFlags::RENAME_WHITEOUT) {
            return Err(errno(libc::EINVAL));
        }
        let (from, to) = (self.place(parent, name)?, self.place(new_parent, new_name)?);
        let moved = fs::symlink_metadata(&from)?;
        let replaced = fs::symlink_metadata(&to).ok();
        system::rename(&from, &to, flags.bits())?;
        let mut nodes = self.shared.nodes.lock().unwrap();
        let old = (parent.0, name.to_owned());
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            if let Some(replaced) = replaced {
                nodes.see(parent.0, name, replaced.ino());
            }
        } else if replaced
            .as_ref()
            .is_some_and(|meta| meta.ino() == moved.ino())
        {
            // Two names of one file: both stay.
            return Ok(());
        } else {
            let last = replaced.is_some_and(|meta| meta.is_dir() || meta.nlink() == 1);
            nodes.lose(&(new_parent.0, new_name.to_owned()), last);
            nodes.lose(&old, false);
        }
        nodes.see(new_parent.0, new_name, moved.ino());
        Ok(())
    }
}

impl Named {
    fn dots(name: &str, number: u64) -> Self {
        Self {
            name: name.into(),
            number,
            kind: FileType::Directory,
        }
    }
}

fn kind(kind: fs::FileType) -> FileType {
    if kind.is_dir() {
        FileType::Directory
    } else if kind.is_symlink() {
        FileType::Symlink
    } else if kind.is_fifo() {
        FileType::NamedPipe
    } else if kind.is_socket() {
        FileType::Socket
    } else if kind.is_char_device() {
        FileType::CharDevice
    } else if kind.is_block_device() {
        FileType::BlockDevice
    } else {
        FileType::RegularFile
    }
}

fn attributes(number: u64, meta: &Metadata) -> FileAttr {
    let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let ctime = Duration::new(
        meta.ctime().try_into().unwrap_or_default(),
        meta.ctime_nsec().try_into().unwrap_or_default(),
    );
    FileAttr {
        ino: INodeNo(number),
        size: meta.size(),
        blocks: meta.blocks(),
        atime: meta.accessed().unwrap_or(SystemTime::UNIX_EPOCH),
        mtime: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        ctime: SystemTime::UNIX_EPOCH + ctime,
        crtime: SystemTime::UNIX_EPOCH,
        kind: kind(meta.file_type()),
        perm: u16::try_from(meta.mode() & 0o7777).unwrap(),
        nlink: small(meta.nlink()),
        uid: meta.uid(),
        gid: meta.gid(),
        rdev: small(meta.rdev()),
        blksize: small(meta.blksize()),
        flags: 0,
    }
}

/// Answers with what was done, or the error.
macro_rules! answer {
    ($done:expr, $reply:ident, $value:pat => $answer:expr) => {
        match $done {
            Ok($value) => $answer,
            Err(error) => $reply.error(error),
        }
    };
}

/// What a name was found to be.
fn answer_entry(done: Result<FileAttr, Errno>, reply: ReplyEntry) {
    answer!(done, reply, found => reply.entry(&KEPT, &found, GENERATION));
}

/// An attribute's value, or how long it is for who has no room yet.
fn answer_attribute(done: Result<Vec<u8>, Errno>, size: u32, reply: ReplyXattr) {
    answer!(done, reply, value => match u32::try_from(value.len()).unwrap() {
        len if size == 0 => reply.size(len),
        len if len > size => reply.error(Errno::ERANGE),
        _ => reply.data(&value),
    });
}

/// Nothing is kept for calls that the kernel has another way for.
fn lacking<T>() -> io::Result<T> {
    Err(errno(libc::ENOSYS))
}

impl Filesystem for Passthrough {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // What libfuse asks for; and that the set-user-ID bit is seen to here, as the kernel
        // would ask for an attribute before each write otherwise.
        for wanted in [
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_AUTO_INVAL_DATA,
            InitFlags::FUSE_ATOMIC_O_TRUNC,
            InitFlags::FUSE_ASYNC_DIO,
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_HANDLE_KILLPRIV_V2,
        ] {
            // An older kernel goes without.
            let _ = config.add_capabilities(wanted);
        }
        let _ = config.set_max_write(MOST_BYTES);
        let _ = config.set_max_background(self.behaviour.background);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let done = self.serve(Call::Lookup, || self.find(parent, name));
        answer_entry(done, reply);
    }

    fn getattr(&self, _: &Request, node: INodeNo, key: Option<FileHandle>, reply: ReplyAttr) {
        let done = self.serve(Call::Getattr, || self.get_attributes(node, key));
        answer!(done, reply, found => reply.attr(&KEPT, &found));
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        key: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let done = self.serve(Call::Setattr, || {
            if let Some(size) = size {
                self.set_size(node, key, size)?;
            }
            if uid.is_some() || gid.is_some() {
                lchown(self.path(node)?, uid, gid)?;
            }
            if let Some(mode) = mode {
                let mode = Permissions::from_mode(mode & 0o7777);
                fs::set_permissions(self.path(node)?, mode)?;
            }
            if atime.is_some() || mtime.is_some() {
                system::set_times(&self.path(node)?, [atime, mtime])?;
            }
            self.get_attributes(node, key)
        });
        answer!(done, reply, found => reply.attr(&KEPT, &found));
    }

    fn readlink(&self, _: &Request, node: INodeNo, reply: ReplyData) {
        let done = self.serve(Call::Readlink, || fs::read_link(self.path(node)?));
        answer!(done, reply, target => reply.data(target.as_os_str().as_encoded_bytes()));
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let done = self.serve(Call::Symlink, || {
            symlink(target, self.place(parent, name)?)?;
            self.finish(request, (parent, name), None)
        });
        answer_entry(done, reply);
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        device: u32,
        reply: ReplyEntry,
    ) {
        let done = self.serve(Call::Mknod, || {
            system::mknod(&self.place(parent, name)?, mode, device)?;
            self.finish(request, (parent, name), Some(mode))
        });
        answer_entry(done, reply);
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let done = self.serve(Call::Mkdir, || {
            fs::create_dir(self.place(parent, name)?)?;
            self.finish(request, (parent, name), Some(mode))
        });
        answer_entry(done, reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self.serve(Call::Unlink, || self.remove(parent, name, false));
        answer!(done, reply, () => reply.ok());
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self.serve(Call::Rmdir, || self.remove(parent, name, true));
        answer!(done, reply, () => reply.ok());
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let done = self.serve(Call::Rename, || {
            self.move_name((parent, name), (new_parent, new_name), flags)
        });
        answer!(done, reply, () => reply.ok());
    }

    fn link(&self, _: &Request, node: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let done = self.serve(Call::Link, || {
            fs::hard_link(self.path(node)?, self.place(parent, name)?)?;
            self.find(parent, name)
        });
        answer_entry(done, reply);
    }

    fn open(&self, _: &Request, node: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let done = self.serve(Call::Open, || self.open_file(node, flags.0));
        answer!(done, reply, (key, flags) => reply.opened(key, flags));
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        key: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let done = self.serve(Call::Read, || self.read_at(key, offset, size));
        answer!(done, reply, data => reply.data(&data));
    }

    fn write(
        &self,
        _: &Request,
        node: INodeNo,
        key: FileHandle,
        offset: u64,
        data: &[u8],
        flags: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.note_write(node, offset, data.len());
        let kill = flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID);
        let done = self.serve(Call::Write, || self.write_at(key, offset, data, kill));
        answer!(done, reply, len => reply.written(len));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        let done = self.serve(Call::Flush, || Ok(()));
        answer!(done, reply, () => reply.ok());
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        key: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        let done = self.serve(Call::Release, || self.drop_handle(key));
        answer!(done, reply, () => reply.ok());
    }

    fn fsync(&self, _: &Request, _: INodeNo, key: FileHandle, data: bool, reply: ReplyEmpty) {
        let done = self.serve(Call::Fsync, || {
            let handle = self.handle(key)?;
            let file = handle.file()?;
            if data {
                file.sync_data()
            } else {
                file.sync_all()
            }
        });
        answer!(done, reply, () => reply.ok());
    }

    fn opendir(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let done = self.serve(Call::Opendir, || self.open_folder(node));
        answer!(done, reply, key => reply.opened(key, FopenFlags::empty()));
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        key: FileHandle,
        from: u64,
        mut reply: ReplyDirectory,
    ) {
        let done = self.serve(Call::Readdir, || {
            self.list(key, from, |named, next| {
                reply.add(INodeNo(named.number), next, named.kind, &named.name)
            })
        });
        answer!(done, reply, () => reply.ok());
    }

    fn readdirplus(
        &self,
        _: &Request,
        node: INodeNo,
        key: FileHandle,
        from: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let done = self.serve(Call::ReaddirPlus, || {
            self.list_with_attributes(node, key, from, |named, next, found| {
                reply.add(found.ino, next, &named.name, &KEPT, found, GENERATION)
            })
        });
        answer!(done, reply, () => reply.ok());
    }

    fn releasedir(
        &self,
        _: &Request,
        _: INodeNo,
        key: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        let done = self.serve(Call::Releasedir, || self.drop_handle(key));
        answer!(done, reply, () => reply.ok());
    }

    fn fsyncdir(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let done = self.serve(Call::Fsyncdir, || File::open(self.path(node)?)?.sync_all());
        answer!(done, reply, () => reply.ok());
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let done = self.serve(Call::Statfs, || system::statvfs(&self.folder));
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        answer!(done, reply, found => reply.statfs(
            found.f_blocks,
            found.f_bfree,
            found.f_bavail,
            found.f_files,
            found.f_ffree,
            small(found.f_bsize),
            small(found.f_namemax),
            small(found.f_frsize),
        ));
    }

    fn setxattr(
        &self,
        _: &Request,
        node: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let done = self.serve(Call::Setxattr, || {
            system::set_xattr(&self.path(node)?, name, value, flags)
        });
        answer!(done, reply, () => reply.ok());
    }

    fn getxattr(&self, _: &Request, node: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let done = self.serve(Call::Getxattr, || {
            system::get_xattr(&self.path(node)?, name)
        });
        answer_attribute(done, size, reply);
    }

    fn listxattr(&self, _: &Request, node: INodeNo, size: u32, reply: ReplyXattr) {
        let done = self.serve(Call::Listxattr, || system::list_xattrs(&self.path(node)?));
        answer_attribute(done, size, reply);
    }

    fn removexattr(&self, _: &Request, node: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self.serve(Call::Removexattr, || {
            system::remove_xattr(&self.path(node)?, name)
        });
        answer!(done, reply, () => reply.ok());
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let done = self.serve(Call::Create, || {
            self.create_file(request, (parent, name), (mode, flags))
        });
        let flags = self.open_flags();
        answer!(done, reply, (found, key) => reply.created(&KEPT, &found, GENERATION, key, flags));
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _offset: u64,
        _length: u64,
        _mode: i32,
        reply: ReplyEmpty,
    ) {
        answer!(self.serve(Call::Fallocate, lacking), reply, () => reply.ok());
    }

    fn lseek(
        &self,
        _: &Request,
        _: INodeNo,
        key: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let done = self.serve(Call::Lseek, || {
            system::seek(self.handle(key)?.file()?, offset, whence)
        });
        answer!(done, reply, at => reply.offset(at));
    }

    fn copy_file_range(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _offset_in: u64,
        _: INodeNo,
        _: FileHandle,
        _offset_out: u64,
        _len: u64,
        _: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        answer!(self.serve(Call::CopyFileRange, lacking), reply, len => reply.written(len));
    }
}
