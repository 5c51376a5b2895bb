//! Configurations as people write them, right and wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use whodid::clock::Clock;
use whodid::config::alert::{Compare, Measure};
use whodid::config::index::{Elastic, Login};
use whodid::config::source::{From, Journal};
use whodid::config::witness::Witness;
use whodid::config::{Config, Index, Kind, Machine, example};
use whodid::event::Family;
use whodid::schedule::Schedule;
use whodid::sources::zone::Zone;
use whodid::trail::note::VerifierKey;

/// A machine without anything, all below one folder.
struct Bench {
    root: tempfile::TempDir,
    machine: Machine,
}

impl Bench {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let machine = Machine {
            host: "web-1".into(),
            zone: Zone::UTC,
            is_root: false,
            config_folder: Some(root.path().join("home/.config/whodid")),
            data_folder: Some(root.path().join("home/.local/share/whodid")),
            system: root.path().to_owned(),
        };
        Self { root, machine }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        whodid::durable::swap(&path, text.as_bytes(), 0o600).expect("written");
        path
    }

    fn read(&self, text: &str) -> Result<Config, String> {
        let file = self.put("site/whodid.toml", text);
        self.discover(Some(&file), None)
    }

    fn discover(&self, config: Option<&Path>, data: Option<&Path>) -> Result<Config, String> {
        let problems =
            |p: whodid::config::Problems| p.to_string().replace(&format!("{}/", self.root.path().display()), "");
        Config::discover_on(&self.machine, config, data).map_err(problems)
    }

    /// What is wrong, a line each.
    fn refused(&self, text: &str) -> Vec<String> {
        self.read(text).expect_err("must be refused").lines().map(str::to_owned).collect()
    }
}

#[test]
fn without_a_configuration_it_reads_what_the_machine_has() {
    let bench = Bench::new();
    let empty = bench.discover(None, None).expect("defaults");
    assert!(empty.sources.is_empty());
    assert!(empty.warnings.iter().any(|w| w.to_string().contains("nothing to read")), "{:?}", empty.warnings);
    bench.put("var/log/journal/0123/system.journal", "");
    let config = bench.discover(None, None).expect("defaults");
    assert_eq!(config.sources[0].from, From::Journal(Journal::default()));
    // What writes an auth.log has it from the journal.
    bench.put("var/log/auth.log", "");
    bench.put("var/log/wtmp", "");
    bench.put("var/log/wtmp.db", "");
    let config = bench.discover(None, None).expect("defaults");
    let families: Vec<_> = config.sources.iter().map(|source| source.family).collect();
    assert_eq!(families, [Family::Auth, Family::Wtmp, Family::Wtmpdb]);
    let From::Files { paths } = &config.sources[1].from else { panic!("files") };
    let matched = |path: &str| paths.iter().any(|pattern| glob::Pattern::new(pattern).expect("valid").matches(path));
    for name in ["wtmp", "wtmp.1", "wtmp.2.gz", "wtmp-20261101"] {
        assert!(matched(bench.path("var/log").join(name).to_str().expect("UTF-8")), "{name}");
    }
    assert!(!matched(bench.path("var/log/wtmp.db").to_str().expect("UTF-8")), "SQLite is no utmp");
    assert_eq!(config.data, bench.path("home/.local/share/whodid"));
    assert_eq!(config.keys, bench.path("home/.config/whodid/keys"));
    assert_eq!((config.org.as_str(), config.host.as_str()), ("local", "web-1"));
    assert_eq!((config.clock, config.stale_after), (Clock::System, Duration::from_secs(300)));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn the_example_means_the_defaults() {
    let bench = Bench::new();
    bench.put("var/log/auth.log", "");
    let plain = bench.read("").expect("an empty file is one");
    let example = bench.read(&example::config()).expect("the example is one");
    let settings = |mut config: Config| {
        config.files.retain(|file| file.kind != Kind::Config);
        format!("{config:?}")
    };
    assert_eq!(settings(plain), settings(example));
}

#[test]
fn where_the_configuration_and_the_data_are() {
    let mut bench = Bench::new();
    bench.put("etc/whodid/whodid.toml", "org = \"system.example\"");
    let config = bench.discover(None, None).expect("the system's");
    assert_eq!((config.org.as_str(), config.data), ("system.example", bench.path("var/lib/whodid")));
    assert_eq!(config.keys, bench.path("etc/whodid/keys"));
    bench.put("home/.config/whodid/whodid.toml", "org = \"user.example\"");
    let config = bench.discover(None, None).expect("the user's goes first");
    assert_eq!((config.org.as_str(), config.data), ("user.example", bench.path("home/.local/share/whodid")));
    bench.machine.is_root = true;
    assert_eq!(bench.discover(None, None).expect("root's").data, bench.path("var/lib/whodid"));
    let elsewhere = bench.path("elsewhere");
    assert_eq!(bench.discover(None, Some(&elsewhere)).expect("named").data, elsewhere);
    let missing = bench.discover(Some(&bench.path("no.toml")), None).expect_err("there is none");
    assert_eq!(missing, "no.toml: cannot be read: No such file or directory (os error 2) (check the path)");
}

#[test]
fn a_user_without_a_home_is_told_what_to_do() {
    let mut bench = Bench::new();
    bench.machine.config_folder = None;
    bench.machine.data_folder = None;
    let problems = bench.discover(None, None).expect_err("nowhere to write");
    assert!(problems.contains("no folder for the trail (set `data`, or use --data)"), "{problems}");
    assert!(problems.contains("no folder for the signing key"), "{problems}");
}

#[test]
fn paths_are_relative_to_the_configuration() {
    let bench = Bench::new();
    let config = bench
        .read(concat!(
            "data = \"../target/data\"\nkeys = \"keys\"\n",
            "[[source]]\nname = \"a\"\ntype = \"auth\"\npaths = [\"logs/auth.log*\", \"/var/log/secure\", \"../b.log\"]\n",
        ))
        .expect("right");
    assert_eq!(config.data, bench.path("target/data"));
    assert_eq!(config.keys, bench.path("site/keys"));
    let paths = ["site/logs/auth.log*", "/var/log/secure", "b.log"];
    let paths = paths.map(|path| bench.path(path).to_str().expect("UTF-8").to_owned()).to_vec();
    assert_eq!(config.sources[0].from, From::Files { paths });
}

#[test]
fn every_kind_of_source_is_read() {
    let bench = Bench::new();
    let config = bench
        .read(concat!(
            "[[source]]\nname = \"in\"\ntype = \"auth\"\nstdin = true\ntz = \"-02:00\"\nyear = 2025\nhost = \"old-1\"\n",
            "[[source]]\nname = \"aws\"\ntype = \"cloudtrail\"\ndecompressed_max = \"64MiB\"\nworld_prefix = 8\n",
            "[source.s3]\nbucket = \"logs\"\npoll = \"30s\"\nendpoint = \"http://127.0.0.1:9000\"\npath_style = true\n",
            "[[source]]\nname = \"told\"\ntype = \"cloudtrail\"\n[source.sqs]\nbuckets = [\"logs\"]\n",
            "queue = \"https://sqs.eu-west-1.amazonaws.com/111122223333/trail\"\n",
            "[[source]]\nname = \"fails\"\ntype = \"btmp\"\n",
            "[[source]]\nname = \"own\"\ntype = \"journal\"\n",
            "[[source]]\nname = \"far\"\ntype = \"journal\"\n[source.journal]\ndirectory = \"remote\"\nmerge = true\n",
            "match = [\"SYSLOG_FACILITY=10\", \"+\", \"_COMM=sshd\"]\n",
        ))
        .expect("right");
    let [stdin, aws, told, btmp, own, far] = config.sources.as_slice() else { panic!("six sources") };
    let From::Sqs(queue) = &told.from else { panic!("a queue") };
    assert_eq!((queue.region.as_deref(), queue.s3_region.as_deref()), (Some("eu-west-1"), Some("eu-west-1")));
    assert_eq!((&queue.endpoint, queue.receives_max, queue.path_style), (&None, 10, false));
    assert_eq!((&stdin.from, stdin.year, stdin.host.as_deref()), (&From::Stdin, Some(2025), Some("old-1")));
    assert_eq!(stdin.zone.to_string(), "-02:00");
    assert_eq!(aws.decompressed_bytes_max, 64 << 20);
    assert_eq!((aws.world.v4, aws.world.v6), (8, 0));
    assert_eq!(
        aws.from,
        From::S3 {
            bucket: "logs".into(),
            prefix: String::new(),
            region: None,
            endpoint: Some("http://127.0.0.1:9000".into()),
            path_style: true,
            poll: Duration::from_secs(30),
        }
    );
    assert!(matches!(&btmp.from, From::Files { paths } if paths[0].ends_with("var/log/btmp")));
    assert_eq!(own.from, From::Journal(Journal::default()));
    let From::Journal(far) = &far.from else { panic!("a journal") };
    assert!(far.merge && far.directory.as_deref().is_some_and(|folder| folder.ends_with("remote")));
    assert_eq!(far.matches.len(), 3);
}

#[test]
fn every_error_of_a_file_is_reported_at_once_with_its_line() {
    let bench = Bench::new();
    let found = bench.refused(concat!(
        "dta = \"/srv/whodid\"\n",              // 1: unknown
        "host = \"web 1\"\n",                   // 2: not a name
        "org = 7\n",                            // 3: not a text
        "[replay]\n",                           // 4
        "now = \"yesterday\"\n",                // 5: no instant
        "[[source]]\n",                         // 6: no name
        "type = \"aut\"\n",                     // 7: no family
        "[[source]]\n",                         // 8
        "name = \"b\"\n",                       // 9
        "type = \"wtmp\"\n",                    // 10
        "paths = [\"/ok\", 3]\n",               // 11: a number among texts
        "tz = \"UTC\"\n",                       // 12: means nothing for wtmp
        "[check]\n",                            // 13
        "stale_after = \"5 minutes\"\n",        // 14: no span
        "[alerts]\n",                           // 15
        "disabled = [\"linux/sudo-deneid\"]\n", // 16: no such alert
        "notify = [\"log\", \"pager\"]\n",      // 17: no such channel
        "[[notify]]\n",                         // 18
        "name = \"oncall\"\n",                  // 19
        "type = \"webhook\"\n",                 // 20
        "url = \"hooks.example.org/secret\"\n", // 21: no address
    ));
    assert_eq!(
        found,
        [
            "site/whodid.toml:1: unknown key `dta` (did you mean `data`?)",
            "site/whodid.toml:2: `host`: \"web 1\" cannot be part of the trail's name (letters, digits, dots, hyphens and underscores)",
            "site/whodid.toml:3: `org` must be a text in quotes, not a whole number (mend the value)",
            "site/whodid.toml:5: `now`: \"yesterday\" is no instant (date, time and zone as RFC 3339 has them: \"2026-11-20T12:00:00Z\")",
            "site/whodid.toml:6: `name` is missing in [source] (such as name = \"auth\")",
            "site/whodid.toml:7: `type`: \"aut\" is no source family (did you mean `auth`?)",
            "site/whodid.toml:11: `paths`: an element of the list is a whole number (each must be a path in quotes)",
            "site/whodid.toml:12: `tz` means nothing here (remove it)",
            "site/whodid.toml:14: `stale_after`: \"5 minutes\" is no span of time (numbers with units s, m, h, d, w: \"90s\", \"30m\", \"1h30m\", \"7d\")",
            "site/whodid.toml:16: `disabled`: there is no alert \"linux/sudo-deneid\" (did you mean `linux/sudo-denied`?)",
            "site/whodid.toml:17: `notify`: there is no [[notify]] named \"pager\" (known: log)",
            "site/whodid.toml:21: `url`: it is no address of a webhook (such as \"https://hooks.example.org/whodid\")",
        ]
    );
}

#[test]
fn cloudtrails_own_api_is_asked_as_is_said() {
    let bench = Bench::new();
    let config = bench
        .read(concat!(
            "[[source]]\nname = \"history\"\ntype = \"cloudtrail\"\n",
            "[source.lookup]\nregions = [\"eu-central-1\", \"us-east-1\"]\nsince = \"30d\"\nprofile = \"audit\"\n",
            "[[source]]\nname = \"alone\"\ntype = \"cloudtrail\"\n",
            "[source.trail]\nname = \"arn:aws:cloudtrail:eu-central-1:111122223333:trail/main\"\n",
            "[[source]]\nname = \"beside\"\ntype = \"cloudtrail\"\n",
            "[source.trail]\nname = \"main\"\n[source.s3]\npoll = \"30s\"\n",
            "[[source]]\nname = \"keys\"\ntype = \"cloudtrail\"\ndigest_keys = \"keys.json\"\n",
        ))
        .expect("right");
    let [history, alone, beside, keys] = config.sources.as_slice() else { panic!("four sources") };
    let From::Lookup(lookup) = &history.from else { panic!("the history") };
    assert_eq!((lookup.regions.len(), lookup.since, lookup.insights), (2, Duration::from_secs(30 * 86_400), true));
    assert_eq!(lookup.api.profile.as_deref(), Some("audit"));
    let From::Trail { trail, then } = &alone.from else { panic!("a trail") };
    assert_eq!(trail.api.region.as_deref(), Some("eu-central-1"), "an ARN says its region");
    assert!(matches!(&**then, From::S3 { bucket, .. } if bucket.is_empty()));
    let From::Trail { trail, then } = &beside.from else { panic!("a trail") };
    assert_eq!(trail.api.region, None);
    assert!(matches!(&**then, From::S3 { poll, .. } if *poll == Duration::from_secs(30)));
    assert!(matches!(&keys.from, From::DigestKeys { path } if path.ends_with("site/keys.json")));
}

#[test]
fn a_cluster_is_used_as_is_said() {
    let bench = Bench::new();
    let config = bench.read("[index]\ntype = \"embedded\"\n").expect("right");
    assert_eq!(config.index, Index::Embedded);
    let config = bench
        .read(concat!(
            "[index]\ntype = \"elastic\"\nnodes = [\"https://a.example.com:9200\", \"https://b.example.com\"]\n",
            "user = \"whodid\"\npassword_file = \"secret\"\nca = \"ca.pem\"\nkeep_days = 400\nbatch = \"1MiB\"\n",
        ))
        .expect("right");
    let Index::Elastic(elastic) = config.index else { panic!("a cluster") };
    let Login::Basic { user, password_file } = &elastic.login else { panic!("a user") };
    assert!(user == "whodid" && password_file.ends_with("site/secret"));
    assert!(elastic.ca.as_ref().is_some_and(|ca| ca.ends_with("site/ca.pem")));
    assert_eq!((elastic.keep_days, elastic.batch_bytes, elastic.nodes.len()), (Some(400), 1 << 20, 2));
    let plain = bench.read("[index]\ntype = \"elastic\"\nnodes = [\"http://127.0.0.1:9200\"]\n").expect("right");
    let expected = Elastic::at(vec!["http://127.0.0.1:9200".to_owned()]);
    assert_eq!(plain.index, Index::Elastic(Box::new(expected)), "the defaults are the same in both places");

    let found = bench.refused(concat!(
        "[index]\n",                                           // 1
        "type = \"elastic\"\n",                                // 2
        "nodes = [\"http://u:s3cr3t@h:9200\", \"ftp://h\"]\n", // 3
        "user = \"whodid\"\n",                                 // 4
        "pattern = \"Audit-%Y\"\n",                            // 5
        "keep_days = 0\n",                                     // 6
        "shards = 0\n",                                        // 7
        "replicas = \"one\"\n",                                // 8
        "batch = \"1GiB\"\n",                                  // 9
        "timeout = \"20m\"\n",                                 // 10
    ));
    let expected = [
        "site/whodid.toml:3: `nodes`: \"h:9200\" is no address",
        "site/whodid.toml:3: `nodes`: \"ftp://h\" is no address",
        "site/whodid.toml:3: `nodes`: h:9200 is not encrypted",
        "site/whodid.toml:4: `user` without `password_file`",
        "site/whodid.toml:5: `pattern`: \"Audit-%Y\" cannot name indices",
        "site/whodid.toml:6: `keep_days`: 0 would keep nothing",
        "site/whodid.toml:7: `shards`: 0 is out of range",
        "site/whodid.toml:8: `replicas`: \"one\" is no range",
        "site/whodid.toml:9: `batch` is out of range",
        "site/whodid.toml:10: `timeout` is longer than ten minutes",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
        assert!(!found.contains("s3cr3t"), "{found}");
    }
    for (text, says) in [
        ("nodes = [\"https://h\"]\n", "`nodes` means nothing here"),
        ("type = \"elastic\"\nnodes = []\n", "`nodes` is empty"),
        ("type = \"elastic\"\n", "`nodes` is missing in [index]"),
        (
            "type = \"elastic\"\nnodes = [\"https://h\"]\nuser = \"u\"\npassword_file = \"p\"\napi_key_file = \"k\"\n",
            "in one way",
        ),
        (
            "type = \"elastic\"\nnodes = [\"https://h\", \"https://i\"]\naws_region = \"eu-central-1\"\n",
            "has one address",
        ),
        ("type = \"solr\"\n", "no type of index"),
    ] {
        let found = bench.refused(&format!("[index]\n{text}"));
        assert!(found.iter().any(|found| found.contains(says)), "{text}: {found:#?}");
    }
}

#[test]
fn what_contradicts_is_refused() {
    let bench = Bench::new();
    let source = "[[source]]\nname = \"a\"\ntype = ";
    for (text, says) in [
        (format!("{source}\"auth\"\nstdin = true\npaths = [\"/x\"]\n"), "a source reads from one place"),
        (format!("{source}\"auth\"\n{source}\"wtmp\"\n"), ":5: two sources are named \"a\""),
        (format!("{source}\"cloudtrail\"\n"), "nowhere to read from"),
        (format!("{source}\"whodid\"\n"), "no source"),
        (format!("{source}\"auth\"\npaths = []\n"), "`paths` is empty"),
        (format!("{source}\"cloudtrail\"\nworld_prefix = 33\n"), ":4: `world_prefix`: 33 is no prefix"),
        (format!("{source}\"cloudtrail\"\nworld_prefix_v6 = -1\n"), ":4: `world_prefix_v6`: -1 is below zero"),
        (format!("{source}\"auth\"\nworld_prefix = 8\n"), "`world_prefix` means nothing here"),
        (format!("{source}\"auth\"\n[source.s3]\nbucket = \"b\"\n"), "only CloudTrail objects"),
        (format!("{source}\"cloudtrail\"\n[source.s3]\nbucket = \"s3://b/x\"\n"), "no bucket's name"),
        (format!("{source}\"auth\"\n[source.sqs]\nqueue = \"https://h/1/q\"\nbuckets = [\"b\"]\n"), "by SQS"),
        (
            format!("{source}\"cloudtrail\"\n[source.sqs]\nqueue = \"q\"\nbuckets = [\"s3://b\"]\n"),
            ":5: `queue`: \"q\" is no",
        ),
        (
            format!("{source}\"cloudtrail\"\n[source.sqs]\nqueue = \"q\"\nbuckets = [\"s3://b\"]\n"),
            ":6: `buckets`: \"s3://b\"",
        ),
        (format!("{source}\"cloudtrail\"\n[source.sqs]\nreceives_max = 0\n"), "`buckets` is missing in [sqs]"),
        (format!("{source}\"cloudtrail\"\n[source.sqs]\nreceives_max = 0\n"), ":5: `receives_max`: 0"),
        (
            format!("{source}\"cloudtrail\"\n[source.s3]\nbucket = \"b\"\n[source.sqs]\nqueue = \"q\"\nbuckets = []\n"),
            "a source reads from one place",
        ),
        (
            format!("{source}\"cloudtrail\"\n[source.s3]\nbucket = \"b\"\n[source.sqs]\nqueue = \"q\"\nbuckets = []\n"),
            ":8: `buckets` is empty",
        ),
        (format!("{source}\"auth\"\n[source.lookup]\n"), ":4: `lookup` is for CloudTrail"),
        (format!("{source}\"auth\"\ndigest_keys = \"k\"\n"), "`digest_keys` is for CloudTrail"),
        (
            format!("{source}\"cloudtrail\"\n[source.lookup]\nsince = \"91d\"\n"),
            ":5: `since`: LookupEvents goes back 90",
        ),
        (format!("{source}\"cloudtrail\"\n[source.lookup]\nregions = [\"Frankfurt\"]\n"), "\"Frankfurt\" is no region"),
        (
            format!("{source}\"cloudtrail\"\n[source.lookup]\nregions = [\"us-east-1\", \"us-east-1\"]\n"),
            "is there twice",
        ),
        (
            format!("{source}\"cloudtrail\"\n[source.lookup]\n[source.s3]\nbucket = \"b\"\n"),
            "a source reads from one place",
        ),
        (format!("{source}\"cloudtrail\"\n[source.trail]\nname = \"a b\"\n"), ":5: `name`: \"a b\" is no trail's name"),
        (format!("{source}\"cloudtrail\"\n[source.trail]\nname = \"arn:aws:s3:::main\"\n"), "is no trail's name"),
        (format!("{source}\"cloudtrail\"\n[source.trail]\n"), "`name` is missing in [trail]"),
        (format!("{source}\"cloudtrail\"\n[source.s3]\nregion = \"us-east-1\"\n"), "`bucket` is missing"),
        (format!("{source}\"auth\"\n[source.journal]\n"), "the journal only"),
        (format!("{source}\"journal\"\npaths = [\"/x/system.journal\"]\n"), "only journalctl reads"),
        (format!("{source}\"journal\"\n[source.journal]\nmatch = [\"--file=/x\"]\n"), "is no match"),
        (format!("{source}\"journal\"\n[source.journal]\ndirectory = \"a\"\nfiles = [\"b\"]\n"), "in one place"),
        ("[replay]\nnow = \"2026-11-20T12:00:00Z\"\n".to_owned(), "without any [[source]]"),
        (format!("[replay]\nnow = 2026-11-20T12:00:00Z\n{source}\"auth\"\n"), "a data folder of its own"),
        ("data = \".\"\n".to_owned(), "the signing key would lie in the data folder"),
        ("data = \"d\"\nkeys = \"d/keys\"\n".to_owned(), "the signing key would lie in the data folder"),
    ] {
        let found = bench.read(&text).expect_err(&text);
        assert!(found.contains(says), "{says}: {found}");
    }
}

#[test]
fn a_link_does_not_hide_that_the_keys_lie_in_the_data() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("site/data")).expect("created");
    std::os::unix::fs::symlink(bench.path("site/data"), bench.path("site/link")).expect("linked");
    let found = bench.refused("data = \"data\"\nkeys = \"link/keys\"\n");
    assert!(found[0].contains("the signing key would lie"), "{found:?}");
}

#[test]
fn queries_beside_the_configuration_are_read_and_their_errors_have_lines() {
    let bench = Bench::new();
    bench.put(
        "site/queries/own/root.toml",
        "title = \"t\"\ndescription = \"d\"\nsources = [\"auth\"]\nquery = '''\nwho.name:root\n  AND who.nmae:x\n'''\nseverty = \"low\"\n",
    );
    let found = bench.refused("");
    assert!(found[0].starts_with("site/queries/own/root.toml:6: `query`, column "), "{found:?}");
    assert!(found[0].contains("who.nmae"), "{found:?}");
    assert_eq!(found[1], "site/queries/own/root.toml:8: unknown key `severty` (did you mean `severity`?)");
    assert_eq!(found.len(), 2);
    bench.put(
        "site/queries/own/root.toml",
        "title = \"t\"\ndescription = \"d\"\nsources = [\"auth\"]\nquery = 'who.name:root'\n",
    );
    let config = bench.read("").expect("mended");
    assert_eq!(config.queries["own/root"].title, "t");
    let defined = config.files.iter().find(|file| file.id == "own/root").expect("it is in force");
    assert_eq!(defined.sha256, config.queries["own/root"].sha256);
}

/// A right alert, and what becomes of it when some lines are others.
fn alert(changes: &[(&str, &str)]) -> String {
    let mut text = "query = \"linux/sudo-denied\"\nevery = \"5m\"\nwindow = \"30m\"\nwarn = 1\n".to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

#[test]
fn alerts_are_read_with_all_they_can_say() {
    let bench = Bench::new();
    bench.put(
        "site/alerts/own/a.toml",
        &alert(&[("warn = 1", "by = [\"user.name\"]\ncompare = \">\"\nwarn = 1\ncritical = 5\nrenotify = \"4h\"")]),
    );
    let cron = "cron = \"*/10  8-18 * * MON-FRI\"\ntz = \"Europe/Berlin\"";
    bench.put(
        "site/alerts/own/b.toml",
        &alert(&[
            ("every = \"5m\"", cron),
            ("warn = 1", "measure = \"new\"\nfield = \"who.ip\"\nknown = \"30d\"\nwarn = 1"),
        ]),
    );
    bench.put("site/alerts/linux/sudo-denied.toml", &alert(&[("query = \"linux/sudo-denied\"\n", "")]));
    let config = bench.read("[[notify]]\nname = \"oncall\"\ntype = \"webhook\"\nurl = \"https://hooks.example.org/x\"\n[alerts]\nnotify = [\"oncall\"]\ndisabled = [\"linux/ssh-brute-force\"]\n").expect("right");
    let a = &config.alerts["own/a"];
    assert_eq!(a.by.iter().map(|field| field.name()).collect::<Vec<_>>(), ["who.name"]);
    assert_eq!((a.compare, a.limits.warn(), a.limits.critical()), (Compare::Greater, Some(1), Some(5)));
    assert_eq!(
        (a.notify.as_slice(), a.renotify),
        (["oncall".to_owned()].as_slice(), Some(Duration::from_secs(14_400)))
    );
    let b = &config.alerts["own/b"];
    assert_eq!(
        b.schedule,
        Schedule::cron("*/10  8-18 * * MON-FRI", "Europe/Berlin".parse().expect("a zone")).expect("a line")
    );
    assert!(
        matches!(&b.measure, Measure::New { field, known } if field.name() == "who.ip" && known.as_secs() == 30 * 86_400)
    );
    let own = &config.alerts["linux/sudo-denied"];
    assert_eq!((own.query.as_str(), own.by.len()), ("linux/sudo-denied", 0), "it replaces the one in the binary");
    assert!(!config.alerts.contains_key("linux/ssh-brute-force"), "disabled");
    assert!(config.alerts.contains_key("aws/root-activity"));
}

#[test]
fn alerts_that_could_not_work_are_refused() {
    let bench = Bench::new();
    for (changes, says) in [
        (("warn = 1", "warn = 50\ncritical = 20"), ":4: `warn` (50) must be below `critical` (20)"),
        (("warn = 1", "compare = \"<\"\nwarn = 5\ncritical = 20"), "must be above"),
        (("warn = 1\n", ""), "neither `warn` nor `critical` is set"),
        (("warn = 1", "warn = -1"), ":4: `warn`: -1 is below zero"),
        (
            ("sudo-denied", "sudo-deneid"),
            ":1: there is no query \"linux/sudo-deneid\" (did you mean `linux/sudo-denied`?)",
        ),
        (("every = \"5m\"\n", ""), "`every` is missing"),
        (("every = \"5m\"", "every = \"5m\"\ncron = \"* * * * *\""), ":3: both `every` and `cron`"),
        (("every = \"5m\"", "cron = \"* * * *\""), ":2: `cron`: \"* * * *\" has 4 fields instead of five"),
        (("every = \"5m\"", "cron = \"* 24 * * *\""), ":2: `cron`: the hour 24 is not in 0-23"),
        (("warn = 1", "warn = 1\ncompare = \"<\"\nby = [\"who.ip\"]"), ":6: `by`: a group without events would fire"),
        (("every = \"5m\"", "every = \"5m\"\ntz = \"UTC\""), "`tz` means nothing here"),
        (("warn = 1", "warn = 1\nfield = \"who.ip\""), ":5: `field` means nothing here"),
        (("warn = 1", "warn = 1\nmeasure = \"distinct\""), "`field` is missing"),
        (
            ("warn = 1", "warn = 1\nby = [\"who.nmae\"]"),
            ":5: `by`: there is no field \"who.nmae\" (did you mean `who.name`?)",
        ),
        (("warn = 1", "warn = 1\nnotify = [\"oncal\"]"), ":5: `notify`: there is no [[notify]] named \"oncal\""),
        (
            (
                "warn = 1",
                "warn = 1\nmeasure = \"unmatched\"\nstart = \"a:b\"\nfinish = \"x\"\nkey = \"what.object\"\nwithin = \"1h\"",
            ),
            ":6: `start`, column 1: unknown field",
        ),
        (
            (
                "warn = 1",
                "warn = 1\nmeasure = \"unmatched\"\nstart = \"a\"\nfinish = \"x\"\nkey = \"what.object\"\nwithin = \"1h\"",
            ),
            ":9: `within` must be shorter than `window`",
        ),
        (("warn = 1", "warn = 1\nlate_finish = true"), ":5: `late_finish` means nothing here"),
        (
            (
                "warn = 1",
                "warn = 1\nmeasure = \"unmatched\"\nstart = \"a\"\nfinish = \"x\"\nkey = \"id\"\nfinish_key = \"what.objekt\"\nwithin = \"1m\"",
            ),
            ":9: `finish_key`: there is no field \"what.objekt\" (did you mean `what.object`?)",
        ),
    ] {
        bench.put("site/alerts/own/a.toml", &alert(&[changes]));
        let found = bench.read("").expect_err(says);
        assert!(
            found.starts_with("site/alerts/own/a.toml:") || found.starts_with("site/alerts/own/a.toml: "),
            "{found}"
        );
        assert!(found.contains(says), "{says}: {found}");
        assert_eq!(found.lines().count(), 1, "one mistake, one message: {found}");
    }
}

#[test]
fn a_query_with_errors_does_not_make_its_alert_wrong_too() {
    let bench = Bench::new();
    bench.put("site/queries/linux/sudo-denied.toml", "title = 1\n");
    let found = bench.refused("");
    assert!(found.iter().all(|problem| problem.starts_with("site/queries/linux/sudo-denied.toml")), "{found:?}");
}

#[test]
fn a_configuration_that_all_can_write_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    let file = bench.put("site/whodid.toml", "");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("changed");
    let config = bench.discover(Some(&file), None).expect("still read");
    assert!(config.warnings.iter().any(|w| w.to_string().contains("everybody on this machine can change")));
}

#[test]
fn what_is_no_text_is_refused_in_words() {
    let bench = Bench::new();
    let file = bench.path("bad.toml");
    fs::create_dir_all(&file).expect("created");
    assert!(bench.discover(Some(&file), None).expect_err("a folder").contains("bad.toml: cannot be read: "));
    let file = bench.path("binary.toml");
    fs::copy("/proc/self/exe", &file).expect("copied");
    let found = bench.discover(Some(&file), None).expect_err("a program");
    assert!(found.contains("binary.toml: cannot be read: ") && found.lines().count() == 1, "{found}");
    assert!(
        bench.read("\u{feff}org = \"example.org\"\r\n[check]\r\nstale_after = \"1h\"\r\n").is_ok(),
        "Windows wrote it"
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever was cut out of a configuration or put into it: an answer, and each problem with a line that exists.
    #[test]
    fn a_damaged_configuration_is_answered(at in 0_usize..4000, cut in 0_usize..60, put in "[\\[\\]\"'=#a-z0-9.\\n ]{0,12}") {
        let mut text: String = example::config().lines().map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line)).flat_map(|line| [line, "\n"]).collect();
        let at = text.floor_char_boundary(at.min(text.len()));
        let end = text.floor_char_boundary((at + cut).min(text.len()));
        text.replace_range(at..end, &put);
        let bench = Bench::new();
        let lines = text.lines().count() + 1;
        if let Err(found) = bench.read(&text) {
            for problem in found.lines() {
                let line = problem.strip_prefix("site/whodid.toml:").and_then(|rest| rest.split(':').next()?.trim().parse::<usize>().ok());
                proptest::prop_assert!(line.is_none_or(|line| line <= lines), "{problem}");
            }
        }
    }
}

/// The examples are what people copy.
#[test]
fn every_example_configuration_is_right() {
    let mut seen = 0;
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut folders = vec![examples.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("witness.toml") {
                let witness = Witness::discover(Some(&path)).unwrap_or_else(|problems| panic!("{problems}"));
                assert!(witness.logs.iter().all(|key| VerifierKey::parse(key).is_ok()));
            } else if path.extension().is_some_and(|ending| ending == "toml") {
                let config = Bench::new().discover(Some(&path), None).unwrap_or_else(|problems| panic!("{problems}"));
                assert!(!config.sources.is_empty(), "{} reads nothing", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 3, "only {seen} examples");
}

/// Lists are what saved queries name, in force and for their examples.
#[test]
fn lists_are_read_into_the_queries_that_name_them() {
    let bench = Bench::new();
    bench.put(
        "site/queries/own/jump.toml",
        "title = \"x\"\ndescription = \"x\"\nquery = 'NOT where.host:$jump_hosts'\nsources = [\"auth\"]\n\
         [lists]\njump_hosts = [\"jump-9\"]\n",
    );
    let read = |text: &str| bench.read(&format!("data = \"d\"\n{text}")).expect("right");
    let tree = |query: &whodid::query::Query| query.at(whodid::event::Stamp::from_micros(0)).to_string();
    let (unset, set) = (read(""), read("[lists]\njump_hosts = [\"jump-1\", \"jump-*\"]"));
    let query = |config: &Config| config.queries["own/jump"].clone();
    assert!(query(&unset).query.answerable().is_err());
    assert!(unset.query("where.host:$jump_hosts").expect("known").answerable().is_err());
    assert_eq!(tree(&query(&set).query), "NOT (where.host:jump-1 OR where.host:jump-*)");
    for config in [&unset, &set] {
        assert_eq!(tree(&query(config).proof), "NOT where.host:jump-9");
        assert!(config.queries["aws/unused-region"].query.answerable().is_err(), "others stay as they are");
    }
    // Another list is another definition, and only of the queries that name it.
    let other = read("[lists]\njump_hosts = [\"jump-2\"]");
    let hash = |config: &Config, id: &str| {
        let defined = config.files.iter().find(|file| file.id == id && file.kind == Kind::Query).expect("defined");
        assert_eq!(defined.sha256, config.queries[id].sha256);
        defined.sha256.clone()
    };
    let hashes = [&unset, &set, &other].map(|config| hash(config, "own/jump"));
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2], "{hashes:?}");
    assert_eq!(hash(&unset, "aws/root-activity"), hash(&set, "aws/root-activity"));
}

#[test]
fn lists_that_are_wrong_are_refused() {
    let bench = Bench::new();
    bench.put(
        "site/queries/own/jump.toml",
        "title = \"x\"\ndescription = \"x\"\nquery = 'NOT where.host:$jump_hosst'\nsources = [\"auth\"]\n\
         [lists]\njump_hosts = [\"jump-9\"]\n",
    );
    bench.put(
        "site/queries/own/more.toml",
        "title = \"x\"\ndescription = \"x\"\nquery = 'who.ip:$networks'\nsources = [\"auth\"]\n\
         [lists]\nnetworks = [\"office\"]\nspare = [\"x\"]\n",
    );
    let text = "data = \"d\"\n[lists]\nregions_in_us = [\"eu-central-1\"]\naccounts = [\"\", 7]\n\
                iam_admins = \"alice\"\nBad-Name = []\ntrail_buckets = [\" \"]\n";
    assert_eq!(
        bench.refused(text),
        [
            "site/queries/own/jump.toml:3: `query`, column 16: there is no list \"jump_hosst\": did you mean \
             \"jump_hosts\"? (`whodid query explain` shows how it is read)",
            "site/queries/own/more.toml:3: `query`, column 8: the list \"networks\" holds \"office\": \"office\" is \
             no address or network (mend `networks` under [lists])",
            "site/queries/own/more.toml:7: no query names the list `spare` (known: networks)",
            "site/whodid.toml:3: no query names the list `regions_in_us` (did you mean `regions_in_use`?)",
            "site/whodid.toml:4: `accounts`: an element of the list is a whole number (each must be a text in quotes)",
            "site/whodid.toml:5: `iam_admins` must be a list in brackets, not a text (mend the value)",
            "site/whodid.toml:6: `Bad-Name` cannot be the name of a list (small letters, digits and underscores, a \
             letter first)",
            "site/whodid.toml:7: `trail_buckets`: a value is empty (remove it)",
        ]
    );
}
