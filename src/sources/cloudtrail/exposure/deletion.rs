//! Things that are gone, and all that they had open with them.
//!
//! An object of a bucket that is deleted may live on as an older version, and a key that is to be deleted may come
//! back: these close nothing.

use super::{Call, Change};

pub(super) fn read(call: &Call<'_, '_>, change: &mut Change) {
    if DELETIONS.contains(&(call.service, call.action)) {
        change.close_all();
    }
}

const DELETIONS: &[(&str, &str)] = &[
    ("ec2", "DeleteSecurityGroup"),
    ("ec2", "DeleteNetworkAcl"),
    ("ec2", "DeleteManagedPrefixList"),
    ("ec2", "DeleteSnapshot"),
    ("ec2", "DeregisterImage"),
    ("rds", "DeleteDBSecurityGroup"),
    ("rds", "DeleteDBInstance"),
    ("rds", "DeleteDBCluster"),
    ("rds", "DeleteDBSnapshot"),
    ("rds", "DeleteDBClusterSnapshot"),
    ("redshift", "DeleteCluster"),
    ("redshift", "DeleteClusterSecurityGroup"),
    ("redshift", "DeleteClusterSnapshot"),
    ("redshift-serverless", "DeleteWorkgroup"),
    ("dms", "DeleteReplicationInstance"),
    ("s3", "DeleteBucket"),
    ("s3", "DeleteAccessPoint"),
    ("lambda", "DeleteFunction"),
    ("lambda", "DeleteLayerVersion"),
    ("kms", "DeleteKey"),
    ("sqs", "DeleteQueue"),
    ("sns", "DeleteTopic"),
    ("secretsmanager", "DeleteSecret"),
    ("ecr", "DeleteRepository"),
    ("ecr-public", "DeleteRepository"),
    ("glacier", "DeleteVault"),
    ("backup", "DeleteBackupVault"),
    ("elasticfilesystem", "DeleteFileSystem"),
    ("es", "DeleteElasticsearchDomain"),
    ("es", "DeleteDomain"),
    ("dynamodb", "DeleteTable"),
    ("iam", "DeleteRole"),
    ("events", "DeleteEventBus"),
];
