//! Text in a file between two markers, which a test makes.

use std::fs;

/// Whether what tests make is to be written down instead of compared.
pub fn writes() -> bool {
    std::env::var_os("ANNULET_WRITE").is_some_and(|value| value == "1")
}

/// Compares what stands in the file `path` between `<!-- name -->` and `<!-- /name -->` with
/// `lines`, or writes it there (`ANNULET_WRITE=1`). Each line is to begin with `prefix`, as the
/// markers do. Says what is wrong.
pub fn check(path: &str, name: &str, prefix: &str, lines: &[String]) -> Result<(), String> {
    let file = super::top().join(path);
    let text = fs::read_to_string(&file).map_err(|error| format!("{path}: {error}"))?;
    let made = replaced(&text, name, prefix, lines)
        .ok_or_else(|| format!("{path}: there is no <!-- {name} --> … <!-- /{name} -->"))?;
    if made == text {
        return Ok(());
    }
    if writes() {
        fs::write(&file, made).map_err(|error| format!("{path}: {error}"))?;
        println!("{path}: written anew");
        return Ok(());
    }
    Err(format!(
        "{path}: what stands between the markers {name:?} is not so any more; it is to be\n{}\n\
         ANNULET_WRITE=1 writes it",
        lines.join("\n")
    ))
}

/// `text` with `lines` between its markers; nothing where it has none.
pub fn replaced(text: &str, name: &str, prefix: &str, lines: &[String]) -> Option<String> {
    let start = format!("{prefix}<!-- {name} -->\n");
    let end = format!("{prefix}<!-- /{name} -->\n");
    let (before, rest) = text.split_once(&start)?;
    let (_, after) = rest.split_once(&end)?;
    let mut made = format!("{before}{start}");
    for line in lines {
        made += format!("{prefix}{line}").trim_end();
        made.push('\n');
    }
    Some(made + &end + after)
}
