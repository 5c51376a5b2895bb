//! The values that events and queries share.

use std::net::IpAddr;

use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::sample::select;
use whodid::event::fields::SEARCHABLE_BYTES_MAX;
use whodid::event::{EventId, Family, Stamp, text};

pub(crate) const PIECES: &[&str] = &[
    " ",
    " ",
    " ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "/",
    "\\",
    ":",
    "*",
    "?",
    "+",
    "-",
    "!",
    "&&",
    "||",
    "~",
    "^",
    ">",
    ">=",
    "<",
    "<=",
    "=",
    " AND ",
    " OR ",
    " NOT ",
    " TO ",
    "and",
    "who.name:",
    "who.ip:",
    "when:",
    "who.port:",
    "raw:",
    "_exists_:",
    "cloudtrail.x:",
    "now",
    "-15m",
    "/d",
    "2026",
    "2026-11-20",
    "10.0.0.0",
    "/8",
    "::1",
    "10.*",
    "22",
    "-1",
    "failed",
    "\n",
    "[a-z",
];

/// Keys of one record: some need escaping in a query, some look like a path.
pub(crate) const KEYS: &[&str] = &["x", "user", "odd key:\"1\"", "a.b", "-n", "ä", "items", "AND"];

pub(crate) const DETAIL_PATHS: &[&str] = &[
    "cloudtrail.eventName",
    "cloudtrail.sourceIPAddress",
    "cloudtrail.requestParameters.items.cidrIp",
    "cloudtrail.requestParameters",
];

pub(crate) const KEYWORD_REGEXES: &[&str] = &[
    "",
    "root",
    "(root|alice)",
    "[a-z]+",
    ".*",
    "web-\\d",
    "a?.*e",
    "(?i)ALICE",
    "\\p{Lu}.*",
    ".{4}",
    "\\/var\\/.*",
    "[^a-z]*",
    "x+",
    "a|",
];

pub(crate) const WORD_REGEXES: &[&str] =
    &["fail(ed|ure)", "[0-9]+", "(?i)FAIL.*", "ö.*", ".{1,2}", "i.*", ".*", "\\d+\\w"];

pub(crate) fn id(ordinal: u32) -> EventId {
    EventId::new(Family::Auth, &[b"generated"], ordinal)
}

pub(crate) fn instant(text: &str) -> Stamp {
    Stamp::parse(text).expect("an instant")
}

pub(crate) fn maybe<T: std::fmt::Debug + Clone>(
    value: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Option<T>> + Clone {
    proptest::option::weighted(0.7, value)
}

pub(crate) const SHORT_KEYWORDS: &[&str] = &[
    "root",
    "alice",
    "Alice",
    "alice2",
    "bob",
    "web-1",
    "web-2",
    "ssh.login",
    "AuthorizeSecurityGroupIngress",
    "0.0.0.0/0",
    "::/0",
    "tcp",
    "/var/log/x",
    "a b",
    "AND",
    "or",
    "*",
    "?",
    "a*b",
    "\\",
    "\"q\"",
    "(x)",
    "a:b",
    "-x",
    "",
    " ",
    "é",
    "e\u{301}",
    "İi",
    "ΟΔΟΣ",
    "漢字",
    "\u{202e}evil",
    "line\nbreak",
    "nul\0",
    "[1 TO 2]",
    "10",
    "9",
    "~",
    "x",
    "=",
    "path=value",
];

pub(crate) fn short_keyword() -> impl Strategy<Value = String> + Clone {
    // The first few are frequent, as names are.
    prop_oneof![select(&SHORT_KEYWORDS[..8]), select(SHORT_KEYWORDS)].prop_map(str::to_owned)
}

/// Sometimes longer than engines compare: equal up to there, different beyond or just before.
pub(crate) fn keyword() -> impl Strategy<Value = String> + Clone {
    let long =
        select(&["", "a", "ä", "bb", "漢"]).prop_map(|end| format!("{}{end}", "x".repeat(SEARCHABLE_BYTES_MAX - 1)));
    prop_oneof![40 => short_keyword(), 1 => long]
}

pub(crate) const SENTENCES: &[&str] = &[
    "Failed password for root from 203.0.113.7 port 50122 ssh2",
    "Accepted publickey for alice from 203.0.113.7 port 50122 ssh2: RSA SHA256:abc",
    "alice : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/usr/bin/apt upgrade",
    "failure failed FAILED fail",
    "İstanbul ÖL öl ΟΔΟΣ straße STRASSE x_y 漢字 かな",
    "root root root port root",
    "a",
    "\u{1b}[31m fake \u{202e} sshd[1]: Accepted password",
];

pub(crate) fn words_of_sentences() -> Vec<String> {
    let short = |word: &String| word.chars().count() <= 12 && word.chars().all(char::is_alphanumeric);
    SENTENCES.iter().flat_map(|sentence| text::words(sentence)).map(String::from).filter(short).collect()
}

pub(crate) fn sentence() -> impl Strategy<Value = String> + Clone {
    let long = select(SENTENCES).prop_map(|text| format!("{} {text} {}", "y".repeat(300), "filler ".repeat(2_000)));
    prop_oneof![20 => select(SENTENCES).prop_map(str::to_owned), 2 => Just("--- !!!".to_owned()), 2 => Just(String::new()), 1 => long]
}

pub(crate) const ADDRESSES: [&str; 10] = [
    "10.0.0.1",
    "10.0.0.2",
    "10.255.255.255",
    "203.0.113.7",
    "0.0.0.0",
    "255.255.255.255",
    "::1",
    "2001:db8::7",
    "::ffff:10.0.0.1",
    "fe80::1",
];

pub(crate) const NETWORKS: &[&str] = &[
    "10.0.0.0/8",
    "10.0.0.0/31",
    "203.0.113.7/32",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "::1/128",
    "::/64",
    "fe80::/10",
];

pub(crate) fn address() -> impl Strategy<Value = IpAddr> + Clone {
    select(ADDRESSES.as_slice()).prop_map(|text| text.parse().expect("an address"))
}

pub(crate) fn port() -> impl Strategy<Value = u16> + Clone {
    select(&[0, 22, 443, 50_122, u16::MAX])
}

pub(crate) fn number() -> impl Strategy<Value = i64> + Clone {
    select(vec![-1, 0, 1, 21, 22, 23, 443, 65_535, i64::from(u32::MAX), i64::MAX, i64::MIN])
}

pub(crate) fn time() -> impl Strategy<Value = Stamp> {
    let fixed = [
        "2026-11-20T10:11:12Z",
        "2026-11-20T10:11:12.000000001Z",
        "2026-11-20T10:11:12.000001Z",
        "2026-11-20T10:11:11.999999999Z",
        "2026-11-20T23:59:59.999999999Z",
        "2026-11-21T00:00:00Z",
        "2026-10-31T23:59:59.999Z",
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "2262-04-12T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ];
    let near = (0..4 * 86_400_i64).prop_map(|s| instant("2026-11-18T00:00:00Z").plus(TimeDelta::seconds(s)));
    prop_oneof![3 => select(fixed.map(instant).to_vec()), 2 => near]
}
