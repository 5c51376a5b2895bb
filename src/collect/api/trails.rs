//! A trail: where it delivers, which the source then reads, and how it fares, which is looked at beside that.
//!
//! A trail that was stopped leaves no trace in the bucket but silence. So it is asked: while it records nothing,
//! cannot deliver, writes no digests or is gone, the source is failing, and `cloudtrail.trail_status` events say so:
//! when the trail is first seen, on each change, and once an hour while it fails.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use super::{Halt, Wire, open};
use crate::aws::cloudtrail::{Api, ApiError, Trail, TrailStatus};
use crate::collect::outlet::{Closed, Outlet};
use crate::collect::setting::Setting;
use crate::collect::{Alarm, Mode};
use crate::config::source::{self, From};
use crate::event::own::{self, action};
use crate::event::{Event, Outcome, Stamp};

/// How often it is asked: whoever stops a trail should not have long.
const LOOK_EVERY: Duration = Duration::from_secs(5 * 60);

/// How often it is said while it fails.
const SAY_EVERY: Duration = Duration::from_secs(60 * 60);

/// Between questions while there is no answer.
const BACKOFF: Duration = Duration::from_secs(10);

/// Whether a failure is of the API or of a trail, and not of what is read beside it.
pub(in crate::collect) fn is_of_api(origin: &str) -> bool {
    origin.starts_with("arn:") || origin.starts_with("cloudtrail://")
}

/// Finds the trail, and reads where it delivers by `go_on`.
pub(in crate::collect) fn read(
    setting: &Setting,
    (trail, then): (&source::Trail, From),
    mode: Mode,
    wire: &Wire,
    outlet: &mut Outlet,
    go_on: impl FnOnce(Setting, &mut Outlet) -> Result<(), Closed>,
) -> Result<(), Closed> {
    read_by(setting, (trail, then), mode, wire, &|region| open(wire, &trail.api, region), outlet, go_on)
}

/// `open` gives the API of a region.
pub(super) fn read_by(
    setting: &Setting,
    (trail, then): (&source::Trail, From),
    mode: Mode,
    wire: &Wire,
    open: &(dyn Fn(Option<&str>) -> Result<Api, Halt> + Sync),
    outlet: &mut Outlet,
    go_on: impl FnOnce(Setting, &mut Outlet) -> Result<(), Closed>,
) -> Result<(), Closed> {
    let Some((api, found)) = find(trail, mode, wire, open, outlet)? else { return Ok(()) };
    let from = place(then, &found);
    tracing::info!(source = %setting.name(), trail = %found.arn, bucket = %found.bucket, "The trail was found.");
    let (ended, watched) = thread::scope(|scope| {
        let mut beside = outlet.beside();
        let broken = Broken::default();
        let theirs = Arc::clone(&broken.0);
        let watching = scope.spawn(move || {
            let _alarm = Alarm::of(&beside);
            let watch = Watch { api, arn: found.arn.clone(), last: None, said: None };
            let ended = watch.follow(mode, wire, &theirs, &mut beside);
            (ended, beside.finish())
        });
        (go_on(setting.elsewhere(from), outlet), watching.join())
    });
    match watched {
        Ok((watched, summary)) => {
            outlet.absorb(summary);
            ended.and(watched)
        }
        Err(_) => outlet.failed(&trail.name, "the thread that asks for this trail stopped unexpectedly").and(ended),
    }
}

/// Tells who watches when the reading beside it panics: the panic would wait for them. A reading that ends does not
/// end the watching.
#[derive(Default)]
struct Broken(Arc<Notify>);

impl Drop for Broken {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.notify_one();
        }
    }
}

/// The trail, and the API of its home region. None when it is time to stop, or where there is no second try.
fn find(
    trail: &source::Trail,
    mode: Mode,
    wire: &Wire,
    open: &(dyn Fn(Option<&str>) -> Result<Api, Halt> + Sync),
    outlet: &mut Outlet,
) -> Result<Option<(Api, Trail)>, Closed> {
    let origin = format!("cloudtrail://{}/{}", trail.api.region.as_deref().unwrap_or_default(), trail.name);
    let mut tries = 0;
    loop {
        let found = open(trail.api.region.as_deref()).and_then(|api| {
            let found = wire.wait(api.trail(&trail.name))?;
            // Its status is asked for where it lives.
            match found.home_region.is_empty() || found.home_region == api.region() {
                true => Ok((api, found)),
                false => Ok((open(Some(&found.home_region))?, found)),
            }
        });
        match found {
            Ok(found) => {
                outlet.works(&origin)?;
                return Ok(Some(found));
            }
            Err(Halt::Told) => return Ok(None),
            Err(Halt::Closed(closed)) => return Err(closed),
            Err(Halt::Failed(error)) => outlet.failed(&origin, &error.to_string())?,
        }
        let pause = BACKOFF.saturating_mul(1 << tries.min(5_u32)).min(LOOK_EVERY);
        tries += 1;
        if mode != Mode::Follow || wire.pause(pause).is_err() {
            return Ok(None);
        }
    }
}

/// Where it delivers, in place of what was left open.
fn place(then: From, found: &Trail) -> From {
    match then {
        From::S3 { bucket, prefix, region, endpoint, path_style, poll } if bucket.is_empty() => From::S3 {
            bucket: found.bucket.clone(),
            prefix: if prefix.is_empty() { found.prefix.clone().unwrap_or_default() } else { prefix },
            // Nothing says where the bucket is; mostly it is where the trail is.
            region: region
                .or_else(|| Some(found.home_region.clone()).filter(|region| !region.is_empty() && endpoint.is_none())),
            endpoint,
            path_style,
            poll,
        },
        other => other,
    }
}

/// Asks now how a trail fares, for `whodid doctor`.
pub async fn look(trail: &source::Trail) -> Result<String, String> {
    let source::Api { region, endpoint, profile } = &trail.api;
    let access =
        |region| crate::aws::cloudtrail::Access { region, endpoint: endpoint.as_deref(), profile: profile.as_deref() };
    let words = |error: ApiError| error.to_string();
    let mut api = Api::open(access(region.as_deref())).await.map_err(words)?;
    let found = api.trail(&trail.name).await.map_err(words)?;
    if !found.home_region.is_empty() && found.home_region != api.region() {
        api = Api::open(access(Some(&found.home_region))).await.map_err(words)?;
    }
    let status = api.trail_status(&found.arn).await.map_err(words)?;
    let picture = Picture { trail: Some(found), status };
    match (picture.problem(), &picture.trail) {
        (Some(problem), _) => Err(problem),
        (None, Some(Trail { bucket, prefix, .. })) => {
            let delivered = picture.status.delivered.map_or("never".to_owned(), |at| Stamp::new(at).to_string());
            let prefix = prefix.as_deref().unwrap_or_default();
            Ok(format!("delivers to s3://{bucket}/{prefix}, last at {delivered}"))
        }
        (None, None) => Err(words(ApiError::NoTrail)),
    }
}

/// One trail that is asked for again and again.
struct Watch {
    api: Api,
    arn: String,
    last: Option<Picture>,
    said: Option<Instant>,
}

/// How a trail fares.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Picture {
    /// None when it is gone.
    trail: Option<Trail>,
    status: TrailStatus,
}

impl Watch {
    fn follow(mut self, mode: Mode, wire: &Wire, broken: &Notify, outlet: &mut Outlet) -> Result<(), Closed> {
        let origin = format!("cloudtrail://{}/GetTrailStatus", self.api.region());
        loop {
            match self.picture(wire) {
                Ok(picture) => {
                    outlet.works(&origin)?;
                    self.tell(picture, outlet)?;
                    outlet.flush()?;
                }
                Err(Halt::Told) => return Ok(()),
                Err(Halt::Closed(closed)) => return Err(closed),
                Err(Halt::Failed(error)) => outlet.failed(&origin, &error.to_string())?,
            }
            let rest = || {
                wire.until_told(async {
                    tokio::select! {
                        () = tokio::time::sleep(LOOK_EVERY) => true,
                        () = broken.notified() => false,
                    }
                })
            };
            if mode != Mode::Follow || rest() != Ok(true) {
                return Ok(());
            }
        }
    }

    fn picture(&self, wire: &Wire) -> Result<Picture, Halt> {
        let gone = || Picture { trail: None, status: TrailStatus::default() };
        let trail = match wire.wait(self.api.trail(&self.arn)) {
            Err(Halt::Failed(ApiError::NoTrail)) => return Ok(gone()),
            trail => trail?,
        };
        match wire.wait(self.api.trail_status(&self.arn)) {
            Err(Halt::Failed(ApiError::NoTrail)) => Ok(gone()),
            status => Ok(Picture { trail: Some(trail), status: status? }),
        }
    }

    fn tell(&mut self, picture: Picture, outlet: &mut Outlet) -> Result<(), Closed> {
        let problem = picture.problem();
        let is_new = self.last.as_ref().is_none_or(|last| !last.is_alike(&picture));
        let is_due = problem.is_some() && self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY);
        if is_new || is_due {
            outlet.push(picture.event(outlet.source(), &self.arn, outlet.clock.now()), false)?;
            self.said = Some(Instant::now());
        }
        match &problem {
            Some(problem) => outlet.failed(&self.arn, problem)?,
            None => outlet.works(&self.arn)?,
        }
        self.last = Some(picture);
        Ok(())
    }
}

impl Picture {
    /// The same but for times that change with every delivery.
    fn is_alike(&self, other: &Self) -> bool {
        let still = |picture: &Self| {
            let status = TrailStatus { delivered: None, digest_delivered: None, ..picture.status.clone() };
            (picture.trail.clone(), status)
        };
        still(self) == still(other)
    }

    /// What is wrong, since when, and what to do; all of it.
    fn problem(&self) -> Option<String> {
        let Some(trail) = &self.trail else {
            return Some(
                "is gone: nothing is recorded by it any more. Look who called DeleteTrail, and create it again"
                    .to_owned(),
            );
        };
        let Trail { arn, home_region: region, bucket, .. } = trail;
        let at = |time: Option<chrono::DateTime<chrono::Utc>>| time.map(|time| Stamp::new(time).to_string());
        let last = |time| at(time).map_or("nothing was delivered yet".to_owned(), |at| format!("last at {at}"));
        let mut problems = Vec::new();
        if !self.status.is_logging {
            let since = at(self.status.stopped).map_or(String::new(), |at| format!(" since {at}"));
            problems
                .push(format!("records nothing{since}: aws cloudtrail start-logging --region {region} --name {arn}"));
        }
        if let Some(error) = &self.status.delivery_error {
            let last = last(self.status.delivered);
            problems
                .push(format!("cannot deliver to s3://{bucket} ({error}), {last}: let the bucket's policy allow it"));
        }
        if !trail.is_validated {
            problems.push(format!(
                "writes no digests, so that nobody can prove what it delivered: \
                 aws cloudtrail update-trail --region {region} --name {arn} --enable-log-file-validation"
            ));
        } else if let Some(error) = &self.status.digest_error {
            let last = last(self.status.digest_delivered);
            problems.push(format!(
                "cannot deliver digests to s3://{bucket} ({error}), {last}: let the bucket's policy allow it"
            ));
        }
        (!problems.is_empty()).then(|| problems.join("; "))
    }

    fn event(&self, source: &str, arn: &str, now: Stamp) -> Event {
        let mut facts: Vec<(&'static str, Json)> =
            vec![("source", json!(source)), ("gone", json!(self.trail.is_none()))];
        if let Some(trail) = &self.trail {
            facts.extend([
                ("name", json!(trail.name)),
                ("region", json!(trail.home_region)),
                ("bucket", json!(trail.bucket)),
                ("is_logging", json!(self.status.is_logging)),
                ("is_validated", json!(trail.is_validated)),
                ("is_organisation", json!(trail.is_organisation)),
                ("is_multi_region", json!(trail.is_multi_region)),
            ]);
            let time = |time: Option<chrono::DateTime<chrono::Utc>>| time.map(|time| Stamp::new(time).to_string());
            let words = [
                ("prefix", trail.prefix.clone()),
                ("topic", trail.topic.clone()),
                ("stopped", time(self.status.stopped).filter(|_| !self.status.is_logging)),
                ("delivered", time(self.status.delivered)),
                ("digest_delivered", time(self.status.digest_delivered)),
                ("delivery_error", self.status.delivery_error.clone()),
                ("digest_error", self.status.digest_error.clone()),
                ("notification_error", self.status.notification_error.clone()),
            ];
            facts.extend(words.into_iter().filter_map(|(key, text)| text.map(|text| (key, json!(text)))));
        }
        let mut event = own::with_detail(action::TRAIL_STATUS, arn, now, facts);
        event.reason = self.problem();
        event.outcome = if event.reason.is_some() { Outcome::Failure } else { Outcome::Success };
        event
    }
}
