//! `[lists]`: what only the operator knows, for queries to name by `$name`.
//!
//! Those that the shipped queries name are declared here, for the documented example and for names that
//! are mistyped; a saved query of the operator's own may bring others. What no query names is refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::query::Lists;
use crate::query::lists::{Named, is_name};

use super::definitions;
use super::problem::suggest;
use super::section::{Document, Key, Section, Shape, Table};
use super::setting::At;

/// The lists of one file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Listed {
    values: BTreeMap<String, Vec<String>>,
    /// Every name that can be one, also where the values could not be read, and where it stands.
    names: BTreeMap<String, usize>,
}

impl Listed {
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.names.keys().cloned().collect()
    }

    pub(super) fn lists(&self) -> Lists {
        Lists::new(self.values.clone())
    }

    /// Reports those that nobody names: a mistyped one would leave the right one unset.
    pub(super) fn report_unnamed(&self, document: &Document<'_>, known: &BTreeSet<String>) {
        for (name, at) in self.names.iter().filter(|(name, _)| !known.contains(*name)) {
            let what = format!("no query names the list `{name}`");
            document.report(Some(*at), what, suggest(name, known.iter().map(String::as_str)));
        }
    }
}

/// Reads the lists of a file.
pub(super) fn read(mut section: Section<'_, '_>) -> Listed {
    let mut listed = Listed::default();
    for (name, at, values) in section.entries::<Vec<At<String>>>() {
        if !is_name(&name) {
            let what = format!("`{name}` cannot be the name of a list");
            section.report_place(at, what, "small letters, digits and underscores, a letter first");
            continue;
        }
        listed.names.insert(name.clone(), at);
        let Some(values) = values else { continue };
        for empty in values.iter().filter(|value| value.value.trim().is_empty()) {
            section.report_place(empty.at, format!("`{name}`: a value is empty"), "remove it");
        }
        listed.values.insert(name, values.into_iter().map(|value| value.value).collect());
    }
    section.finish();
    listed
}

/// Names that a shipped query may have.
pub(super) fn declared() -> impl Iterator<Item = String> {
    LISTS.keys.iter().map(|key| key.name.to_owned())
}

/// The hash of a definition: of its file, and of the lists that it names, so that a change of one is seen.
pub(super) fn sha256(of_file: &str, named: &Named) -> String {
    match named.is_empty() {
        true => of_file.to_owned(),
        // A map of texts always serialises.
        false => definitions::sha256(&format!("{of_file}\n{}", serde_json::to_string(named).unwrap_or_default())),
    }
}

pub(super) static LISTS: Table = Table {
    name: "lists",
    shape: Shape::One,
    doc: "What only you know, for queries that name it by $name; `whodid query list` shows which do. An alert whose\n\
          list is not set is not evaluated. A value may hold * and ? where the field takes wildcards; an empty\n\
          list holds nothing. Your own queries may name other lists.",
    keys: &[
        &REGIONS_IN_USE.declaration,
        &ACCOUNTS.declaration,
        &IAM_ADMINS.declaration,
        &BREAK_GLASS_ROLES.declaration,
        &TRAIL_BUCKETS.declaration,
    ],
    tables: &[],
};

static REGIONS_IN_USE: Key<Vec<String>> = Key::optional(
    "regions_in_use",
    "[\"eu-central-1\", \"us-east-1\"]",
    "AWS regions where you work; global services (IAM, Organizations, CloudFront) write to us-east-1.",
);

static ACCOUNTS: Key<Vec<String>> = Key::optional(
    "accounts",
    "[\"111122223333\"]",
    "AWS accounts that are yours, and those of vendors whom you let in.",
);

static IAM_ADMINS: Key<Vec<String>> = Key::optional(
    "iam_admins",
    "[\"alice\", \"AWSReservedSSO_IamAdmin_*\", \"arn:aws:iam::*:role/deploy\"]",
    "Who may change users, roles and policies of AWS: persons of [[person]], IAM users, roles by name, or ARNs.",
);

static BREAK_GLASS_ROLES: Key<Vec<String>> = Key::optional(
    "break_glass_roles",
    "[\"BreakGlass\"]",
    "Roles for emergencies, by name or ARN: whoever takes one has to say why.",
);

static TRAIL_BUCKETS: Key<Vec<String>> =
    Key::optional("trail_buckets", "[\"example-cloudtrail\"]", "S3 buckets that CloudTrail writes to.");

/// The same table in the file of a saved query.
pub(super) static EXAMPLE_LISTS: Table = Table {
    name: "lists",
    shape: Shape::One,
    doc: "Every list that the query names by $name, with the values that its examples go by. What is in force\n\
          stands under [lists] in whodid.toml.",
    keys: &[&EXAMPLE_LIST.declaration],
    tables: &[],
};

static EXAMPLE_LIST: Key<Vec<String>> = Key::optional("jump_hosts", "[\"jump-1\"]", "For where.host:$jump_hosts.");
