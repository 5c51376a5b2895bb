//! The queries and alerts in the binary: all are there, and each says what whoever is on call needs.

use whodid::config::{Config, Machine, prove};
use whodid::event::Stamp;
use whodid::sources::{self, zone::Zone};

/// What is promised to be there; renaming one breaks the configurations that name it.
const IDS: &[&str] = &[
    "ansible/playbook-without-finish",
    "aws/access-key-created",
    "aws/account-settings-changed",
    "aws/admin-policy-attached",
    "aws/backup-deleted",
    "aws/break-glass-role",
    "aws/cloudtrail-changed",
    "aws/cloudtrail-stopped",
    "aws/codebuild-project-public",
    "aws/config-changed",
    "aws/console-login-failures",
    "aws/console-login-without-mfa",
    "aws/database-snapshot-copied",
    "aws/deletion-protection-off",
    "aws/digest-altered",
    "aws/digest-missing",
    "aws/encryption-off",
    "aws/iam-changed-by-outsider",
    "aws/iam-policy-changed",
    "aws/identity-center-changed",
    "aws/identity-provider-changed",
    "aws/instance-metadata-weakened",
    "aws/instance-secrets-read",
    "aws/kms-key-disabled",
    "aws/kms-key-policy-changed",
    "aws/lambda-function-public",
    "aws/login-profile-changed",
    "aws/logs-switched-off",
    "aws/mfa-deactivated",
    "aws/network-acl-changed",
    "aws/network-gateway-changed",
    "aws/organizations-changed",
    "aws/password-policy-changed",
    "aws/root-access-key-created",
    "aws/root-activity",
    "aws/route-table-changed",
    "aws/s3-bucket-policy-changed",
    "aws/s3-encrypted-with-own-key",
    "aws/s3-public-access-block-off",
    "aws/s3-versioning-suspended",
    "aws/secrets-read-in-bulk",
    "aws/security-group-changed",
    "aws/security-group-left-open",
    "aws/security-group-open-to-world",
    "aws/security-service-off",
    "aws/shared-outside",
    "aws/trail-bucket-changed",
    "aws/trail-stopped",
    "aws/unauthorized-calls",
    "aws/unknown-account",
    "aws/unused-region",
    "aws/vpc-changed",
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

pub(crate) fn shipped() -> Config {
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
