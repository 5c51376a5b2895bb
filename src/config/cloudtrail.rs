//! `[source.lookup]` and `[source.trail]`: what is asked of CloudTrail's own API.

use std::collections::BTreeSet;
use std::time::Duration;

use super::file::check_endpoint;
use super::section::Section;
use super::settings::{lookup, source_trail};
use super::source::{Api, From, LOOKUP_DAYS, Lookup, S3_POLL, Trail};
use crate::event::Family;

/// What AWS keeps.
const SINCE_MAX: Duration = Duration::from_secs(LOOKUP_DAYS * 24 * 60 * 60);

pub(super) fn read_lookup(mut section: Section<'_, '_>, family: Option<Family>) -> Option<From> {
    check_built(&section);
    check_family(&section, family, "lookup");
    let regions = section.or_default(&lookup::REGIONS).unwrap_or_default();
    let mut seen = BTreeSet::new();
    for region in &regions {
        check_region(&section, "regions", region);
        if !seen.insert(region) {
            section.report_key("regions", format!("`regions`: \"{region}\" is there twice"), "remove one");
        }
    }
    let since = section.or_default(&lookup::SINCE).unwrap_or(SINCE_MAX);
    if since > SINCE_MAX {
        section.report_key("since", "`since`: LookupEvents goes back 90 days at the most", "\"90d\" or less");
    }
    let poll = section.or_default(&lookup::POLL).unwrap_or(S3_POLL);
    let insights = section.or_default(&lookup::INSIGHTS).unwrap_or(true);
    let profile = section.optional(&lookup::PROFILE);
    let endpoint = section.optional(&lookup::ENDPOINT);
    check_endpoint(&section, endpoint.as_deref());
    section.finish();
    let api = Api { region: None, endpoint, profile };
    Some(From::Lookup(Lookup { regions, api, since, poll, insights }))
}

pub(super) fn read_trail(mut section: Section<'_, '_>, family: Option<Family>) -> Option<Trail> {
    check_built(&section);
    check_family(&section, family, "trail");
    let name = section.required(&source_trail::NAME);
    let in_arn = name.as_deref().and_then(region_of);
    if let Some(name) = name.as_deref().filter(|name| !is_trail(name)) {
        section.report_key(
            "name",
            format!("`name`: \"{name}\" is no trail's name"),
            "3 to 128 letters, digits, dots, hyphens and underscores, or arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME",
        );
    }
    let region = section.optional(&source_trail::REGION);
    if let Some(region) = &region {
        check_region(&section, "region", region);
    }
    let profile = section.optional(&source_trail::PROFILE);
    let endpoint = section.optional(&source_trail::ENDPOINT);
    check_endpoint(&section, endpoint.as_deref());
    section.finish();
    Some(Trail { name: name?, api: Api { region: region.or(in_arn), endpoint, profile } })
}

/// The bucket that the trail names, as it is usually read.
pub(super) fn bucket_of_trail() -> From {
    From::S3 {
        bucket: String::new(),
        prefix: String::new(),
        region: None,
        endpoint: None,
        path_style: false,
        poll: S3_POLL,
    }
}

pub(super) fn check_family(section: &Section<'_, '_>, family: Option<Family>, name: &str) {
    if family.is_some_and(|family| family != Family::Cloudtrail) {
        section.report(format!("`{name}` is for CloudTrail"), "set type = \"cloudtrail\", or use `paths`");
    }
}

fn check_built(section: &Section<'_, '_>) {
    if !cfg!(feature = "aws") {
        section.report("this whodid was built without AWS", "build it with the feature `aws`");
    }
}

/// `eu-central-1`, `us-gov-west-1`.
fn check_region(section: &Section<'_, '_>, key: &str, region: &str) {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !region.contains('-') || !region.chars().all(fits) {
        section.report_key(key, format!("`{key}`: \"{region}\" is no region"), "such as \"eu-central-1\"");
    }
}

/// Names as CreateTrail takes them, or ARNs.
fn is_trail(name: &str) -> bool {
    let name = match name.strip_prefix("arn:") {
        Some(_) if region_of(name).is_none() => return false,
        Some(arn) => arn.rsplit_once(":trail/").map_or("", |(_, name)| name),
        None => name,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (3..=128).contains(&name.len()) && name.chars().all(fits)
}

/// `arn:aws:cloudtrail:eu-central-1:111122223333:trail/main`
fn region_of(arn: &str) -> Option<String> {
    let mut parts = arn.strip_prefix("arn:")?.splitn(5, ':');
    let (_, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    (service == "cloudtrail" && !region.is_empty()).then(|| region.to_owned())
}
