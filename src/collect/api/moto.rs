//! Trails of another implementation of CloudTrail's API, which has trails and their states, but no events.

use aws_sdk_cloudtrail::config::{BehaviorVersion, Config, Credentials, Region};

use super::*;
use crate::aws::moto::{self, Moto};

const REGION: &str = "eu-central-1";

#[test]
#[ignore = "needs moto"]
fn a_trail_is_found_stopped_and_gone() {
    let moto = Moto::start();
    let s3 = aws_sdk_s3::Client::from_conf(moto::config(&moto.endpoint).build());
    moto.runtime.block_on(s3.create_bucket().bucket("audit").send()).expect("a bucket");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(&moto.endpoint)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    let client = aws_sdk_cloudtrail::Client::from_conf(config.build());
    let made =
        client.create_trail().name("main").s3_bucket_name("audit").s3_key_prefix("p").is_multi_region_trail(true);
    let made = moto.runtime.block_on(made.enable_log_file_validation(true).send()).expect("a trail");
    let arn = made.trail_arn.expect("an ARN");

    let api = Api::of_test(&moto.endpoint, REGION);
    let trail = moto.runtime.block_on(api.trail("main")).expect("found");
    assert_eq!(
        (trail.bucket.as_str(), trail.prefix.as_deref(), trail.home_region.as_str()),
        ("audit", Some("p"), REGION)
    );
    assert!(trail.is_multi_region && trail.is_validated && trail.arn == arn);
    // Another region sees it too, because it is one of all regions.
    let elsewhere = Api::of_test(&moto.endpoint, "us-east-1");
    assert_eq!(moto.runtime.block_on(elsewhere.trail("main")).expect("found").home_region, REGION);

    moto.runtime.block_on(client.start_logging().name("main").send()).expect("it starts");
    assert!(moto.runtime.block_on(api.trail_status(&arn)).expect("a state").is_logging);
    moto.runtime.block_on(client.stop_logging().name("main").send()).expect("it stops");
    let status = moto.runtime.block_on(api.trail_status(&arn)).expect("a state");
    assert!(!status.is_logging && status.stopped.is_some(), "{status:?}");
    moto.runtime.block_on(client.delete_trail().name("main").send()).expect("it goes");
    assert_eq!(moto.runtime.block_on(api.trail("main")), Err(ApiError::NoTrail));
    assert_eq!(moto.runtime.block_on(api.trail_status(&arn)), Err(ApiError::NoTrail));
}
