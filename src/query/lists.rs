//! Lists of values that a query names: `where.region:$regions_in_use`.
//!
//! They hold what only the operator knows. A query is read with the lists that are in force, and what
//! comes of it is a plain tree: no engine knows of lists. A list that is known but not set leaves the
//! query without an answer ([`super::Query::answerable`]), which is something else than an empty one.

use std::collections::{BTreeMap, BTreeSet};

/// The lists that a query may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    set: BTreeMap<String, Vec<String>>,
    /// Names that mean something although nobody has said what.
    unset: BTreeSet<String>,
}

/// The lists that a query names, with their values; none where a list is not set.
pub type Named = BTreeMap<String, Option<Vec<String>>>;

/// Lists that a query needs, and that are not set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{} not set: set {} in whodid.toml", if .0.len() == 1 { "a list is" } else { "lists are" }, named(.0))]
pub struct Unset(Vec<String>);

fn named(names: &[String]) -> String {
    names.iter().map(|name| format!("lists.{name}")).collect::<Vec<_>>().join(" and ")
}

impl Unset {
    /// An error if it is any.
    pub fn check<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), Self> {
        let names: BTreeSet<&str> = names.into_iter().collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(Self(names.into_iter().map(str::to_owned).collect())),
        }
    }
}

/// The sign before a list's name.
pub(super) const SIGN: char = '$';

impl Lists {
    pub fn new(set: BTreeMap<String, Vec<String>>) -> Self {
        Self { set, unset: BTreeSet::new() }
    }

    /// These lists alone, those among them that are not set as such.
    pub fn only(&self, names: &BTreeSet<String>) -> Self {
        let of = |name: &String| Some((name.clone(), self.set.get(name)?.clone()));
        Self {
            set: names.iter().filter_map(of).collect(),
            unset: names.iter().filter(|name| !self.set.contains_key(*name)).cloned().collect(),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.set.keys().chain(&self.unset).map(String::as_str)
    }

    /// Its values; the outer none for a name that means nothing.
    pub(super) fn find(&self, name: &str) -> Option<Option<&Vec<String>>> {
        match self.set.get(name) {
            Some(values) => Some(Some(values)),
            None => self.unset.contains(name).then_some(None),
        }
    }

    /// The name that was probably meant.
    pub(super) fn suggest(&self, name: &str) -> Option<String> {
        let scored = self.names().map(|known| (strsim::jaro_winkler(name, known), known));
        let best = scored.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
        best.map(|(_, known)| known.to_owned())
    }
}

/// Whether a list can be called so: small letters, digits and underscores, a letter first.
pub fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use crate::event::Stamp;
    use crate::query::Query;

    use super::*;

    fn lists() -> Lists {
        let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let set = [
            ("one", values(&["alice"])),
            ("many", values(&["b", "a", "svc-*", "c d", "x?", "star\\*"])),
            ("none", values(&[])),
            ("any", values(&["*"])),
            ("nets", values(&["10.0.0.0/8", "2001:db8::1"])),
            ("ports", values(&["22", "3389"])),
            ("words", values(&["invalid user", "fail*"])),
            ("long", (0..5_000).map(|n| format!("v{n}")).collect()),
        ];
        let set: BTreeMap<String, Vec<String>> = set.map(|(name, values)| (name.to_owned(), values)).into();
        let names = set.keys().cloned().chain(["unset".to_owned()]).collect();
        Lists::new(set).only(&names)
    }

    #[track_caller]
    fn check(query: &str, expected: &str) {
        let said = match Query::parse_with(query, &lists()) {
            Ok(query) => query.at(Stamp::from_micros(0)).to_string(),
            Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        assert_eq!(said, expected, "{query}");
    }

    #[test]
    fn a_list_is_any_of_its_values() {
        check("who.name:$one", "who.name:alice");
        check("NOT who.name:$one", "NOT who.name:alice");
        check("who.name:$many", r#"who.name:(a OR b OR "c d" OR "star*") OR who.name:svc-* OR who.name:x?"#);
        check("who.name:(root OR $one)", "who.name:root OR who.name:alice");
        check("cloudtrail.a.b:$one", "detail.cloudtrail.a.b:alice");
        check("who.name:$none", "NOT *");
        check("NOT who.name:$none", "NOT (NOT *)");
        check("who.name:$any", "who.name:*");
        check("who.ip:$nets", r#"who.ip:10.0.0.0/8 OR who.ip:2001:db8::1"#);
        check("what.exposes.from:$ports", "what.exposes.from:22 OR what.exposes.from:3389");
        check("reason:$words", r#"reason:"invalid user" OR reason:fail*"#);
    }

    #[test]
    fn what_is_no_list_is_a_value() {
        for (query, expected) in [
            (r"who.name:\$one", r#"who.name:"$one""#),
            (r#"who.name:"$one""#, r#"who.name:"$one""#),
            ("who.name:on$e", r#"who.name:"on$e""#),
            // Without a field there is nothing that its values could be of.
            ("$one", "raw:one"),
        ] {
            check(query, expected);
        }
    }

    #[test]
    fn what_cannot_be_answered_is_refused_or_known_as_such() {
        check("who.name:$mayn", r#"there is no list "mayn": did you mean "many"?"#);
        check("who.name:$", r#"there is no list """#);
        check("who.ip:$one", r#"the list "one" holds "alice": "alice" is no address or network"#);
        check("what.exposes.from:>=$ports", "the bound of a range cannot be a list");
        check("who.name:[$one TO $many]", "the bound of a range cannot be a list");
        let unset = Query::parse_with("who.name:$unset AND who.name:$one", &lists()).expect("known");
        assert_eq!(
            unset.answerable().map_err(|unset| unset.to_string()),
            Err("a list is not set: set lists.unset in whodid.toml".into())
        );
        let set = Query::parse_with("who.name:$one", &lists()).expect("set");
        assert_eq!(set.answerable(), Ok(()));
    }

    /// Thousands of accounts are one test; patterns are one each, and bounded as those that are written.
    #[test]
    fn a_long_list_is_one_test() {
        let found = Query::parse_with("who.name:$long", &lists()).expect("a query");
        let tree = found.at(Stamp::from_micros(0));
        assert!(matches!(tree, crate::query::ast::Ast::Leaf { .. }));
        let patterns = (0..2_000).map(|n| format!("{n}*")).collect();
        let lists = Lists::new(BTreeMap::from([("patterns".to_owned(), patterns)]));
        let error = Query::parse_with("who.name:$patterns", &lists).expect_err("too many");
        assert!(error.to_string().contains("tests in one query"), "{error}");
    }
}
