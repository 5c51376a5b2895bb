//! Counts by the cluster: `composite` aggregations, which are exact and come in pages.

use std::net::IpAddr;

use chrono::NaiveDate;
use serde_json::{Map, Value as Json, json};

use super::search::Plan;
use super::{compared, field};
use crate::event::fields::{FieldRef, Kind};
use crate::index::tally::{By, Group};

/// Below what any version takes (`search.max_buckets`).
pub(super) const PAGE: usize = 10_000;

/// The fields of the cluster that the matches are counted by; none if it cannot count by one of them.
pub(super) fn columns(by: &By) -> Option<Vec<(String, Kind)>> {
    let mut columns = Vec::new();
    if by.per_day {
        columns.push((field::DAY.to_owned(), Kind::Keyword));
    }
    for field in &by.fields {
        match field {
            FieldRef::Known(known)
                if !known.is_joined() && matches!(known.kind, Kind::Keyword | Kind::Number | Kind::Ip) =>
            {
                columns.push((compared(known), known.kind));
            }
            _ => return None,
        }
    }
    Some(columns).filter(|columns| !columns.is_empty())
}

/// The request for the groups behind one.
pub(super) fn request(plan: &Plan<'_>, columns: &[(String, Kind)], after: Option<&Json>) -> Json {
    let source = |(number, (name, _)): (usize, &(String, Kind))| json!({number.to_string(): {"terms": {"field": name, "missing_bucket": true}}});
    let sources: Vec<Json> = columns.iter().enumerate().map(source).collect();
    let mut composite = Map::new();
    composite.insert("size".to_owned(), PAGE.into());
    composite.insert("sources".to_owned(), sources.into());
    if let Some(after) = after {
        composite.insert("after".to_owned(), after.clone());
    }
    json!({
        "size": 0,
        "track_total_hits": false,
        "query": plan.matching(),
        "aggs": {"groups": {"composite": composite}},
    })
}

/// The group of a bucket and how many are in it; none if that is not what was asked for.
pub(super) fn bucket(bucket: &Json, by: &By, columns: &[(String, Kind)]) -> Option<(Group, u64)> {
    let mut values = Vec::new();
    for (number, (_, kind)) in columns.iter().enumerate() {
        values.push(match bucket.get("key")?.get(number.to_string())? {
            Json::Null => None,
            Json::String(text) if *kind == Kind::Ip => Some(text.parse::<IpAddr>().ok()?.to_canonical().to_string()),
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            _ => return None,
        });
    }
    let day = match by.per_day {
        true => Some(values.remove(0)?.parse::<NaiveDate>().ok()?),
        false => None,
    };
    Some((Group { day, values }, bucket.get("doc_count")?.as_u64()?))
}
