//! C2SP tlog-witness: what a log sends to a witness.
//!
//! ```text
//! old <size, decimal> LF          of the checkpoint that the witness cosigned last
//! <base64 hash> LF                the consistency proof (RFC 6962 §2.1.2), at most 63 lines
//! LF
//! <the signed checkpoint, verbatim>
//! ```
//!
//! Invariant: what [`Submission::parse`] takes, `Display` gives back byte for byte.

use std::fmt;

use super::tree::Hash;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    pub old: u64,
    pub proof: Vec<Hash>,
    /// The signed note.
    pub checkpoint: String,
}

/// What the witness says with its number when `old` is not what it knows.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// The body's longest: all lines of a proof, and a checkpoint of [`super::checkpoint::BYTES_MAX`].
pub const BYTES_MAX: usize = 20_480;

/// By the specification; a tree of 2^63 leaves needs no more.
const PROOF_MAX: usize = 63;

impl Submission {
    /// Reads a body; what is wrong with it is the error.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the body is not UTF-8")?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or("no empty line ends the proof")?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")?.parse().ok());
        let old = old.ok_or("the first line is not `old <size>`")?;
        // Counted before anything is decoded.
        if lines.clone().count() > PROOF_MAX {
            return Err("the proof has more than 63 lines");
        }
        let proof: Option<Vec<Hash>> = lines.map(|line| Hash::from_base64(line.as_bytes())).collect();
        let proof = proof.ok_or("a line of the proof is not the base64 of 32 bytes")?;
        let this = Self { old, proof, checkpoint: checkpoint.to_owned() };
        // A sign or leading zeros would make two texts of one size.
        if this.to_string() == text { Ok(this) } else { Err("the body is not written in the one form") }
    }
}

impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::tree;

    #[test]
    fn a_body_has_one_form() {
        let hash = tree::empty().to_base64();
        for good in ["old 0\n\nx", &format!("old 7\n{hash}\n{hash}\n\norg/host\n8\n")] {
            let read = Submission::parse(good.as_bytes()).expect(good);
            assert_eq!(read.to_string(), good);
        }
        let many = format!("old 7\n{}\nx", format!("{hash}\n").repeat(64));
        for bad in [
            "",
            "old 7\n",
            "old 07\n\nx",
            "old +7\n\nx",
            "old -7\n\nx",
            "old  7\n\nx",
            "Old 7\n\nx",
            "old 18446744073709551616\n\nx",
            "old 7\r\n\r\nx",
            "old 7\nAAAA\n\nx",
            &format!("old 7\n{hash}=\n\nx"),
            &format!("old 7\n {hash}\n\nx"),
            &many,
        ] {
            assert!(Submission::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(Submission::parse(b"old 7\n\n\xff").is_err());
        assert!(Submission::parse(many.replacen(&format!("{hash}\n"), "", 1).as_bytes()).is_ok());
    }
}
