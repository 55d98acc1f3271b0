//! Large files to be copied: without holes, with holes, and in a folder.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::copies::{Verdict, content};
use crate::cp::child;

/// The source with holes: so much data, and then a hole.
const DATA: usize = 2 << 20;
const HOLE: usize = 1 << 20;

/// A file, or a folder with a file in it.
pub struct Source {
    pub name: &'static str,
    pub content: Arc<Vec<u8>>,
    /// Where the file is, once its source is copied to `copy`.
    pub copy: &'static str,
}

/// A file `whole` without holes, one with `holes`, and a `folder` with the first.
pub fn sources(mib: usize) -> [Source; 3] {
    let whole = content(mib);
    let mut holes = whole.clone();
    for piece in holes.chunks_mut(DATA + HOLE) {
        if let Some(hole) = piece.get_mut(DATA..) {
            hole.fill(0);
        }
    }
    let (whole, holes) = (Arc::new(whole), Arc::new(holes));
    [
        ("whole", whole.clone(), "copy"),
        ("holes", holes, "copy"),
        ("folder", whole, "copy/whole"),
    ]
    .map(|(name, content, copy)| Source {
        name,
        content,
        copy,
    })
}

impl Source {
    /// Makes it in `dir`, where those before it are.
    pub fn write(&self, dir: &Path) {
        match self.name {
            "whole" => fs::write(dir.join("whole"), &*self.content).expect("a file"),
            "holes" => self.write_data(&dir.join("holes")),
            _ => self.write_folder(dir),
        }
    }

    fn write_data(&self, path: &Path) {
        let file = File::create(path).expect("a file");
        for (number, piece) in self.content.chunks(DATA + HOLE).enumerate() {
            let at = number * (DATA + HOLE);
            let data = &piece[..DATA.min(piece.len())];
            file.write_all_at(data, at as u64).expect("written");
        }
        file.set_len(self.content.len() as u64).expect("a length");
    }

    /// With small files, which others may copy meanwhile.
    fn write_folder(&self, dir: &Path) {
        let folder = dir.join("folder");
        fs::create_dir(&folder).expect("a folder");
        fs::hard_link(dir.join("whole"), folder.join("whole")).expect("a link");
        for number in 0..50 {
            let small = folder.join(number.to_string());
            fs::write(small, &self.content[..1000]).expect("a file");
        }
    }
}

/// Whether a copy has no data where the source with holes has a hole.
pub fn has_holes(copy: &Path) -> Verdict {
    let Ok(copy) = File::open(copy) else {
        return Ok(());
    };
    let [data, hole] = [DATA, HOLE].map(|len| i64::try_from(len).expect("a length"));
    for (start, end) in child::data_regions(&copy).expect("regions") {
        let within = start % (data + hole);
        if within >= data || within + (end - start) > data {
            return Err(format!(
                "data from {start} to {end}, where a hole should be"
            ));
        }
    }
    Ok(())
}
