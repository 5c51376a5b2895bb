//! Numbers as Ruby reads and prints them: thresholds are read, averages and ratios printed so.

/// `String#to_i`: the number at the beginning, or 0. Beyond 64 bits it is the nearest that there is.
pub(super) fn to_i(text: &str) -> i64 {
    let (number, _) = leading(text, false);
    let is_negative = number.starts_with('-');
    number.parse().unwrap_or(match number.bytes().any(|b| b.is_ascii_digit()) {
        false => 0,
        true if is_negative => i64::MIN,
        true => i64::MAX,
    })
}

/// `String#to_f`: the number at the beginning, or 0.
pub(super) fn to_f(text: &str) -> f64 {
    leading(text, true).0.parse().unwrap_or(0.0)
}

/// Whether a text is a number and nothing else, begins with one, or is none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numeric {
    Whole,
    Beginning,
    Not,
}

pub(super) fn numeric(text: &str, is_float: bool) -> Numeric {
    let (number, is_all) = leading(text, is_float);
    match number.bytes().any(|b| b.is_ascii_digit()) {
        false => Numeric::Not,
        true if is_all => Numeric::Whole,
        true => Numeric::Beginning,
    }
}

/// The number at the beginning without its underscores, and whether nothing follows it.
fn leading(text: &str, is_float: bool) -> (String, bool) {
    // No other space counts for Ruby.
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let mut number = String::new();
    let mut left = text.chars().peekable();
    if let Some(sign) = left.next_if(|c| matches!(c, '-' | '+')) {
        number.push(sign);
    }
    let digits = |number: &mut String, left: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        let mut has = false;
        loop {
            if let Some(digit) = left.next_if(char::is_ascii_digit) {
                number.push(digit);
                has = true;
            } else {
                // One underscore between digits.
                let mut ahead = left.clone();
                if has && ahead.next() == Some('_') && ahead.peek().is_some_and(char::is_ascii_digit) {
                    left.next();
                } else {
                    return has;
                }
            }
        }
    };
    let has = digits(&mut number, &mut left);
    let is_fraction = text.trim_start_matches(['-', '+']).starts_with('.');
    if is_float && (has || is_fraction) {
        let mut ahead = left.clone();
        if ahead.next() == Some('.') && ahead.peek().is_some_and(char::is_ascii_digit) {
            left.next();
            number.push('.');
            digits(&mut number, &mut left);
        }
        let mut ahead = left.clone();
        let mut exponent = String::new();
        if ahead.next().is_some_and(|c| matches!(c, 'e' | 'E')) {
            exponent.push('e');
            exponent.extend(ahead.next_if(|c| matches!(c, '-' | '+')));
            if digits(&mut exponent, &mut ahead) {
                number.push_str(&exponent);
                left = ahead;
            }
        }
    }
    let is_all = left.peek().is_none();
    (number, is_all)
}

/// `Float#to_s`: the shortest digits that are this number, with an exponent from 10^15 and below 10^-4.
pub(super) fn float(number: f64) -> String {
    if !number.is_finite() {
        return match number {
            n if n.is_nan() => "NaN".to_owned(),
            n if n > 0.0 => "Infinity".to_owned(),
            _ => "-Infinity".to_owned(),
        };
    }
    let size = number.abs();
    if size == 0.0 || (1e-4..1e15).contains(&size) {
        let text = number.to_string();
        return if text.contains('.') { text } else { text + ".0" };
    }
    // `1e-5` of Rust is `1.0e-05` of Ruby.
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = if digits.contains('.') { digits.to_owned() } else { format!("{digits}.0") };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// `URI.escape` of Ruby 2: the bytes that no part of an address may hold, in hex.
pub(super) fn uri_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            byte if b"-_.!~*'();/?:@&=+$,[]".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by Ruby 3.1.
    #[test]
    fn numbers_are_printed_as_ruby_prints_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (1.0 / 3.0, "0.3333333333333333"),
            (2.0 / 3.0, "0.6666666666666666"),
            (17.0, "17.0"),
            (100.0 / 7.0, "14.285714285714286"),
            (0.0001, "0.0001"),
            (0.00001, "1.0e-05"),
            (0.000012345, "1.2345e-05"),
            (999_999_999_999_999.0, "999999999999999.0"),
            (1e15, "1.0e+15"),
            (1_234_567_890_123_456.0, "1.234567890123456e+15"),
            (1e16, "1.0e+16"),
            (1.5e300, "1.5e+300"),
            (-2.5e-9, "-2.5e-09"),
            (1_795_293_600_000.0, "1795293600000.0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(float(number), text);
        }
    }

    #[test]
    fn numbers_are_read_as_ruby_reads_them() {
        for (text, whole, float) in [
            ("10", 10, 10.0),
            ("-5", -5, -5.0),
            ("+7", 7, 7.0),
            (" 12 ", 12, 12.0),
            ("10abc", 10, 10.0),
            ("abc", 0, 0.0),
            ("", 0, 0.0),
            ("1_000", 1000, 1000.0),
            ("1__0", 1, 1.0),
            ("0.250", 0, 0.25),
            (".5", 0, 0.5),
            ("-.5", 0, -0.5),
            (".", 0, 0.0),
            ("1_0.2_5", 10, 10.25),
            ("0x1A", 0, 0.0),
            ("\u{a0}3", 0, 0.0),
            ("1e3", 1, 1000.0),
            ("1e", 1, 1.0),
            ("2.", 2, 2.0),
            ("--1", 0, 0.0),
            ("99999999999999999999", i64::MAX, 1e20),
        ] {
            assert_eq!(to_i(text), whole, "{text:?}");
            assert_eq!(to_f(text), float, "{text:?}");
        }
        assert_eq!(numeric("10", false), Numeric::Whole);
        assert_eq!(numeric("0.25", true), Numeric::Whole);
        assert_eq!(numeric("0.25", false), Numeric::Beginning);
        assert_eq!(numeric("10%", true), Numeric::Beginning);
        assert_eq!(numeric("ten", true), Numeric::Not);
        assert_eq!(numeric("-", false), Numeric::Not);
    }

    #[test]
    fn addresses_are_escaped_as_ruby_2_escapes_them() {
        assert_eq!(uri_escape("a b:\"c\" [d]|é"), "a%20b:%22c%22%20[d]%7C%C3%A9");
    }
}
