//! Which program's messages are read where.

use super::pam::Speaker;
use super::reading::{HOST, Reading};
use super::{
    accounts, adduser, become_root, cron, desktop, dropbear, ftp, groups, login, logind, pam, pam_forms, polkit, run0,
    sftp, sshd, su, sudo, sudo_json,
};
use crate::event::{Event, Family};

/// What a program said, wherever it stands: in a line of an auth log, or in a record of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// As it calls itself: `sshd`, `sshd(pam_unix)`.
    pub program: Option<&'a str>,
    pub text: &'a str,
}

impl Message<'_> {
    /// Puts what the message says into the event; one that nobody knows leaves it as it is.
    pub fn tell(&self, event: &mut Event) {
        if let Some(reading) = repeated_last(self.text) {
            return reading.fill(event);
        }
        let Some(program) = self.program else { return };
        let (name, module) = with_module(program);
        if name.len() < program.len() {
            event.place.service = Some(name.to_owned());
        }
        let (message, times) = repeated(self.text);
        if !sudo_json::tell(name, message, event) {
            let Some(reading) = read(name, module, message) else { return };
            reading.fill(event);
        }
        if let Some(times) = times {
            event.set_detail_of(Family::Auth, "repeated", times);
        }
        if name == "sudo_logsrvd" {
            happened_elsewhere(event);
        }
    }

    /// Whether it may quote a command. Those of PAM, sshd and the like quote names that strangers typed.
    pub fn has_command(&self) -> bool {
        let quotes = |name| match name {
            "sudo" | "sudo_logsrvd" | "CRON" | "CROND" | "cron" | "crond" | "pkexec" | "doas" | "polkitd" => true,
            "sshd" | "sshd-session" => self.text.starts_with("Starting session: forced-command "),
            "dropbear" => self.text.starts_with("User ") || self.text.starts_with("Command forced "),
            "su" => self.text.contains(" execute "),
            _ => false,
        };
        let Some((name, _)) = self.program.map(with_module) else { return true };
        !self.is_of_auth() || quotes(name) && !self.text.starts_with("pam_")
    }

    /// Whether an auth log is where a message like this is found.
    pub fn is_of_auth(&self) -> bool {
        let Some(program) = self.program else { return false };
        let (name, module) = with_module(program);
        // These speak of people now and then, and of everything else besides.
        let is_of_all =
            matches!(name, "systemd" | "dbus-daemon" | "dbus-broker" | "dbus" | "gnome-keyring-daemon" | "agetty");
        module.is_some() || reader(name).is_some() && !is_of_all || self.text.starts_with("pam_")
    }
}

/// sudo_logsrvd writes down what other machines tell it.
fn happened_elsewhere(event: &mut Event) {
    let host = event.detail.get("auth").and_then(|auth| auth.get("host")).and_then(serde_json::Value::as_str);
    if let Some(host) = host.map(str::to_owned) {
        event.place.host = Some(host);
    }
}

fn read<'a>(program: &'a str, module: Option<&'a str>, message: &'a str) -> Option<Reading<'a>> {
    if let Some(module) = module {
        return pam::told(Speaker { module, service: program, kind: "" }, message);
    }
    if message.starts_with("pam_")
        && let Some(reading) = pam::read(message)
    {
        return Some(reading);
    }
    if let Some(text) = message.strip_prefix("gkr-pam: ") {
        return pam::keyring(text);
    }
    let reading = reader(program)?(message);
    match reading {
        None if message.starts_with("PAM ") => pam_forms::library(message),
        reading => reading,
    }
}

type Reader = for<'a> fn(&'a str) -> Option<Reading<'a>>;

/// What reads the messages of a program.
fn reader(program: &str) -> Option<Reader> {
    Some(match program {
        "sshd" | "sshd-session" | "sshd-auth" => sshd::read,
        "sudo" | "sudo_logsrvd" => sudo::read,
        "CRON" | "CROND" | "cron" | "crond" | "crontab" | "anacron" | "atd" | "fcron" => cron::read,
        "systemd-logind" | "elogind-daemon" | "elogind" => logind::read,
        "su" | "runuser" => su::read,
        "useradd" | "usermod" | "userdel" | "newusers" | "passwd" | "chpasswd" | "chage" | "chfn" | "chsh" | "pwck"
        | "vipw" | "vigr" | "newgrp" | "sg" | "expiry" | "pwconv" | "pwunconv" | "shadow" => accounts::read,
        "groupadd" | "groupmod" | "groupdel" | "gpasswd" | "groupmems" | "grpck" | "chgpasswd" | "grpconv"
        | "grpunconv" => groups::read,
        "adduser" | "addgroup" | "deluser" | "delgroup" => adduser::read,
        "unix_chkpwd" | "unix_update" | "pwhistory_helper" => pam_forms::helper,
        "pkexec" => become_root::pkexec,
        "doas" => become_root::doas,
        "polkitd" => polkit::read,
        "systemd" => run0::read,
        "login" | "logoutd" => login::read,
        "agetty" | "getty" => login::getty,
        "dropbear" => dropbear::read,
        "sftp-server" | "internal-sftp" => sftp::read,
        "vsftpd" => ftp::vsftpd,
        "proftpd" => ftp::proftpd,
        "pure-ftpd" => ftp::pure_ftpd,
        "pam_duo" | "login_duo" => pam_forms::read,
        "gdm"
        | "gdm3"
        | "gdm-password"
        | "gdm-session-worker"
        | "gdm-launch-environment"
        | "lightdm"
        | "sddm"
        | "sddm-helper"
        | "xdm" => desktop::display,
        "dbus-daemon" | "dbus-broker" | "dbus" => desktop::bus,
        "gnome-keyring-daemon" => desktop::keyring,
        _ => return None,
    })
}

/// `sshd(pam_unix)`, as PAM of old named itself, and `polkitd(authority=local)`.
fn with_module(program: &str) -> (&str, Option<&str>) {
    // Some log the path that they were called by.
    let program = program.strip_prefix('/').and_then(|path| path.rsplit('/').next()).unwrap_or(program);
    match program.strip_suffix(')').and_then(|text| text.split_once('(')) {
        Some((name, module)) if !name.is_empty() => (name, Some(module).filter(|module| module.starts_with("pam_"))),
        _ => (program, None),
    }
}

/// `message repeated 3 times: [ … ]`: rsyslog's word for the same message again.
fn repeated(message: &str) -> (&str, Option<u32>) {
    let cut = || {
        let (times, rest) = message.strip_prefix("message repeated ")?.split_once(" times: [")?;
        let inner = rest.strip_suffix(']')?;
        Some((inner.strip_prefix(' ').unwrap_or(inner), times.parse().ok()?))
    };
    cut().map_or((message, None), |(inner, times): (&str, u32)| (inner, Some(times)))
}

/// `last message repeated 3 times`: which message that was is not in this record.
fn repeated_last(message: &str) -> Option<Reading<'_>> {
    let times = message.strip_prefix("last message repeated ")?.strip_suffix(" times")?;
    times.bytes().all(|b| b.is_ascii_digit()).then(|| Reading::of("log.repeated", HOST).with("repeated", times))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::form::Form;
    use super::super::{header, reading, sshd_forms};
    use super::*;

    /// What sshd writes around a name that anybody may choose; `§` is the name.
    const AROUND: &[&str] = &[
        "Failed password for invalid user § from 198.51.100.77 port 40112 ssh2",
        "Failed none for invalid user § from 198.51.100.77 port 40112 ssh2 [preauth]",
        "Failed publickey for invalid user § from 198.51.100.77 port 40112 ssh2: RSA SHA256:vi7k",
        "Invalid user § from 198.51.100.77 port 40112",
        "Connection closed by invalid user § 198.51.100.77 port 40112 [preauth]",
        "Connection reset by authenticating user § 198.51.100.77 port 40112 [preauth]",
        "Disconnecting invalid user § 198.51.100.77 port 40112: Too many authentication failures [preauth]",
        "error: maximum authentication attempts exceeded for invalid user § from 198.51.100.77 port 40112 ssh2 [preauth]",
        "error: PAM: Authentication failure for illegal user § from 198.51.100.77",
        "User § from 198.51.100.77 not allowed because not listed in AllowUsers",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=198.51.100.77  user=§",
    ];

    /// What a name is made of that wants to be taken for something else.
    fn hostile_name() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            " from ",
            "203.0.113.1",
            " port ",
            "22",
            " ssh2",
            ": ",
            "RSA",
            " SHA256:x",
            "invalid user ",
            " user=",
            " for ",
            " rhost=",
            " [preauth]",
            " not allowed because ",
            "ID ",
            " CA ",
            "(serial 0)",
            "]",
            "'",
            "\"",
            " ",
            "root",
            "Accepted password for ",
            "Too many authentication failures",
            "Ω",
            "\u{202e}",
            ")",
            " by ",
            "times: [",
        ]);
        prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_name_never_changes_who_came_from_where(name in hostile_name(), around in prop::sample::select(AROUND)) {
            let message = around.replace('§', &name);
            let reading = read("sshd", None, &message).expect("a message of sshd");
            prop_assert_eq!(reading.user, Some(name.as_str()), "{}", message);
            prop_assert_eq!(reading.remote, Some("198.51.100.77"), "{}", message);
            prop_assert!(reading.outcome != crate::event::Outcome::Success, "{}", message);
        }

        #[test]
        fn a_certificate_never_changes_who_came_from_where(name in hostile_name(), id in hostile_name()) {
            let message = format!(
                "Failed publickey for invalid user {name} from 198.51.100.77 port 40112 ssh2: ED25519-CERT SHA256:x ID {id} (serial 0) CA RSA SHA256:y"
            );
            let reading = read("sshd", None, &message).expect("a message of sshd");
            let is_true = reading.remote == Some("198.51.100.77") && reading.user == Some(name.as_str());
            prop_assert!(is_true || reading.detail.contains(&reading::AMBIGUOUS), "{}", message);
        }

        #[test]
        fn a_command_never_becomes_a_refusal_or_a_mark(command in hostile_command()) {
            let message = format!("alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/x -{command}");
            let reading = read("sudo", None, &message).expect("a message of sudo");
            prop_assert_eq!(reading.outcome, crate::event::Outcome::Success);
            prop_assert_eq!((reading.action, reading.user, reading.became), ("sudo.command", Some("alice"), Some("root")));
            prop_assert_eq!(reading.command, message.split_once("COMMAND=").map(|(_, command)| command));
        }

        #[test]
        fn nothing_makes_a_reader_panic(
            program in prop::sample::select(PROGRAMS),
            words in prop::collection::vec(prop::sample::select(WORDS), 0..14),
            spaced in any::<bool>(),
        ) {
            let message = words.join(if spaced { " " } else { "" });
            let line = format!("Nov 20 10:11:12 web-1 {program}[1]: {message}");
            let header = header::read(&line).expect("a header");
            prop_assert_eq!(header.program, Some(program));
            let (program, module) = with_module(program);
            let (message, _) = repeated(header.message);
            let _ = read(program, module, message);
        }
    }

    fn hostile_command() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            " ; ",
            "TTY=",
            "USER=",
            "COMMAND=",
            "user NOT in sudoers",
            "EXIT=1",
            " : ",
            "3 incorrect password attempts",
            "(command continued) ",
            "/usr/bin/echo Ansible playbook started on web-1",
            "=",
            " ",
            "list",
            "ENV=",
        ]);
        prop::collection::vec(pieces, 0..10).prop_map(|pieces| pieces.concat())
    }

    const PROGRAMS: &[&str] = &[
        "sshd",
        "sudo",
        "CRON",
        "systemd-logind",
        "su",
        "useradd",
        "passwd",
        "groupadd",
        "gpasswd",
        "unix_chkpwd",
        "pkexec",
        "doas",
        "polkitd",
        "login",
        "dropbear",
        "sshd(pam_unix)",
        "polkitd(authority=local)",
        "sshd-session",
        "internal-sftp",
        "sudo_logsrvd",
        "runuser",
        "newgrp",
        "adduser",
        "anacron",
        "atd",
        "agetty",
        "systemd",
        "vsftpd",
        "proftpd",
        "pure-ftpd",
        "login_duo",
        "gdm",
        "dbus-daemon",
        "gnome-keyring-daemon",
    ];

    const WORDS: &[&str] = &[
        "Accepted",
        "Failed",
        "password",
        "for",
        "from",
        "port",
        "22",
        "ssh2",
        "ssh2:",
        "invalid user",
        "Invalid user",
        "Disconnected from",
        "Connection closed by",
        "Disconnecting",
        ":",
        "User",
        "not allowed because",
        "error:",
        "'",
        "maximum authentication attempts exceeded",
        "1.2.3.4",
        "[preauth]",
        "(",
        ")",
        "[",
        "]",
        ";",
        "TTY=",
        "PWD=",
        "USER=",
        "COMMAND=",
        " : ",
        "(to root)",
        "on",
        "Successful su for",
        "by",
        "pam_unix(sshd:auth):",
        "=",
        "/",
        "authentication failure; logname= uid= euid= tty= ruser= rhost=",
        "session opened for user",
        "(uid=0)",
        "CMD",
        "add",
        "delete",
        "user",
        "to group",
        "new user: name=",
        "new group: name=",
        ", GID=",
        "change",
        "group",
        "removed",
        "members of group",
        "set by",
        "New session",
        "of user",
        "Removed session",
        ".",
        "Operator of unix-session:",
        "é",
        "successfully authenticated as unix-user:",
        "authorization for action",
        "(owned by unix-user:",
        "ran command",
        "as",
        "Executing command [USER=",
        "] [TTY=",
        "] [CWD=",
        "] [COMMAND=",
        "LOGIN ON",
        "BY",
        "FAILED LOGIN",
        "FOR",
        "FROM",
        "Password auth succeeded for",
        "Exit (",
        "message repeated 2 times: [",
        "key",
        "found at",
        "Starting session:",
        "id",
        "reverse mapping checking getaddrinfo for",
        "failed",
        "Bad protocol version identification '",
        "-",
        "ID",
        "CA",
        "(serial",
        "received for user",
        "requirement \"",
        "\" not met by user \"",
        "tally",
        ", deny ",
        "@cee:{\"sudo\":{\"accept\":{",
        "}}}",
        "Refusing certificate ID \"",
        "serial=",
        "signed by",
        "srclimit_penalise:",
        "penalty of",
        "seconds for",
        "originator",
        "target",
        "open \"",
        "] OK LOGIN: Client \"",
        "(a[1.2.3.4]) - USER",
        "[INFO]",
        "Adding new user `",
        "' ...",
        "[run0]",
        "Started",
        "PAM unable to",
        "more authentication failures;",
        "Starting job",
        " ; EXIT=1",
    ];

    /// A program that writes each table's messages.
    const TABLES: &[(&str, &[Form])] = &[
        ("sshd", sshd_forms::ACCOUNTS),
        ("sshd", sshd_forms::KEYS),
        ("sshd", sshd_forms::FORWARDS),
        ("sshd", sshd_forms::CONNECTIONS),
        ("sftp-server", sftp::FORMS),
        ("dropbear", dropbear::FORMS),
        ("su", su::FORMS),
        ("login", login::FORMS),
        ("agetty", login::GETTY),
        ("useradd", accounts::FORMS),
        ("gpasswd", groups::FORMS),
        ("adduser", adduser::FORMS),
        ("crond", cron::FORMS),
        ("systemd-logind", logind::FORMS),
        ("polkitd", polkit::FORMS),
        ("systemd", run0::FORMS),
        ("vsftpd", ftp::VSFTPD),
        ("proftpd", ftp::PROFTPD),
        ("pure-ftpd", ftp::PURE_FTPD),
        ("gdm", desktop::DISPLAY),
        ("dbus-daemon", desktop::BUS),
        ("gnome-keyring-daemon", desktop::KEYRING),
        ("unix_chkpwd", pam_forms::HELPERS),
        ("login_duo", pam_forms::FORMS),
        ("gdm", pam_forms::LIBRARY),
    ];

    #[test]
    fn every_form_of_every_table_is_reached() {
        let mut broken = Vec::new();
        let mut count = 0;
        for (program, form) in TABLES.iter().flat_map(|(program, forms)| forms.iter().map(move |form| (program, form)))
        {
            count += 1;
            assert!(!form.pattern().contains("}{"), "{}: nothing tells where a slot ends", form.pattern());
            let message = form.example();
            let reading = read(program, None, &message);
            let is_read = reading.as_ref().is_some_and(|reading| {
                reading.action == form.action() && !reading.detail.contains(&reading::AMBIGUOUS)
            });
            if !is_read {
                broken.push(format!("{program}: {}: {:?}", form.pattern(), reading.map(|reading| reading.action)));
            }
        }
        assert!(broken.is_empty(), "{}", broken.join("\n"));
        assert!(count > 400, "{count}");
    }

    fn parts(program: &str, message: &str) -> Option<&'static str> {
        read(program, None, message).map(|reading| reading.action)
    }

    #[test]
    fn words_of_one_program_are_nothing_in_another() {
        let accepted = "Accepted password for root from 203.0.113.1 port 22 ssh2";
        assert_eq!(parts("sshd", accepted), Some("ssh.login"));
        assert_eq!(parts("backup", accepted), None);
        assert_eq!(parts("sudo", accepted), None);
        assert_eq!(parts("sshd", "alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls"), None);
    }
}
