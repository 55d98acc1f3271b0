#!/usr/bin/env python3
"""Runs annulet, GNU's cp and cat and other programs in turn and prints a table of medians.

Started by bench.sh, which builds, mounts and cleans up. What holds for every job:

- A time is that of the whole process, from just before posix_spawn until it is reaped.
- All programs run in turn, in a random order each round, so that what drifts drifts for all.
- Every result has a new name, and is checked once for each program; who fails is left out.
- Dirty pages are written before a run, and writeback is held off while it lasts.
- Nothing large is removed before a run on the same file system without dropping its caches
  after that: ext4 without a journal avoids inodes freed a moment ago, and searches long.
- As much free memory as a run takes is touched before it: where the host of a virtual machine
  takes free memory back, the first touch costs more than the copy, whoever makes it.
"""

import argparse
import ctypes
import gc
import mmap
import os
import platform
import random
import re
import shutil
import signal
import stat
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

MIB = 1 << 20
TIME_LIMIT_S = 120
# What programs do at their start depends on the locale: it is the caller's, and shown.
ENVIRONMENT = dict(os.environ)
# Python ignores SIGPIPE, and a child would go on doing so.
RESET_SIGNALS = [signal.SIGPIPE, signal.SIGXFSZ]


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


# --- one run --------------------------------------------------------------------------------


def on_alarm(_signal, _frame):
    raise TimeoutError


class Launcher:
    """Starts a program and times it."""

    def __init__(self, work):
        self.null = os.open("/dev/null", os.O_RDWR)
        self.errors_path = os.path.join(work, "stderr")
        self.errors = os.open(self.errors_path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        signal.signal(signal.SIGALRM, on_alarm)

    def spawn(self, command, stdin=None, stdout=None):
        executable, argv = command
        null = self.null
        redirections = [
            (os.POSIX_SPAWN_DUP2, null if stdin is None else stdin, 0),
            (os.POSIX_SPAWN_DUP2, null if stdout is None else stdout, 1),
            (os.POSIX_SPAWN_DUP2, self.errors, 2),
        ]
        return os.posix_spawn(executable, argv, ENVIRONMENT, file_actions=redirections,
                              setsigdef=RESET_SIGNALS)

    def run(self, command, stdin=None, stdout=None, spawned=None, then=None):
        """Seconds the program took, with what `then` does after it. `spawned` is called once
        the program is there."""
        os.ftruncate(self.errors, 0)
        signal.alarm(TIME_LIMIT_S)
        start = time.perf_counter_ns()
        pid = self.spawn(command, stdin, stdout)
        try:
            if spawned:
                spawned()
            _, status = os.waitpid(pid, 0)
            if then:
                then()
            end = time.perf_counter_ns()
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise Failed(f"not done after {TIME_LIMIT_S} s") from None
        except FileNotFoundError as error:
            raise Failed(str(error)) from None
        finally:
            signal.alarm(0)
        self.judge(status)
        return (end - start) / 1e9

    def judge(self, status):
        if status != 0:
            with open(self.errors_path, encoding="utf-8", errors="replace") as errors:
                message = errors.readline().strip()
            raise Failed(f"exit status {os.waitstatus_to_exitcode(status)}: {message}")


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


def make_text_file(path, size):
    """Lines of words of all lengths, with empty lines, tabs and a few letters beyond ASCII."""
    rng = random.Random(1)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(rng.choices(letters, k=rng.randint(1, 11))) for _ in range(3000)]
    words += ["naïve", "façade", "Größe", "señor", "Привет"] * 4
    block = bytearray()
    while len(block) < 8 * MIB:
        blanks = "\t" if rng.random() < 0.1 else ""
        block += (blanks + " ".join(rng.choices(words, k=rng.randint(0, 16))) + "\n").encode()
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


def make_tree(path, files, per_folder=36, size=None):
    """`files` files in folders of `per_folder`, forty folders in a folder; of SIZES or, with
    `size`, of that size."""
    rng = random.Random(files)
    content = memoryview(os.urandom(4 * MIB))
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
    """A line of the table: a contender's times over GNU's and over the best peer's."""

    name: str
    title: str
    goal_gnu: float
    goal_peer: float
    contender: str = "annulet"


class Job:
    """Something all programs do. `contenders` maps a name to a tool and further options."""

    kind = "file"
    rounds = 7
    warm_up = True

    def __init__(self, bench, place, *rows):
        self.bench, self.place, self.rows = bench, place, rows
        self.contenders = {tool.name: (tool, []) for tool in bench.tools if tool.can(self.kind)}
        self.made = 0

    def new_name(self):
        self.made += 1
        return os.path.join(self.place, f"new{self.made}")

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
            self.bench.launcher.run(self.command(name, self.bench.small, small))
            os.unlink(small)
        if self.large:
            touch_memory(os.stat(self.source).st_blocks * 512)
        copy = self.new_name()
        flush = None
        if self.durable:
            def flush():
                fd = os.open(copy, os.O_RDONLY)
                os.fsync(fd)
                os.close(fd)
        seconds = self.bench.launcher.run(self.command(name, self.source, copy), then=flush)
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


class CopyTree(Job):
    """cp of a tree of small files to a new name."""

    warm_up = False

    def __init__(self, bench, place, *rows, kind="tree", rounds=3, cold=False):
        self.kind = kind
        super().__init__(bench, place, *rows)
        self.rounds, self.cold = rounds, cold
        self.source = self.keep = None
        if any(row.contender == "annulet --io=sync" for row in rows):
            self.contenders["annulet --io=sync"] = (bench.tools[0], ["--io=sync"])

    def setup(self):
        if self.place is None:
            raise Skipped("not mounted")
        if self.cold and not can_drop_caches():
            raise Skipped("caches cannot be dropped (not root)")
        self.source = self.bench.tree(self.place)
        size = self.bench.tree_bytes
        self.on_disk = self.place == self.bench.disk
        if self.on_disk:
            disk = os.statvfs(self.place)
            free = disk.f_bavail * disk.f_frsize
            one_round = len(self.contenders) * size
            self.keep = (one_round + size) * self.rounds + 2 * 1024 * MIB < free
            if not self.keep:
                if one_round + size + 2 * 1024 * MIB > free:
                    raise Skipped("the disk is too full")
                if not can_drop_caches():
                    raise Skipped("the disk is too full to keep copies (not root)")
                say("  the disk is too full to keep all copies: they are removed each round")
        self.first_copy()
        if not self.on_disk:
            self.remove_copies()

    def first_copy(self):
        """One that does not count: after caches are dropped the first is slower, whoever
        makes it."""
        self.make_ready()
        gnu = self.bench.tools[1]
        self.bench.launcher.run(gnu.command("tree", self.source, self.new_name()))

    def make_ready(self):
        os.sync()
        if self.cold:
            drop_caches()
        else:
            read_into_cache(self.source)

    def before_round(self):
        if not self.on_disk:
            return
        if not self.keep:
            self.remove_copies()
            self.first_copy()
        elif can_drop_caches() and memory_free() < 2 * len(self.contenders) * self.bench.tree_bytes:
            drop_caches()
            self.first_copy()

    def run(self, name, check):
        self.make_ready()
        if self.cold:
            small = self.new_name()
            self.bench.launcher.run(self.command(name, self.bench.small_tree, small))
        copy = self.new_name()
        touch_memory(self.bench.tree_bytes)
        seconds = self.bench.launcher.run(self.command(name, self.source, copy))
        if check:
            check_tree(self.source, copy, self.kind == "archive")
        if not self.on_disk:
            self.remove_copies()
        return seconds

    def remove_copies(self):
        for name in os.listdir(self.place):
            if name.startswith("new"):
                path = os.path.join(self.place, name)
                # Python's own rmtree takes four times as long.
                subprocess.run(["rm", "-rf", "--", path], check=True)
        if self.on_disk and can_drop_caches():
            drop_caches()

    def teardown(self):
        self.remove_copies()
        if not self.on_disk:
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
        self.quick, self.rounds = options.quick, options.rounds
        self.tools = find_tools(options.annulet, options.peers)
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
                     Row("tree-disk", f"{tree}, -r, cached, disk", 0.42, 0.90),
                     Row("tree-disk-sync", "the same with --io=sync", 0.45, 0.95,
                         "annulet --io=sync"), rounds=trees),
            CopyTree(self, disk, Row("tree-archive", f"{tree}, -a, cached, disk", 0.45, 0.90),
                     kind="archive", rounds=trees),
            CopyTree(self, disk, Row("tree-cold", f"{tree}, -r, cold, disk", 0.30, 0.75),
                     rounds=trees, cold=True),
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
            value = own / other
            if round(value, 2) > goal:
                return f"{value:.2f} *"
            return f"{value:.2f}"

        spreads = [spread(times[name]) for name in (row.contender, "GNU") if times.get(name)]
        spreads = [value for value in spreads if value is not None]
        if not own:
            self.failed.append(row.name)
        self.lines.append([
            row.name, row.title, f"{row.goal_gnu:.2f}", ratio(gnu, row.goal_gnu),
            f"{row.goal_peer:.2f}",
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


def print_columns(lines):
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for number, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
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
    print("; ".join(f"{tool.name} {tool.version}" for tool in bench.tools))
    print("LANG=" + (os.environ.get("LC_ALL") or os.environ.get("LANG") or "C"))
    print(flush=True)
    if load > 0.5:
        say(f"the machine is not quiet (load {load:.1f}): the figures will not be worth much")


def run_jobs(bench, pattern):
    table = Table(bench.tools)
    jobs = [job for job in bench.jobs()
            if any(re.search(pattern, row.name) for row in job.rows)]
    if not jobs:
        sys.exit(f"bench.py: no job matches {pattern}")
    print_heading(bench)
    try:
        for job in jobs:
            rows = [row for row in job.rows if re.search(pattern, row.name)]
            say(f"{', '.join(row.name for row in rows)}: {rows[0].title}")
            try:
                job.setup()
                times = bench.measure(job)
                job.teardown()
            except Skipped as reason:
                say(f"  skipped: {reason}")
                continue
            except Failed as failure:
                sys.exit(f"bench.py: GNU's: {failure}")
            for row in rows:
                table.add(row, times)
    except KeyboardInterrupt:
        say("interrupted")
    table.print()
    if table.failed:
        sys.exit(f"bench.py: annulet failed: {', '.join(table.failed)}")


# --- growth ---------------------------------------------------------------------------------

PTRACE_CONT, PTRACE_SEIZE = 7, 0x4206
PTRACE_O_TRACEEXIT, PTRACE_EVENT_EXIT = 0x40, 6
LIBC = ctypes.CDLL(None, use_errno=True)


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
    start = time.perf_counter_ns()
    pid = launcher.spawn(command)
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


def main():
    parser = argparse.ArgumentParser(description="Started by bench.sh, which see.")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--annulet")
    parser.add_argument("--dir")
    parser.add_argument("--peers", default="")
    parser.add_argument("--tmpfs")
    parser.add_argument("--xfs")
    parser.add_argument("--btrfs")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--job", default="")
    parser.add_argument("--rounds", type=int, default=0)
    options = parser.parse_args()
    if sys.version_info < (3, 10):
        sys.exit("bench.py: needs Python 3.10 or later")
    if options.list:
        bench = Bench.__new__(Bench)
        vars(bench).update(disk=None, tmpfs=None, xfs=None, btrfs=None, quick=False, rounds=0,
                           tools=[Tool("annulet", "", {}, {})])
        for job in bench.jobs():
            for row in job.rows:
                print(f"{row.name:16} {row.title}")
        return
    gc.disable()
    bench = Bench(options)
    if options.growth:
        run_growth(bench)
    else:
        run_jobs(bench, options.job)


if __name__ == "__main__":
    main()
