//! CloudTrail's own API: what happened in the last 90 days, which trails there are and how they fare, and the keys
//! that sign their digests.
//!
//! Every call has a turn of its own ([`SPACING`]), is made again where that may help, and gives up with words that say
//! what to do. No answer is read beyond [`ANSWER_BYTES_MAX`].

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::retry::RetryConfig;
use aws_sdk_cloudtrail::config::timeout::TimeoutConfig;
use aws_sdk_cloudtrail::config::{Builder, Config};
use aws_sdk_cloudtrail::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudtrail::primitives::DateTime as SdkTime;
use aws_sdk_cloudtrail::types::EventCategory;
use chrono::{DateTime, Utc};

use super::bounded::{Bounded, TooLong};
use super::pace::Pace;
use super::{Failure, full_jitter};

/// "The rate of lookup requests is limited to two per second, per account, per Region" (API reference, LookupEvents).
/// A little more than half a second, so that no second holds three.
pub const SPACING: Duration = Duration::from_millis(510);

/// LookupEvents gives at most so many at once.
pub const PAGE_EVENTS: i32 = 50;

/// Fifty records of at most 256 KiB (those of a data store: 1 MiB), whose every quote is escaped.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// How often a call is made again, and the longest wait before it: two minutes in all.
const TRIES: u32 = 8;
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Pages of keys and answers about trails; CloudTrail has five trails in a region, and a key a day.
const PAGES_MAX: usize = 1_000;

/// Why the API did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    #[error("access is denied ({said}): allow {action}")]
    Denied { said: String, action: &'static str },
    #[error("does not know the token of the next page any more")]
    TokenExpired,
    #[error("gives pages without end: the next one has been there already")]
    Endless,
    #[error("knows no such trail: correct its name or region, or create it again")]
    NoTrail,
    #[error("gives an answer that is longer than {ANSWER_BYTES_MAX} bytes, and was not read")]
    TooLong,
    #[error(transparent)]
    Service(Failure),
}

impl ApiError {
    fn of<E>(error: &SdkError<E>, action: &'static str) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if is_too_long(error) {
            return Self::TooLong;
        }
        match Failure::of(error) {
            Failure::Denied(said) => Self::Denied { said, action },
            Failure::Other { code, .. }
                if matches!(code.as_str(), "InvalidNextTokenException" | "InvalidTokenException") =>
            {
                Self::TokenExpired
            }
            Failure::Other { code, .. } if code == "TrailNotFoundException" => Self::NoTrail,
            other => Self::Service(other),
        }
    }

    fn is_passing(&self) -> bool {
        matches!(self, Self::Service(failure) if failure.is_passing())
    }
}

/// Whether the limit of [`bounded`](super::bounded) is among the causes.
fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TooLong>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// As whom and where the API is asked. What is not said is that of the AWS configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access<'a> {
    pub region: Option<&'a str>,
    /// Of another service that speaks the same.
    pub endpoint: Option<&'a str>,
    /// Of ~/.aws/config.
    pub profile: Option<&'a str>,
}

/// The API of one region.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    region: String,
    pace: Arc<Pace>,
    backoff: Duration,
}

/// What LookupEvents keeps apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    Management,
    Insight,
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    pub category: Category,
    /// Seconds since 1970; both ends are meant.
    pub from: i64,
    pub to: i64,
    /// Of the page before.
    pub more: Option<String>,
}

/// Events, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub events: Vec<Found>,
    pub more: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub id: Option<String>,
    /// Seconds since 1970.
    pub when: Option<i64>,
    /// `CloudTrailEvent`: the record as it lies in an object of CloudTrail's.
    pub record: Option<String>,
}

/// What DescribeTrails says of a trail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    pub name: String,
    pub arn: String,
    pub home_region: String,
    pub bucket: String,
    /// What stands before `AWSLogs/`.
    pub prefix: Option<String>,
    pub is_organisation: bool,
    pub is_multi_region: bool,
    /// Whether it writes digests.
    pub is_validated: bool,
    /// Where it tells of new objects.
    pub topic: Option<String>,
}

/// What GetTrailStatus says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrailStatus {
    pub is_logging: bool,
    pub stopped: Option<DateTime<Utc>>,
    pub delivered: Option<DateTime<Utc>>,
    pub delivery_error: Option<String>,
    pub digest_delivered: Option<DateTime<Utc>>,
    pub digest_error: Option<String>,
    pub notification_error: Option<String>,
}

/// A key that signs digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub fingerprint: String,
    /// DER.
    pub value: Vec<u8>,
    pub valid_from: DateTime<Utc>,
    pub valid_until: DateTime<Utc>,
}

impl Api {
    /// With the credentials of the normal chain.
    pub async fn open(access: Access<'_>) -> Result<Self, ApiError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = access.region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(profile) = access.profile {
            loader = loader.profile_name(profile);
        }
        let shared = loader.load().await;
        let region =
            shared.region().map(|region| region.as_ref().to_owned()).ok_or(ApiError::Service(Failure::NoRegion))?;
        let mut config = Builder::from(&shared);
        config.set_endpoint_url(access.endpoint.map(str::to_owned));
        let place = format!("{region} {} {}", access.endpoint.unwrap_or_default(), access.profile.unwrap_or_default());
        Ok(Self::new(config, region, Pace::shared(&place, SPACING), BACKOFF))
    }

    fn new(config: Builder, region: String, pace: Arc<Pace>, backoff: Duration) -> Self {
        let config = Self::bounded(config);
        Self { client: Client::from_conf(config), region, pace, backoff }
    }

    /// What is tried again here is not tried again by the SDK: that would be calls without a turn.
    fn bounded(config: Builder) -> Config {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(CALL_TIMEOUT).build();
        let config = config.retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        config.interceptor(Bounded(ANSWER_BYTES_MAX)).build()
    }

    /// With credentials of its own, and without waiting.
    #[cfg(test)]
    pub(crate) fn of_test(endpoint: &str, region: &str) -> Self {
        use aws_sdk_cloudtrail::config::Credentials;
        let config = Config::builder()
            .behavior_version(aws_sdk_cloudtrail::config::BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint)
            .credentials_provider(Credentials::new("test", "test", None, None, "test"));
        Self::new(config, region.to_owned(), Arc::new(Pace::new(Duration::ZERO)), Duration::from_millis(1))
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// One page of what happened.
    pub async fn lookup(&self, lookup: &Lookup) -> Result<Page, ApiError> {
        let Lookup { category, from, to, more } = lookup;
        let answer = self.ask("cloudtrail:LookupEvents", || {
            let request = self.client.lookup_events().max_results(PAGE_EVENTS);
            let request = request.start_time(SdkTime::from_secs(*from)).end_time(SdkTime::from_secs(*to));
            let insight = (*category == Category::Insight).then_some(EventCategory::Insight);
            request.set_event_category(insight).set_next_token(more.clone()).send()
        });
        let answer = answer.await?;
        let events = answer.events.unwrap_or_default().into_iter();
        let events = events.map(|event| Found {
            id: event.event_id,
            when: event.event_time.map(|time| time.secs()),
            record: event.cloud_trail_event,
        });
        let events = events.collect();
        Ok(Page { events, more: answer.next_token.filter(|token| !token.is_empty()) })
    }

    /// The trail of this name or ARN, as this region sees it.
    pub async fn trail(&self, name: &str) -> Result<Trail, ApiError> {
        let answer = self.ask("cloudtrail:DescribeTrails", || {
            // Without shadow trails one of several regions would not be found but in its home.
            self.client.describe_trails().trail_name_list(name).include_shadow_trails(true).send()
        });
        let trails = answer.await?.trail_list.unwrap_or_default();
        let is_meant = |trail: &Trail| trail.arn == name || trail.name == name;
        let text = |text: Option<String>| text.unwrap_or_default();
        let trails = trails.into_iter().map(|trail| Trail {
            name: text(trail.name),
            arn: text(trail.trail_arn),
            home_region: text(trail.home_region),
            bucket: text(trail.s3_bucket_name),
            prefix: trail.s3_key_prefix.filter(|prefix| !prefix.is_empty()),
            is_organisation: trail.is_organization_trail.unwrap_or(false),
            is_multi_region: trail.is_multi_region_trail.unwrap_or(false),
            is_validated: trail.log_file_validation_enabled.unwrap_or(false),
            topic: trail.sns_topic_arn.filter(|topic| !topic.is_empty()),
        });
        trails.filter(is_meant).find(|trail| !trail.bucket.is_empty()).ok_or(ApiError::NoTrail)
    }

    /// How a trail fares; `arn`, because a trail of another region is known by that only.
    pub async fn trail_status(&self, arn: &str) -> Result<TrailStatus, ApiError> {
        let answer = self.ask("cloudtrail:GetTrailStatus", || self.client.get_trail_status().name(arn).send());
        let answer = answer.await?;
        let words = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(TrailStatus {
            is_logging: answer.is_logging.unwrap_or(false),
            stopped: answer.stop_logging_time.and_then(instant),
            delivered: answer.latest_delivery_time.and_then(instant),
            delivery_error: words(answer.latest_delivery_error),
            digest_delivered: answer.latest_digest_delivery_time.and_then(instant),
            digest_error: words(answer.latest_digest_delivery_error),
            notification_error: words(answer.latest_notification_error),
        })
    }

    /// The keys of this region that were valid at some time from `from` to `to`. What has no fingerprint, value or
    /// time is no key.
    pub async fn public_keys(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Key>, ApiError> {
        let time = |instant: DateTime<Utc>| SdkTime::from_secs(instant.timestamp());
        let mut keys = Vec::new();
        let mut more: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let answer = self.ask("cloudtrail:ListPublicKeys", || {
                let request = self.client.list_public_keys().start_time(time(from)).end_time(time(to));
                request.set_next_token(more.clone()).send()
            });
            let answer = answer.await?;
            let listed = answer.public_key_list.unwrap_or_default().into_iter();
            keys.extend(listed.filter_map(|key| {
                Some(Key {
                    fingerprint: key.fingerprint?,
                    value: key.value?.into_inner(),
                    valid_from: key.validity_start_time.and_then(instant)?,
                    valid_until: key.validity_end_time.and_then(instant)?,
                })
            }));
            match answer.next_token.filter(|token| !token.is_empty()) {
                None => return Ok(keys),
                next if next == more => return Err(ApiError::Endless),
                next => more = next,
            }
        }
        Err(ApiError::Endless)
    }

    /// Calls, and calls again where that may help.
    async fn ask<T, E, F>(&self, action: &'static str, call: impl Fn() -> F) -> Result<T, ApiError>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E>>>,
    {
        let mut tries = 0;
        loop {
            self.pace.turn().await;
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => ApiError::of(&error, action),
            };
            if !error.is_passing() || tries >= TRIES {
                return Err(error);
            }
            let pause = full_jitter(self.backoff, tries, BACKOFF_MAX);
            tries += 1;
            if matches!(error, ApiError::Service(Failure::Throttled(_))) {
                // Whoever else asks would be refused, too.
                self.pace.hold(pause);
            }
            tokio::time::sleep(pause).await;
        }
    }
}

fn instant(time: SdkTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::aws::cloudtrail_fake::{Answer, Fake, record};

    const REGION: &str = "eu-central-1";

    fn wait<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work)
    }

    fn lookup() -> Lookup {
        Lookup { category: Category::Management, from: 0, to: 1_000, more: None }
    }

    #[test]
    fn what_is_found_comes_newest_first_in_pages_with_exact_records() {
        let fake = Fake::start();
        for n in 0..120 {
            fake.put(REGION, n, &n.to_string(), &record("111122223333", REGION, n, &n.to_string()));
        }
        fake.put("us-east-1", 5, "elsewhere", "{}");
        let api = Api::of_test(&fake.endpoint, REGION);
        wait(async {
            let mut ask = lookup();
            let mut ids = Vec::new();
            loop {
                let page = api.lookup(&ask).await.expect("an answer");
                for event in page.events {
                    let id = event.id.expect("an id");
                    assert_eq!(event.record, Some(record("111122223333", REGION, id.parse().expect("n"), &id)));
                    ids.push(id);
                }
                if page.more.is_none() {
                    break;
                }
                ask.more = page.more;
            }
            let expected: Vec<_> = (0..120).rev().map(|n| n.to_string()).collect();
            assert_eq!(ids, expected);
        });
        assert_eq!(fake.state().calls.len(), 3);
    }

    #[test]
    fn what_may_help_is_tried_again_and_the_rest_is_told_apart() {
        let fake = Fake::start();
        let api = Api::of_test(&fake.endpoint, REGION);
        fake.interfere(|call| match call.number {
            1 => Some(Answer::throttled()),
            2 => Some(Answer::of(503, &json!({}))),
            3 => Some(Answer::error(500, "InternalFailure", "x")),
            _ => None,
        });
        wait(api.lookup(&lookup())).expect("the fourth time");
        assert_eq!(fake.state().calls.len(), 4);
        let refuse = |answer: fn() -> Answer| {
            fake.interfere(move |_| Some(answer()));
            wait(api.lookup(&lookup())).expect_err("refused").to_string()
        };
        assert_eq!(
            refuse(|| Answer::denied("cloudtrail:LookupEvents")),
            "access is denied (AccessDeniedException: cloudtrail:LookupEvents): allow cloudtrail:LookupEvents"
        );
        let expired = refuse(|| Answer::error(400, "ExpiredTokenException", "expired"));
        assert_eq!(expired, "the AWS credentials are not accepted (ExpiredTokenException): renew them");
        let gone = refuse(|| Answer::error(400, "com.amazonaws.cloudtrail.v20131101#InvalidNextTokenException", "x"));
        assert_eq!(gone, "does not know the token of the next page any more");
        assert_eq!(refuse(Answer::throttled), "asks to slow down (ThrottlingException): it is tried again");
        let calls = fake.state().calls.len();
        assert_eq!(calls, 4 + 3 + 1 + TRIES as usize, "and not for ever");
    }

    #[test]
    fn a_long_answer_is_refused_whatever_it_says_of_its_length() {
        for chunked in [false, true] {
            let fake = Fake::start();
            fake.interfere(move |_| Some(Answer { status: 200, body: vec![b' '; 100 << 20], chunked }));
            let error = wait(Api::of_test(&fake.endpoint, REGION).lookup(&lookup())).expect_err("too long");
            assert_eq!(error, ApiError::TooLong, "{chunked}");
        }
    }

    #[test]
    fn a_trail_is_found_by_name_or_arn_and_its_status_by_arn() {
        let fake = Fake::start();
        let arn = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/main";
        fake.state().trails.push(json!({
            "Name": "main", "TrailARN": arn, "HomeRegion": REGION, "S3BucketName": "audit", "S3KeyPrefix": "p",
            "IsOrganizationTrail": true, "IsMultiRegionTrail": true, "LogFileValidationEnabled": true,
            "SnsTopicARN": "arn:aws:sns:eu-central-1:111122223333:t",
        }));
        let status = json!({"IsLogging": false, "StopLoggingTime": 1_795_176_000.5, "LatestDeliveryError": "NoSuchBucket", "LatestDigestDeliveryError": ""});
        fake.state().statuses.insert(arn.to_owned(), status);
        let api = Api::of_test(&fake.endpoint, REGION);
        for name in ["main", arn] {
            let trail = wait(api.trail(name)).expect("there");
            assert_eq!((trail.bucket.as_str(), trail.prefix.as_deref()), ("audit", Some("p")));
            assert!(trail.is_organisation && trail.is_multi_region && trail.is_validated && trail.topic.is_some());
        }
        let status = wait(api.trail_status(arn)).expect("there");
        assert_eq!((status.is_logging, status.delivery_error.as_deref()), (false, Some("NoSuchBucket")));
        assert_eq!(status.stopped.map(|at| at.timestamp_millis()), Some(1_795_176_000_500));
        assert_eq!(status.digest_error, None, "an empty error is none");
        assert_eq!(wait(api.trail("other")), Err(ApiError::NoTrail));
        assert_eq!(wait(api.trail_status("other")), Err(ApiError::NoTrail));
    }

    #[test]
    fn keys_are_paged_and_those_of_the_time_are_given() {
        let fake = Fake::start();
        let key = |n: i64| json!({"Fingerprint": format!("f{n}"), "Value": "MAA=", "ValidityStartTime": n, "ValidityEndTime": n + 10});
        fake.state().keys.insert(
            REGION.to_owned(),
            vec![
                key(0),
                key(10),
                json!({"Fingerprint": "odd", "ValidityStartTime": 12, "ValidityEndTime": 13}),
                key(20),
                key(40),
            ],
        );
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("in range");
        let api = Api::of_test(&fake.endpoint, REGION);
        let keys = wait(api.public_keys(at(12), at(25))).expect("keys");
        let found: Vec<_> = keys.iter().map(|key| key.fingerprint.as_str()).collect();
        assert_eq!(found, ["f10", "f20"]);
        assert_eq!((keys[0].value.as_slice(), keys[0].valid_from), (&[0x30, 0][..], at(10)));
        fake.interfere(|_| Some(Answer::of(200, &json!({"PublicKeyList": [], "NextToken": "again"}))));
        assert_eq!(wait(api.public_keys(at(12), at(25))), Err(ApiError::Endless));
    }
}
