//! Takes apart the file that `scripts/image.sh` writes.
//!
//! Each test program that includes this uses a part of it.
#![allow(dead_code)]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An image layout, unpacked.
pub struct Layout(PathBuf);

impl Layout {
    /// Unpacks a file into the empty folder `to`.
    ///
    /// # Panics
    ///
    /// If `tar` cannot.
    #[must_use]
    pub fn unpack(file: &Path, to: &Path) -> Self {
        unpack(file, to);
        Self(to.to_owned())
    }

    /// The text of one of its files.
    ///
    /// # Panics
    ///
    /// If there is no such file, or it is not JSON.
    #[must_use]
    pub fn json(&self, name: impl AsRef<Path>) -> Value {
        let path = self.0.join(name);
        let text = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Where the blob lies that a descriptor names.
    ///
    /// # Panics
    ///
    /// If it names none by its SHA-256.
    #[must_use]
    pub fn blob(&self, descriptor: &Value) -> PathBuf {
        let digest = descriptor["digest"].as_str().expect("a digest");
        let hash = digest.strip_prefix("sha256:").expect("SHA-256");
        self.0.join("blobs/sha256").join(hash)
    }

    /// The index that names the platforms.
    #[must_use]
    pub fn index(&self) -> Value {
        let outer = self.json("index.json");
        self.json(self.blob(&outer["manifests"][0]))
    }

    /// The manifest for an architecture, as `amd64` and `arm64` are called there.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn manifest(&self, architecture: &str) -> Value {
        let index = self.index();
        let mut manifests = index["manifests"].as_array().expect("manifests").iter();
        let found = manifests.find(|one| one["platform"]["architecture"] == architecture);
        self.json(self.blob(found.expect("the architecture's image")))
    }

    /// Unpacks what a container for an architecture would have as its root into the folder `to`:
    /// `bin/annulet` and its other names.
    #[must_use]
    pub fn root(&self, architecture: &str, to: &Path) -> PathBuf {
        unpack(&self.blob(&self.manifest(architecture)["layers"][0]), to);
        to.to_owned()
    }
}

fn unpack(file: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(to).arg("-xf").arg(file);
    let status = tar.status().expect("tar is started");
    assert!(status.success(), "{tar:?}: {status}");
}
