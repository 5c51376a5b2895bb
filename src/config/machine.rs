//! What this machine says of itself: its name and zone, the user's folders, the logs it has.
//!
//! The only part of `config` that asks the system; tests put their own answers in its place.

use std::path::PathBuf;

use etcetera::BaseStrategy as _;

use crate::event::Family;
use crate::sources::zone::Zone;

#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// `uname -n`.
    pub host: String,
    /// Zone of local stamps; UTC where the system does not say.
    pub zone: Zone,
    pub is_root: bool,
    /// `$XDG_CONFIG_HOME/whodid` and `$XDG_DATA_HOME/whodid`; none for a user without a home.
    pub config_folder: Option<PathBuf>,
    pub data_folder: Option<PathBuf>,
    /// `/`; the system's own files are looked for below it.
    pub system: PathBuf,
}

impl Machine {
    pub fn look() -> Self {
        let folders = etcetera::base_strategy::choose_base_strategy().ok();
        Self {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            zone: iana_time_zone::get_timezone().ok().and_then(|name| name.parse().ok()).unwrap_or(Zone::UTC),
            is_root: rustix::process::geteuid().is_root(),
            config_folder: folders.as_ref().map(|folders| folders.config_dir().join("whodid")),
            data_folder: folders.as_ref().map(|folders| folders.data_dir().join("whodid")),
            system: PathBuf::from("/"),
        }
    }

    /// Where configurations are looked for when none is named, first choice first.
    pub(super) fn config_folders(&self) -> impl Iterator<Item = PathBuf> {
        self.config_folder.clone().into_iter().chain([self.system_config_folder()])
    }

    pub(super) fn system_config_folder(&self) -> PathBuf {
        self.system.join("etc/whodid")
    }

    pub(super) fn system_data_folder(&self) -> PathBuf {
        self.system.join("var/lib/whodid")
    }

    /// Where the system keeps the live files of a family.
    fn live_files(&self, family: Family) -> impl Iterator<Item = PathBuf> {
        let names: &[&str] = match family {
            // Debian and its descendants; Red Hat, SUSE and theirs.
            Family::Auth => &["var/log/auth.log", "var/log/secure"],
            Family::Wtmp => &["var/log/wtmp"],
            Family::Btmp => &["var/log/btmp"],
            Family::Lastlog => &["var/log/lastlog"],
            // Debian 13 and SUSE; some others.
            Family::Wtmpdb => &["var/lib/wtmpdb/wtmp.db", "var/log/wtmp.db"],
            Family::Lastlog2 => &["var/lib/lastlog/lastlog2.db"],
            Family::Journal | Family::Cloudtrail | Family::Exec | Family::Ansible | Family::Whodid => &[],
        };
        names.iter().map(|name| self.system.join(name))
    }

    /// Where to read a family from: those files of the system that are there, or the first that could be, with
    /// patterns for their rotated copies (`.1`, `.2.gz`, `-20261120`) where there are such.
    pub(super) fn usual_paths(&self, family: Family) -> Vec<String> {
        let endings: &[&str] = match family {
            Family::Lastlog | Family::Wtmpdb | Family::Lastlog2 => &[""],
            _ => &["", ".[0-9]*", "-[0-9]*"],
        };
        let patterns = |file: PathBuf| {
            let file = glob::Pattern::escape(&file.to_string_lossy());
            endings.iter().map(move |ending| format!("{file}{ending}"))
        };
        let there: Vec<PathBuf> = self.live_files(family).filter(|file| file.exists()).collect();
        let files = if there.is_empty() { self.live_files(family).take(1).collect() } else { there };
        files.into_iter().flat_map(patterns).collect()
    }

    /// The families whose files are there. The journal has all that auth logs have: of these two, one.
    pub(super) fn families(&self) -> impl Iterator<Item = Family> + '_ {
        let has = |family| self.live_files(family).any(|file| file.exists());
        let is_journal_all = self.has_journal() && !has(Family::Auth);
        Family::ALL.into_iter().filter(move |family| match family {
            Family::Journal => is_journal_all,
            other => has(*other),
        })
    }

    /// Whether journald keeps a journal, on disk or in memory.
    fn has_journal(&self) -> bool {
        let holds = |folder: PathBuf| folder.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        ["var/log/journal", "run/log/journal"].iter().any(|folder| holds(self.system.join(folder)))
    }
}
