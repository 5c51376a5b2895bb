//! What happened in the account, as CloudTrail delivers it.

use serde_json::{Value, json};

use super::{ALICE, CAROL, GUESSER, at};

/// Objects by name, as CloudTrail delivers them.
pub(super) fn objects() -> Vec<(&'static str, Vec<Value>)> {
    let alice = || user("alice", "AIDAEXAMPLEALICE", "AKIAEXAMPLEALICE");
    let describe = |n, second, name| call(n, second, "ec2", name, alice(), ALICE.ip, json!({}), true);
    let login =
        json!({"LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No", "MFAUsed": "No"});
    let with_mfa =
        json!({"LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No", "MFAUsed": "Yes"});
    let group = json!({
        "groupId": "sg-0a1b2c3d4e5f60718", "ipProtocol": "tcp", "fromPort": 22, "toPort": 22,
        "cidrIp": "0.0.0.0/0", "ipPermissions": {}
    });
    let trail = json!({"name": "arn:aws:cloudtrail:eu-central-1:111122223333:trail/main"});
    vec![
        (
            "111122223333_CloudTrail_eu-central-1_20261120T0815Z_Qm3xK9vTzLw7RbYd.json.gz",
            vec![
                describe(1, at(8, 6, 2), "DescribeInstances"),
                describe(2, at(8, 6, 3), "DescribeSecurityGroups"),
                call(3, at(8, 9, 40), "ec2", "DescribeInstances", pipeline(), "203.0.113.20", json!({}), true),
                service_call(4, at(8, 11, 0)),
            ],
        ),
        (
            "111122223333_CloudTrail_eu-central-1_20261120T1040Z_h8WnC2sPq5JxUe0F.json.gz",
            vec![
                call(
                    5,
                    at(10, 33, 8),
                    "ec2",
                    "AuthorizeSecurityGroupIngress",
                    pipeline(),
                    "203.0.113.20",
                    office(),
                    false,
                ),
                call(6, at(10, 34, 19), "ec2", "DescribeSecurityGroups", pipeline(), "203.0.113.20", json!({}), true),
            ],
        ),
        (
            "111122223333_CloudTrail_eu-central-1_20261120T1140Z_7ZtBvG1kRy4NcMaS.json.gz",
            vec![
                console_login(7, at(11, 33, 10), user("carol", "AIDAEXAMPLECAROL", ""), CAROL.ip, login),
                console_login(8, at(11, 36, 2), root(), "198.51.100.23", with_mfa),
                call(9, at(11, 37, 30), "iam", "GetAccountSummary", root(), "198.51.100.23", Value::Null, true),
            ],
        ),
        (
            "111122223333_CloudTrail_eu-central-1_20261120T1150Z_p4LdX6uHjE9oTwVi.json.gz",
            vec![
                call(10, at(11, 43, 51), "ec2", "DescribeSecurityGroups", alice(), GUESSER, json!({}), true),
                call(11, at(11, 44, 7), "ec2", "AuthorizeSecurityGroupIngress", alice(), GUESSER, group, false),
                call(12, at(11, 47, 20), "cloudtrail", "StopLogging", alice(), GUESSER, trail, false),
            ],
        ),
    ]
}

fn user(name: &str, principal: &str, key: &str) -> Value {
    json!({
        "type": "IAMUser", "principalId": principal, "arn": format!("arn:aws:iam::111122223333:user/{name}"),
        "accountId": "111122223333", "accessKeyId": key, "userName": name
    })
}

fn root() -> Value {
    json!({
        "type": "Root", "principalId": "111122223333", "arn": "arn:aws:iam::111122223333:root",
        "accountId": "111122223333", "accessKeyId": ""
    })
}

fn pipeline() -> Value {
    json!({
        "type": "AssumedRole", "principalId": "AROAEXAMPLEDEPLOY:deploy-4711",
        "arn": "arn:aws:sts::111122223333:assumed-role/Deploy/deploy-4711", "accountId": "111122223333",
        "accessKeyId": "ASIAEXAMPLEDEPLOY",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role", "principalId": "AROAEXAMPLEDEPLOY", "arn": "arn:aws:iam::111122223333:role/Deploy",
                "accountId": "111122223333", "userName": "Deploy"
            },
            "attributes": {"creationDate": "2026-11-20T08:09:00Z", "mfaAuthenticated": "false"}
        }
    })
}

fn office() -> Value {
    json!({
        "groupId": "sg-0a1b2c3d4e5f60719",
        "ipPermissions": {"items": [{
            "ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "groups": {},
            "ipRanges": {"items": [{"cidrIp": "198.51.100.0/26", "description": "office"}]},
            "ipv6Ranges": {}, "prefixListIds": {}
        }]}
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "a record has these, and each call names them in the order of the record"
)]
fn call(
    n: u32,
    second: u32,
    service: &str,
    name: &str,
    identity: Value,
    ip: &str,
    parameters: Value,
    read_only: bool,
) -> Value {
    let response =
        if service == "ec2" && !read_only { json!({"requestId": id(n), "_return": true}) } else { Value::Null };
    json!({
        "eventVersion": "1.09", "userIdentity": identity, "eventTime": time(second),
        "eventSource": format!("{service}.amazonaws.com"), "eventName": name, "awsRegion": "eu-central-1",
        "sourceIPAddress": ip, "userAgent": "aws-cli/2.31.0", "requestParameters": parameters,
        "responseElements": response, "requestID": id(n), "eventID": id(100 + n), "readOnly": read_only,
        "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": "111122223333",
        "eventCategory": "Management"
    })
}

fn console_login(n: u32, second: u32, identity: Value, ip: &str, additional: Value) -> Value {
    json!({
        "eventVersion": "1.09", "userIdentity": identity, "eventTime": time(second),
        "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "awsRegion": "eu-central-1",
        "sourceIPAddress": ip, "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "requestParameters": null, "responseElements": {"ConsoleLogin": "Success"},
        "additionalEventData": additional, "eventID": id(100 + n), "readOnly": false,
        "eventType": "AwsConsoleSignIn", "managementEvent": true, "recipientAccountId": "111122223333",
        "eventCategory": "Management"
    })
}

fn service_call(n: u32, second: u32) -> Value {
    let identity = json!({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"});
    let parameters = json!({"roleArn": "arn:aws:iam::111122223333:role/web", "roleSessionName": "i-0abc123def456789a"});
    let mut record = call(n, second, "sts", "AssumeRole", identity, "ec2.amazonaws.com", parameters, true);
    record["userAgent"] = json!("ec2.amazonaws.com");
    record
}

fn time(second: u32) -> String {
    format!("2026-11-20T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

fn id(n: u32) -> String {
    format!("5f0c1d2e-7a3b-4c4d-9e5f-{:012x}", u64::from(n) * 0x9e37_79b9)
}
