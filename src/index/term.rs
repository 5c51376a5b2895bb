//! How a value below `detail` becomes one term, for documents and queries of every index.
//!
//! A term is the path, `=`, and the searchable part of the value. In the path `\` and `=` take a
//! backslash before them, so the first bare `=` ends it and no path is the start of another. A path
//! that is too long for a term is replaced by its hash after `\#`, which no other path yields.

use sha2::{Digest as _, Sha256};

use crate::event::fields;

/// Paths are some fifty bytes long; a term may have 32,766 (Lucene) or 65,530 (tantivy).
const PATH_BYTES_MAX: usize = 512;

/// Appends what all terms of one path begin with.
pub(super) fn push_path(term: &mut String, path: &str) {
    if path.len() > PATH_BYTES_MAX {
        term.push_str("\\#");
        term.push_str(&data_encoding::HEXLOWER.encode(&Sha256::digest(path)));
    } else {
        let mut rest = path;
        while let Some(at) = memchr::memchr2(b'\\', b'=', rest.as_bytes()) {
            let (plain, special) = rest.split_at(at);
            term.push_str(plain);
            term.push('\\');
            let (special, after) = special.split_at(1);
            term.push_str(special);
            rest = after;
        }
        term.push_str(rest);
    }
    term.push('=');
}

/// Appends the term of one value.
pub(super) fn push_detail(term: &mut String, path: &str, value: &str) {
    push_path(term, path);
    term.push_str(fields::searchable(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(path: &str, value: &str) -> String {
        let mut term = String::new();
        push_detail(&mut term, path, value);
        term
    }

    #[test]
    fn a_path_ends_at_the_first_bare_sign() {
        assert_eq!(term("auth.x", "a=b"), "auth.x=a=b");
        assert_ne!(term("auth.x=a", "b"), term("auth.x", "a=b"));
        assert_ne!(term("a\\", "b"), term("a", "\\b"));
        let long = "k".repeat(70_000);
        assert!(term(&long, "v").len() < 100);
        assert_ne!(term(&long, "v"), term(&format!("{long}k"), "v"));
    }
}
