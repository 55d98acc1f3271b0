#!/usr/bin/env python3
"""Writes a container image that holds annulet and nothing else, for all architectures given.

Started by image.sh, which builds the programs and loads the image. The file is a tar of

    oci-layout       what the rest is: an image layout, image-spec 1.1
    index.json       one descriptor, which has the image's name, of the index below
    manifest.json    the amd64 image as `docker save` describes one: Docker reads no other, unless
                     it keeps images in containerd's store, as new ones do from 29 on
    blobs/sha256/    everything else, by its digest: the index that names the platforms, and of
                     each platform the manifest, the configuration and one layer

The index is not index.json itself: podman and skopeo take what stands there for so many images,
and refuse a file with more than one.

Times, owners, modes and order are fixed and nothing is compressed, so that the same programs give
the same bytes, whoever calls it and with whatever version of Python.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import struct
import sys

# What stands in an ELF file's e_machine, and the platform as image indexes name it.
PLATFORMS = {
    62: {"architecture": "amd64", "os": "linux"},
    183: {"architecture": "arm64", "os": "linux", "variant": "v8"},
    243: {"architecture": "riscv64", "os": "linux"},
}
PT_INTERP = 3

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def encoded(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def path_of(descriptor):
    return "blobs/" + descriptor["digest"].replace(":", "/")


def platform_of(program, path):
    """The platform that an ELF file is for, which has to run where there is no other file."""
    machine = int.from_bytes(program[18:20], "little")
    if program[:6] != b"\x7fELF\x02\x01" or machine not in PLATFORMS:
        names = ", ".join(platform["architecture"] for platform in PLATFORMS.values())
        sys.exit(f"image.sh: not a program for Linux on {names}: {path}")
    # e_phoff, e_phentsize, e_phnum; each header begins with its p_type.
    start = int.from_bytes(program[32:40], "little")
    size = int.from_bytes(program[54:56], "little")
    count = int.from_bytes(program[56:58], "little")
    for header in range(start, start + count * size, size):
        if int.from_bytes(program[header : header + 4], "little") == PT_INTERP:
            sys.exit(f"image.sh: needs a loader, which is not in the image: {path}")
    return PLATFORMS[machine]


class Archive:
    """A tar; what is in it is root's, and of the one time that all has.

    By hand: tarfile's bytes are not the same in all versions of Python (seen in 3.8 and 3.9).
    """

    # name, mode, uid, gid, size, mtime, checksum, type, link's target, magic, version, user,
    # group, device numbers, name's beginning. Numbers are in octal; what is left of a field, zero.
    HEADER = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")
    FILE, LINK, FOLDER = b"0", b"1", b"5"

    def __init__(self, time):
        self.time = time
        self.bytes = b""

    def add(self, name, kind, mode, content=b"", target=""):
        def header(checksum):
            return self.HEADER.pack(
                name.encode(),
                b"%07o" % mode,
                b"%07o" % 0,
                b"%07o" % 0,
                b"%011o" % len(content),
                b"%011o" % self.time,
                checksum,
                kind,
                target.encode(),
                b"ustar",
                b"00",
                *[b""] * 5,
            )

        # The sum of all bytes, with blanks in place of itself.
        checksum = b"%06o\0 " % sum(header(b" " * 8))
        self.bytes += header(checksum) + content + bytes(-len(content) % 512)

    def whole(self):
        """All of it: it ends with two empty blocks."""
        return self.bytes + bytes(2 * 512)


class Image:
    """The blobs of an image for several platforms, and what names them."""

    def __init__(self, name, time, labels):
        self.name, self.time, self.labels = name, time, labels
        self.blobs = {}
        self.manifests = []
        self.docker = None

    def blob(self, media_type, content):
        """Stores a blob; returns its descriptor."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        descriptor = {"mediaType": media_type, "digest": digest, "size": len(content)}
        self.blobs[path_of(descriptor)] = content
        return descriptor

    def layer(self, program):
        """One file with three names. No folder but `bin`: the root directory is the engine's."""
        layer = Archive(self.time)
        layer.add("bin/", Archive.FOLDER, 0o755)
        layer.add("bin/annulet", Archive.FILE, 0o755, content=program)
        layer.add("bin/cat", Archive.LINK, 0o755, target="bin/annulet")
        layer.add("bin/cp", Archive.LINK, 0o755, target="bin/annulet")
        return self.blob(LAYER, layer.whole())

    def configuration(self, platform, layer):
        created = datetime.datetime.fromtimestamp(self.time, datetime.timezone.utc)
        created = created.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            **platform,
            "created": created,
            "config": {
                # No ENTRYPOINT: `podman run IMAGE cp -r /payload/. /shared` reads as what it does.
                # No USER: a volume's owner is another one in each place.
                "Cmd": ["cp", "--help"],
                # There is no shell that would fall back to a path of its own, and not every
                # runtime supplies one.
                "Env": ["PATH=/bin"],
                "Labels": self.labels,
            },
            # The layer is not compressed, so this is the blob's own digest.
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
            "history": [{"created": created, "created_by": "scripts/image.sh"}],
        }

    def add(self, platform, program):
        """Adds the image of one platform."""
        layer = self.layer(program)
        config = self.blob(CONFIG, encoded(self.configuration(platform, layer)))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": [layer],
            "annotations": self.labels,
        }
        descriptor = self.blob(MANIFEST, encoded(manifest))
        self.manifests.append({**descriptor, "platform": platform})
        if platform["architecture"] == "amd64":
            self.docker = {
                "Config": path_of(config),
                "RepoTags": [self.name],
                "Layers": [path_of(layer)],
            }

    def archive(self):
        """The whole file."""
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": self.manifests,
            "annotations": self.labels,
        }
        index = self.blob(INDEX, encoded(index))
        index["annotations"] = {"org.opencontainers.image.ref.name": self.name}
        files = {
            **self.blobs,
            "index.json": encoded({"schemaVersion": 2, "mediaType": INDEX, "manifests": [index]}),
            "oci-layout": encoded({"imageLayoutVersion": "1.0.0"}),
        }
        if self.docker:
            files["manifest.json"] = encoded([self.docker])
        archive = Archive(self.time)
        archive.add("blobs/", Archive.FOLDER, 0o755)
        archive.add("blobs/sha256/", Archive.FOLDER, 0o755)
        for name in sorted(files):
            archive.add(name, Archive.FILE, 0o644, content=files[name])
        return archive.whole()


def labels():
    """What Cargo.toml says of the package."""
    manifest = pathlib.Path(__file__).resolve().parent.parent / "Cargo.toml"
    package = manifest.read_text(encoding="utf-8").split("\n[", 1)[0]
    labels = {}
    for key, label in [
        ("name", "title"),
        ("description", "description"),
        ("version", "version"),
        ("license", "licenses"),
    ]:
        found = re.search(rf'^{key} = "([^"\\]*)"$', package, re.MULTILINE)
        if not found:
            sys.exit(f"image.sh: Cargo.toml says no {key}")
        labels["org.opencontainers.image." + label] = found.group(1)
    return labels


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("programs", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()

    time = os.environ.get("SOURCE_DATE_EPOCH") or "0"
    if not re.fullmatch("[0-9]{1,11}", time) or int(time) >= 1 << 33:
        sys.exit(f"image.sh: SOURCE_DATE_EPOCH is no time: {time}")
    image = Image(arguments.name, int(time), labels())
    programs = {}
    for path in arguments.programs:
        program = path.read_bytes()
        platform = platform_of(program, path)
        if platform["architecture"] in programs:
            sys.exit(f"image.sh: a second program for {platform['architecture']}: {path}")
        programs[platform["architecture"]] = (platform, program)
    for architecture in sorted(programs):
        image.add(*programs[architecture])
    # What is there is whole at any time.
    new = arguments.output.with_name(arguments.output.name + ".new")
    try:
        new.write_bytes(image.archive())
        new.replace(arguments.output)
    except OSError as error:
        sys.exit(f"image.sh: cannot write {arguments.output}: {error.strerror}")
    print(f"image.sh: {arguments.output}: {', '.join(sorted(programs))}", file=sys.stderr)


if __name__ == "__main__":
    main()
