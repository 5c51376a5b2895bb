//! What was called, and what it was done to.

use super::exposure::{Change, change};
use super::insight;
use super::tree::Tree;
use crate::event::world::World;
use crate::event::{Named, Outcome, What};
use crate::sources::plain::UNPARSED;

/// The call and its object; what it opened and closed, if it succeeded.
pub(super) fn what(record: &Tree<'_>, action: &str, outcome: Outcome, prefix: World) -> What {
    let provider = record.first_text(&["eventSource", "insightDetails.eventSource"]);
    let service = provider.as_deref().and_then(|name| name.split('.').next()).unwrap_or_default();
    let (target, group) = if service == "iam" { (iam_user(record), iam_group(record)) } else { (None, None) };
    let mut category: Vec<String> = category(record, service, action).map(str::to_owned).into_iter().collect();
    if is_of_network(record) && !category.iter().any(|known| known == NETWORK_CATEGORY) {
        category.push(NETWORK_CATEGORY.to_owned());
    }
    let objects = if insight::is_insight(record) { insight::objects(record) } else { objects(record) };
    let Change { exposes, closes, world } = match outcome {
        Outcome::Success => change(record, prefix),
        Outcome::Failure | Outcome::Unknown => Change::default(),
    };
    What {
        action: action.to_owned(),
        category,
        object: objects.first().cloned(),
        objects,
        command: None,
        run: Vec::new(),
        target,
        group,
        exposes,
        closes,
        world,
        provider,
    }
}

const NETWORK_CATEGORY: &str = "network";

/// What a VPC endpoint saw of a call, and perhaps refused.
fn is_of_network(record: &Tree<'_>) -> bool {
    record.member("eventCategory").as_str() == Some("NetworkActivity")
}

/// The ECS category: by service, and for EC2, S3 and STS by the name of the call.
fn category(record: &Tree<'_>, service: &str, action: &str) -> Option<&'static str> {
    match service {
        _ if insight::is_insight(record) => None,
        "signin" | "sso-oauth" => Some("authentication"),
        "sso" if SIGN_IN.iter().any(|name| action.starts_with(name)) => Some("authentication"),
        "sts" if SIGN_IN.iter().any(|name| action.starts_with(name)) => Some("authentication"),
        "iam" | "sso" | "sso-directory" | "identitystore" | "organizations" => Some("iam"),
        "ec2" if NETWORK.iter().any(|part| action.contains(part)) => Some(NETWORK_CATEGORY),
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

/// What the call was about, by what it is named in the request, the response and the details of a service, the
/// most particular first; then the ARNs that AWS lists. Each once.
fn objects(record: &Tree<'_>) -> Vec<String> {
    let places = [parameters(record), response(record), record.member("serviceEventDetails")];
    let mut found = Found::default();
    if let (Some(bucket), Some(key)) = (places[0].text("bucketName"), places[0].text("key")) {
        found.add(&format!("{bucket}/{key}"));
    }
    // The response of a call about a snapshot names what it is a snapshot of.
    for (snapshot, of) in SNAPSHOTS {
        if places[0].text(of).is_none() {
            places[0].each_text(snapshot, &mut |name| found.add(&name));
        }
    }
    for path in OBJECTS {
        // The response repeats the request, in another spelling at times.
        let mut is_named = false;
        for place in places {
            if !is_named {
                place.each_text(path, &mut |name| {
                    is_named = true;
                    found.add(&name);
                });
            }
        }
    }
    for path in ["resources.ARN", "resources.arn", "resources.ARNPrefix", "vpcEndpointId"] {
        record.each_text(path, &mut |arn| found.add(&arn));
    }
    found.0
}

/// One call stops a thousand instances at most, and nobody reads more than this.
const OBJECTS_MAX: usize = 100;

/// ARNs have up to 2,048 characters. Longer text is no name.
const OBJECT_BYTES_MAX: usize = 2_048;

#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    fn add(&mut self, name: &str) {
        if self.0.len() < OBJECTS_MAX && name.len() <= OBJECT_BYTES_MAX && !self.0.iter().any(|known| known == name) {
            self.0.push(name.to_owned());
        }
    }
}

const SNAPSHOTS: &[(&str, &str)] = &[
    ("dBSnapshotIdentifier", "dBInstanceIdentifier"),
    ("dBClusterSnapshotIdentifier", "dBClusterIdentifier"),
    ("snapshotIdentifier", "clusterIdentifier"),
];

const OBJECTS: &[&str] = &[
    // Network and machines.
    "groupId",
    "ModifySecurityGroupRulesRequest.GroupId",
    // Of a group that the request names otherwise.
    "securityGroupRuleSet.items.groupId",
    "revokedSecurityGroupRuleSet.items.groupId",
    "instanceId",
    "instancesSet.items.instanceId",
    "instancesSet.items.imageId",
    "groupSet.items.groupId",
    "securityGroupIds",
    "networkAclId",
    "prefixListId",
    "prefixList.prefixListId",
    "ModifyManagedPrefixListRequest.PrefixListId",
    "DeleteManagedPrefixListRequest.PrefixListId",
    "CreateManagedPrefixListResponse.prefixList.prefixListId",
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
    "clusterIdentifier",
    "clusterSecurityGroupName",
    "snapshotIdentifier",
    "workgroupName",
    "fileSystemId",
    "vaultName",
    "backupVaultName",
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
    "layerName",
    "eventBusName",
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
    "targetPrincipal",
    "role_name",
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
