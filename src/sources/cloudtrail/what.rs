//! What was called, and what it was done to.

use super::exposure::exposes;
use super::tree::Tree;
use crate::event::{Named, Outcome, What};
use crate::sources::plain::UNPARSED;

/// The call and its object; what it let in, if it succeeded.
pub(super) fn what(record: &Tree<'_>, action: &str, outcome: Outcome) -> What {
    let provider = record.text("eventSource");
    let service = provider.as_deref().and_then(|name| name.split('.').next()).unwrap_or_default();
    let (target, group) = if service == "iam" { (iam_user(record), iam_group(record)) } else { (None, None) };
    What {
        action: action.to_owned(),
        category: category(record, service, action).map(str::to_owned).into_iter().collect(),
        object: object(record),
        command: None,
        run: Vec::new(),
        target,
        group,
        exposes: if outcome == Outcome::Success { exposes(record) } else { Vec::new() },
        provider,
    }
}

/// The ECS category: by service, and for EC2, S3 and STS by the name of the call.
fn category(record: &Tree<'_>, service: &str, action: &str) -> Option<&'static str> {
    match service {
        "signin" | "sso-oauth" => Some("authentication"),
        "sso" if SIGN_IN.iter().any(|name| action.starts_with(name)) => Some("authentication"),
        "sts" if SIGN_IN.iter().any(|name| action.starts_with(name)) => Some("authentication"),
        "iam" | "sso" | "sso-directory" | "identitystore" | "organizations" => Some("iam"),
        "ec2" if NETWORK.iter().any(|part| action.contains(part)) => Some("network"),
        "s3" if action.ends_with("Object") => Some("file"),
        _ if action == UNPARSED => None,
        _ if record.text("readOnly").as_deref() == Some("true") => None,
        _ if READING.iter().any(|name| action.starts_with(name)) => None,
        _ => Some("configuration"),
    }
}

const SIGN_IN: &[&str] =
    &["AssumeRole", "AssumeRoot", "GetSessionToken", "GetFederationToken", "Authenticate", "Federate", "CreateToken"];

const NETWORK: &[&str] = &[
    "SecurityGroup",
    "NetworkAcl",
    "NetworkInterface",
    "Vpc",
    "Vpn",
    "Subnet",
    "Route",
    "Gateway",
    "Address",
    "FlowLogs",
    "TransitGateway",
];

/// Old records lack `readOnly`.
const READING: &[&str] = &["Get", "List", "Describe", "Head", "Lookup"];

/// The one thing the call was about: by what requests and responses name it, the most particular first.
fn object(record: &Tree<'_>) -> Option<String> {
    let (request, response) = (parameters(record), response(record));
    if let (Some(bucket), Some(key)) = (request.text("bucketName"), request.text("key")) {
        return Some(format!("{bucket}/{key}"));
    }
    let named = OBJECTS.iter().find_map(|path| request.text(path).or_else(|| response.text(path)));
    named.or_else(|| record.first_text(&["resources.ARN", "resources.arn"]))
}

const OBJECTS: &[&str] = &[
    // Network and machines.
    "groupId",
    "ModifySecurityGroupRulesRequest.GroupId",
    "instanceId",
    "instancesSet.items.instanceId",
    "instancesSet.items.imageId",
    "networkAclId",
    "routeTableId",
    "networkInterfaceId",
    "allocationId",
    "volumeId",
    "snapshotId",
    "imageId",
    "subnetId",
    "vpcId",
    "vpc.vpcId",
    // Data and secrets.
    "bucketName",
    "dBInstanceIdentifier",
    "dBSnapshotIdentifier",
    "targetDBSnapshotIdentifier",
    "targetDBClusterSnapshotIdentifier",
    "dBClusterIdentifier",
    "dBSecurityGroupName",
    "tableName",
    "secretId",
    "keyId",
    "keyMetadata.keyId",
    // Identities: users and groups are in `what.target` and `what.group` too.
    "roleName",
    "roleArn",
    "policyArn",
    "policyName",
    "accessKey.accessKeyId",
    "accessKeyId",
    "serialNumber",
    "virtualMFADevice.serialNumber",
    "role.roleName",
    "instanceProfileName",
    "groupName",
    "userName",
    // The rest.
    "functionName",
    "projectName",
    "projectArn",
    "stackName",
    "clusterName",
    "repositoryName",
    "logGroupName",
    "queueUrl",
    "topicArn",
    "detectorId",
    "trailName",
    "trailARN",
    "domainName",
    "hostedZoneId",
    "distributionId",
    "certificateArn",
    "resourceArn",
    "resourceName",
    "arn",
    "name",
];

fn iam_user(record: &Tree<'_>) -> Option<Named> {
    let (request, response) = (parameters(record), response(record));
    let name = request.text("userName").or_else(|| response.first_text(&["user.userName", "accessKey.userName"]));
    named(name, response.text("user.userId"))
}

fn iam_group(record: &Tree<'_>) -> Option<Named> {
    let (request, response) = (parameters(record), response(record));
    let name = request.text("groupName").or_else(|| response.text("group.groupName"));
    named(name, response.text("group.groupId"))
}

fn named(name: Option<String>, id: Option<String>) -> Option<Named> {
    (name.is_some() || id.is_some()).then_some(Named { name, id })
}

fn parameters<'a>(record: &'a Tree<'a>) -> &'a Tree<'a> {
    record.member("requestParameters")
}

fn response<'a>(record: &'a Tree<'a>) -> &'a Tree<'a> {
    record.member("responseElements")
}
