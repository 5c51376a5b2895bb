//! `[source.sqs]`: the queue of SQS that says which CloudTrail objects are new, and where these may lie.
//!
//! Who may send to the queue can name any object of the buckets listed here, and of no other.

use super::section::{Key, Section, Shape, Table};
use super::source::{From, Queue};
use crate::event::Family;

/// A message that names an object which cannot be read is set aside after so many receives.
const RECEIVES_MAX: std::ops::RangeInclusive<u64> = 1..=1_000;

pub(super) fn read(mut sqs: Section<'_, '_>, family: Option<Family>) -> Option<From> {
    if !cfg!(feature = "aws") {
        sqs.report("this whodid was built without SQS", "build it with the feature `aws`");
    }
    if family.is_some_and(|family| family != Family::Cloudtrail) {
        sqs.report("only CloudTrail objects are read by SQS", "set type = \"cloudtrail\", or use `paths`");
    }
    let url = sqs.required(&QUEUE);
    let parts = url.as_deref().map(parts);
    if let (Some(url), Some(None)) = (&url, &parts) {
        sqs.report_key(
            "queue",
            format!("`queue`: \"{url}\" is no queue's address"),
            "as `aws sqs get-queue-url` gives it: \"https://sqs.eu-central-1.amazonaws.com/111122223333/cloudtrail\"",
        );
    }
    let buckets = sqs.required(&BUCKETS);
    if buckets.as_ref().is_some_and(Vec::is_empty) {
        sqs.report_key("buckets", "`buckets` is empty: nothing would be read", "name the bucket of the trail");
    }
    for bucket in buckets.iter().flatten().filter(|name| name.is_empty() || name.contains(['/', ':'])) {
        let what = format!("`buckets`: \"{bucket}\" is no bucket's name");
        sqs.report_key("buckets", what, "the name alone, without s3:// and path");
    }
    let region = sqs.optional(&REGION);
    let endpoint = sqs.optional(&ENDPOINT);
    let s3_region = sqs.optional(&S3_REGION);
    let s3_endpoint = sqs.optional(&S3_ENDPOINT);
    for (key, url) in [("endpoint", &endpoint), ("s3_endpoint", &s3_endpoint)] {
        if let Some(url) = url.as_ref().filter(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            let what = format!("`{key}`: \"{url}\" is no address");
            sqs.report_key(key, what, "such as \"https://s3.example.org\"");
        }
    }
    let path_style = sqs.or_default(&PATH_STYLE);
    let receives_max = sqs.or_default(&RECEIVES);
    if let Some(n) = receives_max.filter(|n| !RECEIVES_MAX.contains(n)) {
        let range = format!("{} to {}", RECEIVES_MAX.start(), RECEIVES_MAX.end());
        sqs.report_key("receives_max", format!("`receives_max`: {n} is no number of receives"), range);
    }
    sqs.finish();
    let parts = parts??;
    let region = region.or_else(|| parts.region.map(str::to_owned));
    Some(From::Sqs(Queue {
        s3_region: s3_region.or_else(|| region.clone()),
        region,
        endpoint: endpoint.or(parts.endpoint),
        url: url?,
        buckets: buckets?,
        s3_endpoint,
        path_style: path_style?,
        receives_max: receives_max?,
    }))
}

/// What a queue's address says.
struct Parts<'u> {
    /// AWS's own addresses name it: `sqs.eu-central-1.amazonaws.com`.
    region: Option<&'u str>,
    /// Of another service that speaks SQS, or of an endpoint within a private network.
    endpoint: Option<String>,
}

/// None if it is no address of a queue: `https://host/account/name`.
fn parts(url: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
    let (host, path) = rest.split_once('/')?;
    let is_printed = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '@');
    if host.is_empty() || path.trim_matches('/').is_empty() || !rest.chars().all(is_printed) {
        return None;
    }
    let region = host.strip_prefix("sqs.").and_then(|after| {
        let region = after.strip_suffix(".amazonaws.com").or_else(|| after.strip_suffix(".amazonaws.com.cn"))?;
        (!region.contains('.')).then_some(region)
    });
    let endpoint = region.is_none().then(|| format!("{scheme}://{host}"));
    Some(Parts { region, endpoint })
}

pub(super) static SQS: Table = Table {
    name: "sqs",
    shape: Shape::One,
    doc: "CloudTrail objects as a queue of SQS names them, instead of `paths`: those that S3, SNS, CloudTrail or\n\
          EventBridge tell of. Credentials come from the usual AWS chain; docs/sources.md has the policy that they need.",
    keys: &[
        &QUEUE.declaration,
        &BUCKETS.declaration,
        &REGION.declaration,
        &ENDPOINT.declaration,
        &S3_REGION.declaration,
        &S3_ENDPOINT.declaration,
        &PATH_STYLE.declaration,
        &RECEIVES.declaration,
    ],
    tables: &[],
};

static QUEUE: Key<String> = Key::required(
    "queue",
    "\"https://sqs.eu-central-1.amazonaws.com/111122223333/cloudtrail\"",
    "The queue's address.",
);

static BUCKETS: Key<Vec<String>> = Key::required(
    "buckets",
    "[\"example-cloudtrail\"]",
    "Buckets that objects are read from. Who may send to the queue could name any other one, and have forged\n\
     records read from there: such a message is set aside.",
);

static REGION: Key<String> = Key::optional(
    "region",
    "\"eu-central-1\"",
    "Region of the queue. Without it: the one in its address, else that of the AWS configuration.",
);

static ENDPOINT: Key<String> = Key::optional(
    "endpoint",
    "\"http://127.0.0.1:9324\"",
    "Another service that speaks SQS. Without it: the one that the queue's address names.",
);

static S3_REGION: Key<String> =
    Key::optional("s3_region", "\"us-east-1\"", "Region of the buckets. Without it: that of the queue.");

static S3_ENDPOINT: Key<String> =
    Key::optional("s3_endpoint", "\"http://127.0.0.1:9000\"", "Another service that speaks S3.");

static PATH_STYLE: Key<bool> = Key::with_default(
    "path_style",
    "false",
    "endpoint/bucket/key instead of bucket.endpoint/key; most other services want it.",
);

static RECEIVES: Key<u64> = Key::with_default(
    "receives_max",
    "10",
    "A message is set aside, with the event source.set_aside, when it was received so often and what it names\n\
     can still not be read. What is denied or throttled is never set aside: it waits.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_region_or_endpoint() {
        let of = |url| parts(url).map(|parts| (parts.region, parts.endpoint));
        let aws = "https://sqs.eu-central-1.amazonaws.com/111122223333/cloudtrail";
        assert_eq!(of(aws), Some((Some("eu-central-1"), None)));
        assert_eq!(of("https://sqs.cn-north-1.amazonaws.com.cn/1/q"), Some((Some("cn-north-1"), None)));
        let local = of("http://127.0.0.1:9324/000000000000/q");
        assert_eq!(local, Some((None, Some("http://127.0.0.1:9324".to_owned()))));
        let vpc = of("https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/1/q");
        assert_eq!(vpc, Some((None, Some("https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com".to_owned()))));
        for other in [
            "",
            "cloudtrail",
            "arn:aws:sqs:eu-west-1:1:q",
            "https://host",
            "https://host/",
            "ftp://h/1/q",
            "https:///q",
            "http://a@b/1/q",
            "http://h/1/q q",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
