//! `whodid.toml` to settings: what each value means, and which go together.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::clock::Clock;
use crate::event::Family;
use crate::event::world::World;
use crate::query::People;

use super::alert::Channel;
use super::anchor::Anchor;
use super::lists::Listed;
use super::machine::Machine;
use super::section::{Document, Key, Section};
use super::setting::{At, Size};
use super::source::{self, Source};
use super::{
    Index, Keep, Signing, anchor, channel, cloudtrail, index, intake, lists, person, queue, settings, signing,
};

/// What a configuration says, before the queries and alerts beside it are read.
pub(super) struct Settings {
    pub(super) data: Option<PathBuf>,
    pub(super) keys: Option<PathBuf>,
    pub(super) org: String,
    pub(super) host: String,
    pub(super) clock: Clock,
    pub(super) sources: Vec<Source>,
    pub(super) intake: intake::Places,
    pub(super) index: Index,
    pub(super) keep: Keep,
    pub(super) link: bool,
    pub(super) signing: Signing,
    pub(super) stale_after: Duration,
    pub(super) anchors: Vec<Anchor>,
    pub(super) people: People,
    pub(super) channels: BTreeMap<String, Channel>,
    pub(super) lists: Listed,
    pub(super) disabled: Vec<At<String>>,
    /// Whom alerts tell that do not say whom.
    pub(super) notify: Vec<String>,
}

/// Reads all of it; what is wrong is in the document, and those values are the defaults here.
pub(super) fn read(document: &Document<'_>, folder: &Path, machine: &Machine) -> Settings {
    let mut top = document.top(&settings::TOP);
    let clock = match top.section(&settings::REPLAY) {
        Some(replay) => read_replay(replay),
        None => Clock::System,
    };
    let host = top.optional(&settings::HOST);
    if let Some(host) = &host {
        check_name(&top, "host", host);
    }
    let org = top.or_default(&settings::ORG);
    if let Some(org) = &org {
        check_name(&top, "org", org);
    }
    let mut read = Settings {
        data: top.optional(&settings::DATA).map(|path| join(folder, &path)),
        keys: top.optional(&settings::KEYS).map(|path| join(folder, &path)),
        org: org.unwrap_or_default(),
        host: host.unwrap_or_else(|| machine.host.clone()),
        clock,
        sources: read_sources(&mut top, clock, folder, machine),
        intake: intake::read(top.section_or_empty(&intake::INTAKE), folder),
        index: index::read(top.section_or_empty(&index::INDEX), folder),
        keep: Keep::default(),
        link: read_link(&mut top),
        signing: Signing::default(),
        stale_after: Duration::ZERO,
        anchors: anchor::read_all(&mut top, folder),
        people: person::read_all(&mut top),
        channels: channel::read_all(&mut top),
        lists: top.section(&lists::LISTS).map(lists::read).unwrap_or_default(),
        disabled: Vec::new(),
        notify: Vec::new(),
    };
    read_trail(&mut top, &mut read, folder);
    read_check(&mut top, &mut read);
    read_alerts(&mut top, &mut read);
    top.finish();
    read
}

fn read_replay(mut replay: Section<'_, '_>) -> Clock {
    let now = replay.required(&settings::NOW);
    replay.finish();
    now.map_or(Clock::System, Clock::Fixed)
}

fn read_trail(top: &mut Section<'_, '_>, into: &mut Settings, folder: &Path) {
    let mut trail = top.section_or_empty(&settings::TRAIL);
    let days = trail.optional(&settings::KEEP_DAYS);
    let bytes = trail.optional(&settings::KEEP_BYTES).map(|size| size.0);
    for (key, number) in [(settings::KEEP_DAYS.declaration.name, days), (settings::KEEP_BYTES.declaration.name, bytes)]
    {
        if number == Some(0) {
            trail.report_key(key, format!("`{key}`: 0 would keep nothing"), "leave it out to keep everything");
        }
    }
    into.keep = Keep { days, bytes };
    into.signing = signing::read(&mut trail, folder);
    trail.finish();
}

fn read_link(top: &mut Section<'_, '_>) -> bool {
    let mut link = top.section_or_empty(&settings::LINK);
    let is_enabled = link.or_default(&settings::LINKED).unwrap_or_default();
    link.finish();
    is_enabled
}

fn read_check(top: &mut Section<'_, '_>, into: &mut Settings) {
    let mut check = top.section_or_empty(&settings::CHECK);
    into.stale_after = check.or_default(&settings::STALE_AFTER).unwrap_or_default();
    check.finish();
}

fn read_alerts(top: &mut Section<'_, '_>, into: &mut Settings) {
    let mut alerts = top.section_or_empty(&settings::ALERTS);
    into.disabled = alerts.or_default(&settings::DISABLED).unwrap_or_default();
    into.notify = channel::read_names(&mut alerts, &settings::NOTIFY_BY_DEFAULT, &into.channels).unwrap_or_default();
    alerts.finish();
}

/// The trail's name is `<org>/<host>/<trail id>`; a checkpoint's origin takes neither space nor plus (C2SP tlog-checkpoint).
fn check_name(top: &Section<'_, '_>, key: &str, name: &str) {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || !name.chars().all(fits) {
        top.report_key(
            key,
            format!("`{key}`: \"{name}\" cannot be part of the trail's name"),
            "letters, digits, dots, hyphens and underscores",
        );
    }
}

fn read_sources(top: &mut Section<'_, '_>, clock: Clock, folder: &Path, machine: &Machine) -> Vec<Source> {
    let is_silent = !top.has(settings::SOURCE.name);
    if is_silent && clock.is_replay() {
        top.report(
            "[replay] without any [[source]]",
            "name what to read: the logs of this machine are not of that time",
        );
    }
    if is_silent {
        top.skip(&settings::SOURCE);
        return of_machine(machine);
    }
    let mut sources: Vec<Source> = Vec::new();
    for mut section in top.sections(&settings::SOURCE) {
        let source = read_source(&mut section, folder, machine);
        if let Some(source) = source {
            check_against(&section, &source, &sources);
            sources.push(source);
        }
        section.finish();
    }
    sources
}

/// What the machine has of the usual logs.
pub(super) fn of_machine(machine: &Machine) -> Vec<Source> {
    let source = |family: Family| Source {
        name: family.name().to_owned(),
        family,
        from: match family {
            Family::Journal => source::From::Journal(source::Journal::default()),
            _ => source::From::Files { paths: machine.usual_paths(family) },
        },
        host: None,
        zone: machine.zone,
        year: None,
        decompressed_bytes_max: source::DECOMPRESSED_BYTES_MAX,
        world: Default::default(),
    };
    machine.families().map(source).collect()
}

fn read_source(section: &mut Section<'_, '_>, folder: &Path, machine: &Machine) -> Option<Source> {
    let name = section.required(&settings::source::NAME);
    let family = section.required(&settings::source::TYPE);
    let host = section.optional(&settings::source::HOST);
    let most = section.or_default(&settings::source::DECOMPRESSED_MAX);
    let (zone, year) = match family {
        // The only family whose stamps lack a zone and a year; for others these keys mean nothing.
        Some(Family::Auth) | None => {
            (section.optional(&settings::source::TZ), section.optional(&settings::source::YEAR))
        }
        Some(_) => (None, None),
    };
    if let Some(year) = year.filter(|year| !(1970..=9999).contains(year)) {
        section.report_key("year", format!("`year`: {year} is no year of a log"), "1970 to 9999");
    }
    let world = read_world(section, family);
    let from = read_from(section, family, folder, machine);
    Some(Source {
        name: name?,
        family: family?,
        from: from?,
        host,
        zone: zone.unwrap_or(machine.zone),
        year,
        decompressed_bytes_max: most.map_or(source::DECOMPRESSED_BYTES_MAX, |Size(bytes)| bytes),
        world,
    })
}

fn read_world(section: &mut Section<'_, '_>, family: Option<Family>) -> World {
    // For other families these keys mean nothing.
    if family.is_some_and(|family| family != Family::Cloudtrail) {
        return World::default();
    }
    let mut read = |key: &'static Key<u64>, most: u8, default: u8| {
        let prefix = section.or_default(key).unwrap_or_default();
        match u8::try_from(prefix).ok().filter(|prefix| *prefix <= most) {
            Some(prefix) => prefix,
            None => {
                let name = key.declaration.name;
                section.report_key(name, format!("`{name}`: {prefix} is no prefix"), format!("0 to {most}"));
                default
            }
        }
    };
    let World { v4, v6 } = World::default();
    World { v4: read(&settings::source::WORLD_PREFIX, 32, v4), v6: read(&settings::source::WORLD_PREFIX_V6, 128, v6) }
}

fn read_from(
    section: &mut Section<'_, '_>,
    family: Option<Family>,
    folder: &Path,
    machine: &Machine,
) -> Option<source::From> {
    let paths = section.optional(&settings::source::PATHS);
    let stdin = section.or_default(&settings::source::STDIN).unwrap_or_default();
    let digest_keys = section.optional(&settings::source::DIGEST_KEYS);
    let s3 = section.section(&settings::S3);
    let lookup = section.section(&settings::LOOKUP);
    let trail = section.section(&settings::SOURCE_TRAIL);
    let sqs = section.section(&queue::SQS);
    let journal = section.section(&settings::JOURNAL);
    if family == Some(Family::Whodid) {
        section.report_key(
            "type",
            "`type`: whodid's own events are no source",
            "auth, journal, wtmp, btmp, lastlog, wtmpdb, lastlog2, cloudtrail, exec or ansible",
        );
        return None;
    }
    let places = [
        section.has("paths"),
        stdin,
        section.has("digest_keys"),
        s3.is_some() || (trail.is_some() && sqs.is_none()),
        sqs.is_some(),
        lookup.is_some(),
        journal.is_some(),
    ];
    if places.iter().filter(|is_there| **is_there).count() > 1 {
        section.report(
            "a source reads from one place",
            "keep one of `paths`, `stdin`, `digest_keys`, `s3` and `sqs` (with or without `trail`), `lookup` and `journal`",
        );
    }
    // All that are there, so that what is wrong in any of them is said at once.
    let s3 = s3.map(|s3| read_s3(s3, family, trail.is_some()));
    let sqs = sqs.map(|sqs| queue::read(sqs, family));
    let lookup = lookup.map(|lookup| cloudtrail::read_lookup(lookup, family));
    let journal = journal.map(|journal| read_journal(journal, family, folder));
    if let Some(trail) = trail {
        let trail = cloudtrail::read_trail(trail, family);
        let then = s3.or(sqs).unwrap_or_else(|| Some(cloudtrail::bucket_of_trail()));
        return Some(source::From::Trail { trail: trail?, then: Box::new(then?) });
    }
    if let Some(from) = [s3, sqs, lookup, journal].into_iter().flatten().next() {
        return from;
    }
    if section.has("digest_keys") {
        cloudtrail::check_family(section, family, "digest_keys");
        let path = join(folder, &digest_keys?);
        return Some(source::From::DigestKeys { path: path.to_string_lossy().into_owned() });
    }
    if stdin {
        return Some(source::From::Stdin);
    }
    if section.has("paths") {
        let paths: Vec<String> = paths?.into_iter().map(|pattern| join_text(folder, &pattern.0)).collect();
        if paths.is_empty() {
            section.report_key("paths", "`paths` is empty: nothing would be read", "name a file, or remove the source");
        }
        let is_journal_file = |path: &String| family == Some(Family::Journal) && path.ends_with(".journal");
        if paths.iter().any(is_journal_file) {
            section.report_key(
                "paths",
                "`paths`: only journalctl reads journal files",
                "name them in `files` under [source.journal]",
            );
        }
        return Some(source::From::Files { paths });
    }
    if family == Some(Family::Journal) {
        return Some(source::From::Journal(source::Journal::default()));
    }
    let paths = machine.usual_paths(family?);
    if paths.is_empty() {
        section.report(
            "the source says nowhere to read from",
            "add `paths`, [source.s3], [source.sqs] or [source.lookup]",
        );
    }
    Some(source::From::Files { paths })
}

/// `has_trail`: the bucket may be left to it.
fn read_s3(mut s3: Section<'_, '_>, family: Option<Family>, has_trail: bool) -> Option<source::From> {
    if !cfg!(feature = "aws") {
        s3.report("this whodid was built without S3", "build it with the feature `aws`");
    }
    if family.is_some_and(|family| family != Family::Cloudtrail) {
        s3.report("only CloudTrail objects are read from S3", "set type = \"cloudtrail\", or use `paths`");
    }
    let is_of_trail = has_trail && !s3.has("bucket");
    let bucket = if is_of_trail { s3.optional(&settings::s3::BUCKET) } else { s3.required(&settings::s3::BUCKET) };
    let endpoint = s3.optional(&settings::s3::ENDPOINT);
    check_bucket(&s3, bucket.as_deref(), endpoint.as_deref());
    let bucket = if is_of_trail { Some(String::new()) } else { bucket };
    let prefix = s3.or_default(&settings::s3::PREFIX);
    let region = s3.optional(&settings::s3::REGION);
    let path_style = s3.or_default(&settings::s3::PATH_STYLE);
    let poll = s3.or_default(&settings::s3::POLL);
    s3.finish();
    Some(source::From::S3 { bucket: bucket?, prefix: prefix?, region, endpoint, path_style: path_style?, poll: poll? })
}

fn read_journal(mut journal: Section<'_, '_>, family: Option<Family>, folder: &Path) -> Option<source::From> {
    if family.is_some_and(|family| family != Family::Journal) {
        journal.report("journalctl reads the journal only", "set type = \"journal\", or use `paths`");
    }
    let directory = journal.optional(&settings::journal::DIRECTORY).map(|path| join(folder, &path));
    let files = journal.or_default(&settings::journal::FILES).unwrap_or_default();
    let namespace = journal.optional(&settings::journal::NAMESPACE);
    let merge = journal.or_default(&settings::journal::MERGE).unwrap_or_default();
    let matches = journal.or_default(&settings::journal::MATCH).unwrap_or_default();
    if directory.is_some() && !files.is_empty() {
        journal.report("journal files lie in one place", "keep one of `directory` and `files`");
    }
    for text in matches.iter().filter(|text| !is_match(text)) {
        journal.report_key(
            "match",
            format!("`match`: \"{text}\" is no match"),
            "FIELD=value, or + between alternatives",
        );
    }
    journal.finish();
    let files = files.iter().map(|path| join(folder, path)).collect();
    Some(source::From::Journal(source::Journal { directory, files, namespace, merge, matches }))
}

/// What journalctl takes for a match and never for an option.
fn is_match(text: &str) -> bool {
    let is_field = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        !name.is_empty() && name.bytes().all(fits)
    };
    text == "+" || text.split_once('=').is_some_and(|(name, _)| is_field(name))
}

/// What S3 could never find.
pub(super) fn check_bucket(section: &Section<'_, '_>, bucket: Option<&str>, endpoint: Option<&str>) {
    if let Some(bucket) = bucket.filter(|bucket| bucket.is_empty() || bucket.contains(['/', ':'])) {
        section.report_key(
            "bucket",
            format!("`bucket`: \"{bucket}\" is no bucket's name"),
            "the name alone; a path goes to `prefix`",
        );
    }
    check_endpoint(section, endpoint);
}

pub(super) fn check_endpoint(section: &Section<'_, '_>, endpoint: Option<&str>) {
    if let Some(endpoint) = endpoint.filter(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        section.report_key(
            "endpoint",
            format!("`endpoint`: \"{endpoint}\" is no address"),
            "such as \"https://s3.example.org\"",
        );
    }
}

/// What makes sense alone but not beside the sources before it.
fn check_against(section: &Section<'_, '_>, source: &Source, before: &[Source]) {
    if source.name.is_empty() || source.name.chars().any(char::is_control) {
        section.report_key("name", "`name` must be a word that can be read", "such as \"auth\"");
    }
    if source.name == intake::NAME {
        section.report_key("name", "`name`: \"intake\" is what [intake] is called", "give it another name");
    }
    if before.iter().any(|other| other.name == source.name) {
        section.report_key("name", format!("two sources are named \"{}\"", source.name), "give each its own name");
    }
    if source.from == source::From::Stdin && before.iter().any(|other| other.from == source::From::Stdin) {
        section.report_key("stdin", "two sources read standard input", "keep one of them");
    }
}

/// `path` below `folder` unless it is absolute, without `name/..` where `name` is no symbolic link.
pub(super) fn join(folder: &Path, path: &Path) -> PathBuf {
    let mut joined = PathBuf::new();
    for component in folder.join(path).components() {
        let is_plain = matches!(joined.components().next_back(), Some(Component::Normal(_))) && !joined.is_symlink();
        match component {
            Component::ParentDir if is_plain => {
                joined.pop();
            }
            other => joined.push(other),
        }
    }
    joined
}

/// The same for a pattern: the folder's own brackets and stars are no pattern.
fn join_text(folder: &Path, pattern: &str) -> String {
    if Path::new(pattern).is_absolute() {
        return pattern.to_owned();
    }
    let folder = glob::Pattern::escape(&folder.to_string_lossy());
    join(Path::new(&folder), Path::new(pattern)).to_string_lossy().into_owned()
}
