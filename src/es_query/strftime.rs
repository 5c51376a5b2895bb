//! Instants as Ruby's `Time#strftime` writes them in UTC: names of indices are patterns of it.
//!
//! What Ruby does not know it leaves as it stands, and so does this.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

/// Wider than any name of an index may be.
const WIDTH_MAX: usize = 255;

/// The text of a pattern at an instant.
pub(super) fn strftime(pattern: &str, at: DateTime<Utc>) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut left = pattern.chars();
    while let Some(c) = left.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let before = left.as_str();
        match directive(&mut left, at) {
            Some(text) => out.push_str(&text),
            None => {
                out.push('%');
                left = before.chars();
            }
        }
    }
    out
}

/// Whether a pattern tells the hours of a day apart.
pub(super) fn has_hours(pattern: &str) -> bool {
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    strftime(pattern, at(0)) != strftime(pattern, at(3_600))
}

/// How the text of a directive is filled up.
#[derive(Clone, Copy, PartialEq)]
enum Padding {
    Own,
    None,
    With(char),
}

/// What follows `%`: flags, width, letter. None where Ruby knows no such letter.
fn directive(left: &mut std::str::Chars<'_>, at: DateTime<Utc>) -> Option<String> {
    let (mut padding, mut is_upper, mut is_swapped, mut width) = (Padding::Own, false, false, None);
    let letter = loop {
        match left.next()? {
            '-' => padding = Padding::None,
            '_' => padding = Padding::With(' '),
            '0' if width.is_none() => padding = Padding::With('0'),
            '^' => is_upper = true,
            '#' => is_swapped = true,
            // Only before `z`: +00:00.
            ':' => return (left.next()? == 'z').then(|| "+00:00".to_owned()),
            digit @ '0'..='9' => {
                let digit = usize::try_from(digit.to_digit(10)?).ok()?;
                width = Some(width.unwrap_or(0_usize).saturating_mul(10).saturating_add(digit));
            }
            // These say which calendar; UTC has one.
            'E' | 'O' => {
                let next = left.next()?;
                let known = "cCxXyY".contains(next) || "deHkIlmMSuUVwWy".contains(next);
                break known.then_some(next)?;
            }
            letter => break letter,
        }
    };
    if matches!(letter, 'L' | 'N') {
        let digits = width.unwrap_or(if letter == 'L' { 3 } else { 9 }).clamp(1, WIDTH_MAX);
        let nanos = format!("{:09}", at.timestamp_subsec_nanos());
        return Some(nanos.chars().chain(std::iter::repeat('0')).take(digits).collect());
    }
    let (mut text, fill) = plain(letter, at)?;
    if is_upper {
        text = text.to_uppercase();
    } else if is_swapped {
        text = if letter == 'p' || letter == 'Z' { text.to_lowercase() } else { text.to_uppercase() };
    }
    let own = text.chars().count();
    let fill = match padding {
        Padding::None => return Some(unfilled(&text)),
        Padding::With(fill) => {
            text = unfilled(&text);
            fill
        }
        Padding::Own => fill,
    };
    let width = width.unwrap_or(own).min(WIDTH_MAX);
    let missing = width.saturating_sub(text.chars().count());
    Some(std::iter::repeat_n(fill, missing).chain(text.chars()).collect())
}

/// A number without what fills it up; its last digit stays.
fn unfilled(text: &str) -> String {
    let is_number = text.trim_start().bytes().all(|b| b.is_ascii_digit());
    match text.trim_start_matches(['0', ' ']) {
        _ if !is_number => text.to_owned(),
        "" => "0".to_owned(),
        rest => rest.to_owned(),
    }
}

/// A directive without flags, and what fills it up when it is made wider.
fn plain(letter: char, at: DateTime<Utc>) -> Option<(String, char)> {
    let by_chrono = |format: &str| {
        let mut text = String::new();
        // What is wrong with a format shows here, and all below are right.
        write!(text, "{}", at.format(format)).ok()?;
        Some(text)
    };
    let (format, fill) = match letter {
        'Y' | 'C' | 'y' | 'm' | 'd' | 'j' | 'H' | 'I' | 'M' | 'S' | 'G' | 'g' | 'V' | 'U' | 'W' | 'u' | 'w' | 's' => {
            (format!("%{letter}"), '0')
        }
        'e' | 'k' | 'l' | 'B' | 'b' | 'h' | 'A' | 'a' | 'p' | 'P' | 'D' | 'F' | 'R' | 'T' | 'r' => {
            (format!("%{letter}"), ' ')
        }
        'c' => ("%a %b %e %H:%M:%S %Y".to_owned(), ' '),
        'x' => ("%D".to_owned(), ' '),
        'X' => ("%T".to_owned(), ' '),
        'v' => return Some((by_chrono("%e-%b-%Y")?.to_uppercase(), ' ')),
        'z' => return Some(("+0000".to_owned(), '0')),
        'Z' => return Some(("UTC".to_owned(), ' ')),
        '%' => return Some(("%".to_owned(), ' ')),
        'n' => return Some(("\n".to_owned(), ' ')),
        't' => return Some(("\t".to_owned(), ' ')),
        _ => return None,
    };
    Some((by_chrono(&format)?, fill))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    /// Printed by Ruby 3.1 for 2026-11-21T10:11:12Z.
    #[test]
    fn patterns_are_written_as_ruby_writes_them() {
        let rows = "%Y 2026|%C 20|%y 26|%m 11|%B November|%b Nov|%h Nov|%j 325|%d 21|%e 21|%H 10|%k 10|%I 10|%l 10|%M 11|%S 12|\
            %L 000|%N 000000000|%3N 000|%z +0000|%:z +00:00|%Z UTC|%A Saturday|%a Sat|%u 6|%w 6|%G 2026|%g 26|%V 47|%U 46|%W 46|\
            %s 1795255872|%% %|%D 11/21/26|%F 2026-11-21|%v 21-NOV-2026|%x 11/21/26|%X 10:11:12|%R 10:11|%T 10:11:12|%+ %+|%p AM|\
            %P am|%-d 21|%-m 11|%_m 11|%^B NOVEMBER|%^a SAT|%#p am|%010Y 0000002026|%5d 00021|%-H 10|%Q %Q|%E %E|%i %i|%Ey 26|%0e 21|\
            %-j 325|%_H 10|%: %:";
        for row in rows.split('|') {
            let (pattern, text) = row.split_once(' ').expect("two");
            assert_eq!(strftime(pattern, at("2026-11-21T10:11:12Z")), text, "{pattern}");
        }
        let early = at("2026-03-01T04:05:06.789Z");
        for (pattern, text) in [
            ("logstash-%Y.%m.%d", "logstash-2026.03.01"),
            ("a-%-m.%-d-%_d-%e-%k", "a-3.1- 1- 1- 4"),
            ("%L %-H %0e", "789 4 01"),
            ("100% of %", "100% of %"),
            ("%c", "Sun Mar  1 04:05:06 2026"),
            ("é%Yé", "é2026é"),
        ] {
            assert_eq!(strftime(pattern, early), text, "{pattern}");
        }
    }

    #[test]
    fn hours_are_seen_however_they_are_written() {
        for (pattern, has) in [
            ("l-%Y.%m.%d", false),
            ("l-%Y.%m.%d.%H", true),
            ("l-%Y.%m.%d-%-k", true),
            ("l-%F", false),
            ("l-%T", true),
            ("l", false),
        ] {
            assert_eq!(has_hours(pattern), has, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_gives_a_text_of_bounded_length(pattern in "\\PC{0,40}|(%[-_0^#:]{0,3}[0-9]{0,9}[A-Za-z%]?){0,6}", seconds in 0_i64..4_102_444_800) {
            let text = strftime(&pattern, DateTime::from_timestamp(seconds, 0).expect("an instant"));
            prop_assert!(text.len() <= pattern.len() + 40 * WIDTH_MAX);
        }
    }
}
