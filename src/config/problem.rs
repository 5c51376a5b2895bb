//! What is wrong in a file of settings: where, what, and what to do.

use std::fmt;
use std::path::PathBuf;

use crate::event::escape;

/// One thing to mend, or (as a warning) to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    /// Counted from 1; none where the file as a whole is meant.
    pub line: Option<usize>,
    pub what: String,
    pub advice: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", escape::line(&self.file.to_string_lossy()))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", escape::line(&self.what))?;
        match &self.advice {
            Some(advice) => write!(f, " ({})", escape::line(advice)),
            None => Ok(()),
        }
    }
}

/// Every problem of a configuration at once, by file and line; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorts what was found; `Ok` if that is nothing.
    pub(super) fn check(mut found: Vec<Problem>) -> Result<(), Self> {
        if found.is_empty() {
            return Ok(());
        }
        found.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Err(Self(found))
    }

    pub(super) fn one(problem: Problem) -> Self {
        Self(vec![problem])
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The known word that was probably meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", or what there is to choose from.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("known: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_where_what_and_what_to_do() {
        let problem = Problem {
            file: "a.toml".into(),
            line: Some(3),
            what: "unknown key `orgg`".into(),
            advice: Some(suggest("orgg", ["data", "org"])),
        };
        assert_eq!(problem.to_string(), "a.toml:3: unknown key `orgg` (did you mean `org`?)");
        assert_eq!(suggest("zzz", ["data", "org"]), "known: data, org");
    }

    #[test]
    fn text_from_a_file_cannot_move_the_cursor() {
        let problem = Problem { file: "a\x1b.toml".into(), line: None, what: "\u{202e}".into(), advice: None };
        assert_eq!(problem.to_string(), "a\\u{1b}.toml: \\u{202e}");
    }
}
