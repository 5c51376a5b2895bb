//! Buckets: access control lists, and what blocks public access. Their policies are in [`super::policies`].
//!
//! Access control lists come as canned ones, as a body of grants, or in `x-amz-grant-…` headers; each replaces what
//! was there. The block of public access lets nobody in and keeps everybody out, whatever policies and lists say:
//! where a part of it is taken away, whoever these name is in. That is taken for an opening to everybody, because
//! the record does not say what policies and lists there are.

use super::super::tree::Tree;
use super::{Call, Change, policies};
use crate::event::world::EVERYBODY;

pub(super) fn read(call: &Call<'_, '_>, change: &mut Change) {
    match call.action {
        "PutBucketAcl" => replace_acl(call, ACL, change),
        "PutObjectAcl" => replace_acl(call, OBJECT_ACL, change),
        // An object is written with its list: PutObject, CopyObject, CreateMultipartUpload.
        "PutObject" | "CopyObject" | "CreateMultipartUpload" => acl(call, OBJECT_ACL, change),
        "CreateBucket" => acl(call, ACL, change),
        "PutBucketPublicAccessBlock" | "PutAccountPublicAccessBlock" | "PutPublicAccessBlock" => block(call, change),
        "DeleteBucketPublicAccessBlock" | "DeleteAccountPublicAccessBlock" | "DeletePublicAccessBlock" => {
            change.open_to(EVERYBODY, Some(BLOCK));
        }
        _ => {}
    }
}

const ACL: &str = "acl";
const OBJECT_ACL: &str = "object-acl";
const BLOCK: &str = "public-access-block";

fn replace_acl(call: &Call<'_, '_>, rule: &str, change: &mut Change) {
    change.close_rule(rule);
    acl(call, rule, change);
}

fn acl(call: &Call<'_, '_>, rule: &str, change: &mut Change) {
    for canned in words(call.request.any_case("x-amz-acl")) {
        match canned.as_str() {
            "public-read" | "public-read-write" => change.open_to(EVERYBODY, Some(rule)),
            "authenticated-read" => change.open_to(ANY_ACCOUNT, Some(rule)),
            _ => {}
        }
    }
    for header in HEADERS {
        for grantees in words(call.request.any_case(header)) {
            grantees.split(',').filter_map(group).for_each(|whom| change.open_to(whom, Some(rule)));
        }
    }
    let body = call.request.any_case("AccessControlPolicy").unwrap_or(&Tree::Null);
    let list = body.any_case("AccessControlList").unwrap_or(&Tree::Null);
    for grant in list.any_case("Grant").or_else(|| list.any_case("Grants")).map(Tree::items).unwrap_or_default() {
        let uri = grant.any_case("Grantee").and_then(|grantee| grantee.any_case("URI")).and_then(Tree::as_str);
        if let Some(whom) = uri.and_then(group) {
            change.open_to(whom, Some(rule));
        }
    }
}

const HEADERS: &[&str] = &[
    "x-amz-grant-read",
    "x-amz-grant-write",
    "x-amz-grant-read-acp",
    "x-amz-grant-write-acp",
    "x-amz-grant-full-control",
];

/// Whoever has an AWS account, whichever that is: anybody can get one.
const ANY_ACCOUNT: &str = EVERYBODY;

/// The groups of Amazon S3 that everybody is in, or can join.
fn group(grantee: &str) -> Option<&'static str> {
    let is = |name: &str| grantee.trim().trim_end_matches('"').ends_with(name);
    match () {
        () if is("/groups/global/AllUsers") => Some(EVERYBODY),
        () if is("/groups/global/AuthenticatedUsers") => Some(ANY_ACCOUNT),
        () => None,
    }
}

/// A header is a text, or a list with one.
fn words(header: Option<&Tree<'_>>) -> Vec<String> {
    let text = |tree: &Tree<'_>| tree.as_str().map(|text| text.trim().to_owned());
    match header {
        Some(Tree::List(items)) => items.iter().filter_map(text).collect(),
        Some(tree) => text(tree).into_iter().collect(),
        None => Vec::new(),
    }
}

fn block(call: &Call<'_, '_>, change: &mut Change) {
    // A record that does not tell the settings tells nothing.
    let Some(block) = call.request.any_case("PublicAccessBlockConfiguration") else { return };
    let is_on = |name: &str| block.any_case(name).is_some_and(Tree::is_true);
    // Of the settings, one that is left out is off.
    if ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"].into_iter().all(is_on) {
        change.close_rule(BLOCK);
    } else {
        change.open_to(EVERYBODY, Some(BLOCK));
    }
    // These two work on what is there already.
    if is_on("IgnorePublicAcls") {
        change.close_to(EVERYBODY, Some(ACL));
        change.close_to(EVERYBODY, Some(OBJECT_ACL));
    }
    if is_on("RestrictPublicBuckets") {
        change.close_to(EVERYBODY, Some(policies::RULE));
    }
}
