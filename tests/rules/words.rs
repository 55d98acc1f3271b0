//! What rules say, in words.

use annulet::copy::entry::Occupant;
use annulet::copy::plan::{Clear, Decision, Make};
use annulet::report::Failure;
use annulet::sys::Errno;

/// A decision in words: what is done in which order, or the message.
pub fn text(decision: Decision, occupant: &Occupant, shown: &[String; 2]) -> String {
    let plan = match decision {
        Decision::Go(plan) => plan,
        Decision::Leave(reason) => return format!("leave: {reason:?}"),
        Decision::Ask(question) => return rendered(Failure::without_errno(question), shown),
        Decision::Refuse(failure) => return rendered(failure, shown),
    };
    let clear = match plan.clear {
        Clear::Nothing => "",
        Clear::Remove => "remove, ",
        Clear::BackUp => "keep, ",
    };
    let over = |make, replaces| {
        if replaces {
            format!("{make} over")
        } else {
            make
        }
    };
    let make = match plan.make {
        Make::Directory if plan.is_reused => "fill".into(),
        Make::Directory => "make directory".into(),
        Make::Data { .. } if !plan.is_reused => "make file".into(),
        Make::Data { .. } if occupant.through().is_some() => "write through".into(),
        Make::Data { .. } => "write".into(),
        Make::HardLink { replaces } => over("link".into(), replaces),
        Make::SymlinkToSource { replaces } => over("point".into(), replaces),
        Make::Symlink { replaces } => over("make symlink".into(), replaces),
        Make::Node => "make node".into(),
    };
    format!("{clear}{make}")
}

/// A message with its names.
pub fn rendered(failure: Failure, shown: &[String; 2]) -> String {
    let mut text = failure.message.text().to_owned();
    for (number, name) in shown.iter().enumerate() {
        text = text.replace(&format!("{{{number}}}"), &format!("'{name}'"));
        text = text.replace(&format!("{{~{number}}}"), name);
    }
    // The only mode that keeps the user of a scene from writing.
    text = text.replace("{=2}", "0444").replace("{=3}", "r--r--r--");
    match failure.errno.and_then(Errno::text) {
        Some(errno) => format!("{text}: {errno}"),
        None => text,
    }
}
