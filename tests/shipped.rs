//! The queries and alerts in the binary: all are there, and each says what whoever is on call needs.

use whodid::config::{Config, Machine, prove};
use whodid::event::Stamp;
use whodid::sources::{self, zone::Zone};

/// What is promised to be there; renaming one breaks the configurations that name it.
const IDS: &[&str] = &[
    "ansible/playbook-without-finish",
    "aws/break-glass-role",
    "aws/cloudtrail-stopped",
    "aws/console-login-without-mfa",
    "aws/iam-changed-by-outsider",
    "aws/root-activity",
    "aws/security-group-open-to-world",
    "aws/trail-stopped",
    "aws/unknown-account",
    "aws/unused-region",
    "linux/contradiction",
    "linux/privileged-group-change",
    "linux/ssh-brute-force",
    "linux/ssh-login-as-root",
    "linux/sudo-denied",
    "whodid/anchor-failed",
    "whodid/source-damaged",
    "whodid/source-failed",
    "whodid/trail-conflict",
];

fn shipped() -> Config {
    let root = tempfile::tempdir().expect("a folder");
    let machine = Machine {
        host: "web-1".into(),
        zone: Zone::UTC,
        is_root: true,
        config_folder: Some(root.path().to_owned()),
        data_folder: None,
        system: root.path().to_owned(),
    };
    Config::discover_on(&machine, None, None).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn all_that_was_promised_is_there() {
    let config = shipped();
    for id in IDS {
        assert!(config.queries.contains_key(*id), "query {id}");
        assert!(config.alerts.contains_key(*id), "alert {id}");
    }
}

#[test]
fn every_query_explains_itself_and_proves_both_sides() {
    for (id, query) in shipped().queries {
        assert!(query.description.lines().count() >= 2, "{id}: what does whoever is on call do?");
        assert!(!query.controls.is_empty() && !query.false_positives.is_empty(), "{id}");
        assert!(query.references.iter().all(|url| url.starts_with("https://")), "{id}");
        let (matching, other): (Vec<_>, Vec<_>) = query.examples.iter().partition(|example| example.matches);
        assert!(matching.len() >= 2 && other.len() >= 2, "{id}: {} and {} examples", matching.len(), other.len());
    }
}

#[test]
fn every_example_holds() {
    let now = Stamp::parse("2026-11-20T12:00:00Z").expect("an instant");
    let mut broken = Vec::new();
    for (id, query) in shipped().queries {
        let results = prove::test_examples(&query, now, &Default::default(), sources::decoder);
        broken.extend(results.into_iter().filter(|result| !result.is_kept()).map(|result| (id.clone(), result)));
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
