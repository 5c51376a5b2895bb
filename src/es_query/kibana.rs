//! The link that `--kibana-url` adds, byte for byte.

use chrono::{DateTime, TimeDelta, Utc};

use super::Kind;
use super::options::Options;
use super::ruby::uri_escape;

/// With the space before it; without a link the plugin writes the space all the same. The window of the link ends now,
/// without the offset, and a month has 31 days there, of `count` 31 weeks.
pub(super) fn suffix(options: &Options, now: DateTime<Utc>) -> String {
    let Some(url) = &options.kibana_url else { return " ".to_owned() };
    let now = now.timestamp();
    let month = if options.kind == Kind::Count { 7 * 31 } else { 31 };
    let parts = [
        (options.minutes, 60),
        (options.hours, 3_600),
        (options.days, 86_400),
        (options.weeks, 7 * 86_400),
        (options.months, month * 86_400),
    ];
    let length = parts.iter().fold(0_i64, |sum, (number, each)| sum.saturating_add(number.saturating_mul(*each)));
    // Without one of its own the plugin fails here.
    let query = options.query.as_deref().unwrap_or("*");
    let sorted = if options.kind == Kind::Ratio { options.timestamp_field.as_str() } else { "@timestamp" };
    format!(
        " Kibana logs: {url}/#/discover?_g=(refreshInterval:(display:Off,section:0,value:0),time:(from:'{}',mode:absolute,to:'{}'))\
         &_a=(columns:!(_source),index:{},interval:auto,query:(query_string:(analyze_wildcard:!t,query:'{}')),sort:!('{sorted}',desc))&dummy",
        written(now.saturating_sub(length)),
        written(now),
        uri_escape(&index(options)),
        uri_escape(query),
    )
}

fn written(seconds: i64) -> String {
    let limits = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC - TimeDelta::seconds(1));
    let at = DateTime::from_timestamp(seconds, 0).unwrap_or(limits.0).clamp(limits.0, limits.1);
    at.format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// `logstash-%Y.%m.%d` as Kibana 4 wrote it: `[logstash-]YYYY.MM.DD`. Each letter is replaced once, wherever it stands.
fn index(options: &Options) -> String {
    let Some(pattern) = &options.date_index else {
        return options.indices.clone().unwrap_or_else(|| "_all".to_owned());
    };
    let mut parts = pattern.trim_end_matches('%').split('%');
    let first = parts.next().unwrap_or_default();
    let letters = [("Y", "YYYY"), ("y", "YY"), ("m", "MM"), ("d", "DD"), ("j", "DDDD"), ("H", "hh")];
    let rest = letters.iter().fold(parts.collect::<String>(), |text, (from, to)| text.replacen(from, to, 1));
    format!("[{first}]{rest}")
}
