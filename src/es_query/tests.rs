//! Command lines and answers to requests, lines and exit codes: golden, with what the plugin prints.
//!
//! The lines were printed by the plugin's logic under Ruby 3.1 with its own option parser (`mixlib-cli` 2.1.6), beside
//! OpenSearch 2.19, Elasticsearch 7.17 and 9.1.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

/// The line that people have in their configurations (with an address of its own).
const PEOPLES: &[&str] = &[
    "-h",
    "search.example.com",
    "-d",
    "logstash-%Y.%m.%d",
    "--days-previous",
    "10",
    "-p",
    "9200",
    "-c",
    "10",
    "-w",
    "2",
    "--types",
    "cloudtrail",
    "-s",
    "http",
    "-q",
    "AuthorizeSecurityGroupIngress",
    "-f",
    "eventName",
];

fn now() -> Stamp {
    Stamp::parse("2026-11-20T10:11:12.345Z").expect("an instant")
}

fn arguments(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

fn options(kind: Kind, args: &[&str]) -> Result<Options, Refusal> {
    match parse(kind, kind.command(), &arguments(args))? {
        Asked::Check(options) => Ok(*options),
        Asked::Help(_) | Asked::Version => panic!("no check: {args:?}"),
    }
}

/// What was asked, said on stderr and found.
struct Told {
    asked: Vec<Request>,
    notes: Vec<String>,
    finding: Finding,
}

/// Runs a check against a cluster that gives these answers in turn.
#[track_caller]
fn run(kind: Kind, args: &[&str], answers: &[(u16, Json)]) -> Told {
    let options = options(kind, args).unwrap_or_else(|refusal| panic!("{args:?}: {refusal}"));
    let (mut asked, mut notes, mut answers) = (Vec::new(), Vec::new(), answers.iter());
    let finding = check(
        &options,
        now(),
        &mut |request| {
            asked.push(request.clone());
            match answers.next() {
                Some((status, Json::String(text))) => Ok(Reply { status: *status, body: text.clone().into_bytes() }),
                Some((status, json)) => Ok(Reply { status: *status, body: json.to_string().into_bytes() }),
                None => Err(Failure::new("connection refused")),
            }
        },
        &mut |note| notes.push(note),
    );
    Told { asked, notes, finding }
}

fn counted(count: u64) -> (u16, Json) {
    (200, json!({"count": count, "_shards": {"total": 11, "successful": 11, "skipped": 0, "failed": 0}}))
}

fn nowhere() -> (u16, Json) {
    (200, json!({"count": 0, "_shards": {"total": 0, "successful": 0, "skipped": 0, "failed": 0}}))
}

fn averaged(value: Json) -> (u16, Json) {
    (
        200,
        json!({"took": 1, "timed_out": false, "_shards": {"total": 2, "successful": 2, "failed": 0},
            "hits": {"total": {"value": 3, "relation": "eq"}, "hits": []}, "aggregations": {"average": {"value": value}}}),
    )
}

#[track_caller]
fn says(kind: Kind, args: &[&str], answers: &[(u16, Json)], exit_code: u8, line: &str) -> Told {
    let told = run(kind, args, answers);
    assert_eq!((told.finding.exit_code, told.finding.line.as_str()), (exit_code, line), "{args:?}");
    told
}

/// A line of `count` with a window, and these arguments besides.
#[track_caller]
fn count(args: &[&str], answer: (u16, Json), exit_code: u8, line: &str) -> Told {
    let args: Vec<&str> = ["-q", "x", "-i", "a", "--hours-previous", "1"].iter().chain(args).copied().collect();
    says(Kind::Count, &args, &[answer], exit_code, line)
}

#[test]
fn the_line_of_peoples_configurations_asks_and_answers_as_it_always_did() {
    let told = says(
        Kind::Count,
        PEOPLES,
        &[counted(17)],
        2,
        "ESQueryCount CRITICAL: Query count (17) was above critical threshold. ",
    );
    let days = (10..=20).map(|day| format!("logstash-2026.11.{day}")).collect::<Vec<_>>().join(",");
    let said = ["type", "source.kind"];
    let of_type =
        said.map(|field| json!({"match": {field: {"query": "cloudtrail", "operator": "and", "lenient": true}}}));
    let none = json!({"bool": {"must_not": said.map(|field| json!({"exists": {"field": field}}))}});
    let body = json!({"query": {"bool": {
        "must": [
            {"query_string": {"default_field": "eventName", "query": "AuthorizeSecurityGroupIngress"}},
            {"range": {"@timestamp": {"gt": "2026-11-20T10:11:12||-10d", "lt": "2026-11-20T10:11:12"}}}
        ],
        "filter": [{"bool": {"should": [of_type[0], of_type[1], none], "minimum_should_match": 1}}]
    }}});
    assert_eq!(
        told.asked,
        [Request { path: format!("/{days}/_count?ignore_unavailable=true"), body: Body::Json(body) }]
    );
    assert!(told.notes.is_empty(), "{:?}", told.notes);
    says(
        Kind::Count,
        PEOPLES,
        &[counted(10)],
        1,
        "ESQueryCount WARNING: Query count (10) was above warning threshold. ",
    );
    says(Kind::Count, PEOPLES, &[counted(2)], 0, "ESQueryCount OK: Query count (2) was ok");
}

#[test]
fn critical_comes_first_and_a_threshold_itself_is_still_fine() {
    for (args, number, code, line) in [
        (&["-w", "5", "-c", "10"][..], 11, 2, "ESQueryCount CRITICAL: Query count (11) was above critical threshold. "),
        (&["-w", "5", "-c", "10"], 10, 1, "ESQueryCount WARNING: Query count (10) was above warning threshold. "),
        (&["-w", "5", "-c", "10"], 5, 0, "ESQueryCount OK: Query count (5) was ok"),
        // The defaults are 0 and 0.
        (&[], 1, 2, "ESQueryCount CRITICAL: Query count (1) was above critical threshold. "),
        // With -c alone nothing but 0 is OK: -w is 0 too.
        (&["-c", "10"], 1, 1, "ESQueryCount WARNING: Query count (1) was above warning threshold. "),
        // With -w alone nothing is ever a warning.
        (&["-w", "10"], 1, 2, "ESQueryCount CRITICAL: Query count (1) was above critical threshold. "),
        (
            &["--invert", "-w", "100", "-c", "1"],
            0,
            2,
            "ESQueryCount CRITICAL: Query count (0) was below critical threshold. ",
        ),
        (
            &["--invert", "-w", "100", "-c", "1"],
            1,
            1,
            "ESQueryCount WARNING: Query count (1) was below warning threshold. ",
        ),
        (&["--invert", "-w", "100", "-c", "1"], 100, 0, "ESQueryCount OK: Query count (100) was ok"),
        (&["--invert"], 7, 0, "ESQueryCount OK: Query count (7) was ok"),
        (&["-c", "-1"], 0, 2, "ESQueryCount CRITICAL: Query count (0) was above critical threshold. "),
    ] {
        count(args, counted(number), code, line);
    }
}

#[test]
fn whatever_goes_wrong_is_unknown_and_one_line() {
    let shards = |failed: u64| json!({"total": 11, "successful": 11 - failed, "failed": failed});
    for (status, answer, text) in [
        (
            404,
            json!({"error": {"root_cause": [{"type": "index_not_found_exception", "reason": "no such index [a]"}]}, "status": 404}),
            "[404] index_not_found_exception: no such index [a]",
        ),
        (
            400,
            json!({"error": {"root_cause": [{"type": "query_shard_exception", "reason": "Failed to parse query [(]"}],
                "type": "search_phase_execution_exception", "reason": "all shards failed"}}),
            "[400] query_shard_exception: Failed to parse query [(]",
        ),
        (
            401,
            json!({"error": {"type": "security_exception", "reason": "missing\nlogin"}}),
            "[401] security_exception: missing\\nlogin: look at -u, -P and -H",
        ),
        (403, json!({"error": "Forbidden"}), "[403] Forbidden: look at -u, -P and -H"),
        (503, json!({"error": {"type": "x"}}), "[503] x: the cluster has too much to do"),
        (
            502,
            json!("<html>\n<h1>Bad Gateway</h1>"),
            "[502] no answer of Elasticsearch or OpenSearch: \"<html>\\n<h1>Bad Gateway</h1>\": look at -h, -p and -s",
        ),
        (200, json!("<html>"), "[200] no answer of Elasticsearch or OpenSearch: \"<html>\": look at -h, -p and -s"),
        (200, json!(""), "[200] no answer of Elasticsearch or OpenSearch: \"\": look at -h, -p and -s"),
        (200, json!({}), "[200] no answer of Elasticsearch or OpenSearch: \"{}\": look at -h, -p and -s"),
        (
            200,
            json!({"count": 0}),
            "[200] no answer of Elasticsearch or OpenSearch: \"{\"count\":0}\": look at -h, -p and -s",
        ),
        (302, json!("moved"), "[302] no answer of Elasticsearch or OpenSearch: \"moved\": look at -h, -p and -s"),
        (
            200,
            json!({"count": 0, "_shards": {"total": 11, "failed": 2, "failures": [{"reason": {"type": "t", "reason": "r"}}]}}),
            "2 of 11 shards did not answer: t: r",
        ),
        (
            200,
            json!({"count": 0, "timed_out": true, "_shards": shards(0)}),
            "the cluster did not look through all of it in time",
        ),
        (
            200,
            json!({"count": 0, "terminated_early": true, "_shards": shards(0)}),
            "the cluster did not look through all of it in time",
        ),
    ] {
        // Also where the plugin's own answer is wanted, but for what is not there.
        for args in [&[][..], &["--invert"], &["--strict-compat", "--invert"]] {
            count(args, (status, answer.clone()), 3, &format!("Check failed to run: {text}"));
        }
    }
    says(Kind::Count, &["-q", "x", "--days-previous", "1"], &[], 3, "Check failed to run: connection refused");
    let long = count(&[], (400, json!({"error": {"type": "t", "reason": "\u{202e}".repeat(9_000)}})), 3, &{
        let mark = "\\u{202e}".repeat(500 - "[400] t: ".len());
        format!("Check failed to run: [400] t: {mark}")
    });
    assert!(!long.finding.line.contains('\u{202e}'));
}

#[test]
fn a_missing_index_is_not_ok() {
    let args = ["-q", "x", "-d", "logstash-%Y.%m.%d", "--days-previous", "1"];
    let with = |more: &[&'static str]| args.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
    says(
        Kind::Count,
        &args,
        &[nowhere()],
        3,
        "ESQueryCount UNKNOWN: there is no index logstash-2026.11.19 … logstash-2026.11.20: nothing was looked at; look at -i and -d",
    );
    says(Kind::Count, &with(&["--strict-compat"]), &[nowhere()], 0, "ESQueryCount OK: Query count (0) was ok");
    // That nothing is there is what this one fires for.
    let inverted = with(&["--invert", "-c", "1"]);
    says(
        Kind::Count,
        &inverted,
        &[nowhere()],
        2,
        "ESQueryCount CRITICAL: Query count (0) was below critical threshold. ",
    );
    // What a server says that does not pass over them.
    let gone = (404, json!({"error": {"type": "index_not_found_exception", "reason": "no such index"}}));
    says(
        Kind::Count,
        &with(&["--strict-compat"]),
        std::slice::from_ref(&gone),
        0,
        "ESQueryCount OK: No results found, count was below thresholds",
    );
    says(
        Kind::Average,
        &with(&["--strict-compat", "-a", "took"]),
        std::slice::from_ref(&gone),
        0,
        "ESQueryAverage OK: No results found, average was below thresholds",
    );
    let failed = "Check failed to run: [404] index_not_found_exception: no such index";
    says(Kind::Count, &args, std::slice::from_ref(&gone), 3, failed);
    says(Kind::Count, &with(&["--strict-compat", "--invert"]), &[gone], 3, failed);
}

#[test]
fn without_a_window_the_query_is_asked_all_the_same() {
    let told = says(
        Kind::Count,
        &["-q", "x"],
        &[counted(3)],
        2,
        "ESQueryCount CRITICAL: Query count (3) was above critical threshold. ",
    );
    let body = json!({"query": {"bool": {"must": [{"query_string": {"default_field": "message", "query": "x"}}]}}});
    assert_eq!(
        told.asked,
        [Request { path: "/_all/_count?ignore_unavailable=true".to_owned(), body: Body::Json(body) }]
    );
    assert_eq!(
        told.notes,
        ["without --*-previous all times are looked at; the plugin drops the query there and counts everything"]
    );
    let told = says(
        Kind::Count,
        &["-q", "x", "--strict-compat"],
        &[counted(3)],
        2,
        "ESQueryCount CRITICAL: Query count (3) was above critical threshold. ",
    );
    assert_eq!(told.asked, [Request { path: "/_all/_count?ignore_unavailable=true".to_owned(), body: Body::None }]);
    assert_eq!(told.notes, ["without --*-previous the query is dropped and everything is counted (--strict-compat)"]);
}

/// The path of the first request of `count` with these arguments.
#[track_caller]
fn path(args: &[&str]) -> String {
    let args: Vec<&str> = ["-q", "x"].iter().chain(args).copied().collect();
    run(Kind::Count, &args, &[counted(0)]).asked.first().expect("a request").path.clone()
}

/// What the range of the first request excludes.
#[track_caller]
fn range(args: &[&str]) -> Json {
    let args: Vec<&str> = ["-q", "x"].iter().chain(args).copied().collect();
    let told = run(Kind::Count, &args, &[counted(0)]);
    match &told.asked.first().expect("a request").body {
        Body::Json(body) => body["query"]["bool"]["must"][1]["range"].clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn indices_are_named_over_the_window_in_utc() {
    for (args, names) in [
        (&["-i", "a,b-*"][..], "a,b-*"),
        (&["-i", "a", "-d", "l-%Y", "--days-previous", "9"], "a"),
        (&["-i", ""], "_all"),
        (&[], "_all"),
        (&["-i", "a b/../c?x=#", "--days-previous", "1"], "a%20b%2F..%2Fc%3Fx%3D%23"),
        (&["-i", "<logstash-{now/d}>"], "%3Clogstash-%7Bnow%2Fd%7D%3E"),
        (&["-d", "l-%Y.%m.%d"], "l-2026.11.20"),
        (&["-d", "l-%Y.%m.%d", "--hours-previous", "3"], "l-2026.11.20"),
        // From the evening before: the step of a day passes over today, which is added.
        (&["-d", "l-%Y.%m.%d", "--hours-previous", "11"], "l-2026.11.19,l-2026.11.20"),
        (&["-d", "l-%Y.%m.%d", "--hours-previous", "11", "--repeat-daily"], "l-2026.11.19,l-2026.11.20"),
        (&["-d", "l-%Y.%m.%d", "--days-previous", "1", "--weeks-previous", "0"], "l-2026.11.19,l-2026.11.20"),
        (&["-d", "l-%Y.%m", "--months-previous", "2"], "l-2026.09,l-2026.10,l-2026.11"),
        (&["-d", "l-%Y.%W", "--weeks-previous", "2"], "l-2026.44,l-2026.45,l-2026.46"),
        (&["-d", "l-%Y.%m.%d", "--offset", "86400"], "l-2026.11.19"),
        (
            &["-d", "l-%Y.%m.%d.%H", "--hours-previous", "2", "--repeat-hourly"],
            "l-2026.11.20.08,l-2026.11.20.09,l-2026.11.20.10",
        ),
        // The plugin looks at 08 and 10 here, and never at what lies between.
        (&["-d", "l-%Y.%m.%d.%H", "--hours-previous", "2"], "l-2026.11.20.08,l-2026.11.20.09,l-2026.11.20.10"),
        (&["-d", "l-%Y.%m.%d.%H", "--hours-previous", "2", "--strict-compat"], "l-2026.11.20.08,l-2026.11.20.10"),
    ] {
        assert_eq!(path(args), format!("/{names}/_count?ignore_unavailable=true"), "{args:?}");
    }
}

#[test]
fn the_window_is_told_as_the_plugin_tells_it() {
    let span = |gt: &str, lt: &str| json!({"@timestamp": {"gt": gt, "lt": lt}});
    let now = "2026-11-20T10:11:12";
    for (args, expected) in [
        (&["--minutes-previous", "90"][..], span("2026-11-20T10:11:12||-90m", now)),
        (
            &[
                "--months-previous",
                "1",
                "--weeks-previous",
                "2",
                "--days-previous",
                "3",
                "--hours-previous",
                "4",
                "--minutes-previous",
                "5",
            ],
            span("2026-11-20T10:11:12||-5m-4h-3d-2w-1M", now),
        ),
        (&["--hours-previous", "1", "--offset", "60"], span("2026-11-20T10:10:12||-1h", "2026-11-20T10:10:12")),
        (
            &["--hours-previous", "1", "--timestamp-field", "when"],
            json!({"when": {"gt": "2026-11-20T10:11:12||-1h", "lt": now}}),
        ),
        (
            &["--timestamp_field", "when", "--hours_previous", "1"],
            json!({"when": {"gt": "2026-11-20T10:11:12||-1h", "lt": now}}),
        ),
    ] {
        assert_eq!(range(args), expected, "{args:?}");
    }
}

/// The plugin reckons 217 days for a month of names, and those no longer fit into an address.
#[test]
fn a_calendar_month_is_named_by_its_days_and_a_year_goes_by_the_body() {
    let month = path(&["-d", "l-%Y.%m.%d", "--months-previous", "1"]);
    assert!(month.starts_with("/l-2026.10.20,") && month.contains(",l-2026.11.20/_count"), "{month}");
    assert_eq!(month.matches(',').count(), 31);
    let answer = json!({"responses": [{"status": 200, "timed_out": false, "hits": {"total": {"value": 12, "relation": "eq"}, "hits": []},
        "_shards": {"total": 365, "successful": 365, "failed": 0}}]});
    let args = ["-q", "x", "-d", "logstash-%Y.%m.%d", "--days-previous", "365"];
    let told = says(
        Kind::Count,
        &args,
        &[(200, answer)],
        2,
        "ESQueryCount CRITICAL: Query count (12) was above critical threshold. ",
    );
    let Request { path, body: Body::Lines(lines) } = &told.asked[0] else { panic!("{:?}", told.asked) };
    assert_eq!(path, "/_msearch");
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0]["index"].as_array().map(Vec::len), Some(366));
    assert_eq!(lines[0]["ignore_unavailable"], json!(true));
    assert_eq!((&lines[1]["size"], &lines[1]["track_total_hits"]), (&json!(0), &json!(true)));
    // An error among the answers is an error, and a number that is only a lower bound is none.
    for one in [
        json!({"status": 400, "error": {"type": "t", "reason": "r"}}),
        json!({"hits": {"total": {"value": 10_000, "relation": "gte"}}, "_shards": {"total": 1, "failed": 0}}),
        json!({"hits": {"total": {"value": 1, "relation": "eq"}}, "_shards": {"total": 2, "failed": 1}}),
    ] {
        assert_eq!(run(Kind::Count, &args, &[(200, json!({"responses": [one]}))]).finding.exit_code, 3);
    }
    assert_eq!(run(Kind::Count, &args, &[(200, json!({"responses": []}))]).finding.exit_code, 3);
}

#[test]
fn a_window_without_end_is_refused() {
    for args in [
        &["-d", "l", "--days-previous", "99999999999999999999"][..],
        &["-d", "l", "--months-previous", "9000000000"],
        &["--offset", "-9223372036854775808"],
        &["-d", "l-%Y.%m.%d.%H", "--days-previous", "20000"],
        &["-d", "l-%s", "--repeat-hourly", "--weeks-previous", "2600"],
    ] {
        let args: Vec<&str> = ["-q", "x"].iter().chain(args).copied().collect();
        let told = run(Kind::Count, &args, &[counted(0)]);
        assert_eq!((told.finding.exit_code, told.asked.len()), (3, 0), "{args:?}: {}", told.finding.line);
    }
}

#[test]
fn types_that_are_empty_are_none_and_several_are_any_of_them() {
    let filter = |types: &str| {
        let told = run(Kind::Count, &["-q", "x", "--types", types], &[counted(0)]);
        match &told.asked[0].body {
            Body::Json(body) => body["query"]["bool"]["filter"][0]["bool"]["should"].as_array().map(Vec::len),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(filter(" , "), None);
    assert_eq!(filter("cloudtrail"), Some(3));
    assert_eq!(filter("cloudtrail, auth"), Some(5));
}

#[test]
fn a_field_that_nobody_has_is_said() {
    let fields = |known: Json| (200, json!({"indices": [], "fields": known}));
    let args = ["-q", "x", "-f", "evntName", "-i", "a", "--days-previous", "1"];
    let told = says(Kind::Count, &args, &[counted(0), fields(json!({}))], 0, "ESQueryCount OK: Query count (0) was ok");
    assert_eq!(told.asked[1].path, "/a/_field_caps?ignore_unavailable=true&fields=evntName");
    assert_eq!(
        told.notes,
        ["no index that was looked at has the field \"evntName\": words without a field find nothing; look at -f"]
    );
    let known = fields(json!({"evntName": {"text": {}}}));
    assert!(
        says(Kind::Count, &args, &[counted(0), known], 0, "ESQueryCount OK: Query count (0) was ok").notes.is_empty()
    );
    // Advice that cannot be had changes nothing.
    let denied = (403, json!({"error": "no"}));
    assert!(
        says(Kind::Count, &args, &[counted(0), denied], 0, "ESQueryCount OK: Query count (0) was ok").notes.is_empty()
    );
}

#[test]
fn a_link_is_added_as_it_was() {
    let args = [
        "-q",
        "a b:\"c\"",
        "-d",
        "logstash-%Y.%m.%d",
        "--days-previous",
        "1",
        "--kibana-url",
        "https://kibana.example.com",
    ];
    let link = "Kibana logs: https://kibana.example.com/#/discover?_g=(refreshInterval:(display:Off,section:0,value:0),\
        time:(from:'2026-11-19T10:11:12.000Z',mode:absolute,to:'2026-11-20T10:11:12.000Z'))&_a=(columns:!(_source),\
        index:[logstash-]YYYY.MM.DD,interval:auto,query:(query_string:(analyze_wildcard:!t,query:'a%20b:%22c%22')),\
        sort:!('@timestamp',desc))&dummy";
    let line = format!("ESQueryCount CRITICAL: Query count (17) was above critical threshold. {link}");
    says(Kind::Count, &args, &[counted(17)], 2, &line);
    says(Kind::Count, &args, &[counted(0)], 0, "ESQueryCount OK: Query count (0) was ok");
    let ratio =
        ["-Q", "x", "-q", "y", "-i", "a-*", "--months-previous", "1", "--timestamp-field", "when", "--kibana-url", "u"];
    let told = run(Kind::Ratio, &ratio, &[counted(1), counted(2)]);
    for part in ["from:'2026-10-20T10:11:12.000Z'", ",index:a-*,", "query:'y'", "sort:!('when',desc)"] {
        assert!(told.finding.line.contains(part), "{part}: {}", told.finding.line);
    }
}

#[test]
fn an_average_is_compared_and_printed_as_ruby_prints_it() {
    let args = |more: &[&'static str]| {
        ["-q", "*", "-a", "took", "-i", "a", "--hours-previous", "1"].iter().chain(more).copied().collect::<Vec<_>>()
    };
    let told = says(
        Kind::Average,
        &args(&["-c", "0.250", "-w", "0.120"]),
        &[averaged(json!(0.2))],
        1,
        "ESQueryAverage WARNING: Query average (0.2) was above warning threshold. ",
    );
    let body = json!({"size": 0,
        "query": {"bool": {"must": [
            {"query_string": {"default_field": "message", "query": "*"}},
            {"range": {"@timestamp": {"gt": "2026-11-20T10:11:12||-1h", "lt": "2026-11-20T10:11:12"}}}
        ]}},
        "aggregations": {"average": {"avg": {"field": "took"}}}});
    assert_eq!(told.asked, [Request { path: "/a/_search?ignore_unavailable=true".to_owned(), body: Body::Json(body) }]);
    for (more, value, code, line) in [
        (
            &["-c", "0.250", "-w", "0.120"][..],
            json!(0.25),
            1,
            "WARNING: Query average (0.25) was above warning threshold. ",
        ),
        (
            &["-c", "0.250", "-w", "0.120"],
            json!(0.3),
            2,
            "CRITICAL: Query average (0.3) was above critical threshold. ",
        ),
        (&["-c", "20", "-w", "20"], json!(12.0), 0, "OK: Query average (12.0) was ok"),
        (&["-c", "20", "-w", "20"], json!(12), 0, "OK: Query average (12) was ok"),
        (
            &["--invert", "-c", "1", "-w", "2"],
            json!(0.00001),
            2,
            "CRITICAL: Query average (1.0e-05) was below critical threshold. ",
        ),
    ] {
        says(Kind::Average, &args(more), &[averaged(value)], code, &format!("ESQueryAverage {line}"));
    }
    // Without a query the average of all; the plugin's own request has no query then, and is refused.
    let told = run(Kind::Average, &["-a", "took"], &[averaged(json!(1.0))]);
    let Body::Json(body) = &told.asked[0].body else { panic!("{:?}", told.asked) };
    assert_eq!(body["query"]["bool"]["must"][0]["query_string"]["query"], json!("*:*"));
    // Word for word of OpenSearch 3.3.0.
    let stopped = json!({"took": 6, "timed_out": false, "terminated_early": true,
        "_shards": {"total": 3, "successful": 3, "skipped": 0, "failed": 0},
        "hits": {"total": {"value": 17, "relation": "eq"}, "max_score": null, "hits": []},
        "aggregations": {"average": {"value": 12.0}}});
    let line = "ESQueryAverage OK: Query average (12.0) was ok";
    says(Kind::Average, &args(&["-c", "20", "-w", "20"]), &[(200, stopped)], 0, line);
    // Nothing to take an average of.
    says(
        Kind::Average,
        &args(&[]),
        &[averaged(Json::Null)],
        3,
        "Check failed to run: no document that was found has a number in \"took\": look at -a",
    );
}

#[test]
fn a_ratio_is_of_two_counts() {
    let args = |more: &[&'static str]| {
        ["-Q", "bad", "-q", "*", "-i", "a", "--hours-previous", "1"].iter().chain(more).copied().collect::<Vec<_>>()
    };
    let told = says(
        Kind::Ratio,
        &args(&["-c", "0.5", "-w", "0.1"]),
        &[counted(1), counted(3)],
        1,
        "ESQueryRatio WARNING: Query count (0.3333333333333333) was above warning threshold. ",
    );
    let query = |request: &Request| match &request.body {
        Body::Json(body) => body["query"]["bool"]["must"][0]["query_string"]["query"].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(told.asked.iter().map(query).collect::<Vec<_>>(), ["bad", "*"]);
    says(
        Kind::Ratio,
        &args(&["-c", "1", "-w", "1"]),
        &[counted(3), counted(3)],
        0,
        "ESQueryRatio OK: Query count (1.0) was ok",
    );
    let zero = [counted(1), counted(0)];
    says(
        Kind::Ratio,
        &args(&[]),
        &zero,
        2,
        "ESQueryRatio CRITICAL: Divisor is 0, ratio check cannot be performed, raising an alert",
    );
    says(
        Kind::Ratio,
        &args(&["-z"]),
        &zero,
        0,
        "ESQueryRatio OK: Divisor is 0, ratio check cannot be performed, failing safe with ok",
    );
    // Fails safe, but not where nobody looked.
    assert_eq!(run(Kind::Ratio, &args(&["-z"]), &[nowhere(), nowhere()]).finding.exit_code, 3);
    assert_eq!(run(Kind::Ratio, &args(&["-z", "--strict-compat"]), &[nowhere(), nowhere()]).finding.exit_code, 0);
}

#[test]
fn a_document_is_there_or_not() {
    let there = (200, json!({"_index": "a", "_id": "1", "found": true}));
    let not = (404, json!({"_index": "a", "_id": "1", "found": false}));
    let gone =
        (404, json!({"error": {"type": "index_not_found_exception", "reason": "no such index [a]"}, "status": 404}));
    let args = |more: &[&'static str]| ["--id", "a/1", "-i", "a"].iter().chain(more).copied().collect::<Vec<_>>();
    for (more, answer, code, line) in [
        (&[][..], &there, 0, "ESQueryExists OK"),
        (&[], &not, 2, "ESQueryExists CRITICAL"),
        (&["-w"], &not, 1, "ESQueryExists WARNING"),
        (&["--invert"], &there, 2, "ESQueryExists CRITICAL"),
        (&["--invert", "--warn"], &there, 1, "ESQueryExists WARNING"),
        (&["--invert"], &not, 0, "ESQueryExists OK"),
        (&[], &gone, 2, "ESQueryExists CRITICAL"),
        (&["--invert", "--strict-compat"], &gone, 0, "ESQueryExists OK"),
        (
            &["--invert"],
            &gone,
            3,
            "ESQueryExists UNKNOWN: there is no index a: nothing was looked at; look at -i and -d",
        ),
    ] {
        let told = says(Kind::Exists, &args(more), std::slice::from_ref(answer), code, line);
        assert_eq!(told.asked, [Request { path: "/a/_doc/a%2F1?_source=false".to_owned(), body: Body::None }]);
    }
    // Several indices have no document of one id to ask for: all are looked through.
    let hits = |count: u64| {
        (
            200,
            json!({"timed_out": false, "_shards": {"total": 2, "failed": 0}, "hits": {"total": {"value": count, "relation": "eq"}}}),
        )
    };
    let told = says(Kind::Exists, &["--id", "1", "-i", "a-*"], &[hits(1)], 0, "ESQueryExists OK");
    let body = json!({"size": 0, "track_total_hits": true, "query": {"ids": {"values": ["1"]}}});
    assert_eq!(
        told.asked,
        [Request { path: "/a-*/_search?ignore_unavailable=true".to_owned(), body: Body::Json(body) }]
    );
    says(Kind::Exists, &["--id", "1", "-i", "a,b"], &[hits(0)], 2, "ESQueryExists CRITICAL");
    // A name that stands for several.
    let alias =
        (400, json!({"error": {"type": "illegal_argument_exception", "reason": "alias [a] has more than one index"}}));
    says(Kind::Exists, &args(&[]), &[alias, hits(1)], 0, "ESQueryExists OK");
    says(
        Kind::Exists,
        &args(&[]),
        &[(401, json!({"error": "no"}))],
        3,
        "Check failed to run: [401] no: look at -u, -P and -H",
    );
    says(
        Kind::Exists,
        &args(&["--invert"]),
        &[(200, json!("<html>"))],
        3,
        "Check failed to run: [200] no answer of Elasticsearch or OpenSearch: \"<html>\": look at -h, -p and -s",
    );
    says(
        Kind::Exists,
        &args(&["--invert"]),
        &[(404, json!("<html>"))],
        3,
        "ESQueryExists UNKNOWN: there is no index a: nothing was looked at; look at -i and -d",
    );
}

/// Each way of writing an option that Ruby's parser takes, to what it means.
#[test]
fn options_are_read_as_ruby_reads_them() {
    let read = |args: &[&str]| options(Kind::Count, &[&["-q", "x"], args].concat()).expect("options");
    assert_eq!(read(&["-h", "a"]).host, "a");
    assert_eq!(read(&["-ha"]).host, "a");
    assert_eq!(read(&["--host=a=b"]).host, "a=b");
    assert_eq!(read(&["-h=a"]).host, "=a");
    assert_eq!(read(&["--hos", "a"]).host, "a");
    assert_eq!(read(&["--HOST", "a"]).host, "a");
    assert_eq!(read(&["-h", "a", "-h", "b"]).host, "b");
    assert_eq!(read(&[]).host, "localhost");
    assert_eq!(read(&["--d-p", "7"]).days, 7);
    assert_eq!(read(&["--days", "7"]).days, 7);
    assert_eq!(read(&["-o", "7"]).offset_seconds, 7);
    // Ours are no reason why these would not do any more.
    assert_eq!(read(&["--c", "7"]).crit, options::Threshold::Whole(7));
    assert_eq!(read(&["--s", "https"]).scheme.as_deref(), Some("https"));
    assert!(read(&["--det", "--strict"]).has_details);
    // A value is whatever stands next.
    assert_eq!(read(&["-q", "--invert"]).query.as_deref(), Some("--invert"));
    assert_eq!(read(&["-q", "-x"]).query.as_deref(), Some("-x"));
    assert_eq!(read(&["-q", ""]).query.as_deref(), Some(""));
    let passed = read(&["logstash", "--invert", "*", "--", "-z"]);
    assert!(passed.is_inverted);
    assert_eq!(passed.notes.len(), 3, "{:?}", passed.notes);
    let taken = read(&["-c", "10%"]);
    assert_eq!(taken.crit, options::Threshold::Whole(10));
    assert_eq!(taken.notes, ["--crit \"10%\" is taken for 10, as the plugin does"]);
    let ratio = options(Kind::Ratio, &["-Q", "a", "-q", "b", "-zw5"]).expect("options");
    assert!(ratio.is_zero_ok);
    assert_eq!(ratio.warn, options::Threshold::Any(5.0));
}

#[test]
fn wrong_options_end_as_in_the_plugin() {
    for (kind, args, code, text) in [
        (Kind::Count, &["-q", "x", "--nonsense"][..], 3, "Invalid check argument(s): invalid option: --nonsense"),
        (Kind::Count, &["-q", "x", "-Z"], 3, "Invalid check argument(s): invalid option: -Z"),
        (Kind::Exists, &["--id", "x", "-q", "y"], 3, "Invalid check argument(s): invalid option: -q"),
        (Kind::Count, &["-q"], 3, "Check failed to run: missing argument: -q"),
        (Kind::Count, &["-q", "x", "--crit"], 3, "Check failed to run: missing argument: --crit"),
        (Kind::Count, &["-q", "x", "--re", "1"], 3, "Check failed to run: ambiguous option: --re"),
        (Kind::Count, &["-q", "x", "--invert=1"], 3, "Check failed to run: needless argument: --invert=1"),
        (
            Kind::Count,
            &["-q", "x", "-c", "ten"],
            3,
            "Check failed to run: invalid argument: --crit ten: it takes a number",
        ),
        (
            Kind::Count,
            &["--days-previous", "a week", "-q", "x"],
            3,
            "Check failed to run: invalid argument: --days-previous a week: it takes a number",
        ),
    ] {
        let refusal = options(kind, args).err().expect("a refusal");
        assert_eq!((refusal.exit_code(), refusal.to_string().as_str()), (code, text), "{args:?}");
    }
    // Monitoring takes 2 for CRITICAL; so the plugin has it.
    for (kind, args, first) in [
        (Kind::Count, &[][..], "You must supply -q QUERY!\nUsage: check-es-query-count (options)\n"),
        (Kind::Exists, &[], "You must supply --id ID!\nUsage: check-es-query-exists (options)\n"),
        (Kind::Average, &["-q", "x"], "You must supply -a FIELD!\nUsage: check-es-query-average (options)\n"),
        (Kind::Ratio, &["-q", "x"], "You must supply -Q QUERY!\nUsage: check-es-query-ratio (options)\n"),
        (Kind::Ratio, &["-Q", "x"], "You must supply -q QUERY!\nUsage: check-es-query-ratio (options)\n"),
    ] {
        let refusal = options(kind, args).err().expect("a refusal");
        assert_eq!(refusal.exit_code(), 2);
        assert!(refusal.to_string().starts_with(first), "{refusal}");
    }
    let ten = options(Kind::Count, &["-q", "x", "-c", "ten", "--strict-compat"]).expect("as the plugin");
    assert_eq!(ten.crit, options::Threshold::Whole(0));
}

#[test]
fn only_help_is_help() {
    let parsed = |args: &[&str]| parse(Kind::Count, "check-es-query-count.rb", &arguments(args));
    let Ok(Asked::Help(usage)) = parsed(&["--help"]) else { panic!("no help") };
    assert!(usage.starts_with("Usage: check-es-query-count.rb (options)\n    -h, --host HOST"), "{usage}");
    assert!(usage.contains("    -q, --query QUERY"), "{usage}");
    assert!(matches!(parsed(&["--version"]), Ok(Asked::Version)));
    assert!(matches!(parsed(&["-h"]), Err(Refusal::Bad(_))));
}

#[test]
fn a_check_is_known_by_its_name() {
    assert_eq!(Kind::of_program("check-es-query-count"), Some(Kind::Count));
    assert_eq!(Kind::of_program("check-es-query-ratio.rb"), Some(Kind::Ratio));
    assert_eq!(Kind::of_program("check-es-query"), None);
    assert_eq!(Kind::of_program("whodid"), None);
}

proptest! {
    /// Whatever is given and answered: an end, one line, and never OK of an answer that is none.
    #[test]
    fn nothing_makes_a_check_fall_over(
        args in prop::collection::vec("-{0,2}[a-zA-Z-]{0,12}=?|[0-9]{1,20}|\\PC{0,12}|%[-_^0-9]{0,4}[a-zA-Z]", 0..8),
        status in 100_u16..600,
        body in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        for kind in Kind::ALL {
            let needed = ["-q", "x", "-Q", "y", "-a", "f", "--id", "i"].map(str::to_owned);
            let known: Vec<String> = needed.chunks(2).filter(|pair| {
                usage(kind, "x").lines().any(|line| line.contains(&format!("{}{}", pair[0], if pair[0].len() > 2 { " " } else { "," })))
            }).flatten().cloned().chain(args.iter().cloned()).collect();
            let Ok(Asked::Check(options)) = parse(kind, "x", &known) else { continue };
            let reply = Reply { status, body: body.clone() };
            let finding = check(&options, now(), &mut |_| Ok(reply.clone()), &mut |_| ());
            prop_assert!(!finding.line.chars().any(char::is_control), "{finding:?}");
            prop_assert!(finding.exit_code != 0 || options.is_strict, "{finding:?}");
        }
    }
}
