//! Many scenes and command lines: what source, destination and options can come to.

use super::command::Command;

/// What is copied, as `a`.
const SOURCES: &[&str] = &[
    "f a",
    "f a; h z a",
    "d a",
    "d a; f a/k; h a/m a/k",
    "l a -> t; f t",
    "l a -> t; d t",
    "l a -> nowhere",
    "p a",
    "? a",
];

/// What is in its way, as `b`; what stands for the source is `a`.
const DESTINATIONS: &[&str] = &[
    "",
    "f b",
    "f b old",
    "f b 444",
    "f b; h y b",
    "d b",
    "d b; f b/k; f b/m old",
    "d b; l b/m -> k",
    "d b; d b/m",
    "l b -> f; f f old",
    "l b -> g; d g",
    "l b -> nowhere",
    "l b -> b",
    "l b -> f/x; f f",
    "p b",
    "h b a",
    "l b -> a",
];

const BASES: &[&str] = &[
    "",
    "-r ",
    "-d ",
    "-rL ",
    "-rH --preserve=links ",
    "-rd --copy-contents ",
];

const MORE: &[&str] = &[
    "",
    "-f ",
    "-i ",
    "-fi ",
    "-u ",
    "-ui ",
    "-n ",
    "--update=none-fail ",
    "--update=none-fail -i ",
    "-b ",
    "-bi ",
    "-bu ",
    "--backup=numbered ",
    "--backup=numbered -u ",
    "--backup=numbered --remove-destination ",
    "--remove-destination ",
    "--remove-destination -i ",
    "--remove-destination -b ",
    "--remove-destination -u ",
    "-l ",
    "-lb ",
    "-li ",
    "-lf ",
    "-ln ",
    "-lu ",
    "-l --update=none-fail ",
    "-s ",
    "-sf ",
    "-sb ",
    "-si ",
    "-su ",
    "-sn ",
    "-s --remove-destination ",
    "--attributes-only ",
    "--keep-directory-symlink ",
];

/// What makes one more name of `a`.
const LINKS: &[&str] = &["h b a", "h e/a a", "h x/a a", "h a~ a"];

/// Gives all of them to `take`: the text of the scene, the line, and what that means.
pub fn all(take: &mut dyn FnMut(&str, &str, Command)) {
    // No directory has two names.
    let can_be =
        |scene: &&String| !scene.contains("d a") || !LINKS.iter().any(|link| scene.contains(link));
    let scenes = scenes();
    let options = BASES
        .iter()
        .flat_map(|base| MORE.iter().map(move |more| format!("{base}{more}")));
    for options in options {
        for (operands, scenes) in &scenes {
            let line = format!("user: {options}{operands} < y");
            let command = Command::new(&line);
            for scene in scenes.iter().filter(can_be) {
                take(scene, &line, command.clone());
            }
        }
    }
}

/// Operands, each with the scenes for them.
fn scenes() -> Vec<(&'static str, Vec<String>)> {
    let each = |make: &dyn Fn(&str, &str) -> String| {
        let mut scenes = Vec::new();
        for source in SOURCES {
            for destination in DESTINATIONS {
                scenes.push(make(source, destination));
            }
        }
        scenes
    };
    // As `a` in a directory; what a symlink there leads to is beside that, but for itself.
    let in_directory = |items: &str, dir: &str| {
        let items = items.replace("-> b", "-> ./a").replace("-> ", "-> ../");
        items
            .replace("../.", ".")
            .replace(" b", &format!(" {dir}/a"))
    };
    let here = each(&|source, destination| format!("{source}; {destination}"));
    let below =
        each(&|source, destination| format!("d e; {source}; {}", in_directory(destination, "e")));
    // What an earlier operand of the same name is.
    let twice =
        each(&|source, earlier| format!("d e; d x; {source}; {}", in_directory(earlier, "x")));
    let one_file = each(&|source, _| format!("d e; {source}; l w -> ."));
    let kept: Vec<_> = [
        "f a; f a~",
        "f a; h a~ a",
        "f a~; l a -> a~",
        "l a~ -> a; f a",
        "d a; f a~",
    ]
    .map(str::to_owned)
    .into();
    vec![
        ("a b", here.clone()),
        ("a/. b", here.clone()),
        ("-T a b", here.clone()),
        ("a a", here.clone()),
        ("-T a a", here),
        ("a e", below),
        ("x/a a e", twice.clone()),
        ("a x/a e", twice),
        ("a a e", one_file.clone()),
        ("a w/a e", one_file.clone()),
        ("a e/a e", one_file),
        ("a~ a", kept.clone()),
        ("a a~", kept),
    ]
}
