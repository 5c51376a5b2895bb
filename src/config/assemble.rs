//! The files of a configuration, put together: settings, queries, alerts, folders.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::alert::Alert;
use super::anchor::To;
use super::definitions::{self, Definitions, Text};
use super::file::{self, Settings};
use super::problem::{Problem, Problems, suggest};
use super::saved;
use super::section::Document;
use super::{Config, Defined, FILE_NAME, Intake, Kind, Machine, Signing, alert_file, lists};

/// Where the pieces come from.
pub(super) struct Place<'a> {
    pub(super) machine: &'a Machine,
    /// The configuration; none for the defaults.
    pub(super) file: Option<&'a Path>,
    /// Its folder, or the one where it would be.
    pub(super) folder: Option<&'a Path>,
    /// `--data`.
    pub(super) data: Option<&'a Path>,
}

/// Reads everything, and fails with everything that is wrong.
pub(super) fn assemble(place: &Place<'_>, text: &str) -> Result<Config, Problems> {
    let document = Document::parse(place.file.unwrap_or(Path::new(FILE_NAME)), text);
    let settings = file::read(&document, place.folder.unwrap_or(Path::new("")), place.machine);
    let mut found = Found::default();
    found.files.extend(place.file.map(|path| Defined {
        kind: Kind::Config,
        id: FILE_NAME.to_owned(),
        path: path.to_owned(),
        sha256: definitions::sha256(text),
    }));
    let in_force = settings.lists.lists();
    let mut named: BTreeSet<String> = lists::declared().collect();
    let queries = found.read_all(
        Kind::Query,
        definitions::queries(place.folder),
        |document, id, text| saved::read(document, id, &text.sha256, &in_force, &mut named),
        |query| &query.sha256,
    );
    settings.lists.report_unnamed(&document, &named);
    let in_force = in_force.only(&named);
    let known_queries: BTreeSet<String> = found.ids(Kind::Query).collect();
    let known = alert_file::Known {
        queries: &known_queries,
        channels: &settings.channels,
        lists: &in_force,
        notify: &settings.notify,
    };
    let mut alerts = found.read_all(
        Kind::Alert,
        definitions::alerts(place.folder),
        |document, id, text| alert_file::read(document, id, text, &known),
        |alert| &alert.sha256,
    );
    disable(&document, &settings, &mut alerts, &found);
    let data = data_folder(place, &settings, &document);
    let keys = keys_folder(place, &settings, &document, data.as_deref());
    if let (Signing::File(key), Some(data)) = (&settings.signing, &data) {
        report_in_data(&document, key, data, "set `key` under [trail] to a file elsewhere");
    }
    if let Some(data) = &data {
        check_anchors(&document, &settings, data);
    }
    found.warn(place, &settings);
    found.problems.extend(document.into_problems());
    Problems::check(found.problems)?;
    let (Some(data), Some(keys)) = (data, keys) else {
        // Both report when they find none; this repeats the one that a broken file may have hidden.
        return Err(Problems::one(nowhere(place)));
    };
    let intake = intake(place, &settings, &data);
    Ok(Config {
        file: place.file.map(Path::to_owned),
        data,
        keys,
        org: settings.org,
        host: settings.host,
        clock: settings.clock,
        sources: settings.sources,
        intake,
        queries,
        alerts,
        channels: settings.channels,
        anchors: settings.anchors,
        people: settings.people.into(),
        lists: in_force,
        index: settings.index,
        keep: settings.keep,
        link: settings.link,
        signing: settings.signing,
        stale_after: settings.stale_after,
        files: found.files,
        warnings: found.warnings,
    })
}

/// What turned up on the way.
#[derive(Default)]
struct Found {
    files: Vec<Defined>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Found {
    /// Reads the definitions of one kind; those with a problem are left out, and reported.
    fn read_all<T>(
        &mut self,
        kind: Kind,
        definitions: Definitions,
        mut read: impl FnMut(&Document<'_>, &str, &Text) -> Option<T>,
        hash: impl Fn(&T) -> &str,
    ) -> BTreeMap<String, T> {
        self.problems.extend(definitions.problems);
        self.warnings.extend(definitions.warnings);
        let mut all = BTreeMap::new();
        for (id, text) in definitions.texts {
            let document = Document::parse(&text.file, &text.text);
            let value = read(&document, &id, &text);
            self.problems.extend(document.into_problems());
            let sha256 = value.as_ref().map_or(text.sha256, |value| hash(value).to_owned());
            self.files.push(Defined { kind, id: id.clone(), path: text.file, sha256 });
            all.extend(value.map(|value| (id, value)));
        }
        all
    }

    fn ids(&self, kind: Kind) -> impl Iterator<Item = String> + '_ {
        self.files.iter().filter(move |file| file.kind == kind).map(|file| file.id.clone())
    }

    fn warn(&mut self, place: &Place<'_>, settings: &Settings) {
        let file = place.file.unwrap_or(Path::new(FILE_NAME));
        if settings.sources.is_empty() {
            self.warnings.push(definitions::problem(
                file,
                "there is nothing to read: this machine has no auth.log, secure, journal, wtmp or btmp",
                "add a [[source]]; `whodid config example` shows them",
            ));
        }
        let is_open = |path: &Path| path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o002 != 0);
        if place.file.is_some_and(is_open) {
            self.warnings.push(definitions::problem(
                file,
                "everybody on this machine can change what is collected and whom alerts tell",
                "chmod o-w",
            ));
        }
    }
}

/// Takes out what `[alerts] disabled` names.
fn disable(document: &Document<'_>, settings: &Settings, alerts: &mut BTreeMap<String, Alert>, found: &Found) {
    let known: BTreeSet<String> = found.ids(Kind::Alert).collect();
    for disabled in &settings.disabled {
        if !known.contains(&disabled.value) {
            document.report(
                Some(disabled.at),
                format!("`disabled`: there is no alert \"{}\"", disabled.value),
                suggest(&disabled.value, known.iter().map(String::as_str)),
            );
        }
        alerts.remove(&disabled.value);
    }
}

/// `--data`, `data`, the system's folder for root and a configuration of the system, else the user's.
fn data_folder(place: &Place<'_>, settings: &Settings, document: &Document<'_>) -> Option<PathBuf> {
    let machine = place.machine;
    if let Some(named) = place.data.map(Path::to_owned).or_else(|| settings.data.clone()) {
        return Some(named);
    }
    if settings.clock.is_replay() {
        document.report(None, "a replay needs a data folder of its own", "set `data`, or use --data");
        return None;
    }
    if machine.is_root || is_system(place) {
        return Some(machine.system_data_folder());
    }
    if machine.data_folder.is_none() {
        let Problem { what, advice, .. } = nowhere(place);
        document.report(None, what, advice.unwrap_or_default());
    }
    machine.data_folder.clone()
}

/// The configuration of the machine's own writer.
fn is_system(place: &Place<'_>) -> bool {
    place.file.is_some() && place.folder == Some(place.machine.system_config_folder().as_path())
}

/// The machine's own writer has places that everybody knows; any other one keeps to its folder.
fn intake(place: &Place<'_>, settings: &Settings, data: &Path) -> Option<Intake> {
    if settings.intake.is_off || settings.clock.is_replay() {
        return None;
    }
    let is_own = data == place.machine.system_data_folder() || (is_system(place) && place.data.is_none());
    let places = if is_own { Intake::of_system(place.machine) } else { Intake::in_data(data) };
    Some(places.with(&settings.intake))
}

fn nowhere(place: &Place<'_>) -> Problem {
    let file = place.file.unwrap_or(Path::new(FILE_NAME));
    definitions::problem(file, "this user has no home: there is no folder for the trail", "set `data`, or use --data")
}

/// `keys`, else beside the configuration; a copy of the data must never hold the key.
fn keys_folder(
    place: &Place<'_>,
    settings: &Settings,
    document: &Document<'_>,
    data: Option<&Path>,
) -> Option<PathBuf> {
    let keys = match (&settings.keys, place.folder) {
        (Some(keys), _) => keys.clone(),
        (None, Some(folder)) => folder.join("keys"),
        // A user without a home, and no configuration: reported for the data already.
        (None, None) => {
            document.report(None, "this user has no home: there is no folder for the signing key", "name a --config");
            return None;
        }
    };
    if let Some(data) = data {
        report_in_data(document, &keys, data, "set `keys` to a folder elsewhere");
    }
    Some(keys)
}

/// Whoever gets a copy of the data must not get what signs it.
fn report_in_data(document: &Document<'_>, key: &Path, data: &Path, advice: &str) {
    if resolved(key).starts_with(resolved(data)) {
        document.report(
            None,
            format!("the signing key would lie in the data folder {}", data.display()),
            format!("{advice}: whoever gets a copy of the data could sign in your name"),
        );
    }
}

/// What lies with the trail is lost, copied back and changed with it.
fn check_anchors(document: &Document<'_>, settings: &Settings, data: &Path) {
    for anchor in &settings.anchors {
        if let To::File { path } = &anchor.to
            && resolved(path).starts_with(resolved(data))
        {
            let what = format!("the anchor \"{}\" lies in the data folder {}", anchor.name, data.display());
            document.report(None, what, "name a file elsewhere, best on another mount");
        }
    }
}

/// The folder behind links, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for existing in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (existing.canonicalize(), path.strip_prefix(existing)) {
            return real.join(rest);
        }
    }
    path
}
