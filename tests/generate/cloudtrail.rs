//! Made-up CloudTrail records of any number: an organisation's day, as far as its mix and sizes go.
//!
//! The same seed gives the same records; every record has an `eventID` of its own. Most calls look at something,
//! most callers are roles, one call in a hundred fails, one in five hundred opens a security group.

use chrono::{DateTime, TimeDelta, Utc};

use crate::random::Random;

/// Records as CloudTrail writes them, oldest first.
pub(crate) struct CloudTrail {
    random: Random,
    now: DateTime<Utc>,
    count: u64,
}

const REGIONS: &[&str] = &["eu-central-1", "us-east-1", "eu-west-1", "ap-southeast-2"];
const ACCOUNTS: &[&str] = &["111122223333", "444455556666", "777788889999"];
const ROLES: &[&str] = &["Deploy", "Admin", "WebServer", "Backup", "Audit", "DataPipeline"];
const PEOPLE: &[&str] = &["alice", "bob", "carol", "dave", "erin", "frank"];

/// Service, call, whether it only looks, request, response.
const CALLS: &[(&str, &str, bool, &str, &str)] = &[
    (
        "ec2",
        "DescribeInstances",
        true,
        r#"{"instancesSet":{"items":[{"instanceId":"i-0a1b2c3d4e5f60718"}]},"filterSet":{}}"#,
        "null",
    ),
    (
        "ec2",
        "DescribeSecurityGroups",
        true,
        r#"{"securityGroupSet":{},"securityGroupIdSet":{"items":[{"groupId":"sg-0a1b2c3d4e5f60718"}]},"filterSet":{}}"#,
        "null",
    ),
    ("iam", "ListRoles", true, "null", "null"),
    ("iam", "GetRole", true, r#"{"roleName":"Deploy"}"#, "null"),
    (
        "s3",
        "GetObject",
        true,
        r#"{"bucketName":"example-reports","Host":"example-reports.s3.eu-central-1.amazonaws.com","key":"2026/11/20/report.parquet"}"#,
        "null",
    ),
    (
        "s3",
        "PutObject",
        false,
        r#"{"bucketName":"example-uploads","Host":"example-uploads.s3.eu-central-1.amazonaws.com","key":"in/part-00001.json.gz","x-amz-server-side-encryption":"aws:kms"}"#,
        r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-version-id":"3sL4kqtJlcpXroDTDmJ"}"#,
    ),
    (
        "kms",
        "Decrypt",
        true,
        r#"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::example-reports/2026/11/20/report.parquet"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#,
        "null",
    ),
    (
        "sts",
        "AssumeRole",
        true,
        r#"{"roleArn":"arn:aws:iam::111122223333:role/Deploy","roleSessionName":"deploy-20261120","durationSeconds":3600}"#,
        r#"{"credentials":{"accessKeyId":"ASIAEXAMPLEKEY000001","expiration":"Nov 20, 2026, 1:00:00 PM","sessionToken":"IQoJb3JpZ2luX2VjEXAMPLE"},"assumedRoleUser":{"assumedRoleId":"AROAEXAMPLEDEPLOY:deploy-20261120","arn":"arn:aws:sts::111122223333:assumed-role/Deploy/deploy-20261120"}}"#,
    ),
    ("logs", "DescribeLogStreams", true, r#"{"logGroupName":"/aws/lambda/ingest","limit":50}"#, "null"),
    (
        "lambda",
        "UpdateFunctionCode20150331v2",
        false,
        r#"{"functionName":"ingest","publish":false,"dryRun":false}"#,
        r#"{"functionName":"ingest","functionArn":"arn:aws:lambda:eu-central-1:111122223333:function:ingest","runtime":"python3.13","role":"arn:aws:iam::111122223333:role/DataPipeline","handler":"app.handler","codeSize":1048576,"timeout":60,"memorySize":512,"version":"$LATEST","state":"Active"}"#,
    ),
    (
        "elasticloadbalancing",
        "DescribeTargetHealth",
        true,
        r#"{"targetGroupArn":"arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/web/0a1b2c3d4e5f6071"}"#,
        "null",
    ),
    ("monitoring", "DescribeAlarms", true, r#"{"maxRecords":100}"#, "null"),
];

const OPENING: (&str, &str, bool, &str, &str) = (
    "ec2",
    "AuthorizeSecurityGroupIngress",
    false,
    r#"{"groupId":"sg-0a1b2c3d4e5f60718","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"groups":{},"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}"#,
    r#"{"requestId":"9b3f7f5e-1c2d-4000-8000-000000000001","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"111122223333","groupId":"sg-0a1b2c3d4e5f60718","securityGroupRuleId":"sgr-0123456789abcdef0","isEgress":false,"ipProtocol":"tcp","fromPort":22,"toPort":22,"cidrIpv4":"0.0.0.0/0"}]}}"#,
);

impl CloudTrail {
    pub(crate) fn new(seed: u64) -> Self {
        let now = DateTime::from_timestamp(1_795_132_800, 0).expect("20 November 2026");
        Self { random: Random::new(seed), now, count: 0 }
    }

    fn pick<'s, T: ?Sized>(&mut self, from: &[&'s T]) -> &'s T {
        from[self.random.index(from.len())]
    }

    fn identity(&mut self, account: &str) -> String {
        let person = self.pick(PEOPLE);
        if self.random.below(10) == 0 {
            return format!(
                r#"{{"type":"IAMUser","principalId":"AIDAEXAMPLE{person}","arn":"arn:aws:iam::{account}:user/{person}","accountId":"{account}","accessKeyId":"AKIAEXAMPLE{person}","userName":"{person}"}}"#
            );
        }
        let role = self.pick(ROLES);
        let session = match self.random.below(3) {
            0 => format!("{person}@example.com"),
            _ => format!("i-{:017x}", self.random.below(5_000)),
        };
        let key = self.random.below(20_000);
        format!(
            r#"{{"type":"AssumedRole","principalId":"AROAEXAMPLE{role}:{session}","arn":"arn:aws:sts::{account}:assumed-role/{role}/{session}","accountId":"{account}","accessKeyId":"ASIAEXAMPLE{key:09}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE{role}","arn":"arn:aws:iam::{account}:role/{role}","accountId":"{account}","userName":"{role}"}},"attributes":{{"creationDate":"2026-11-20T09:00:00Z","mfaAuthenticated":"false"}}}}}}"#
        )
    }
}

impl Iterator for CloudTrail {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let step = self.random.below(400);
        self.now += TimeDelta::milliseconds(step as i64);
        self.count += 1;
        let (account, region) = (self.pick(ACCOUNTS), self.pick(REGIONS));
        let at = self.random.index(CALLS.len());
        let is_opening = self.random.below(500) == 0;
        let (service, call, is_read_only, request, response) = if is_opening { OPENING } else { CALLS[at] };
        let refused = match self.random.below(100) {
            0 => r#""errorCode":"AccessDenied","errorMessage":"User is not authorized to perform this operation","#,
            _ => "",
        };
        let identity = self.identity(account);
        let (address, count) = (self.random.below(250), self.count);
        Some(format!(
            r#"{{"eventVersion":"1.11","userIdentity":{identity},"eventTime":"{}","eventSource":"{service}.amazonaws.com","eventName":"{call}","awsRegion":"{region}","sourceIPAddress":"203.0.113.{address}","userAgent":"aws-sdk-go-v2/1.36.3 os/linux lang/go#1.24.1 md/GOOS#linux md/GOARCH#amd64 api/{service}#1.211.0",{refused}"requestParameters":{request},"responseElements":{response},"requestID":"9b3f7f5e-1c2d-4000-8000-{count:012x}","eventID":"7c0d9a52-3e4f-4000-8000-{count:012x}","readOnly":{is_read_only},"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{account}","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{service}.{region}.amazonaws.com"}}}}"#,
            self.now.format("%Y-%m-%dT%H:%M:%SZ"),
        ))
    }
}
