//! Calls that put a policy of a resource, or take it away, by where the policy is in their request.
//!
//! A policy replaces the one that was there: what that one let in is closed unless the new one lets it in as well.

use super::super::tree::Tree;
use super::{Call, Change, policy};

pub(super) fn read(call: &Call<'_, '_>, change: &mut Change) {
    let known = CALLS.iter().find(|known| known.service == call.service && known.action == call.action);
    let Some(known) = known else { return };
    if let Some(document) = known.policy.iter().find_map(|path| at(call.request, path)) {
        // What is new had none before.
        if !["Create", "Replicate"].iter().any(|verb| call.action.starts_with(verb)) {
            change.close_rule(RULE);
        }
        policy::read(document, RULE, call, change);
    } else if known.policy.is_empty() {
        change.close_rule(RULE);
    } else if known.action.starts_with("Set")
        && call.request.text("attributeName").is_some_and(|name| name.eq_ignore_ascii_case("Policy"))
    {
        // SNS names the attribute beside its value.
        change.close_rule(RULE);
        policy::read(call.request.any_case("attributeValue").unwrap_or(&Tree::Null), RULE, call, change);
    }
}

/// What lets in by a policy.
pub(super) const RULE: &str = "policy";

struct Known {
    service: &'static str,
    action: &'static str,
    /// Where the policy may be; nowhere for a call that takes it away.
    policy: &'static [&'static str],
}

const fn puts(service: &'static str, action: &'static str, policy: &'static [&'static str]) -> Known {
    Known { service, action, policy }
}

const fn deletes(service: &'static str, action: &'static str) -> Known {
    Known { service, action, policy: &[] }
}

const CALLS: &[Known] = &[
    puts("s3", "PutBucketPolicy", &["bucketPolicy"]),
    deletes("s3", "DeleteBucketPolicy"),
    puts("s3", "PutAccessPointPolicy", &["PutAccessPointPolicyRequest.Policy", "policy", "accessPointPolicy"]),
    deletes("s3", "DeleteAccessPointPolicy"),
    puts("sqs", "SetQueueAttributes", &["attributes.Policy", "attribute.Policy"]),
    puts("sqs", "CreateQueue", &["attributes.Policy", "attribute.Policy"]),
    puts("sns", "SetTopicAttributes", &["attributes.Policy"]),
    puts("sns", "CreateTopic", &["attributes.Policy"]),
    puts("secretsmanager", "PutResourcePolicy", &["resourcePolicy"]),
    deletes("secretsmanager", "DeleteResourcePolicy"),
    puts("ecr", "SetRepositoryPolicy", &["policyText"]),
    deletes("ecr", "DeleteRepositoryPolicy"),
    puts("ecr-public", "SetRepositoryPolicy", &["policyText"]),
    deletes("ecr-public", "DeleteRepositoryPolicy"),
    puts("glacier", "SetVaultAccessPolicy", &["policy.policy", "policy"]),
    deletes("glacier", "DeleteVaultAccessPolicy"),
    puts("backup", "PutBackupVaultAccessPolicy", &["policy"]),
    deletes("backup", "DeleteBackupVaultAccessPolicy"),
    puts("elasticfilesystem", "PutFileSystemPolicy", &["policy"]),
    deletes("elasticfilesystem", "DeleteFileSystemPolicy"),
    puts("es", "CreateElasticsearchDomain", &["accessPolicies"]),
    puts("es", "UpdateElasticsearchDomainConfig", &["accessPolicies"]),
    puts("es", "CreateDomain", &["accessPolicies"]),
    puts("es", "UpdateDomainConfig", &["accessPolicies"]),
    puts("dynamodb", "PutResourcePolicy", &["policy"]),
    deletes("dynamodb", "DeleteResourcePolicy"),
    puts("iam", "CreateRole", &["assumeRolePolicyDocument"]),
    puts("iam", "UpdateAssumeRolePolicy", &["policyDocument"]),
    puts("kms", "PutKeyPolicy", &["policy"]),
    puts("kms", "CreateKey", &["policy"]),
    puts("kms", "ReplicateKey", &["policy"]),
    puts("events", "PutPermission", &["policy"]),
];

/// What is at a path, in whatever case its names are.
fn at<'t, 'a>(tree: &'t Tree<'a>, path: &str) -> Option<&'t Tree<'a>> {
    let found = path.split('.').try_fold(tree, |tree, name| tree.any_case(name))?;
    (*found != Tree::Null).then_some(found)
}
