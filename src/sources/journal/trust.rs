//! Whether the text of a record says what the kernel and journald say of its sender.
//!
//! Whoever may write to the log socket chooses the program's name and the message; the fields that begin
//! with `_` are set by journald from what the kernel says of the sender. The name of a program of the auth
//! family is a claim: each has a rule of which executables may make it, and as whom.
//!
//! Not seen: somebody who is root, and a user who, where the system lets users make name spaces of their
//! own, mounts another executable over sudo's path or is privileged there. `_UID` and `loginuid` are true even then.

use std::ops::RangeInclusive;

use super::record::Record;

/// What the trusted fields say to what the text claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Agrees,
    /// They deny it: what is claimed, and why it cannot be.
    Denies {
        claimed: String,
        why: String,
    },
    /// They are silent, or nothing is claimed that they could speak to.
    Silent,
}

/// Who may call itself by a name.
struct Rule {
    names: &'static [&'static str],
    executables: &'static [&'static str],
    as_: As,
}

/// The user that a program runs as when it says something of weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Root,
    /// Root; as another user it says things that need no trust, such as how a connection ended.
    RootOrLess,
    /// An account of the system.
    System,
    /// It is setuid: `_UID` is who called it. Without the privileges that this gives it, it is no more than its
    /// user's: who gives them up (`setpriv --no-new-privs`) may put a library or a debugger into it.
    Anyone,
}

const RULES: &[Rule] = &[
    Rule {
        names: &["sshd", "sshd-session", "sshd-auth"],
        executables: &["sshd", "sshd-session", "sshd-auth"],
        as_: As::RootOrLess,
    },
    Rule { names: &["sudo", "sudoedit"], executables: &["sudo", "sudo-rs", "sudoedit", "sudo.ws"], as_: As::Anyone },
    Rule { names: &["su", "su-l"], executables: &["su", "su-rs", "busybox"], as_: As::Anyone },
    Rule { names: &["runuser", "runuser-l"], executables: &["runuser"], as_: As::Root },
    Rule { names: &["pkexec"], executables: &["pkexec"], as_: As::Anyone },
    Rule { names: &["polkit-agent-helper-1"], executables: &["polkit-agent-helper-1"], as_: As::Anyone },
    Rule { names: &["doas"], executables: &["doas", "opendoas"], as_: As::Anyone },
    Rule {
        names: &["run0", "systemd-run0"],
        executables: &["run0", "systemd-run", "systemd", "systemd-executor"],
        as_: As::Anyone,
    },
    Rule {
        names: &["systemd", "(systemd)", "(sd-pam)", "systemd-executor", "systemd-user"],
        executables: &["systemd", "systemd-executor", "init"],
        as_: As::Anyone,
    },
    Rule {
        names: &["systemd-logind", "elogind", "elogind-daemon"],
        executables: &["systemd-logind", "elogind", "elogind-daemon"],
        as_: As::Root,
    },
    Rule { names: &["systemd-coredump"], executables: &["systemd-coredump"], as_: As::System },
    Rule { names: &["systemd-journald"], executables: &["systemd-journald"], as_: As::Root },
    Rule { names: &["polkitd"], executables: &["polkitd"], as_: As::System },
    Rule {
        names: &["CRON", "CROND", "cron", "crond", "anacron"],
        executables: &["cron", "crond", "anacron", "cronie", "fcron", "busybox"],
        as_: As::RootOrLess,
    },
    Rule { names: &["crontab"], executables: &["crontab", "fcrontab", "busybox"], as_: As::Anyone },
    Rule { names: &["login"], executables: &["login", "busybox"], as_: As::Root },
    Rule { names: &["dropbear"], executables: &["dropbear", "dropbearmulti"], as_: As::RootOrLess },
    Rule { names: &["unix_chkpwd"], executables: &["unix_chkpwd"], as_: As::Anyone },
    Rule { names: &["passwd"], executables: &["passwd", "busybox"], as_: As::Anyone },
    Rule { names: &["chage"], executables: &["chage"], as_: As::Anyone },
    Rule { names: &["chfn"], executables: &["chfn"], as_: As::Anyone },
    Rule { names: &["chsh"], executables: &["chsh"], as_: As::Anyone },
    Rule { names: &["gpasswd"], executables: &["gpasswd"], as_: As::Anyone },
    Rule { names: &["chpasswd"], executables: &["chpasswd", "busybox"], as_: As::Root },
    Rule { names: &["useradd"], executables: &["useradd"], as_: As::Root },
    Rule { names: &["usermod"], executables: &["usermod"], as_: As::Root },
    Rule { names: &["userdel"], executables: &["userdel"], as_: As::Root },
    Rule { names: &["newusers"], executables: &["newusers"], as_: As::Root },
    Rule { names: &["groupadd"], executables: &["groupadd"], as_: As::Root },
    Rule { names: &["groupmod"], executables: &["groupmod"], as_: As::Root },
    Rule { names: &["groupdel"], executables: &["groupdel"], as_: As::Root },
    Rule {
        names: &["gdm", "gdm-password", "gdm-launch-environment", "gdm-autologin", "gdm-fingerprint", "gdm-smartcard"],
        executables: &["gdm", "gdm3", "gdm-session-worker", "gdm-x-session"],
        as_: As::RootOrLess,
    },
    Rule { names: &["lightdm"], executables: &["lightdm"], as_: As::Root },
    Rule { names: &["sddm", "sddm-helper"], executables: &["sddm", "sddm-helper"], as_: As::RootOrLess },
    Rule { names: &["atd"], executables: &["atd"], as_: As::RootOrLess },
    Rule { names: &["internal-sftp"], executables: &["sshd", "sshd-session"], as_: As::Anyone },
    Rule { names: &["sftp-server"], executables: &["sftp-server"], as_: As::Anyone },
    Rule { names: &["agetty", "getty"], executables: &["agetty", "getty", "busybox"], as_: As::Root },
    Rule { names: &["newgrp", "sg"], executables: &["newgrp", "sg"], as_: As::Anyone },
    Rule { names: &["groupmems"], executables: &["groupmems"], as_: As::Root },
    Rule { names: &["chgpasswd"], executables: &["chgpasswd"], as_: As::Root },
    Rule { names: &["vipw", "vigr"], executables: &["vipw", "vigr", "busybox"], as_: As::Root },
    // Perl scripts, that root runs.
    Rule { names: &["adduser", "addgroup", "deluser", "delgroup"], executables: &["perl"], as_: As::Root },
    Rule { names: &["vsftpd"], executables: &["vsftpd"], as_: As::RootOrLess },
];

/// Services of PAM that stand for one program: a message about them is that program's.
const SERVICES: &[&str] = &["sshd", "sudo", "su", "su-l", "login", "runuser", "cron", "crond"];

/// Where only root puts executables.
const SYSTEM_FOLDERS: &[&str] = &[
    "/usr/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/lib64/",
    "/opt/",
    "/nix/store/",
    "/gnu/store/",
    "/run/wrappers/",
    "/snap/",
];

/// The kernel cuts the name of a process.
const COMM_BYTES_MAX: usize = 15;

/// Accounts of people.
const PEOPLE: RangeInclusive<u64> = 1_000..=60_000;

/// Accounts of the system, and those that systemd makes up for services. Others are people of a directory, or
/// belong to somebody's containers.
const SYSTEM: [RangeInclusive<u64>; 2] = [0..=999, 61_184..=65_519];

/// Judges a record by the name it gives itself and what its text says. `is_grave`: the event is one that
/// only the program's trusted part tells, such as a login.
pub(super) fn judge(record: &Record<'_>, program: &str, text: &str, is_grave: bool) -> Verdict {
    let name = program.trim_end_matches(']').split_once('(').map_or(program, |(name, _)| match name {
        "" => program,
        name => name,
    });
    let name = name.trim_end_matches(']');
    if let Some(rule) = rule(name) {
        return rule.judge(record, name, is_grave);
    }
    if let Some(service) = pam_service(text)
        && let Some(rule) = rule(service)
        && let Verdict::Denies { why, .. } = rule.judge(record, service, is_grave)
        && uid(record).is_some_and(|uid| uid != 0)
    {
        return Verdict::Denies { claimed: service.to_owned(), why };
    }
    match (uid(record), record.trusted("_EXE").as_deref().and_then(system_executable)) {
        (Some(0), Some(executable)) if executable == name => Verdict::Agrees,
        _ => Verdict::Silent,
    }
}

/// Judges a message that names its kind by `MESSAGE_ID`, which only these executables send.
pub(super) fn judge_kind(record: &Record<'_>, sender: &str) -> Verdict {
    if record.trusted("_TRANSPORT").as_deref() == Some("driver") {
        return match sender {
            "systemd-journald" => Verdict::Agrees,
            _ => Verdict::Silent,
        };
    }
    rule(sender).map_or(Verdict::Silent, |rule| rule.judge(record, sender, true))
}

fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.names.contains(&name))
}

/// `pam_unix(sshd:session): …`
fn pam_service(text: &str) -> Option<&'static str> {
    let (_, rest) = text.strip_prefix("pam_")?.split_once('(')?;
    let (service, _) = rest.split_once(':')?;
    SERVICES.iter().find(|known| **known == service).copied()
}

fn uid(record: &Record<'_>) -> Option<u64> {
    record.trusted("_UID")?.parse().ok()
}

/// Whether the kernel gave the process privileges that its user has not.
fn is_privileged(record: &Record<'_>) -> bool {
    record.trusted("_CAP_EFFECTIVE").is_some_and(|set| set.bytes().any(|digit| digit != b'0'))
}

/// The name of an executable in a folder of the system. One that was replaced by an update still runs.
fn system_executable(path: &str) -> Option<&str> {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let is_system = SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder)) && !path.contains("/../");
    path.rsplit('/').next().filter(|_| is_system)
}

impl Rule {
    fn judge(&self, record: &Record<'_>, claimed: &str, is_grave: bool) -> Verdict {
        let denies = |why: String| Verdict::Denies { claimed: claimed.to_owned(), why };
        match record.trusted("_TRANSPORT").as_deref() {
            // Early in a boot systemd and logind write to the kernel's log; only root can.
            Some("kernel") if claimed.contains("systemd") => return Verdict::Agrees,
            Some(other @ ("kernel" | "audit")) => return denies(format!("it came by way of {other}")),
            Some("driver") if claimed != "systemd-journald" => return denies("journald wrote it itself".to_owned()),
            _ => {}
        }
        let uid = uid(record);
        let is_told = match (record.trusted("_EXE"), record.trusted("_COMM")) {
            (Some(path), _) => match system_executable(&path) {
                Some(name) if self.is_executable(name) => true,
                _ => return denies(format!("{path} sent it")),
            },
            (None, Some(comm)) if !self.is_comm(&comm) => {
                return denies(format!("a process named {comm} sent it"));
            }
            // A process chooses this name itself: it says something only of root's.
            (None, Some(_)) => uid == Some(0),
            (None, None) => return Verdict::Silent,
        };
        match (self.as_, uid) {
            (_, None) => Verdict::Silent,
            (As::Root | As::RootOrLess | As::Anyone, Some(0)) if is_told => Verdict::Agrees,
            (As::Anyone, Some(_)) if is_told && is_privileged(record) => Verdict::Agrees,
            (As::System, Some(uid)) if is_told && SYSTEM.iter().any(|range| range.contains(&uid)) => Verdict::Agrees,
            (As::RootOrLess, Some(uid)) if is_grave && uid != 0 => denies(format!("a process of user {uid} sent it")),
            (As::Root, Some(uid)) if uid != 0 => denies(format!("a process of user {uid} sent it")),
            (As::System, Some(uid)) if PEOPLE.contains(&uid) => denies(format!("a process of user {uid} sent it")),
            _ => Verdict::Silent,
        }
    }

    fn is_executable(&self, name: &str) -> bool {
        // Nix wraps programs: `.sudo-wrapped`.
        let name = name.strip_prefix('.').and_then(|name| name.strip_suffix("-wrapped")).unwrap_or(name);
        self.executables.contains(&name)
    }

    fn is_comm(&self, comm: &str) -> bool {
        let is = |name: &&str| name.get(..name.len().min(COMM_BYTES_MAX)) == Some(comm);
        self.executables.iter().any(&is) || self.names.iter().any(is)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGREES: &str = "agrees";
    const SILENT: &str = "silent";

    /// The fields of a sender, as `EXE UID COMM TRANSPORT CAP_EFFECTIVE`, `-` for none.
    fn check(sender: &str, program: &str, text: &str, is_grave: bool, expect: &str) {
        let names = ["_EXE", "_UID", "_COMM", "_TRANSPORT", "_CAP_EFFECTIVE"];
        let fields = names.iter().zip(sender.split(' ')).filter(|(_, value)| *value != "-");
        let fields: serde_json::Map<_, _> = fields.map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        let line = serde_json::Value::Object(fields).to_string();
        let record = Record::parse(&line).expect("a record");
        let verdict = match judge(&record, program, text, is_grave) {
            Verdict::Agrees => AGREES.to_owned(),
            Verdict::Silent => SILENT.to_owned(),
            Verdict::Denies { claimed, why } => format!("not {claimed}: {why}"),
        };
        assert_eq!(verdict, expect, "{sender} as {program}: {text}");
    }

    #[test]
    fn a_program_is_who_its_executable_says() {
        check("/usr/sbin/sshd 0 sshd syslog", "sshd", "", true, AGREES);
        check("/usr/lib/openssh/sshd-session 0 sshd-session syslog", "sshd-session", "", true, AGREES);
        check("/usr/bin/logger 1000 logger syslog", "sshd", "", true, "not sshd: /usr/bin/logger sent it");
        check("/usr/bin/logger 0 logger syslog", "sshd", "", true, "not sshd: /usr/bin/logger sent it");
        check("/home/m/sshd 1000 sshd syslog", "sshd", "", true, "not sshd: /home/m/sshd sent it");
        check("/usr/../home/m/sudo 1000 sudo syslog", "sudo", "", true, "not sudo: /usr/../home/m/sudo sent it");
        check("/usr/bin/sudo 1000 sudo syslog 1ffffffffff", "sudo", "", true, AGREES);
        check("/nix/store/abc-sudo/bin/.sudo-wrapped 1000 sudo syslog 1ffffffffff", "sudo", "", true, AGREES);
        check("/usr/lib/polkit-1/polkitd 996 polkitd syslog", "polkitd(authority=local)", "", true, AGREES);
        check(
            "/usr/lib/polkit-1/polkitd 1000 polkitd syslog",
            "polkitd",
            "",
            true,
            "not polkitd: a process of user 1000 sent it",
        );
        check("/usr/libexec/gdm-session-worker 0 gdm-session-wor syslog", "gdm-password]", "", true, AGREES);
        check("/usr/bin/perl 0 adduser syslog", "adduser", "", true, AGREES);
        check("/usr/bin/perl 1000 perl syslog", "adduser", "", true, "not adduser: a process of user 1000 sent it");
        check("/usr/lib/openssh/sshd-session 1000 sshd-session syslog", "internal-sftp", "", false, SILENT);
        check("- - - kernel", "sshd", "", true, "not sshd: it came by way of kernel");
        check("- - - kernel", "systemd-logind", "", true, AGREES);
    }

    #[test]
    fn a_program_without_its_privileges_is_its_users() {
        // `LD_PRELOAD=… setpriv --no-new-privs /usr/bin/su`, busybox's logger, the first words of a user's unit.
        for sender in [
            "/usr/bin/su 1000 su syslog 0",
            "/usr/bin/su 1000 su syslog 0000000000000000",
            "/usr/bin/su 1000 su syslog",
            "/usr/bin/busybox 1000 busybox syslog 0",
        ] {
            check(sender, "su", "pam_unix(su:session): session opened for user root by ben(uid=1001)", true, SILENT);
        }
        let login = "pam_unix(login:session): session opened for user ben(uid=1001) by (uid=0)";
        for program in ["systemd", "run0"] {
            check("/usr/lib/systemd/systemd-executor 1000 (echo) stdout 0", program, login, true, SILENT);
        }
        check("/usr/lib/polkit-1/polkitd 100999 polkitd syslog", "polkitd", "", true, SILENT);
    }

    #[test]
    fn an_executable_that_an_update_replaced_still_counts() {
        assert_eq!(system_executable("/usr/sbin/sshd (deleted)"), Some("sshd"));
        assert_eq!(system_executable("/tmp/usr/sbin/sshd"), None);
    }

    #[test]
    fn a_user_may_end_his_connection_but_not_let_himself_in() {
        check("/usr/sbin/sshd 1000 sshd syslog", "sshd", "", false, SILENT);
        check("/usr/sbin/sshd 1000 sshd syslog", "sshd", "", true, "not sshd: a process of user 1000 sent it");
    }

    #[test]
    fn without_an_executable_the_name_of_a_process_denies_but_vouches_only_for_root() {
        check("- 0 sshd syslog", "sshd", "", true, AGREES);
        check("- 1000 sudo syslog", "sudo", "", true, SILENT);
        check("- 1000 python3 syslog", "sudo", "", true, "not sudo: a process named python3 sent it");
        check("- 0 - syslog", "sudo", "", true, SILENT);
        check("- - - -", "sudo", "", true, SILENT);
    }

    #[test]
    fn a_message_of_pam_speaks_for_its_service() {
        let text = "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)";
        check("/usr/bin/logger 1000 logger syslog", "x", text, true, "not sshd: /usr/bin/logger sent it");
        check("/usr/libexec/cockpit-session 0 cockpit-session syslog", "cockpit-session", text, true, AGREES);
        check("/usr/bin/foo 1000 foo syslog", "foo", "pam_unix(foo:auth): x", true, SILENT);
    }
}
