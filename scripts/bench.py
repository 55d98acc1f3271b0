#!/usr/bin/env python3
"""Runs annulet, GNU's cp and cat and other programs in turn and prints a table of medians.

Started by bench.sh, which builds, mounts and cleans up. What holds for every job:

- A time is that of the whole process, from just before posix_spawn until it is reaped.
- All programs run in turn, in a random order each round, so that what drifts drifts for all.
- Every result has a new name, and is checked once for each program; who fails is left out.
- Dirty pages are written before a run, and writeback is held off while it lasts.
- Trees are copied to file systems made afresh for each run, on images in memory, or to a
  tmpfs: an ext4 that has seen trees removed looks for inodes not freed lately for more than
  half of the time. A large file is removed after each run, and nothing of it was written.
- As much free memory as a run takes is touched before it: where the host of a virtual machine
  takes free memory back, the first touch costs more than the copy, whoever makes it.

The jobs "far" and "cold" have a table each: annulet as it chooses, with so many workers as it is
told, GNU's cp and the peers. They run where --job has these words.

- Far is a FUSE file system that waits in every call (tests/bench/far.rs); for the large numbers
  that are in flight at once it has as many threads. Where the calls of a run go is said on
  standard error.
- Cold is a file system mounted anew, its image in memory: the disk never waits.

The job "ways" is many, a table for each: one large file copied by annulet as it chooses and in
each way that it can be told to, beside GNU's cp and perhaps an older annulet. They run where
--job names "ways": FROM-to-TO (or one file system), size, cache, and io_uring or none.

- The file systems are made afresh for each table: images of 4 GiB in a tmpfs, a loop device,
  mkfs as the system's is. Overlayfs lies over such an ext4, its source in the upper layer;
  "to-ext4" is a folder of that ext4 outside of it, as a container's volume is.
- Cold means that the page cache of these was dropped. The image below stays in memory: what is
  measured is the way through the file system and the loop device, with a disk that never waits.
- Without io_uring ("noring"), io_uring_setup fails with EPERM, as in most containers: programs
  are started by a thread of this script that has a seccomp filter, and inherit that. Nothing
  else on the machine is refused anything, and nothing has to be put back.
- Blocks must be copied: where files can be cloned all get --reflink=never, and who shares blocks
  with the source even so, as copy_file_range makes the kernel do there, is left out.
"""

import argparse
import ctypes
import errno
import fcntl
import gc
import math
import mmap
import os
import platform
import random
import re
import shutil
import signal
import stat
import statistics
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30
TIME_LIMIT_S = 120
# What programs do at their start depends on the locale: it is the caller's, and shown.
ENVIRONMENT = dict(os.environ)
# Python ignores the first two, the shell SIGQUIT, and a child would go on doing so.
RESET_SIGNALS = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGQUIT]
LIBC = ctypes.CDLL(None, use_errno=True)


def say(text):
    print(text, file=sys.stderr, flush=True)


class Failed(Exception):
    """A program failed, or its result is wrong."""


class Skipped(Exception):
    """A job cannot run here."""


# --- programs -------------------------------------------------------------------------------


@dataclass
class Tool:
    """One program: how it is started as `cp` and `cat`, and with which options for which
    kind of job. A kind that is not there is one it cannot do."""

    name: str
    version: str
    starts: dict  # "cp" or "cat" -> (executable, [argv[0], ...])
    options: dict  # kind -> options

    def command(self, kind, *operands):
        executable, argv = self.starts["cat" if kind.startswith("cat") else "cp"]
        return executable, [*argv, *self.options[kind], *operands]

    def can(self, kind):
        program = "cat" if kind.startswith("cat") else "cp"
        return program in self.starts and kind in self.options


CP_KINDS = {"file": [], "tree": ["-r"], "archive": ["-a"], "sparse": [], "clone": []}
CAT_KINDS = {"cat": [], "cat -n": ["-n"], "cat -A": ["-A"]}


def without(kinds, *left_out):
    return {kind: options for kind, options in kinds.items() if kind not in left_out}


def version_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return ""
    lines = (done.stdout + done.stderr).splitlines()
    return lines[0].strip() if lines else ""


def find_tools(annulet, peers_dir):
    """annulet and GNU, which must be there, and the peers that are; says which are not."""

    def find(name):
        own = os.path.join(peers_dir, name)
        return own if os.access(own, os.X_OK) else shutil.which(name)

    def number(text):
        found = re.search(r"\d+\.\d[\w.+-]*", text)
        return found.group() if found else "?"

    gnu_cp, gnu_cat = shutil.which("cp"), shutil.which("cat")
    for program in gnu_cp, gnu_cat:
        if "GNU coreutils" not in version_of(program, "--version"):
            sys.exit(f"bench.py: {program} is not GNU's")
    both = {**CP_KINDS, **CAT_KINDS}
    tools = [
        Tool("annulet", f"{os.path.getsize(annulet)} bytes",
             {"cp": (annulet, ["cp"]), "cat": (annulet, ["cat"])}, both),
        Tool("GNU", number(version_of(gnu_cp, "--version")),
             {"cp": (gnu_cp, ["cp"]), "cat": (gnu_cat, ["cat"])}, both),
    ]
    missing = []
    if path := find("busybox"):
        # It fills holes, and knows no clones.
        tools.append(Tool("busybox", number(version_of(path, "--help")),
                          {"cp": (path, ["busybox", "cp"]), "cat": (path, ["busybox", "cat"])},
                          without(both, "sparse", "clone")))
    else:
        missing.append("busybox")
    if path := find("toybox"):
        tools.append(Tool("toybox", number(version_of(path, "--version")),
                          {"cp": (path, ["toybox", "cp"]), "cat": (path, ["toybox", "cat"])},
                          # It fills holes, has no -n, and makes a call for each byte of -v.
                          without(both, "sparse", "cat -n", "cat -A")))
    else:
        missing.append("toybox")
    uutils = {}
    for program in "cp", "cat":
        for path, argv in ((os.path.join(peers_dir, program), [program]),
                           (find("uu_" + program), [program]),
                           (find("coreutils"), ["coreutils", program])):
            if path and "uutils" in version_of(path, *argv[1:], "--version"):
                uutils[program] = (path, argv)
                break
    if uutils:
        path, argv = next(iter(uutils.values()))
        tools.append(Tool("uutils", number(version_of(path, *argv[1:], "--version")),
                          uutils, both))
    for program in {"cp", "cat"} - set(uutils):
        missing.append(f"uutils {program}")
    if path := find("xcp"):
        tools.append(Tool("xcp", number(version_of(path, "--version")),
                          {"cp": (path, ["xcp", "--no-progress"])},
                          without(CP_KINDS, "archive")))
    else:
        missing.append("xcp")
    if path := find("fcp"):
        # It fills holes.
        tools.append(Tool("fcp", number(version_of(path, "--version")), {"cp": (path, ["fcp"])},
                          {"file": [], "tree": [], "clone": []}))
    else:
        missing.append("fcp")
    if missing:
        say(f"not installed, left out: {', '.join(missing)} (--peers installs them)")
    return tools


# --- io_uring -------------------------------------------------------------------------------

SYS_SECCOMP, SYS_IO_URING_SETUP = 317, 425


def system_call(number, *arguments):
    """Its result, or the error's number below zero."""
    result = LIBC.syscall(*[ctypes.c_long(value) for value in (number, *arguments)])
    return result if result != -1 else -ctypes.get_errno()


def ring_is_refused():
    """With no parameters given to it, the call fails in another way where it is allowed."""
    return system_call(SYS_IO_URING_SETUP, 0, 0) in (-errno.EPERM, -errno.ENOSYS)


def refuse_ring():
    """Has io_uring_setup fail with EPERM in this thread and in what it starts from now on. Other
    system calls cost next to nothing more: the kernel remembers which ones always pass."""
    load_number, if_equal, answer = 0x20, 0x15, 0x06
    allow, fail_with = 0x7FFF0000, 0x00050000
    code = ctypes.create_string_buffer(struct.pack(
        "HBBI" * 4, load_number, 0, 0, 0, if_equal, 0, 1, SYS_IO_URING_SETUP,
        answer, 0, 0, fail_with | errno.EPERM, answer, 0, 0, allow))
    program = ctypes.create_string_buffer(struct.pack("HP", 4, ctypes.addressof(code)))
    pr_set_no_new_privs, set_mode_filter, spec_allow = 38, 1, 4
    LIBC.prctl(*[ctypes.c_ulong(value) for value in (pr_set_no_new_privs, 1, 0, 0, 0)])
    # Without spec_allow, kernels before 5.16 would slow the memory accesses of such a program.
    result = system_call(SYS_SECCOMP, set_mode_filter, spec_allow, ctypes.addressof(program))
    if result != 0 or not ring_is_refused():
        raise Skipped(f"io_uring cannot be refused: {os.strerror(-result)}")


# --- one run --------------------------------------------------------------------------------


def on_alarm(_signal, _frame):
    raise TimeoutError


def on_interrupt(_signal, _frame):
    """Once: what is left to do is to clean up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not SIG_IGN: Python complains when the other signal came at the same moment.
        signal.signal(number, lambda *_: None)
    raise KeyboardInterrupt


class Launcher:
    """Starts a program and times it."""

    def __init__(self, work):
        self.null = os.open("/dev/null", os.O_RDWR)
        self.errors_path = os.path.join(work, "stderr")
        self.errors = os.open(self.errors_path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self.refusing = None
        signal.signal(signal.SIGALRM, on_alarm)

    def refuse_ring(self):
        """Makes the thread that starts programs which io_uring is refused to."""
        if self.refusing is None:
            thread = ThreadPoolExecutor(max_workers=1)
            thread.submit(refuse_ring).result()
            self.refusing = thread

    def spawn(self, command, stdin=None, stdout=None):
        """The time just before, and the process."""
        executable, argv = command
        null = self.null
        redirections = [
            (os.POSIX_SPAWN_DUP2, null if stdin is None else stdin, 0),
            (os.POSIX_SPAWN_DUP2, null if stdout is None else stdout, 1),
            (os.POSIX_SPAWN_DUP2, self.errors, 2),
        ]
        return time.perf_counter_ns(), os.posix_spawn(
            executable, argv, ENVIRONMENT, file_actions=redirections, setsigdef=RESET_SIGNALS)

    def run(self, command, stdin=None, stdout=None, spawned=None, then=None, ring=True):
        """Seconds the program took, with what `then` does after it. `spawned` is called once
        the program is there."""
        os.ftruncate(self.errors, 0)
        signal.alarm(TIME_LIMIT_S)
        pid = None
        try:
            if ring:
                start, pid = self.spawn(command, stdin, stdout)
            else:
                start, pid = self.refusing.submit(self.spawn, command, stdin, stdout).result()
            if spawned:
                spawned()
            _, status = os.waitpid(pid, 0)
            pid = None
            if then:
                then()
            end = time.perf_counter_ns()
        except TimeoutError:
            raise Failed(f"not done after {TIME_LIMIT_S} s") from None
        except FileNotFoundError as error:
            raise Failed(str(error)) from None
        finally:
            signal.alarm(0)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        self.judge(status)
        return (end - start) / 1e9

    def judge(self, status):
        if status != 0:
            with open(self.errors_path, encoding="utf-8", errors="replace") as errors:
                message = errors.readline().strip()
            raise Failed(f"exit status {os.waitstatus_to_exitcode(status)}: {message}")


# --- file systems ---------------------------------------------------------------------------


class Memory:
    """File systems made afresh in a tmpfs, which bench.sh has mounted. What is still mounted
    there when this script has ended, bench.sh unmounts."""

    # ext4 would fill its inode tables after it is mounted, beside what is measured.
    MKFS = {"ext4": ["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"], "xfs": ["-q"],
            "btrfs": ["-q"]}

    def __init__(self, path):
        self.path, self.mounted, self.made = path, [], 0

    def fresh(self, kind, size=4 * GIB):
        """Where a new one is mounted. Its image has no name any more and goes with it."""
        if self.path is None:
            raise Skipped("nothing mounted in memory")
        if kind == "tmpfs":
            return self.mount("-t", "tmpfs", "-o", "size=90%,nr_inodes=0", "tmpfs")
        image = os.path.join(self.path, "image")
        with open(image, "wb") as out:
            out.truncate(size)
        try:
            self.do(f"mkfs.{kind}", *self.MKFS[kind], image)
            return self.mount("-t", kind, "-o", "loop", image)
        finally:
            os.unlink(image)

    def overlay(self, below):
        """A container's root: an empty layer to write to over an empty image."""
        layers = [os.path.join(below, name) for name in ("lower", "upper", "work")]
        for layer in layers:
            os.mkdir(layer)
        return self.mount("-t", "overlay", "-o",
                          "lowerdir={},upperdir={},workdir={}".format(*layers), "overlay")

    def mount(self, *what):
        self.made += 1
        at = os.path.join(self.path, f"mounted{self.made}")
        os.mkdir(at)
        self.mounted.append(at)
        self.do("mount", *what, at)
        return at

    def clear(self):
        """Unmounts all, the last first."""
        while self.mounted:
            at = self.mounted[-1]
            self.unmount(at)
            self.mounted.pop()
            os.rmdir(at)

    @staticmethod
    def unmount(at):
        tries = 50
        while os.path.ismount(at) and subprocess.run(
                ["umount", at], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            # Something may look at it for a moment, as a program just killed does.
            tries -= 1
            if tries == 0:
                sys.exit(f"bench.py: {at} cannot be unmounted")
            time.sleep(0.1)

    @staticmethod
    def do(*command):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise Skipped(f"no {command[0]}") from None
        if done.returncode != 0:
            raise Skipped(f"{command[0]}: {(done.stderr.splitlines() or ['failed'])[0]}")


# --- inputs and checks ----------------------------------------------------------------------


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as control:
        control.write("3")


def can_drop_caches():
    return os.access("/proc/sys/vm/drop_caches", os.W_OK)


def memory_free():
    with open("/proc/meminfo", encoding="ascii") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemFree"))


def memory_available():
    with open("/proc/meminfo", encoding="ascii") as lines:
        return next(int(line.split()[1]) << 10 for line in lines
                    if line.startswith("MemAvailable"))


def touch_memory(size):
    """Has the host find memory for twice the `size`, and the kernel's own share."""
    size = min(2 * size + 512 * MIB, memory_free() * 3 // 4)
    populate = 0x8000
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | populate
    mmap.mmap(-1, max(size, MIB), flags=flags).close()


def read_into_cache(path, buffer=bytearray(MIB)):
    if os.path.isdir(path):
        for folder, _, names in os.walk(path):
            for name in names:
                read_into_cache(os.path.join(folder, name))
        return
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    while os.readv(fd, [buffer]) > 0:
        pass
    os.close(fd)


def make_random_file(path, size):
    with open(path, "wb") as out:
        for _ in range(size // MIB):
            out.write(os.urandom(MIB))


def some_text():
    """8 MiB of lines of words of all lengths, with empty lines, tabs and a few letters beyond
    ASCII."""
    rng = random.Random(1)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(rng.choices(letters, k=rng.randint(1, 11))) for _ in range(3000)]
    words += ["naïve", "façade", "Größe", "señor", "Привет"] * 4
    block = bytearray()
    while len(block) < 8 * MIB:
        blanks = "\t" if rng.random() < 0.1 else ""
        block += (blanks + " ".join(rng.choices(words, k=rng.randint(0, 16))) + "\n").encode()
    return block


def make_text_file(path, size):
    block = some_text()
    with open(path, "wb") as out:
        for at in range(0, size, 8 * MIB):
            out.write(block[: min(8 * MIB, size - at)])
        # Some add a newline that is missing at the end.
        out.seek(size - 1)
        out.write(b"\n")


def make_sparse_file(path, size, extents, extent_size):
    with open(path, "wb") as out:
        out.truncate(size)
        for at in range(0, size, size // extents):
            out.seek(at)
            out.write(os.urandom(extent_size))


# Shares of files below a size, as in the HTML documentation of a Rust toolchain.
SIZES = [(0.30, 464, 516), (0.80, 4032, 5008), (0.95, 5008, 31830), (0.99, 31830, 172281),
         (1.00, 172281, 600000)]


def make_tree(path, files, per_folder=36, size=None, text=False):
    """`files` files in folders of `per_folder`, forty folders in a folder; of SIZES or, with
    `size`, of that size; of random bytes or, with `text`, of what can be compressed."""
    rng = random.Random(files)
    content = memoryview(some_text() if text else os.urandom(4 * MIB))
    for folder in range((files + per_folder - 1) // per_folder):
        inside = os.path.join(path, f"part{folder // 40}", f"folder{folder}")
        os.makedirs(inside)
        at = os.open(inside, os.O_RDONLY)
        for number in range(folder * per_folder, min(files, (folder + 1) * per_folder)):
            length = size
            if length is None:
                share = rng.random()
                low, high = next((low, high) for below, low, high in SIZES if share <= below)
                length = rng.randint(low, high)
            start = rng.randrange(3 * MIB)
            fd = os.open(f"file{number}.html", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=at)
            os.write(fd, content[start:start + length])
            os.close(fd)
        os.close(at)


def rust_documentation():
    """The share/doc of the Rust toolchain in use, where it has 40,000 files or more."""
    try:
        done = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True,
                              check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    path = os.path.join(done.stdout.strip(), "share", "doc")
    files = sum(len(names) for _, _, names in os.walk(path))
    return path if files >= 40_000 else None


def same_content(one, other, start=0, end=None):
    with open(one, "rb", buffering=0) as a, open(other, "rb", buffering=0) as b:
        a.seek(start)
        b.seek(start)
        left = os.fstat(a.fileno()).st_size - start if end is None else end - start
        while left > 0:
            here, there = a.read(min(left, MIB)), b.read(min(left, MIB))
            if here != there or not here:
                return False
            left -= len(here)
    return True


def check_file(source, copy):
    if os.path.getsize(source) != os.path.getsize(copy) or not same_content(source, copy):
        raise Failed("the copy differs")


def shares_blocks(path):
    """Whether a block of the file is another's as well, as far as its file system tells."""
    get_extents, extents_at_most, shared = 0xC020660B, 512, 0x2000
    answer = bytearray(struct.pack("QQIIII", 0, 2**64 - 1, 0, 0, extents_at_most, 0))
    answer += bytes(56 * extents_at_most)
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, get_extents, answer)
    except OSError:
        return False
    finally:
        os.close(fd)
    found = struct.unpack_from("I", answer, 20)[0]
    return any(struct.unpack_from("I", answer, 32 + 56 * number + 40)[0] & shared
               for number in range(found))


def check_unshared(source, copy):
    check_file(source, copy)
    if shares_blocks(copy):
        raise Failed("it cloned the file")


def check_sparse(source, copy):
    theirs, ours = os.stat(source), os.stat(copy)
    if theirs.st_size != ours.st_size:
        raise Failed("the copy has another size")
    if ours.st_blocks > 2 * theirs.st_blocks:
        raise Failed("the holes are filled")
    fd, at = os.open(source, os.O_RDONLY), 0
    while at < theirs.st_size:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(fd, at, os.SEEK_HOLE)
        if not same_content(source, copy, at, end):
            raise Failed("the copy differs")
        at = end
    os.close(fd)


def check_tree(source, copy, archive):
    """Every entry's name, type and size, what -a keeps (times in whole seconds: busybox
    keeps no more), and the content of one file in 20."""

    def entries(top):
        found = {}
        for folder, folders, names in os.walk(top):
            for name in folders + names:
                path = os.path.join(folder, name)
                found[os.path.relpath(path, top)] = os.lstat(path)
        return found

    theirs, ours = entries(source), entries(copy)
    if theirs.keys() != ours.keys():
        raise Failed(f"{len(ours)} entries instead of {len(theirs)}")
    for number, (name, a) in enumerate(sorted(theirs.items())):
        b = ours[name]
        if stat.S_IFMT(a.st_mode) != stat.S_IFMT(b.st_mode):
            raise Failed(f"{name} has another type")
        if stat.S_ISREG(a.st_mode):
            one, other = os.path.join(source, name), os.path.join(copy, name)
            if a.st_size != b.st_size or number % 20 == 0 and not same_content(one, other):
                raise Failed(f"{name} differs")
        if archive and (a.st_mode, a.st_uid, a.st_gid, a.st_mtime_ns // 10**9) != (
                b.st_mode, b.st_uid, b.st_gid, b.st_mtime_ns // 10**9):
            raise Failed(f"{name} has another mode, owner or time")


# --- jobs -----------------------------------------------------------------------------------


@dataclass
class Row:
    """A line of the table: a contender's times over GNU's and over the best peer's. No goal
    is no more than a figure."""

    name: str
    title: str
    goal_gnu: float | None
    goal_peer: float | None
    contender: str = "annulet"


class Job:
    """Something all programs do. `contenders` maps a name to a tool and further options."""

    kind = "file"
    rounds = 7
    warm_up = True
    ring = True

    def __init__(self, bench, place, *rows):
        self.bench, self.place, self.rows = bench, place, rows
        self.contenders = {tool.name: (tool, []) for tool in bench.tools if tool.can(self.kind)}
        self.made = 0

    def new_name(self, place=None):
        self.made += 1
        return os.path.join(place or self.place, f"new{self.made}")

    def setup(self):
        """Makes what the job needs."""

    def before_round(self):
        """Not timed."""

    def run(self, name, check):
        """Seconds one run of a contender takes."""
        raise NotImplementedError

    def command(self, name, *operands):
        tool, further = self.contenders[name]
        return tool.command(self.kind, *further, *operands)

    def teardown(self):
        """Removes what the job made."""


class CopyFile(Job):
    """cp of one file to a new name. Of a large one on a disk nothing reaches the disk: it is
    removed before it is written. Clones take no room and are kept: to free one takes longer
    than to make one, and goes on behind the next."""

    touches_each_run = True

    def __init__(self, bench, place, source, *rows, kind="file", rounds=7, cold=False,
                 durable=False, check=check_file):
        self.kind = kind
        super().__init__(bench, place, *rows)
        self.rounds, self.cold, self.durable, self.check = rounds, cold, durable, check
        self.make = source
        self.source = None

    def setup(self):
        if self.place is None:
            raise Skipped("not mounted")
        if self.cold and not can_drop_caches():
            raise Skipped("caches cannot be dropped (not root)")
        self.source = self.make(self.place)
        self.large = os.path.getsize(self.source) > MIB and self.kind != "clone"
        os.sync()

    def before_round(self):
        if not self.cold and self.check is not check_sparse:
            read_into_cache(self.source)

    def run(self, name, check):
        if self.large or self.kind == "clone":
            os.sync()
        if self.cold:
            drop_caches()
            # The program itself is not cold: its start is another job.
            small = self.new_name()
            self.bench.launcher.run(self.command(name, self.bench.small, small),
                                    ring=self.ring)
            os.unlink(small)
        if self.large and self.touches_each_run:
            touch_memory(os.stat(self.source).st_blocks * 512)
        copy = self.new_name()
        flush = None
        if self.durable:
            def flush():
                fd = os.open(copy, os.O_RDONLY)
                os.fsync(fd)
                os.close(fd)
        seconds = self.bench.launcher.run(self.command(name, self.source, copy), then=flush,
                                          ring=self.ring)
        if check:
            if not os.path.exists(copy):
                raise Failed("no copy")
            self.check(self.source, copy)
        if self.large:
            os.unlink(copy)
        return seconds

    def teardown(self):
        for name in os.listdir(self.place):
            if name.startswith("new"):
                os.unlink(os.path.join(self.place, name))
        if self.made > 1000 and can_drop_caches():
            drop_caches()


class Ways(CopyFile):
    """cp of one large file in every way, between file systems made afresh in memory."""

    FIXED = ["--io=ring", "--io=thread", "--io=splice", "--io=copy_file_range",
             "--io=read_write", "-j1"]
    GOAL_FIXED = 1.10
    # What one copy has given back the next one takes: once in a round is enough, and a third of
    # the time.
    touches_each_run = False
    GOAL_GNU = {"ext4": 0.58, "tmpfs": 0.88, "xfs": 0.60, "btrfs": 1.00, "overlay": 0.70}
    GOAL_BEFORE = {"ext4": 1.05, "xfs": 1.05, "btrfs": 1.05, "tmpfs": 1.10}

    def __init__(self, bench, where, size, cold, ring, rounds):
        self.size, self.ring = size, ring
        self.origin, self.target = where if isinstance(where, tuple) else (where, where)
        between = (where, where) if isinstance(where, str) else (
            f"{self.origin}-to-{self.target}", f"{self.origin} to {self.target}")
        large = size > 64 * MIB
        cache = "cold" if cold else "cached"
        name = (f"ways-{between[0]}-{'large' if large else 'small'}-{cache}-"
                f"{'ring' if ring else 'noring'}")
        amount = "1 GiB" if size == GIB else f"{size // MIB} MiB"
        title = (f"{amount} file, {cache}, {between[1]}, "
                 f"{'with' if ring else 'without'} io_uring")
        measured = isinstance(where, str) and large and not cold
        row = Row(name, title, self.GOAL_GNU[where] if measured else None, None)
        super().__init__(bench, None, None, row, rounds=rounds, cold=cold,
                         check=check_unshared)
        self.goal_before = self.GOAL_BEFORE.get(where)
        self.contenders = self.all_contenders()

    def all_contenders(self):
        never = ["--reflink=never"] if self.target in ("xfs", "btrfs") else []
        annulet, gnu = self.bench.tools[:2]
        found = {"annulet": (annulet, never)}
        for way in self.FIXED:
            if self.ring or way != "--io=ring":
                found[f"annulet {way}"] = (annulet, [*never, way])
        found["GNU"] = (gnu, never)
        if self.bench.before:
            found["before"] = (self.bench.before, never)
            found["before -j1"] = (self.bench.before, [*never, "-j1"])
        return found

    def setup(self):
        if memory_available() < 4 * self.size + 2 * GIB:
            raise Skipped("not enough memory")
        if self.cold and not can_drop_caches():
            raise Skipped("caches cannot be dropped")
        if not self.ring:
            self.bench.launcher.refuse_ring()
        elif ring_is_refused():
            raise Skipped("io_uring is refused here")
        origin, self.place = self.places()
        self.source = os.path.join(origin, "source")
        make_random_file(self.source, self.size)
        self.large = True
        os.sync()

    def before_round(self):
        super().before_round()
        touch_memory(self.size)

    def places(self):
        """From where to where."""
        memory = self.bench.memory
        if self.origin != "overlay":
            place = memory.fresh(self.target)
            return place, place
        below = memory.fresh("ext4")
        root = memory.overlay(below)
        if self.target == "overlay":
            return root, root
        if self.target == "tmpfs":
            return root, memory.fresh("tmpfs")
        volume = os.path.join(below, "volume")
        os.mkdir(volume)
        return root, volume

    def teardown(self):
        self.bench.memory.clear()


class CopyTree(Job):
    """cp of a tree of small files: to a file system made afresh for each run, of the kind
    `fresh`, or to a new name beside it."""

    warm_up = False

    def __init__(self, bench, place, *rows, kind="tree", rounds=3, cold=False, fresh=None):
        self.kind = kind
        super().__init__(bench, place, *rows)
        self.rounds, self.cold, self.fresh = rounds, cold, fresh
        self.source = None
        if any(row.contender == "annulet --io=sync" for row in rows):
            self.contenders["annulet --io=sync"] = (bench.tools[0], ["--io=sync"])

    def setup(self):
        if self.place is None:
            raise Skipped("not mounted")
        if self.cold and not can_drop_caches():
            raise Skipped("caches cannot be dropped (not root)")
        self.source = self.bench.tree(self.place)
        # After caches are dropped the first is slower, whoever makes it: it does not count.
        self.run("GNU", False)

    def make_ready(self):
        os.sync()
        if self.cold:
            drop_caches()
        else:
            read_into_cache(self.source)

    def run(self, name, check):
        size = self.bench.tree_bytes
        try:
            target = self.place
            if self.fresh:
                target = self.bench.memory.fresh(self.fresh, max(4 * GIB, 3 * size))
            self.make_ready()
            if self.cold:
                small = self.new_name(target)
                self.bench.launcher.run(self.command(name, self.bench.small_tree, small))
            copy = self.new_name(target)
            touch_memory(size)
            seconds = self.bench.launcher.run(self.command(name, self.source, copy))
            if check:
                check_tree(self.source, copy, self.kind == "archive")
            return seconds
        finally:
            self.remove_copies()

    def remove_copies(self):
        if self.fresh:
            self.bench.memory.clear()
            return
        for name in os.listdir(self.place):
            if name.startswith("new"):
                path = os.path.join(self.place, name)
                # Python's own rmtree takes four times as long.
                subprocess.run(["rm", "-rf", "--", path], check=True)

    def teardown(self):
        if not self.fresh:
            shutil.rmtree(self.source)


class Choices(Job):
    """What annulet does as it chooses beside what it can be told, GNU's cp and the peers; has a
    table of its own."""

    GOAL_FIXED = 1.10
    goal_before = None
    warm_up = False
    FIXED = []

    def __init__(self, bench, place, *rows, kind, rounds):
        self.kind = kind
        super().__init__(bench, place, *rows)
        self.rounds = rounds
        annulet = bench.tools[0]
        fixed = {f"annulet {way}": (annulet, way.split()) for way in self.FIXED}
        self.contenders = {"annulet": (annulet, []), **fixed, **self.contenders}
        if bench.before:
            self.contenders["before"] = (bench.before, [])

    def remove(self, path):
        subprocess.run(["rm", "-rf", "--", path], check=True)

    def teardown(self):
        self.bench.memory.clear()


class Far(Choices):
    """cp from or to a stand-in for a far file system, which waits `delay_us` in every call; all
    that lies behind it is in memory. It is mounted anew for each run: nothing of it is cached."""

    FIXED = ["-j1", "-j16", "-j64", "--io=ring"]

    def __init__(self, bench, row, delay_us, writes, make, kind, rounds):
        super().__init__(bench, None, row, kind=kind, rounds=rounds)
        self.delay_us, self.writes, self.make = delay_us, writes, make
        self.counts = {}

    def setup(self):
        if self.bench.far is None:
            raise Skipped("the stand-in was not built")
        self.place = self.bench.memory.fresh("tmpfs")
        self.behind, self.far, near = [os.path.join(self.place, name)
                                       for name in ("behind", "far", "near")]
        for path in self.behind, self.far, near:
            os.mkdir(path)
        self.origin = os.path.join(near if self.writes else self.behind, "source")
        self.make(self.origin)

    def run(self, name, check):
        source, copy = self.origin, self.new_name()
        if self.writes:
            copy = self.new_name(self.far)
            result = os.path.join(self.behind, os.path.basename(copy))
        else:
            source = os.path.join(self.far, "source")
            result = copy
        try:
            with StandIn(self.bench.far, self.behind, self.far, self.delay_us) as stand_in:
                seconds = self.bench.launcher.run(self.command(name, source, copy))
            self.counts[name] = stand_in.counts
            if check:
                (check_file if self.kind == "file" else self.check_tree)(self.origin, result)
            return seconds
        finally:
            self.remove(result)

    @staticmethod
    def check_tree(source, copy):
        check_tree(source, copy, False)

    def teardown(self):
        for name, counts in self.counts.items():
            say(f"  {name}: {counts}")
        super().teardown()


class StandIn:
    """The stand-in, mounted."""

    def __init__(self, program, behind, at, delay_us):
        self.command = [program, behind, at, str(delay_us)]
        self.process, self.counts = None, ""

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        if self.process.stdout.readline() != "mounted\n":
            _, said = self.process.communicate()
            raise Skipped(said.strip() or "the stand-in ended")
        return self

    def __exit__(self, *_):
        self.counts = self.process.communicate()[0].strip()


class ColdImage(Choices):
    """cp of a tree of text from a file system mounted anew for each run, so that nothing of it
    is cached, to a tmpfs. Its image stays in memory: what counts is how it is unpacked."""

    FIXED = ["-j1", "-j2", "-j4", "-j8"]
    MAKE = {
        "squashfs-gzip": ["mksquashfs", "TREE", "IMAGE", "-quiet", "-no-progress"],
        "squashfs-zstd": ["mksquashfs", "TREE", "IMAGE", "-quiet", "-no-progress", "-comp",
                          "zstd"],
        "erofs": ["mkfs.erofs", "-zlz4hc", "IMAGE", "TREE"],
        "ext4": ["mkfs.ext4", *Memory.MKFS["ext4"], "-d", "TREE", "IMAGE"],
        "xfs": ["mkfs.xfs", *Memory.MKFS["xfs"], "IMAGE"],
    }

    def __init__(self, bench, row, image, files, rounds):
        super().__init__(bench, None, row, kind="tree", rounds=rounds)
        self.image_kind, self.files = image, files

    def setup(self):
        memory = self.bench.memory
        self.place = memory.fresh("tmpfs")
        self.tree, self.image, self.at = [os.path.join(self.place, name)
                                          for name in ("tree", "image", "mounted")]
        os.mkdir(self.at)
        make_tree(self.tree, self.files, text=True)
        if self.image_kind in Memory.MKFS:
            with open(self.image, "wb") as out:
                out.truncate(2 * GIB)
        names = {"TREE": self.tree, "IMAGE": self.image}
        memory.do(*[names.get(word, word) for word in self.MAKE[self.image_kind]])
        if self.image_kind == "xfs":
            memory.do("mount", "-o", "loop", self.image, self.at)
            memory.do("cp", "-r", os.path.join(self.tree, "."), self.at)
            memory.unmount(self.at)

    def run(self, name, check):
        copy = self.new_name()
        kind = self.image_kind.split("-")[0]
        self.bench.memory.do("mount", "-t", kind, "-o", "loop,ro", self.image, self.at)
        try:
            seconds = self.bench.launcher.run(self.command(name, self.at, copy))
            if check:
                if kind == "ext4":
                    os.rmdir(os.path.join(copy, "lost+found"))
                check_tree(self.tree, copy, False)
            return seconds
        finally:
            self.bench.memory.unmount(self.at)
            self.remove(copy)


class CopyOperands(Job):
    """cp of many small files, each of them named, into a directory made afresh for each run."""

    FILES = 5000
    SIZE = 8 << 10

    def __init__(self, bench, place, row, rounds):
        super().__init__(bench, place, row)
        self.rounds = rounds

    def setup(self):
        if self.place is None:
            raise Skipped("not mounted")
        self.source = os.path.join(self.place, "operands")
        make_tree(self.source, self.FILES, per_folder=self.FILES, size=self.SIZE)
        folder = os.path.join(self.source, "part0", "folder0")
        self.names = sorted(os.path.join(folder, name) for name in os.listdir(folder))
        self.folder = folder

    def run(self, name, check):
        target = self.new_name()
        os.mkdir(target)
        try:
            touch_memory(self.FILES * self.SIZE)
            seconds = self.bench.launcher.run(self.command(name, *self.names, target))
            if check:
                check_tree(self.folder, target, False)
            return seconds
        finally:
            subprocess.run(["rm", "-rf", "--", target], check=True)

    def teardown(self):
        shutil.rmtree(self.source)


class Cat(Job):
    """cat of one file, with the ways of input and output that differ."""

    def __init__(self, bench, source, way, *rows, kind="cat", rounds=7):
        self.kind = kind
        super().__init__(bench, bench.disk, *rows)
        self.way, self.rounds = way, rounds
        self.make = source
        self.source = None

    def setup(self):
        self.source = self.make(self.place)
        os.sync()

    def before_round(self):
        read_into_cache(self.source)

    def run(self, name, check):
        launcher = self.bench.launcher
        if check:
            self.check(name)
        command = self.command(name, self.source)
        if self.way == "null":
            return launcher.run(command)
        if self.way == "pipe":
            return self.into_pipe(command)
        os.sync()
        touch_memory(os.stat(self.source).st_size)
        path = self.new_name()
        out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            if self.way == "file":
                return launcher.run(command, stdout=out)
            return self.from_pipe(self.command(name), out)
        finally:
            if check:
                check_file(self.source, path)
            os.close(out)
            os.unlink(path)

    def into_pipe(self, command):
        """The reader throws away what comes, without a copy."""
        reading, writing = os.pipe()
        drained = 0

        def drain():
            nonlocal drained
            while count := os.splice(reading, self.bench.launcher.null, MIB):
                drained += count

        reader = threading.Thread(target=drain)
        reader.start()
        seconds = self.bench.launcher.run(command, stdout=writing,
                                          spawned=lambda: os.close(writing), then=reader.join)
        os.close(reading)
        if drained != os.path.getsize(self.source):
            raise Failed(f"{drained} bytes came through the pipe")
        return seconds

    def from_pipe(self, command, out):
        """The writer gives pages of the page cache, without a copy."""
        reading, writing = os.pipe()
        source, left = os.open(self.source, os.O_RDONLY), os.path.getsize(self.source)

        def feed():
            nonlocal left
            try:
                while left > 0:
                    left -= os.splice(source, writing, min(left, MIB))
            except BrokenPipeError:
                pass
            os.close(writing)

        writer = threading.Thread(target=feed)
        writer.start()
        seconds = self.bench.launcher.run(command, stdin=reading, stdout=out,
                                          spawned=lambda: os.close(reading))
        writer.join()
        os.close(source)
        return seconds

    def check(self, name):
        """What comes out of a file is the file, or what GNU makes of a smaller one."""
        source = self.bench.small_text if self.kind != "cat" else self.source
        path, expected = self.new_name(), source
        with open(path, "wb") as out:
            self.bench.launcher.run(self.command(name, source), stdout=out.fileno())
        if self.kind != "cat":
            expected = self.new_name()
            with open(expected, "wb") as out:
                self.bench.launcher.run(self.bench.tools[1].command(self.kind, source),
                                        stdout=out.fileno())
        check_file(expected, path)
        os.unlink(path)
        if expected != source:
            os.unlink(expected)


# --- all of it ------------------------------------------------------------------------------


class Bench:
    """Where it happens, with what, and how large."""

    def __init__(self, options):
        self.disk, self.tmpfs = options.dir, options.tmpfs
        self.xfs, self.btrfs = options.xfs, options.btrfs
        self.memory, self.far = Memory(options.memory), options.far
        self.quick, self.rounds = options.quick, options.rounds
        self.tools = find_tools(options.annulet, options.peers)
        self.before = options.before and Tool(
            "before", f"{os.path.getsize(options.before)} bytes",
            {"cp": (options.before, ["cp"])}, CP_KINDS)
        self.launcher = Launcher(options.dir)
        self.file_bytes = (256 if self.quick else 1024) * MIB
        self.tree_bytes = 0
        self.small = os.path.join(self.disk, "small")
        self.small_text = os.path.join(self.disk, "small-text")
        self.small_tree = os.path.join(self.disk, "small-tree")
        with open(self.small, "wb") as out:
            out.write(os.urandom(1024))
        make_text_file(self.small_text, 4 * MIB)
        make_tree(self.small_tree, 10)

    def once(self, place, name, make):
        path = os.path.join(place, name)
        if not os.path.exists(path):
            say(f"  making {path}")
            make(path)
        return path

    def small_file(self, place):
        return self.once(place, "small", lambda path: shutil.copyfile(self.small, path))

    def large_file(self, place):
        return self.once(place, "large", lambda path: make_random_file(path, self.file_bytes))

    def large_text(self, place):
        return self.once(place, "large-text", lambda path: make_text_file(path, self.file_bytes))

    def sparse_file(self, place):
        return self.once(place, "sparse",
                         lambda path: make_sparse_file(path, 20 * 1024 * MIB, 1000, 64 << 10))

    def tree(self, place):
        """The tree of small files, on the disk or as a copy of that elsewhere."""
        def make(path):
            documentation = None if self.quick else rust_documentation()
            if place != self.disk:
                subprocess.run(["cp", "-r", self.tree(self.disk), path], check=True)
            elif documentation:
                subprocess.run(["cp", "-r", documentation, path], check=True)
            else:
                make_tree(path, 5_000 if self.quick else 50_000)

        path = self.once(place, "tree", make)
        files = [os.lstat(os.path.join(folder, name)).st_blocks
                 for folder, folders, names in os.walk(path) for name in folders + names]
        self.tree_bytes = 512 * sum(files)
        return path

    def ways(self):
        """A job for each table. On a tmpfs nothing is ever cold."""
        rounds = self.rounds or (5 if self.quick else 15)
        return [
            Ways(self, where, size, cold, ring, rounds)
            for where in ("ext4", "tmpfs", "xfs", "btrfs", ("overlay", "ext4"),
                          ("overlay", "tmpfs"), "overlay")
            for size in (64 * MIB, self.file_bytes)
            for cold in (False, True) if not (cold and where == "tmpfs")
            for ring in (True, False)
        ]

    def far_jobs(self):
        """A job for each table. Goals are what they are at 1 ms."""
        jobs = []
        files, large = (200, 40 * MIB) if self.quick else (1000, 200 * MIB)
        for delay_us in 100, 1000, 10_000:
            ms = f"{delay_us / 1000:g} ms"
            short = ms.replace(" ", "")
            rounds = self.rounds or (3 if self.quick or delay_us == 10_000 else 5)
            # At 0.1 ms none is to be quicker.
            near = delay_us == 100
            for what, writes, kind, goal_gnu, goal_peer in (
                    ("read", False, "tree", 0.18, 0.50),
                    ("write", True, "tree", 0.15, 0.45),
                    ("large-read", False, "file", 0.90, None),
                    ("large-write", True, "file", None, None)):
                if kind == "tree":
                    title = f"{files:,} files of 6 KB in 20 folders"
                    make = lambda path: make_tree(path, files, files // 20, 6000)
                else:
                    title = f"{large // MIB} MiB file"
                    make = lambda path: make_random_file(path, large)
                title += f", {'to' if writes else 'from'} where every call waits {ms}"
                row = Row(f"far-{what}-{short}", title, 1.0 if near else goal_gnu,
                          1.0 if near else goal_peer)
                jobs.append(Far(self, row, delay_us, writes, make, kind, rounds))
        return jobs

    def cold_jobs(self):
        """A job for each table."""
        files = 5_000 if self.quick else 20_000
        rounds = self.rounds or (5 if self.quick else 7)
        goals = {"squashfs-gzip": (0.60, 1.10), "squashfs-zstd": (0.60, 1.10)}
        return [
            ColdImage(self, Row(f"cold-{kind}", f"{files:,} text files on {kind}, mounted anew, "
                                "to a tmpfs", *goals.get(kind, (None, None))),
                      kind, files, rounds)
            for kind in ColdImage.MAKE
        ]

    def jobs(self):
        disk, tmpfs = self.disk, self.tmpfs
        large = "256 MiB file" if self.quick else "1 GiB file"
        text = large.replace("file", "text")
        tree = "5,000-file tree" if self.quick else "50,000-file tree"
        short, middling, long = (100, 20, 3) if self.quick else (400, 40, 7)
        trees = 2 if self.quick else 3
        if self.rounds:
            short, middling, long, trees = 40 * self.rounds, 5 * self.rounds, *[self.rounds] * 2

        def clone(place, name, kind):
            return CopyFile(self, place, self.large_file,
                            Row(name, f"{large}, clone, {kind}", 0.25, 0.50),
                            kind="clone", rounds=middling)

        return [
            Cat(self, self.small_file, "null",
                Row("cat-1k", "cat of 1 KiB", 0.25, 0.45), rounds=short),
            CopyFile(self, disk, self.small_file,
                     Row("cp-1k", "cp of 1 KiB", 0.25, 0.50), rounds=short),
            CopyFile(self, disk, self.large_file,
                     Row("file-disk", f"{large}, cached, disk", 0.66, 0.90), rounds=long),
            CopyFile(self, tmpfs, self.large_file,
                     Row("file-tmpfs", f"{large}, tmpfs", 0.80, 1.00), rounds=long),
            CopyFile(self, disk, self.large_file,
                     Row("file-cold", f"{large}, cold, disk", 0.90, 0.95), rounds=long,
                     cold=True),
            CopyFile(self, disk, self.large_file,
                     Row("file-cold-fsync", f"{large}, cold, disk, fsync", 0.90, 0.95),
                     rounds=long, cold=True, durable=True),
            CopyFile(self, disk, self.sparse_file,
                     Row("sparse", "20 GiB sparse, 1,000 extents", 0.60, 1.00), kind="sparse",
                     rounds=long, check=check_sparse),
            clone(self.xfs, "clone-xfs", "xfs"),
            clone(self.btrfs, "clone-btrfs", "btrfs"),
            CopyTree(self, disk,
                     Row("tree-disk", f"{tree}, -r, cached, to a fresh ext4", 0.42, 0.90),
                     Row("tree-disk-sync", "the same with --io=sync", 0.45, 0.95,
                         "annulet --io=sync"), rounds=trees, fresh="ext4"),
            CopyTree(self, disk,
                     Row("tree-archive", f"{tree}, -a, cached, to a fresh ext4", 0.45, 0.90),
                     kind="archive", rounds=trees, fresh="ext4"),
            CopyTree(self, disk,
                     Row("tree-cold", f"{tree}, -r, cold, to a fresh ext4", 0.30, 0.75),
                     rounds=trees, cold=True, fresh="ext4"),
            CopyTree(self, disk,
                     Row("tree-xfs", f"{tree}, -r, cached, to a fresh xfs", None, None),
                     rounds=trees, fresh="xfs"),
            CopyTree(self, disk,
                     Row("tree-btrfs", f"{tree}, -r, cached, to a fresh btrfs", None, None),
                     rounds=trees, fresh="btrfs"),
            CopyOperands(self, tmpfs,
                         Row("operands", "5,000 files of 8 KiB as operands, tmpfs", 0.50, 0.95),
                         rounds=long),
            CopyTree(self, tmpfs, Row("tree-tmpfs", f"{tree}, -r, tmpfs", 0.48, 0.90),
                     rounds=long),
            Cat(self, self.large_file, "null",
                Row("cat-null", f"cat, {large}, to /dev/null", 0.25, 1.00), rounds=middling),
            Cat(self, self.large_file, "pipe",
                Row("cat-pipe", f"cat, {large}, to a pipe", 0.30, 1.00), rounds=middling),
            Cat(self, self.large_file, "from pipe",
                Row("cat-from-pipe", f"cat, {large}, pipe to file", 0.45, 1.00), rounds=long),
            Cat(self, self.large_file, "file",
                Row("cat-file", f"cat, {large}, file to file", 0.75, 1.00), rounds=long),
            Cat(self, self.large_text, "null",
                Row("cat-n", f"cat -n, {text}", 0.50, 0.80), kind="cat -n", rounds=long),
            Cat(self, self.large_text, "null",
                Row("cat-A", f"cat -A, {text}", 0.50, 0.80), kind="cat -A", rounds=long),
        ]

    def measure(self, job):
        """Times of every contender, in seconds, in turn."""
        times = {name: [] for name in job.contenders}
        unchecked = set(times)

        def attempt(name):
            try:
                seconds = job.run(name, name in unchecked)
                unchecked.discard(name)
                return seconds
            except Failed as failure:
                say(f"  {name} is left out: {failure}")
                del times[name]
                return None

        if job.warm_up:
            first = {name: attempt(name) for name in list(times)}
            for name in set(times) - {"GNU", "annulet"}:
                if first[name] > 5 and first[name] > 8 * (first.get("GNU") or 1):
                    say(f"  {name} takes {first[name]:.0f} s: left at that")
                    del times[name]
        for _ in range(job.rounds):
            job.before_round()
            # Not in a circle: what one leaves behind would always meet the same next one.
            for name in random.sample(list(times), len(times)):
                if name in times and (seconds := attempt(name)) is not None:
                    times[name].append(seconds)
        return times


def shown(seconds):
    if seconds is None:
        return ""
    return f"{seconds:.{3 if seconds >= 1 else 4 if seconds >= 0.01 else 6}f}"


def spread(values):
    """The interquartile range over the median, in per cent."""
    if len(values) < 3:
        return None
    low, _, high = statistics.quantiles(values, n=4)
    return 100 * (high - low) / statistics.median(values)


def interval(values):
    """Between which of the values the median lies in 95 % of such series or more, whatever
    their distribution; of fewer than six values, the least and the greatest."""
    beyond, chance = 0, 0.0
    while (chance := chance + math.comb(len(values), beyond) / 2 ** len(values)) <= 0.025:
        beyond += 1
    ordered = sorted(values)
    beyond = max(beyond, 1)
    return ordered[beyond - 1], ordered[-beyond]


def is_missed(value, goal):
    return goal is not None and round(value, 2) > goal


def against(value, goal):
    """A ratio, marked where it misses its goal."""
    return f"{value:.2f} *" if is_missed(value, goal) else f"{value:.2f}"


def shown_goal(goal):
    return "" if goal is None else f"{goal:.2f}"


class Table:
    """Collects a line for each job, prints them in columns."""

    def __init__(self, tools):
        self.tools = tools
        self.peers = [tool.name for tool in tools[2:]]
        self.lines, self.failed = [], []

    def add(self, row, times):
        medians = {name: statistics.median(values) for name, values in times.items() if values}
        own, gnu = medians.get(row.contender), medians.get("GNU")
        peers = {name: medians[name] for name in self.peers if name in medians}
        best = min(peers, key=peers.get) if peers else None

        def ratio(other, goal):
            if not own or not other:
                return "failed" if not own else ""
            return against(own / other, goal)

        spreads = [spread(times[name]) for name in (row.contender, "GNU") if times.get(name)]
        spreads = [value for value in spreads if value is not None]
        if not own:
            self.failed.append(row.name)
        self.lines.append([
            row.name, row.title, shown_goal(row.goal_gnu), ratio(gnu, row.goal_gnu),
            shown_goal(row.goal_peer),
            f"{ratio(peers[best], row.goal_peer)} ({best})" if best else "", shown(own),
            *[shown(medians.get(tool.name)) for tool in self.tools[1:]],
            f"{max(spreads):.0f} %" if spreads else "",
        ])
        say("  " + "; ".join(f"{name} {shown(value)}" for name, value in medians.items()))

    def print(self):
        head = ["job", "", "goal", "annulet/GNU", "goal", "annulet/best peer",
                *[tool.name for tool in self.tools], "spread"]
        print_columns([head, *self.lines])
        print("\nMedians in seconds; * goal missed; spread: interquartile range over the median,"
              "\nthe larger of annulet's and GNU's.")


class WaysTables:
    """Prints a table for each job of `ways`, `far` and `cold`, and a line for each at the end."""

    def __init__(self, tools):
        self.peers = [tool.name for tool in tools[2:]]
        self.lines, self.failed = [], []

    def add(self, job, times):
        row = job.rows[0]
        medians = {name: statistics.median(values) for name, values in times.items() if values}
        fixed = [name for name in medians if name.startswith("annulet ")]
        best = min(fixed, key=medians.get, default=None)
        peer = min((name for name in self.peers if name in medians), key=medians.get,
                   default=None)
        goals = {best: job.GOAL_FIXED, "GNU": row.goal_gnu, peer: row.goal_peer,
                 "before": job.goal_before if "before" in medians else None}
        print(f"\n{row.name}: {row.title}; {job.rounds} rounds")
        lines = [["", "median", "least", "/best fixed", "goal", "/GNU", "goal", "/best peer",
                  "goal", "/before", "95 %", "goal"]]
        for name, median in medians.items():
            own = name == "annulet"
            # What is told to use one worker is compared with what was told the same.
            before = "before -j1" if name.endswith(" -j1") else "before"
            line = [name, shown(median), shown(min(times[name]))]
            for other in best, "GNU", peer:
                line += [against(median / medians[other], goals[other] if own else None)
                         if other in medians else "", shown_goal(goals[other]) if own else ""]
            ratio = ["", ""]
            if before in medians and name != before:
                ratios = [a / b for a, b in zip(times[name], times[before])]
                ratio = [against(statistics.median(ratios), goals["before"] if own else None),
                         "{:.2f} to {:.2f}".format(*interval(ratios))]
            lines.append([*line, *ratio, shown_goal(goals["before"]) if own else ""])
        print_columns(lines, left=1)
        sys.stdout.flush()
        if "annulet" not in medians:
            self.failed.append(row.name)
            return
        own = next(line for line in lines if line[0] == "annulet")
        self.lines.append([row.name, own[1], f"{own[3]} ({best})" if best else "", own[4],
                           *own[5:7], f"{own[7]} ({peer})" if peer else "", *own[8:]])

    def print(self):
        print()
        print_columns([["annulet as it chooses", "median", "/best fixed", "goal", "/GNU", "goal",
                        "/best peer", "goal", "/before", "95 %", "goal"], *self.lines], left=1)
        missed = sum(any("*" in cell for cell in line) for line in self.lines)
        print(f"\nIn {missed} of {len(self.lines)} a goal is missed (*). Seconds; ratios of "
              "medians, but to before the\nmedian of the rounds' own ratios and its 95 % "
              "interval by order statistics (fewer than\nsix rounds: their range).")


def print_columns(lines, left=2):
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for number, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(width) if column < left else cell.rjust(width)
                                for column, (cell, width) in enumerate(zip(line, widths)))
              + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def print_heading(bench):
    """What the figures depend on."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="ascii") as lines:
        memory_kib = int(lines.readline().split()[1])
    kind = subprocess.run(["findmnt", "-no", "FSTYPE", "-T", bench.disk], capture_output=True,
                          text=True, check=False).stdout.strip() or "unknown"
    load = os.getloadavg()[0]
    print(f"Linux {platform.release()}, {os.cpu_count()} CPUs ({model}), "
          f"{memory_kib / MIB:.0f} GiB; disk: {kind}; load at the start: {load:.1f}")
    print(time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))
    tools = [*bench.tools, *([bench.before] if bench.before else [])]
    print("; ".join(f"{tool.name} {tool.version}" for tool in tools))
    print("LANG=" + (os.environ.get("LC_ALL") or os.environ.get("LANG") or "C"))
    print(flush=True)
    if load > 0.5:
        say(f"the machine is not quiet (load {load:.1f}): the figures will not be worth much")


def matching_jobs(bench, pattern):
    """The jobs and, where the pattern names them, those that take long."""
    jobs = bench.jobs()
    for word, further in (("cold", bench.cold_jobs), ("far", bench.far_jobs),
                          ("ways", bench.ways)):
        if word in pattern:
            jobs += further()
    jobs = [job for job in jobs if any(re.search(pattern, row.name) for row in job.rows)]
    if not jobs:
        sys.exit(f"bench.py: no job matches {pattern}")
    return jobs


def run_job(bench, job, rows):
    """Times of every contender, or nothing where the job cannot run."""
    say(f"{', '.join(row.name for row in rows)}: {rows[0].title}")
    try:
        job.setup()
        times = bench.measure(job)
        job.teardown()
        return times
    except Skipped as reason:
        say(f"  skipped: {reason}")
        return None
    except Failed as failure:
        sys.exit(f"bench.py: GNU's: {failure}")
    finally:
        bench.memory.clear()


def run_jobs(bench, pattern):
    table, ways, interrupted = Table(bench.tools), WaysTables(bench.tools), False
    jobs = matching_jobs(bench, pattern)
    print_heading(bench)
    try:
        for job in jobs:
            rows = [row for row in job.rows if re.search(pattern, row.name)]
            times = run_job(bench, job, rows)
            if times is None:
                continue
            if isinstance(job, (Ways, Choices)):
                ways.add(job, times)
                continue
            for row in rows:
                table.add(row, times)
    except KeyboardInterrupt:
        interrupted = True
    if ways.lines:
        ways.print()
    if table.lines:
        print()
        table.print()
    if interrupted:
        sys.exit("bench.py: interrupted")
    if failed := ways.failed + table.failed:
        sys.exit(f"bench.py: annulet failed: {', '.join(failed)}")


# --- growth ---------------------------------------------------------------------------------

PTRACE_CONT, PTRACE_SEIZE = 7, 0x4206
PTRACE_O_TRACEEXIT, PTRACE_EVENT_EXIT = 0x40, 6


def ptrace(request, pid, data):
    number = [ctypes.c_long(request), ctypes.c_long(pid), ctypes.c_void_p(0),
              ctypes.c_void_p(data)]
    if LIBC.ptrace(*number) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def time_and_peak(launcher, command):
    """Seconds and peak resident KiB of a run. The peak is read when the process is about to
    exit, its memory still there: ru_maxrss would count what this script had at the fork."""
    os.ftruncate(launcher.errors, 0)
    peak_kib = 0
    start, pid = launcher.spawn(command)
    ptrace(PTRACE_SEIZE, pid, PTRACE_O_TRACEEXIT)
    while True:
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            break
        deliver = 0
        if status >> 16 == PTRACE_EVENT_EXIT:
            with open(f"/proc/{pid}/status", encoding="ascii") as lines:
                peak_kib = next(int(line.split()[1]) for line in lines
                                if line.startswith("VmHWM"))
        else:
            deliver = os.WSTOPSIG(status)
        ptrace(PTRACE_CONT, pid, deliver)
    seconds = (time.perf_counter_ns() - start) / 1e9
    launcher.judge(status)
    return seconds, peak_kib


def run_growth(bench):
    """Time for each file and peak memory at more and more files, on tmpfs."""
    if not bench.tmpfs:
        sys.exit("bench.py: growth is measured on a tmpfs, which is not mounted")
    sizes = [2_000, 20_000, 100_000] if bench.quick else [5_000, 50_000, 500_000]
    needed = 3 * sizes[-1] * 6 * 1024
    if memory_available() < needed:
        sys.exit(f"bench.py: growth needs {needed >> 30} GiB of memory")
    print_heading(bench)
    cases = [(f"{count:,} files, 36 a folder", count, 36) for count in sizes]
    cases.append((f"{sizes[-1]:,} files in one folder", sizes[-1], sizes[-1]))
    lines = [["files of 1 KiB on tmpfs", "runs", "annulet µs a file", "peak KiB",
              "GNU µs a file", "peak KiB"]]
    figures = []
    for title, count, per_folder in cases:
        say(title)
        source = os.path.join(bench.tmpfs, "tree")
        make_tree(source, count, per_folder, size=1024)
        # As many files in all, to be as exact, but five runs at least and thirty at most.
        rounds = bench.rounds or min(30, max(5, 200_000 // count))
        measured = {tool.name: [] for tool in bench.tools[:2]}
        for number in range(rounds + 1):
            for tool in bench.tools[:2][::-1 if number % 2 else 1]:
                copy = os.path.join(bench.tmpfs, "new")
                found = time_and_peak(bench.launcher, tool.command("tree", source, copy))
                if number == 0:
                    check_tree(source, copy, False)
                else:
                    measured[tool.name].append(found)
                subprocess.run(["rm", "-rf", "--", copy], check=True)
        subprocess.run(["rm", "-rf", "--", source], check=True)
        line = [title, str(rounds)]
        for tool in bench.tools[:2]:
            each = statistics.median(seconds for seconds, _ in measured[tool.name]) / count * 1e6
            peak = max(peak for _, peak in measured[tool.name])
            line += [f"{each:.2f}", f"{peak}"]
            if tool is bench.tools[0]:
                figures.append((each, peak))
        lines.append(line)
        say(f"  {line[2]} µs a file, {line[3]} KiB; GNU {line[4]} µs, {line[5]} KiB")
    print_columns(lines)
    each, peaks = zip(*figures)
    apart = 100 * (max(each) / min(each) - 1)

    def verdict(kept):
        return "kept" if kept else "missed"

    print(f"\ntime a file: {apart:.0f} % apart (goal 15 %: {verdict(apart <= 15)}); "
          f"peak: {max(peaks) - min(peaks)} KiB apart "
          f"(goal 2048: {verdict(max(peaks) - min(peaks) <= 2048)}), "
          f"{max(peaks)} KiB at most (goal 16384: {verdict(max(peaks) < 16384)})")


def print_list():
    nothing = Tool("", "", {}, {})
    bench = Bench.__new__(Bench)
    vars(bench).update(disk=None, tmpfs=None, xfs=None, btrfs=None, memory=Memory(None), far=None,
                       quick=False, rounds=0, tools=[nothing, nothing], before=None,
                       file_bytes=GIB)
    for jobs in bench.jobs(), bench.cold_jobs(), bench.far_jobs(), bench.ways():
        rows = [row for job in jobs for row in job.rows]
        width = max(len(row.name) for row in rows)
        for row in rows:
            print(f"{row.name:{width}}  {row.title}")


def main():
    parser = argparse.ArgumentParser(description="Started by bench.sh, which see.")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--annulet")
    parser.add_argument("--before")
    parser.add_argument("--dir")
    parser.add_argument("--peers", default="")
    parser.add_argument("--tmpfs")
    parser.add_argument("--xfs")
    parser.add_argument("--btrfs")
    parser.add_argument("--memory")
    parser.add_argument("--far")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--job", default="")
    parser.add_argument("--rounds", type=int, default=0)
    options = parser.parse_args()
    if sys.version_info < (3, 10):
        sys.exit("bench.py: needs Python 3.10 or later")
    if options.list:
        print_list()
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_interrupt)
    gc.disable()
    try:
        bench = Bench(options)
        if options.growth:
            run_growth(bench)
        else:
            run_jobs(bench, options.job)
    except KeyboardInterrupt:
        sys.exit("bench.py: interrupted")


if __name__ == "__main__":
    main()
