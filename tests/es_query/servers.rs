//! The checks on real servers, with documents as Logstash, Filebeat and whodid write them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::sync::OnceLock;

use chrono::TimeDelta;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use whodid::clock::Clock;
use whodid::config::index::{Elastic, Names};
use whodid::event::Stamp;

use super::{PROGRAM, check};
use crate::program::Said;
#[cfg(feature = "aws")]
use crate::servers::sigv4;
use crate::servers::tls::{Door, Tls};
use crate::servers::{Kind, Server, each_kind, in_turn, shared};

/// The documents of these tests on one server, below names that nobody else has.
struct Store {
    server: &'static Server,
    now: Stamp,
}

/// So many seconds ago, in the form that Logstash has.
fn ago(now: Stamp, seconds: i64) -> (String, String) {
    let at = now.minus(TimeDelta::seconds(seconds)).instant();
    (at.format("%Y.%m.%d").to_string(), at.format("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

const HOUR: i64 = 3_600;

impl Store {
    /// Filled by the first test that needs it.
    fn on(kind: Kind) -> Self {
        static FILLED: [OnceLock<()>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
        let at = Kind::ALL.iter().position(|known| *known == kind).expect("all are listed");
        let store = Self { server: shared(kind), now: Clock::System.now() };
        FILLED[at].get_or_init(|| store.fill());
        store
    }

    fn fill(&self) {
        for n in 0..17_i64 {
            let who = if n < 12 { "alice" } else { "bob" };
            self.put("esq-logstash", &format!("sg{n}"), HOUR * (3 * n + 1), |when| {
                json!({"@timestamp": when, "type": "cloudtrail", "eventName": "AuthorizeSecurityGroupIngress",
                    "userIdentity": {"type": "IAMUser", "userName": who}, "sourceIPAddress": "198.51.100.7",
                    "awsRegion": "eu-central-1", "recipientAccountId": "111122223333", "took": 1.5 * n as f64})
            });
        }
        for n in 0..4_i64 {
            self.put("esq-logstash", &format!("sy{n}"), HOUR * (5 * n + 2), |when| {
                json!({"@timestamp": when, "type": "syslog", "eventName": "AuthorizeSecurityGroupIngress",
                    "message": "disk full on web-1"})
            });
        }
        // Outside of ten days.
        self.put(
            "esq-logstash",
            "old",
            24 * HOUR * 12,
            |when| json!({"@timestamp": when, "type": "cloudtrail", "eventName": "AuthorizeSecurityGroupIngress"}),
        );
        for n in 0..3_i64 {
            self.put("esq-filebeat", &format!("fb{n}"), HOUR * (n + 1), |when| {
                json!({"@timestamp": when, "event": {"action": "added-user", "outcome": "success"}, "user": {"name": "carol"},
                    "host": {"name": "db-1"}, "message": "new user: name=mallory\u{1b}[2J | uid=0"})
            });
        }
        let names = Names::new("esq-whodid-%Y.%m.%d").expect("a pattern");
        let settings = Elastic { names, ..Elastic::at(vec![self.server.url.clone()]) };
        let template = whodid::index::elastic::template(&settings);
        let (status, answer) = self.server.ask("PUT", "/_index_template/esq-whodid", Some(&template));
        assert_eq!(status, 200, "{answer}");
        for n in 0..5_i64 {
            self.put("esq-whodid", &format!("wd{n}"), HOUR * (n + 1), |when| {
                json!({"when": when, "who": {"name": "alice", "ip": "198.51.100.7"}, "what": {"action": "AuthorizeSecurityGroupIngress"},
                    "where": {"account": "111122223333", "region": "eu-central-1"}, "outcome": "success",
                    "source": {"kind": "cloudtrail"}, "words": {"raw": "eventname authorizesecuritygroupingress 0 0 0 0 0"}})
            });
        }
        self.put("esq-whodid", "login", HOUR, |when| {
            json!({"when": when, "who": {"name": "bob"}, "what": {"action": "ssh.login"}, "where": {"host": "web-1"},
                "outcome": "failure", "source": {"kind": "auth"}, "words": {"raw": "failed password for bob"}})
        });
        let (status, answer) = self.server.ask("POST", "/esq-*/_refresh", None);
        assert_eq!(status, 200, "{answer}");
    }

    fn put(&self, prefix: &str, id: &str, seconds: i64, document: impl Fn(&str) -> Json) {
        let (day, when) = ago(self.now, seconds);
        let (status, answer) = self.server.ask("PUT", &format!("/{prefix}-{day}/_doc/{id}"), Some(&document(&when)));
        assert_eq!(status, 201, "{answer}");
    }

    fn check(&self, name: &str, args: &[&str]) -> Said {
        let port = self.server.address().rsplit(':').next().expect("a port");
        check(name, &[&["-h", "127.0.0.1", "-p", port, "-s", "http"], args].concat())
    }

    #[track_caller]
    fn says(&self, name: &str, args: &[&str], code: i32, line: &str) -> Said {
        let said = self.check(name, args);
        assert_eq!((said.code_of(), said.out_of()), (Some(code), format!("{line}\n").as_str()), "{args:?} {said:?}");
        said
    }

    #[track_caller]
    fn count(&self, args: &[&str], code: i32, line: &str) -> Said {
        self.says("check-es-query-count", args, code, &format!("ESQueryCount {line}"))
    }
}

fn peoples_line(kind: Kind) {
    let store = Store::on(kind);
    let line = [
        "-d",
        "esq-logstash-%Y.%m.%d",
        "--days-previous",
        "10",
        "-c",
        "10",
        "-w",
        "2",
        "-q",
        "AuthorizeSecurityGroupIngress",
        "-f",
        "eventName",
    ];
    let with = |more: &[&'static str]| line.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
    let of_cloudtrail = with(&["--types", "cloudtrail"]);
    let said = store.count(&of_cloudtrail, 2, "CRITICAL: Query count (17) was above critical threshold. ");
    assert_eq!(said.err, "");
    store.count(&line, 2, "CRITICAL: Query count (21) was above critical threshold. ");
    store.count(&with(&["--types", "syslog"]), 1, "WARNING: Query count (4) was above warning threshold. ");
    store.count(
        &with(&["--types", "syslog,cloudtrail"]),
        2,
        "CRITICAL: Query count (21) was above critical threshold. ",
    );
    store.count(&with(&["--types", "other"]), 0, "OK: Query count (0) was ok");
    store.count(
        &with(&["--days-previous", "13", "--types", "cloudtrail"]),
        2,
        "CRITICAL: Query count (18) was above critical threshold. ",
    );
    store.count(
        &with(&["--days-previous", "0", "--hours-previous", "8"]),
        1,
        "WARNING: Query count (5) was above warning threshold. ",
    );
    store.count(
        &with(&["--days-previous", "0", "--hours-previous", "8", "--offset", "10800"]),
        1,
        "WARNING: Query count (4) was above warning threshold. ",
    );
    // A year of days goes by another request, and says the same.
    store.count(
        &with(&["--days-previous", "365", "--types", "cloudtrail"]),
        2,
        "CRITICAL: Query count (18) was above critical threshold. ",
    );
    store.count(
        &[
            "-i",
            "esq-logstash-*",
            "--days-previous",
            "400",
            "-q",
            "eventName:Auth*",
            "--invert",
            "-c",
            "1",
            "-w",
            "100",
        ],
        1,
        "WARNING: Query count (22) was below warning threshold. ",
    );
}
each_kind!(peoples_line);

fn rows_below_the_line(kind: Kind) {
    let store = Store::on(kind);
    let rows = |args: &[&str]| {
        let said = store.check("check-es-query-count", args);
        said.code(2);
        let mut lines = said.out_of().lines();
        assert!(lines.next().expect("a line").starts_with("ESQueryCount CRITICAL: Query count ("), "{said:?}");
        assert_eq!(said.err, "");
        // Without the time, which is another one every day.
        lines.map(|row| row.split_once(' ').expect("a time").1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        rows(&["-i", "esq-logstash-*", "--days-previous", "10", "-q", "type:cloudtrail", "--details"]),
        [
            "alice from 198.51.100.7: AuthorizeSecurityGroupIngress in 111122223333 eu-central-1 (12 times)",
            "bob from 198.51.100.7: AuthorizeSecurityGroupIngress in 111122223333 eu-central-1 (5 times)",
        ]
    );
    assert_eq!(
        rows(&["-i", "esq-whodid-*,esq-filebeat-*", "--days-previous", "10", "-q", "*", "--details"]),
        [
            "alice from 198.51.100.7: AuthorizeSecurityGroupIngress in 111122223333 eu-central-1 (5 times)",
            "carol: added-user in db-1 (3 times)",
            "bob: ssh.login in web-1 (failure)",
        ]
    );
}
each_kind!(rows_below_the_line);

fn whodids_own_documents(kind: Kind) {
    let store = Store::on(kind);
    let own = ["-d", "esq-whodid-%Y.%m.%d", "--days-previous", "1", "-c", "10", "-w", "2"];
    let with = |more: &[&'static str]| own.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
    let five = "WARNING: Query count (5) was above warning threshold. ";
    store.count(&with(&["-q", "AuthorizeSecurityGroupIngress", "-f", "what.action", "--types", "cloudtrail"]), 1, five);
    store.count(&with(&["-q", "AuthorizeSecurityGroupIngress", "-f", "event.action"]), 1, five);
    // Its text, as people write words.
    store.count(&with(&["-q", "AuthorizeSecurityGroupIngress"]), 1, five);
    store.count(&with(&["-q", "\"Failed password\" AND user.name:bob"]), 0, "OK: Query count (1) was ok");
    store.count(&with(&["-q", "who.ip:198.51.100.0\\/24"]), 1, five);
}
each_kind!(whodids_own_documents);

fn nothing_is_ok_that_was_not_looked_at(kind: Kind) {
    let store = Store::on(kind);
    let said = store.count(
        &["-q", "x", "-i", "esq-logstash-*", "-f", "evntName", "--days-previous", "1"],
        0,
        "OK: Query count (0) was ok",
    );
    said.err_holds("has the field \"evntName\"");
    let gone = ["-q", "x", "-d", "esq-nowhere-%Y.%m.%d", "--days-previous", "1"];
    let said = store.check("check-es-query-count", &gone);
    said.code(3).out_holds("ESQueryCount UNKNOWN: there is no index esq-nowhere-");
    store.count(&[&gone[..], &["--strict-compat"]].concat(), 0, "OK: Query count (0) was ok");
    store.count(
        &[&gone[..], &["--invert", "-c", "1"]].concat(),
        2,
        "CRITICAL: Query count (0) was below critical threshold. ",
    );
    // Names that exist are looked at, whatever is missing beside them.
    store.count(
        &["-q", "*", "-i", "esq-filebeat-*,esq-nowhere", "--days-previous", "2", "-c", "5", "-w", "5"],
        0,
        "OK: Query count (3) was ok",
    );
    store
        .check("check-es-query-count", &["-q", "(", "-i", "esq-logstash-*", "--days-previous", "1"])
        .code(3)
        .out_holds("Failed to parse query [(]");
    store.check("check-es-query-count", &["-q", "x", "-i", "-", "--days-previous", "1"]).code(3);
    // Without a window the query is asked.
    store
        .count(
            &["-q", "userIdentity.userName:bob", "-i", "esq-logstash-*"],
            2,
            "CRITICAL: Query count (5) was above critical threshold. ",
        )
        .err_holds("drops the query");
    store.count(
        &["-q", "userIdentity.userName:bob", "-i", "esq-logstash-*", "--strict-compat"],
        2,
        "CRITICAL: Query count (22) was above critical threshold. ",
    );
    // A field of another kind cannot be told from nothing.
    store.check("check-es-query-average", &["-a", "eventName", "-i", "esq-logstash-*", "--days-previous", "1"]).code(3);
}
each_kind!(nothing_is_ok_that_was_not_looked_at);

fn averages_ratios_and_single_documents(kind: Kind) {
    let store = Store::on(kind);
    let in_all = ["-i", "esq-logstash-*", "--days-previous", "10"];
    let with = |more: &[&'static str]| in_all.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
    let average = "check-es-query-average";
    store.says(
        average,
        &with(&["-a", "took", "-c", "10", "-w", "20"]),
        2,
        "ESQueryAverage CRITICAL: Query average (12.0) was above critical threshold. ",
    );
    store.says(
        average,
        &with(&["-a", "took", "-q", "userIdentity.userName:alice", "-c", "8.25", "-w", "8.25"]),
        0,
        "ESQueryAverage OK: Query average (8.25) was ok",
    );
    store.check(average, &with(&["-a", "nothing", "-q", "*"])).code(3).out_holds("has a number in \"nothing\"");
    let ratio = "check-es-query-ratio";
    store.says(
        ratio,
        &with(&["-Q", "userIdentity.userName:alice", "-q", "type:cloudtrail", "-c", "1", "-w", "0.5"]),
        1,
        "ESQueryRatio WARNING: Query count (0.7058823529411765) was above warning threshold. ",
    );
    store.says(
        ratio,
        &with(&["-Q", "*", "-q", "type:none", "-z"]),
        0,
        "ESQueryRatio OK: Divisor is 0, ratio check cannot be performed, failing safe with ok",
    );
    store.says(
        ratio,
        &with(&["-Q", "*", "-q", "type:none"]),
        2,
        "ESQueryRatio CRITICAL: Divisor is 0, ratio check cannot be performed, raising an alert",
    );
    let exists = "check-es-query-exists";
    store.says(exists, &["-i", "esq-logstash-*", "--id", "sg3"], 0, "ESQueryExists OK");
    store.says(exists, &["-i", "esq-logstash-*", "--id", "sg99"], 2, "ESQueryExists CRITICAL");
    let days: BTreeSet<String> = (0..17).map(|n| ago(store.now, HOUR * (3 * n + 1)).0).collect();
    let found = days.iter().filter(|day| {
        let said = store.check(exists, &["-i", &format!("esq-logstash-{day}"), "--id", "sg3"]);
        said.code_of() == Some(0) && said.out_of() == "ESQueryExists OK\n"
    });
    assert_eq!(found.count(), 1);
    store.says(exists, &["-d", "esq-logstash-%Y.%m.%d", "--days-previous", "4", "--id", "sg3"], 0, "ESQueryExists OK");
    store.says(exists, &["-i", "esq-logstash-*", "--id", "sg99", "--invert"], 0, "ESQueryExists OK");
    store
        .check(exists, &["-i", "esq-nowhere", "--id", "sg3", "--invert"])
        .code(3)
        .out_holds("ESQueryExists UNKNOWN: there is no index esq-nowhere");
    store.says(exists, &["-i", "esq-nowhere", "--id", "sg3", "--invert", "--strict-compat"], 0, "ESQueryExists OK");
}
each_kind!(averages_ratios_and_single_documents);

/// With arguments of its own for where it is and who asks, against documents that others may read without.
fn behind(tls: &Tls, folder: &TempDir, args: &[&str], environment: &[(&str, &str)]) -> Said {
    let ca = folder.path().join("ca.pem");
    fs::File::create(&ca).and_then(|mut file| file.write_all(tls.ca.as_bytes())).expect("written");
    let port = tls.url.rsplit(':').next().expect("a port");
    let what = [
        "check-es-query-count",
        "-h",
        "localhost",
        "-p",
        port,
        "-q",
        "type:cloudtrail",
        "--days-previous",
        "10",
        "-c",
        "9",
    ];
    let mut command = Command::new(PROGRAM);
    command.args(what).args(["-d", "esq-logstash-%Y.%m.%d", "--ca"]).arg(&ca).args(args);
    command.envs(environment.iter().copied()).output().expect("it runs").into()
}

const SEVENTEEN: &str = "ESQueryCount CRITICAL: Query count (17) was above critical threshold. \n";

in_turn!(logins_go_over_tls, OpenSearch3);
fn logins_go_over_tls(kind: Kind) {
    let store = Store::on(kind);
    let folder = tempfile::tempdir().expect("a folder");
    let door = Door::Basic { user: "monitor".to_owned(), password: "p:w".to_owned() };
    let tls = Tls::before(store.server, door);
    // https without being told: somebody logs in.
    let said = behind(&tls, &folder, &["-u", "monitor", "-P", "p:w"], &[]);
    assert_eq!((said.code_of(), said.out_of()), (Some(2), SEVENTEEN), "{said:?}");
    let said = behind(&tls, &folder, &["-u", "monitor", "-P", "hunter2"], &[]);
    said.code(3)
        .out_holds("Check failed to run: [401] security_exception: unable to authenticate: look at -u, -P and -H");
    assert!(!format!("{said:?}").contains("hunter2"), "{said:?}");
    behind(&tls, &folder, &["-s", "https"], &[]).code(3).out_holds("[401] ");
    // The certificate is of an authority that the system does not know.
    let port = tls.url.rsplit(':').next().expect("a port");
    let said = check(
        "check-es-query-count",
        &["-h", "localhost", "-p", port, "-s", "https", "-q", "x", "--days-previous", "1"],
    );
    said.code(3).out_holds("ertificate");
    let tls = Tls::before(store.server, Door::ApiKey("a2V5OnNlY3JldA==".to_owned()));
    let said = behind(&tls, &folder, &["-s", "https", "-H", "Authorization: ApiKey a2V5OnNlY3JldA=="], &[]);
    assert_eq!((said.code_of(), said.out_of()), (Some(2), SEVENTEEN), "{said:?}");
}

#[cfg(feature = "aws")]
in_turn!(amazons_service_gets_signed_requests, OpenSearch2);
#[cfg(feature = "aws")]
fn amazons_service_gets_signed_requests(kind: Kind) {
    let store = Store::on(kind);
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = sigv4::Credentials {
        access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        token: None,
        region: "eu-central-1".to_owned(),
        service: "es".to_owned(),
    };
    let tls = Tls::before(store.server, Door::Aws(credentials.clone()));
    let with = |secret: &str, args: &[&str]| {
        let environment = [
            ("AWS_ACCESS_KEY_ID", credentials.access_key.as_str()),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        behind(
            &tls,
            &folder,
            &[&["-s", "https", "--transport", "AWS", "--region", "eu-central-1"], args].concat(),
            &environment,
        )
    };
    for args in [&[][..], &["-i", "esq-logstash-*,-esq-other"], &["--details"], &["--days-previous", "11"]] {
        let said = with(&credentials.secret_key, args);
        said.code(2).out_holds(SEVENTEEN);
        assert_eq!(said.err, "", "{:?}", tls.refused());
    }
    with("another", &[]).code(3).out_holds("[403] security_exception");
}
