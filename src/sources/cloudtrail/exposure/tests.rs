//! What no type of a record can do. What each call opens and closes is a table: `tests/exposure/truth.jsonl`.

use proptest::prelude::*;

use super::*;

proptest! {
    /// Whatever stands in a policy, a list of rules or an access list.
    #[test]
    fn no_record_does_more_than_be_read(
        (service, action) in proptest::sample::select(CALLS),
        name in proptest::sample::select(NAMES),
        value in proptest::sample::select(VALUES),
    ) {
        let text = format!(
            r#"{{"eventSource":"{service}.amazonaws.com","eventName":"{action}","requestParameters":{{"{name}":{value}}},"responseElements":{{"{name}":{value}}}}}"#
        );
        let tree = Tree::parse(&text).expect("JSON");
        change(&tree, World::default());
    }
}

const CALLS: &[(&str, &str)] = &[
    ("ec2", "AuthorizeSecurityGroupIngress"),
    ("ec2", "ModifySecurityGroupRules"),
    ("ec2", "RevokeSecurityGroupIngress"),
    ("ec2", "ReplaceNetworkAclEntry"),
    ("ec2", "ModifySnapshotAttribute"),
    ("s3", "PutBucketPolicy"),
    ("s3", "PutBucketAcl"),
    ("sns", "SetTopicAttributes"),
    ("lambda", "AddPermission20150331v2"),
    ("kms", "CreateGrant"),
];

const NAMES: &[&str] = &[
    "ipPermissions",
    "ModifySecurityGroupRulesRequest",
    "securityGroupRuleSet",
    "securityGroupRuleIds",
    "portRange",
    "createVolumePermission",
    "bucketPolicy",
    "AccessControlPolicy",
    "x-amz-acl",
    "attributes",
    "attributeValue",
    "principal",
    "condition",
];

const VALUES: &[&str] = &[
    "null",
    "-1.5e300",
    "\"\"",
    "[]",
    "{}",
    "[[{}]]",
    r#"{"items":{"items":1}}"#,
    r#""{\"Statement\":\"{}\"}""#,
    r#""\"\\\"x\\\"\"""#,
    r#""%7B%zz%""#,
    r#"{"Statement":{"Effect":"Allow","Principal":[{}],"Condition":{"StringEquals":[],"IpAddress":{"aws:SourceIp":{}}}}}"#,
    r#"{"add":{"items":[{"group":{}},7,null]},"remove":"all"}"#,
];

#[test]
fn a_name_has_a_version_or_none() {
    assert_eq!(unversioned("AddPermission20150331v2"), "AddPermission");
    assert_eq!(unversioned("RemovePermission20150331"), "RemovePermission");
    assert_eq!(unversioned("PutBucketPolicy"), "PutBucketPolicy");
}

#[test]
fn an_account_is_found_in_what_names_it() {
    assert_eq!(account_of("111122223333"), Some("111122223333"));
    assert_eq!(account_of("arn:aws:iam::111122223333:root"), Some("111122223333"));
    assert_eq!(account_of("arn:aws:sts::111122223333:assumed-role/a/b"), Some("111122223333"));
    assert_eq!(account_of("cloudtrail.amazonaws.com"), None);
    assert_eq!(account_of("*"), None);
    assert_eq!(account_of("11112222333"), None);
}
