//! Arguments as Ruby's `optparse` reads them: what people's configurations rely on.
//!
//! Long names may be shortened as long as one option remains (each word of them by itself: `--d-p` is
//! `--days-previous`), `_` is `-`, a value may be joined by `=` or stand next, whatever it begins with; `-c10` is
//! `-c 10`, flags of one letter may stand together, an unknown letter is the beginning of a long name.

use thiserror::Error;

/// An option that a check knows.
#[derive(Debug)]
pub(super) struct Known {
    /// Without `--`.
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    /// What stands for its value in the usage; none for a flag.
    pub(super) value: Option<&'static str>,
    pub(super) help: &'static str,
    /// Not the plugin's: what is short for one of its options still is.
    pub(super) is_ours: bool,
}

/// What was given: (long name, value), in order; a flag has none.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Given {
    pub(super) options: Vec<(&'static str, Option<String>)>,
    /// Arguments that belong to no option: the plugin passes over them.
    pub(super) rest: Vec<String>,
}

/// In the words that `optparse` has for it.
#[derive(Debug, Clone, PartialEq, Error)]
pub(super) enum BadOption {
    #[error("invalid option: {0}")]
    Invalid(String),
    #[error("ambiguous option: {0}")]
    Ambiguous(String),
    #[error("missing argument: {0}")]
    Missing(String),
    #[error("needless argument: {0}")]
    Needless(String),
}

pub(super) fn read(known: &[&'static Known], arguments: &[String]) -> Result<Given, BadOption> {
    let mut given = Given::default();
    let mut left = arguments.iter();
    while let Some(argument) = left.next() {
        if argument == "--" {
            given.rest.extend(left.by_ref().cloned());
        } else if let Some(long) = argument.strip_prefix("--") {
            let (name, joined) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let option = by_long_name(known, name).map_err(|error| error.at(argument))?;
            let value = match (option.value, joined) {
                (None, None) => None,
                (None, Some(_)) => return Err(BadOption::Needless(argument.clone())),
                (Some(_), Some(joined)) => Some(joined.to_owned()),
                (Some(_), None) => Some(left.next().cloned().ok_or_else(|| BadOption::Missing(argument.clone()))?),
            };
            given.options.push((option.long, value));
        } else if let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            read_letters(known, argument, letters, &mut left, &mut given)?;
        } else {
            given.rest.push(argument.clone());
        }
    }
    Ok(given)
}

/// `-c10`, `-c 10`, `-zw5`.
fn read_letters(
    known: &[&'static Known],
    argument: &str,
    letters: &str,
    left: &mut std::slice::Iter<'_, String>,
    given: &mut Given,
) -> Result<(), BadOption> {
    let mut letters = letters.chars();
    while let Some(letter) = letters.next() {
        let rest = letters.as_str();
        let option = match known.iter().find(|option| option.short == Some(letter)) {
            Some(option) => option,
            None => by_long_name(known, letter.encode_utf8(&mut [0; 4])).map_err(|error| error.at(argument))?,
        };
        if option.value.is_none() {
            if rest.starts_with('=') {
                return Err(BadOption::Needless(argument.to_owned()));
            }
            given.options.push((option.long, None));
            continue;
        }
        let value = match rest {
            "" => left.next().cloned().ok_or_else(|| BadOption::Missing(argument.to_owned()))?,
            // With a `=` that stands there: only long names are joined by one.
            joined => joined.to_owned(),
        };
        given.options.push((option.long, Some(value)));
        return Ok(());
    }
    Ok(())
}

impl BadOption {
    /// Names the argument as it was written.
    fn at(self, argument: &str) -> Self {
        match self {
            Self::Ambiguous(_) => Self::Ambiguous(argument.to_owned()),
            _ => Self::Invalid(argument.to_owned()),
        }
    }
}

/// The option of this name, or the only one that it may be short for.
fn by_long_name(known: &[&'static Known], name: &str) -> Result<&'static Known, BadOption> {
    let name = name.replace('_', "-").to_lowercase();
    if let Some(option) = known.iter().find(|option| option.long == name) {
        return Ok(option);
    }
    let short = |is_ours| {
        let name = &name;
        known.iter().filter(move |option| option.is_ours == is_ours && is_short_for(name, option.long))
    };
    let is_theirs = short(false).next().is_some();
    let mut found = short(!is_theirs);
    match (found.next(), found.next()) {
        (Some(option), None) => Ok(option),
        (Some(_), Some(_)) => Err(BadOption::Ambiguous(name)),
        (None, _) => Err(BadOption::Invalid(name)),
    }
}

fn is_short_for(name: &str, long: &str) -> bool {
    let mut words = long.split('-');
    !name.is_empty() && name.split('-').all(|part| words.next().is_some_and(|word| word.starts_with(part)))
}
