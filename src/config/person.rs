//! `[[person]]`: by which accounts, keys and cloud identities one person is known.

use std::collections::BTreeMap;

use crate::query::people::{Identity, People, Person};

use super::section::{Key, Section, Shape, Table};
use super::setting::At;

/// Every `[[person]]`. An identity is one person's, else nobody could be named by it.
pub(super) fn read_all(top: &mut Section<'_, '_>) -> People {
    let mut persons: Vec<Person> = Vec::new();
    let mut owners: BTreeMap<(Identity, String), String> = BTreeMap::new();
    for mut section in top.sections(&PERSON) {
        let person = read(&mut section, &mut owners);
        if let Some(person) = person {
            if persons.iter().any(|other| other.name == person.name) {
                let what = format!("two persons are named \"{}\"", person.name);
                section.report_key("name", what, "put all identities of one person into one table");
            }
            persons.push(person);
        }
        section.finish();
    }
    People::new(persons)
}

fn read(section: &mut Section<'_, '_>, owners: &mut BTreeMap<(Identity, String), String>) -> Option<Person> {
    let name = section.required(&NAME);
    if name.as_deref().is_some_and(|name| !fits(name)) {
        section.report_key("name", "`name` must be a word that can be read", "such as \"Ana Example\"");
    }
    let owner = name.clone().unwrap_or_default();
    let mut is_silent = true;
    let mut list = |of: Identity| {
        let key = key_of(of);
        is_silent &= !section.has(key.declaration.name);
        let identities = section.or_default(key).unwrap_or_default();
        for identity in &identities {
            check(section, of, identity, &owner, owners);
        }
        identities.into_iter().map(|identity| identity.value).collect()
    };
    let [unix, keys, certificates, aws, email]: [Vec<String>; 5] = Identity::ALL.map(&mut list);
    let is_nobody = [&unix, &keys, &certificates, &aws, &email].iter().all(|list| list.is_empty());
    if is_nobody {
        let what = match is_silent {
            true => "the person has no identity: nothing in a record would name them",
            false => "the person has no identity that can be read",
        };
        section.report(what, "add `unix`, `keys`, `certificates`, `aws` or `email`");
    }
    Some(Person { name: name?, unix, keys, certificates, aws, email })
}

fn check(
    section: &Section<'_, '_>,
    of: Identity,
    identity: &At<String>,
    owner: &str,
    owners: &mut BTreeMap<(Identity, String), String>,
) {
    let name = key_of(of).declaration.name;
    let At { value, at } = identity;
    if !fits(value) {
        let advice = format!("at most {IDENTITY_BYTES_MAX} bytes, without control characters");
        return section.report_place(*at, format!("`{name}`: an identity that no record can have"), advice);
    }
    if of == Identity::Key && value.starts_with("ssh-") {
        let advice = "the fingerprint as `ssh-keygen -l` prints it: \"SHA256:…\"";
        section.report_place(*at, format!("`{name}` takes no public key"), advice);
    }
    if let Some(other) = owners.insert((of, value.clone()), owner.to_owned()) {
        let what = match other == owner {
            true => format!("`{name}`: \"{value}\" stands there twice"),
            false => format!("`{name}`: \"{value}\" is of \"{other}\" already"),
        };
        section.report_place(*at, what, "an identity has one person");
    }
}

/// Longer names are in no record; all engines compare that much.
const IDENTITY_BYTES_MAX: usize = 1_024;

fn fits(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= IDENTITY_BYTES_MAX && !text.chars().any(char::is_control)
}

fn key_of(of: Identity) -> &'static Key<Vec<At<String>>> {
    match of {
        Identity::Unix => &UNIX,
        Identity::Key => &KEYS,
        Identity::Certificate => &CERTIFICATES,
        Identity::Aws => &AWS,
        Identity::Email => &EMAIL,
    }
}

pub(super) static PERSON: Table = Table {
    name: "person",
    shape: Shape::Many,
    doc: "Who is who: one name for what a person is called on machines and in clouds (who.person), one table\n\
          each. It is used when the trail is read and changes nothing in it. Who can write this can make the\n\
          acts of one person look like those of another; the trail says when it changed.",
    keys: &[
        &NAME.declaration,
        &UNIX.declaration,
        &KEYS.declaration,
        &CERTIFICATES.declaration,
        &AWS.declaration,
        &EMAIL.declaration,
    ],
    tables: &[],
};

static NAME: Key<String> = Key::required("name", "\"Ana Example\"", "Unique; the value of who.person.");

static UNIX: Key<Vec<At<String>>> = Key::with_default(
    "unix",
    "[]",
    "Accounts of machines: [\"ana\", \"deploy@web-1\"]. With @ and a machine (as where.host has it) only there.",
);

static KEYS: Key<Vec<At<String>>> = Key::with_default(
    "keys",
    "[]",
    "Fingerprints of SSH keys, as ssh-keygen -l and sshd write them: [\"SHA256:…\"], and ids of access keys:\n\
     [\"AKIA…\"]. A key decides before an account: it tells apart those who share one.",
);

static CERTIFICATES: Key<Vec<At<String>>> =
    Key::with_default("certificates", "[]", "Ids of SSH certificates, as ssh-keygen -I set them.");

static AWS: Key<Vec<At<String>>> = Key::with_default(
    "aws",
    "[]",
    "ARNs and principal ids, exactly as CloudTrail has them: [\"arn:aws:iam::111122223333:user/ana\"], and names\n\
     of IAM users, of any account: [\"ana\"].",
);

static EMAIL: Key<Vec<At<String>>> = Key::with_default(
    "email",
    "[]",
    "Names of sessions (Identity Center), certificates and accounts that are an address. Whoever may take a\n\
     role can choose the name of the session, unless the role's trust policy fixes it.",
);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::section::Document;
    use super::*;

    static TOP: Table = Table { name: "", shape: Shape::One, doc: "", keys: &[], tables: &[&PERSON] };

    fn read(text: &str) -> (People, Vec<String>) {
        let document = Document::parse(Path::new("t.toml"), text);
        let mut top = document.top(&TOP);
        let people = read_all(&mut top);
        top.finish();
        (people, document.into_problems().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn identities_lead_to_their_person() {
        let (people, problems) = read(
            "[[person]]\nname = \"Ana Example\"\nunix = [\"ana\", \"deploy@web-1\"]\nkeys = [\"SHA256:a\"]\n\
             [[person]]\nname = \"Ben Example\"\nunix = [\"ben\"]\naws = [\"ana\"]\nemail = [\"ben@example.com\"]\n\
             certificates = [\"ben-laptop\"]\n",
        );
        assert!(problems.is_empty(), "{problems:?}");
        let named = |of, identity| people.named(of, identity);
        assert_eq!(named(Identity::Unix, "deploy@web-1"), Some("Ana Example"));
        assert_eq!(named(Identity::Aws, "ana"), Some("Ben Example"));
        assert_eq!(named(Identity::Certificate, "ben-laptop"), Some("Ben Example"));
        assert_eq!(named(Identity::Unix, "deploy"), None);
    }

    #[test]
    fn everything_that_is_wrong_is_said_with_its_line() {
        let (_, problems) = read(
            "[[person]]\nname = \"Ana\"\nunix = [\"ana\", \"ana\"]\n[[person]]\nname = \"Ana\"\nkeys = [\n  \"SHA256:a\",\n  \
             \"ssh-ed25519 AAAA\",\n]\n[[person]]\nname = \"Ben\"\nkeys = [\"SHA256:a\"]\nemail = [\"\"]\n[[person]]\n\
             name = \"Carol\"\n[[person]]\nunix = [\"carol\"]\nuid = 7\n",
        );
        assert_eq!(
            problems,
            [
                "t.toml:3: `unix`: \"ana\" stands there twice (an identity has one person)",
                "t.toml:8: `keys` takes no public key (the fingerprint as `ssh-keygen -l` prints it: \"SHA256:…\")",
                "t.toml:5: two persons are named \"Ana\" (put all identities of one person into one table)",
                "t.toml:12: `keys`: \"SHA256:a\" is of \"Ana\" already (an identity has one person)",
                "t.toml:13: `email`: an identity that no record can have (at most 1024 bytes, without control \
                 characters)",
                "t.toml:14: the person has no identity: nothing in a record would name them (add `unix`, `keys`, \
                 `certificates`, `aws` or `email`)",
                "t.toml:16: `name` is missing in [person] (such as name = \"Ana Example\")",
                "t.toml:18: unknown key `uid` (known here: name, unix, keys, certificates, aws, email)",
            ]
        );
    }
}
