//! What a change was made to: openings and closings of one thing belong together.
//!
//! The same thing is named by an id, a name or an ARN, as the caller likes. Buckets have objects in them, and an
//! account has buckets: what is closed for the whole is closed for its parts.

use crate::event::Event;

/// Ordered so that what is within a thing follows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    pub(super) service: String,
    pub(super) account: String,
    /// Empty where names hold for all regions.
    pub(super) region: String,
    /// Things of one service that may have the same name.
    kind: &'static str,
    /// From the outermost: bucket and key.
    path: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Nothing is within it.
    Thing,
    Whole,
}

impl Scope {
    pub(super) fn of(event: &Event) -> Self {
        let what = &event.what;
        let service = what.provider.as_deref().and_then(|name| name.split('.').next()).unwrap_or_default();
        let is_everywhere = matches!(service, "s3" | "iam");
        let region = if is_everywhere { None } else { event.place.region.clone() };
        let object = what.object.as_deref().unwrap_or_default();
        Self {
            service: service.to_owned(),
            account: event.place.account.clone().unwrap_or_default(),
            region: region.unwrap_or_default(),
            kind: kind(service, &what.action),
            path: path(service, &what.action, object),
        }
    }

    /// Itself and what it is within.
    pub(super) fn levels(&self) -> Vec<Self> {
        (0..=self.path.len())
            .map(|depth| Self { path: self.path.iter().take(depth).cloned().collect(), ..self.clone() })
            .filter(|level| !level.path.is_empty() || level.service == "s3")
            .collect()
    }

    pub(super) fn level(&self) -> Level {
        if self.service == "s3" { Level::Whole } else { Level::Thing }
    }

    /// Whether the other one is this one or within it.
    pub(super) fn is_around(&self, other: &Self) -> bool {
        let Self { service, account, region, kind, path } = self;
        (service, account, region, kind) == (&other.service, &other.account, &other.region, &other.kind)
            && other.path.starts_with(path)
    }
}

fn kind(service: &str, action: &str) -> &'static str {
    match service {
        "rds" | "redshift" if action.contains("Snapshot") && !action.starts_with("Restore") => "snapshot",
        "rds" | "redshift" if action.contains("SecurityGroup") => "group",
        "rds" if action.contains("DBCluster") => "cluster",
        "lambda" if action.contains("Layer") => "layer",
        _ => "",
    }
}

fn path(service: &str, action: &str, object: &str) -> Vec<String> {
    if service == "s3" {
        if action.contains("AccountPublicAccessBlock") {
            return Vec::new();
        }
        if action.contains("AccessPoint") {
            // No bucket has a blank in its name.
            return vec![format!("access point {}", name(object))];
        }
        let (bucket, key) = object.split_once('/').map_or((object, None), |(bucket, key)| (bucket, Some(key)));
        return std::iter::once(bucket).chain(key).map(str::to_owned).collect();
    }
    vec![match service {
        // These take names in any case.
        "rds" | "redshift" => name(object).to_ascii_lowercase(),
        _ => name(object).to_owned(),
    }]
}

/// The name in an ARN or address.
fn name(object: &str) -> &str {
    let Some(arn) = object.strip_prefix("arn:") else {
        // A queue's address ends in its name, a function's name may have a version behind it; others have slashes.
        return match object.contains("://") {
            true => object.rsplit('/').next().unwrap_or(object),
            false => object.split(':').next().unwrap_or(object),
        };
    };
    let mut parts = arn.split(':').skip(4);
    let first = parts.next().unwrap_or_default();
    match (first, parts.next()) {
        // Six characters that Secrets Manager puts behind the name.
        ("secret", Some(name)) => {
            name.rsplit_once('-').filter(|(_, end)| end.len() == 6).map_or(name, |(name, _)| name)
        }
        ("function" | "layer" | "snapshot" | "db" | "cluster" | "secgrp" | "cluster-snapshot", Some(name)) => name,
        (first, _) => first.split_once('/').map_or(first, |(_, name)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_one_whatever_it_is_called() {
        for (object, expected) in [
            ("sg-1", "sg-1"),
            ("arn:aws:lambda:eu-central-1:111122223333:function:resize:3", "resize"),
            ("resize:live", "resize"),
            ("arn:aws:kms:eu-central-1:111122223333:key/k-1", "k-1"),
            ("arn:aws:sns:eu-central-1:111122223333:news", "news"),
            ("https://sqs.eu-central-1.amazonaws.com/111122223333/jobs", "jobs"),
            ("arn:aws:secretsmanager:eu-central-1:111122223333:secret:db/password-AbCdEf", "db/password"),
            ("db/password", "db/password"),
            ("arn:aws:ecr:eu-central-1:111122223333:repository/team/app", "team/app"),
            ("team/app", "team/app"),
            ("arn:", ""),
            ("", ""),
        ] {
            assert_eq!(name(object), expected, "{object}");
        }
    }
}
