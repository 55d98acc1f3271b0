//! File names in messages, quoted as GNU tools do in the C locale: ready to be pasted into a
//! shell.

use alloc::vec::Vec;

/// When to put quotes around a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// Never.
    Never,
    /// Always, as `cp` does.
    Always,
    /// Only where a shell needs them, as `cat` does.
    WhereNeeded,
    /// Always, and for a reader of C, not for a shell: what GNU tools do with words that are
    /// no names, and with a few that are.
    AsInC,
}

/// Appends `name` to `out`, quoted.
///
/// Plain names stand in single quotes; a single quote in an otherwise harmless name makes
/// them double quotes; control and non-ASCII bytes are written as `$'\n'` or `$'\303'`; as in
/// C it is `'\n'`, `'\303'` and `'\''`.
pub fn quote(out: &mut Vec<u8>, name: &[u8], quotes: Quotes) {
    match quotes {
        Quotes::Never => out.extend_from_slice(name),
        Quotes::WhereNeeded if !needs_quotes(name) => out.extend_from_slice(name),
        Quotes::AsInC => quote_as_in_c(out, name),
        _ if name.contains(&b'\'') && is_harmless_in_double_quotes(name) => {
            out.push(b'"');
            out.extend_from_slice(name);
            out.push(b'"');
        }
        _ => quote_single(out, name),
    }
}

/// Appends `name` in single quotes, with `'$'…''` around what has no printable form.
fn quote_single(out: &mut Vec<u8>, name: &[u8]) {
    let mut escaping = false;
    out.push(b'\'');
    for &byte in name {
        let printable = matches!(byte, b' '..=b'~');
        if byte == b'\'' {
            // Its own first quote ends whatever is open, an escape too.
            out.extend_from_slice(b"'\\''");
            escaping = false;
        } else if printable {
            if escaping {
                out.extend_from_slice(b"''");
            }
            escaping = false;
            out.push(byte);
        } else {
            if !escaping {
                out.extend_from_slice(b"'$'");
            }
            escaping = true;
            escape(out, byte);
        }
    }
    out.push(b'\'');
}

/// Appends `name` in single quotes, with a backslash before them and each other.
fn quote_as_in_c(out: &mut Vec<u8>, name: &[u8]) {
    out.push(b'\'');
    for &byte in name {
        if !matches!(byte, b' '..=b'~') {
            escape(out, byte);
            continue;
        }
        if matches!(byte, b'\'' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'\'');
}

/// Appends an unprintable byte: a letter where C has one, else three octal digits.
fn escape(out: &mut Vec<u8>, byte: u8) {
    out.push(b'\\');
    if let 0x07..=0x0d = byte {
        out.push(b"abtnvfr"[usize::from(byte - 7)]);
    } else {
        for at in 0..3 {
            out.push(b'0' + (byte >> (6 - 3 * at) & 7));
        }
    }
}

/// Whether a shell, or a reader of `cat: NAME: message`, would take the bare name for
/// something else.
fn needs_quotes(name: &[u8]) -> bool {
    matches!(name.first(), None | Some(b'#' | b'~'))
        || matches!(name, b"{" | b"}")
        || name.iter().any(|byte| {
            matches!(byte, 0..=b' ' | 0x7f..) || b"!\"$&'()*:;<=>?[\\^`|".contains(byte)
        })
}

/// Whether every byte means itself between double quotes, in a shell as in C.
fn is_harmless_in_double_quotes(name: &[u8]) -> bool {
    name.iter().enumerate().all(|(i, byte)| match byte {
        b'#' | b'~' => i == 0,
        byte => byte.is_ascii_alphanumeric() || b" %'+,-./:@]_".contains(byte),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn always(name: &[u8]) -> vec::Vec<u8> {
        let mut out = Vec::new();
        quote(&mut out, name, Quotes::Always);
        out
    }

    fn where_needed(name: &[u8]) -> vec::Vec<u8> {
        let mut out = Vec::new();
        quote(&mut out, name, Quotes::WhereNeeded);
        out
    }

    #[test]
    fn words_are_quoted_as_gnu_does() {
        let as_in_c = |word: &[u8]| {
            let mut out = Vec::new();
            quote(&mut out, word, Quotes::AsInC);
            out
        };
        assert_eq!(as_in_c(b"a b"), b"'a b'");
        assert_eq!(as_in_c(b"it's"), b"'it\\'s'");
        assert_eq!(as_in_c(b"\\\n\xc3\""), b"'\\\\\\n\\303\"'");
    }

    #[test]
    fn names_are_quoted_as_gnu_does() {
        assert_eq!(always(b"a b"), b"'a b'");
        assert_eq!(always(b""), b"''");
        assert_eq!(always(b"it's"), b"\"it's\"");
        assert_eq!(always(b"it's $5"), b"'it'\\''s $5'");
        assert_eq!(always(b"a\nb"), b"'a'$'\\n''b'");
        assert_eq!(always(b"a\n"), b"'a'$'\\n'");
        assert_eq!(always(b"\xc3\xa9"), b"''$'\\303\\251'");
        assert_eq!(always(b"\n'"), b"''$'\\n'\\'''");
        assert_eq!(always(b"a'\nb"), b"'a'\\'''$'\\n''b'");
        assert_eq!(always(b"~'"), b"\"~'\"");
        assert_eq!(always(b"x~'"), b"'x~'\\'''");
        assert_eq!(where_needed(b"a:b"), b"'a:b'");
        assert_eq!(where_needed(b"plain-1.txt"), b"plain-1.txt");
        assert_eq!(where_needed(b"a b"), b"'a b'");
        assert_eq!(where_needed(b"#x"), b"'#x'");
        assert_eq!(where_needed(b"x#"), b"x#");
        assert_eq!(where_needed(b"{"), b"'{'");
        assert_eq!(where_needed(b"{}"), b"{}");
    }
}
