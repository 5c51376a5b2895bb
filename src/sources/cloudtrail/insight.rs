//! CloudTrail Insights: not a call, but that some API was called, or failed, more often than usual.
//!
//! Source: "CloudTrail record contents for Insights events for trails" in the CloudTrail user guide. A record says
//! that this begins or is over, and `sharedEventID` holds both together. Its action is `insight.start` or
//! `insight.end` and never the API's own name: whoever counts calls must not count it.

use super::tree::Tree;
use crate::event::{Named, Who};

pub(super) fn is_insight(record: &Tree<'_>) -> bool {
    record.member("eventType").as_str() == Some("AwsCloudTrailInsight") && !details(record).is_empty()
}

pub(super) fn action(record: &Tree<'_>) -> &'static str {
    match details(record).member("state").as_str() {
        Some("End") => "insight.end",
        _ => "insight.start",
    }
}

/// The API; for errors, with what they say: `RunInstances`, `RunInstances Client.UnauthorizedOperation`.
pub(super) fn objects(record: &Tree<'_>) -> Vec<String> {
    details(record).text("eventName").into_iter().chain(details(record).text("errorCode")).collect()
}

/// `ApiCallRateInsight: 664 a minute instead of 0.0022`.
pub(super) fn reason(record: &Tree<'_>) -> Option<String> {
    let details = details(record);
    let kind = details.text("insightType")?;
    let average = |of: &str| details.text(&format!("insightContext.statistics.{of}.average"));
    Some(match (average("insight"), average("baseline")) {
        (Some(now), Some(usual)) => format!("{kind}: {now} a minute instead of {usual}"),
        _ => kind,
    })
}

/// Who called, where all calls were one's.
pub(super) fn who(record: &Tree<'_>) -> Who {
    let attributions = details(record).member("insightContext").member("attributions").items();
    let of_callers = attributions.iter().find(|item| item.member("attribute").as_str() == Some("userIdentityArn"));
    let mut callers = Vec::new();
    if let Some(of_callers) = of_callers {
        of_callers.each_text("insight.value", &mut |arn| callers.push(arn.into_owned()));
    }
    match callers.as_slice() {
        [only] => by_arn(only),
        _ => Who::default(),
    }
}

fn by_arn(arn: &str) -> Who {
    let id = Some(arn.to_owned());
    let path = arn.rsplit(':').next().unwrap_or(arn);
    let kind = |kind: &str, name: &str| Who {
        kind: Some(kind.to_owned()),
        name: (!name.is_empty()).then(|| name.to_owned()),
        id: id.clone(),
        ..Who::default()
    };
    match path.split_once('/') {
        Some(("user", rest)) => kind("user", rest.rsplit('/').next().unwrap_or(rest)),
        Some(("assumed-role", rest)) => match rest.rsplit_once('/') {
            Some((role, session)) => Who { as_: Some(Named::name(role)), ..kind("role", session) },
            None => kind("role", rest),
        },
        Some(("role", rest)) => kind("role", rest.rsplit('/').next().unwrap_or(rest)),
        _ => Who { id, ..Who::default() },
    }
}

fn details<'a>(record: &'a Tree<'a>) -> &'a Tree<'a> {
    record.member("insightDetails")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_known_by_the_arn() {
        let check = |arn: &str, expected: [Option<&str>; 3]| {
            let who = by_arn(arn);
            let role = who.as_.as_ref().and_then(|role| role.name.as_deref());
            assert_eq!([who.kind.as_deref(), who.name.as_deref(), role], expected, "{arn}");
        };
        check("arn:aws:iam::111122223333:user/staff/alice", [Some("user"), Some("alice"), None]);
        check("arn:aws:sts::111122223333:assumed-role/Admin/bob", [Some("role"), Some("bob"), Some("Admin")]);
        check("arn:aws:iam::111122223333:root", [None, None, None]);
        check("", [None, None, None]);
    }
}
