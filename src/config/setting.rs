//! The types that a setting can have, and how each is written in TOML.

use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use crate::event::{Family, Stamp};
use crate::sources::zone::Zone;

use super::problem::suggest;

/// A type that a value of a TOML file becomes.
pub(super) trait Setting: Sized {
    /// What it must be, for the message about a value of another type: "a text in quotes".
    const KIND: &'static str;

    fn read(value: &DeValue<'_>) -> Result<Self, Misread>;

    /// Reads every element of a list, and says which of them are wrong.
    fn read_spanned(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Wrong>> {
        Self::read(value.get_ref()).map_err(|misread| vec![Wrong { at: value.span().start, misread }])
    }
}

/// Why a value is not one of the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Misread {
    /// Not even the right kind of value.
    Kind,
    /// What is wrong with it, and what to do.
    Bad { what: String, advice: String },
}

/// A misread value and the offset where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) misread: Misread,
}

impl Misread {
    pub(super) fn bad(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Bad { what: what.into(), advice: advice.into() }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy, const N: usize>(
        value: &DeValue<'_>,
        what: &str,
        all: [T; N],
        name: fn(T) -> &'static str,
    ) -> Result<T, Self> {
        let text = text(value)?;
        match all.into_iter().find(|choice| name(*choice) == text) {
            Some(choice) => Ok(choice),
            None => bad(format!("\"{text}\" is no {what}"), suggest(text, all.map(name))),
        }
    }
}

fn bad<T>(what: impl Into<String>, advice: impl Into<String>) -> Result<T, Misread> {
    Err(Misread::bad(what, advice))
}

fn text<'a>(value: &'a DeValue<'_>) -> Result<&'a str, Misread> {
    value.as_str().ok_or(Misread::Kind)
}

fn integer(value: &DeValue<'_>) -> Result<i64, Misread> {
    let integer = value.as_integer().ok_or(Misread::Kind)?;
    match i64::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(n) => Ok(n),
        Err(_) => bad(format!("{integer} is too large"), "at most 9223372036854775807"),
    }
}

impl Setting for String {
    const KIND: &'static str = "a text in quotes";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        match text(value)? {
            text if text.contains('\0') => bad("it holds a NUL character", "remove it"),
            text => Ok(text.to_owned()),
        }
    }
}

impl Setting for bool {
    const KIND: &'static str = "true or false";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        value.as_bool().ok_or(Misread::Kind)
    }
}

impl Setting for i32 {
    const KIND: &'static str = "a whole number";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        let n = integer(value)?;
        i32::try_from(n).or_else(|_| bad(format!("{n} is out of range"), "a number of at most nine digits"))
    }
}

impl Setting for u64 {
    const KIND: &'static str = "a whole number";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        let n = integer(value)?;
        u64::try_from(n).or_else(|_| bad(format!("{n} is below zero"), "0 or more"))
    }
}

impl Setting for f64 {
    const KIND: &'static str = "a number";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        if value.is_integer() {
            let n = integer(value)?;
            // Thresholds are counts; beyond 2^53 the nearest double is near enough.
            return Ok(n as f64);
        }
        match value.as_float().ok_or(Misread::Kind)?.as_str().parse::<f64>() {
            Ok(n) if n.is_finite() => Ok(n),
            _ => bad("it is not a finite number", "write a number such as 20"),
        }
    }
}

impl Setting for PathBuf {
    const KIND: &'static str = "a path in quotes";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        checked_path(text(value)?).map(PathBuf::from)
    }
}

/// A path, glob or folder, as [`super::source::From`] takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(pub(super) String);

impl Setting for Pattern {
    const KIND: &'static str = "a path in quotes";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        let text = checked_path(text(value)?)?;
        match glob::Pattern::new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => bad(
                format!("\"{text}\" is no valid pattern: {} at character {}", error.msg, error.pos + 1),
                "write [[] for a bracket",
            ),
        }
    }
}

fn checked_path(text: &str) -> Result<&str, Misread> {
    if text.is_empty() {
        return bad("the path is empty", "write a path, absolute or relative to this file's folder");
    }
    if text.starts_with("~/") || text == "~" || text.starts_with("$") {
        return bad(format!("\"{text}\" is taken as it stands: no shell expands it"), "write the whole path");
    }
    if text.contains('\0') {
        return bad("the path holds a NUL character", "remove it");
    }
    Ok(text)
}

impl Setting for Duration {
    const KIND: &'static str = "a span of time in quotes, such as \"90s\", \"30m\", \"1h30m\" or \"7d\"";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        let text = text(value)?;
        match parse_duration(text) {
            Some(span) if span.is_zero() => bad(format!("\"{text}\" is no time at all"), "more than zero"),
            Some(span) if span > SPAN_MAX => bad(format!("\"{text}\" is too long"), "at most 36500d"),
            Some(span) => Ok(span),
            None => bad(
                format!("\"{text}\" is no span of time"),
                "numbers with units s, m, h, d, w: \"90s\", \"30m\", \"1h30m\", \"7d\"",
            ),
        }
    }
}

/// A hundred years: far beyond any trail, far below where instants overflow.
const SPAN_MAX: Duration = Duration::from_secs(36_500 * 86_400);

/// `90s`, `1h30m`, `7d`: numbers, each with its unit, largest meaning first by habit but not by rule.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut digits: Option<u64> = None;
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            digits = Some(digits.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(digit))?);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(digits.take()?.checked_mul(unit)?)?;
    }
    (digits.is_none() && !text.is_empty()).then(|| Duration::from_secs(seconds))
}

/// A number of bytes: `4194304`, `"4MiB"`, `"4GiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

impl Setting for Size {
    const KIND: &'static str = "a size: a number of bytes, or a text such as \"64MiB\"";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        if value.is_integer() {
            return match u64::read(value)? {
                0 => bad("a size of zero lets nothing through", "leave the key out for the default"),
                bytes => Ok(Self(bytes)),
            };
        }
        let text = text(value)?;
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
        let parsed = units.iter().find_map(|(unit, shift)| {
            let number = text.strip_suffix(unit)?.trim_end().parse::<u64>().ok()?;
            number.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
        });
        match parsed {
            Some(bytes) => Ok(Self(bytes)),
            None => bad(format!("\"{text}\" is no size"), "a number with KiB, MiB, GiB or TiB: \"64MiB\""),
        }
    }
}

impl Setting for Stamp {
    const KIND: &'static str = "an instant such as \"2026-11-20T12:00:00Z\"";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        let text = match value {
            DeValue::Datetime(instant) => instant.to_string(),
            other => text(other)?.to_owned(),
        };
        match Self::parse(&text) {
            Some(stamp) => Ok(stamp),
            None => bad(
                format!("\"{text}\" is no instant"),
                "date, time and zone as RFC 3339 has them: \"2026-11-20T12:00:00Z\"",
            ),
        }
    }
}

impl Setting for Zone {
    const KIND: &'static str = "a time zone in quotes, such as \"Europe/Berlin\" or \"-02:00\"";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        let text = text(value)?;
        text.parse().or_else(|_| {
            bad(
                format!("\"{text}\" is no time zone"),
                "an IANA name such as Europe/Berlin, or an offset such as -02:00",
            )
        })
    }
}

impl Setting for Family {
    const KIND: &'static str = "a source family in quotes";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        Misread::choice(value, "source family", Self::ALL, Self::name)
    }
}

/// A value and the offset where it stands, for what can only be judged later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

impl<T: Setting> Setting for At<T> {
    const KIND: &'static str = T::KIND;

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        Ok(Self { value: T::read(value)?, at: 0 })
    }

    fn read_spanned(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Wrong>> {
        Ok(Self { value: T::read_spanned(value)?, at: value.span().start })
    }
}

impl<T: Setting> Setting for Vec<T> {
    const KIND: &'static str = "a list in brackets";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        let items = value.as_array().ok_or(Misread::Kind)?;
        items.iter().map(|item| T::read(item.get_ref())).collect()
    }

    fn read_spanned(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Wrong>> {
        let Some(items) = value.get_ref().as_array() else {
            return Err(vec![Wrong { at: value.span().start, misread: Misread::Kind }]);
        };
        let mut read = Self::with_capacity(items.len());
        let mut wrong = Vec::new();
        for item in items.iter() {
            match T::read_spanned(item) {
                Ok(value) => read.push(value),
                Err(errors) => wrong.extend(errors.into_iter().map(|e| e.element(T::KIND, item.get_ref()))),
            }
        }
        if wrong.is_empty() { Ok(read) } else { Err(wrong) }
    }
}

impl Wrong {
    /// An element of the wrong kind says so itself: the list around it has the right one.
    fn element(self, kind: &str, found: &DeValue<'_>) -> Self {
        let misread = match self.misread {
            Misread::Kind => Misread::Bad {
                what: format!("an element of the list is {}", article(found)),
                advice: format!("each must be {kind}"),
            },
            bad => bad,
        };
        Self { at: self.at, misread }
    }
}

/// What a value is, for a sentence.
pub(super) fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Setting>(toml: &str) -> Result<T, String> {
        let value = DeValue::parse(toml).expect("TOML");
        T::read_spanned(&value).map_err(|wrong| match &wrong[0].misread {
            Misread::Kind => "kind".to_owned(),
            Misread::Bad { what, .. } => what.clone(),
        })
    }

    #[test]
    fn spans_of_time() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("7d", 604_800), ("2w", 1_209_600)] {
            assert_eq!(read(&format!("\"{text}\"")), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "30", "m", "1h30", "-5m", "1.5h", "5 m", "99999999999999999999d", "0s", "40000d"] {
            assert!(read::<Duration>(&format!("\"{text}\"")).is_err(), "{text}");
        }
        assert_eq!(read::<Duration>("30"), Err("kind".into()));
    }

    #[test]
    fn sizes() {
        assert_eq!(read("4096"), Ok(Size(4096)));
        assert_eq!(read("\"64MiB\""), Ok(Size(64 << 20)));
        assert_eq!(read("\"4 GiB\""), Ok(Size(4 << 30)));
        for text in ["0", "-1", "\"64\"", "\"64MB\"", "\"0GiB\"", "\"99999999TiB\"", "true"] {
            assert!(read::<Size>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_instant_may_be_a_text_or_a_date_of_toml() {
        let noon = Stamp::parse("2026-11-20T12:00:00Z").expect("an instant");
        assert_eq!(read("\"2026-11-20T12:00:00Z\""), Ok(noon));
        assert_eq!(read("2026-11-20T13:00:00+01:00"), Ok(noon));
        assert!(read::<Stamp>("2026-11-20").is_err());
        assert!(read::<Stamp>("\"yesterday\"").is_err());
    }

    #[test]
    fn paths_are_not_expanded_and_patterns_are_checked() {
        assert_eq!(read("\"/var/log/auth.log*\""), Ok(Pattern("/var/log/auth.log*".into())));
        for text in ["\"\"", "\"~/auth.log\"", "\"$HOME/auth.log\"", "\"/var/[log\"", "\"a\\u0000b\"", "7"] {
            assert!(read::<Pattern>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_bounded() {
        assert_eq!(read("20"), Ok(20.0));
        assert_eq!(read("0.5"), Ok(0.5));
        assert!(read::<f64>("inf").is_err());
        assert!(read::<i32>("99999999999").is_err());
        assert!(read::<u64>("-1").is_err());
        assert!(read::<u64>("99999999999999999999").is_err());
    }

    #[test]
    fn each_wrong_element_of_a_list_is_named() {
        let value = DeValue::parse("[\"auth\", 7, \"wtpm\"]").expect("TOML");
        let wrong = Vec::<Family>::read_spanned(&value).expect_err("two are wrong");
        assert_eq!(wrong.len(), 2);
        assert_eq!(
            wrong[1].misread,
            Misread::Bad { what: "\"wtpm\" is no source family".into(), advice: "did you mean `wtmp`?".into() }
        );
    }
}
