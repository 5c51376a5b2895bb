//! Programs whose options take a password where the option's name does not say so.

use std::sync::LazyLock;

/// What a program does with its arguments. An option is written without its first dash.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Habit {
    programs: &'static [&'static str],
    /// The word that must come first, for programs that do many things: `docker login`.
    pub(super) command: Option<&'static str>,
    /// Options with the secret attached: `-pSECRET`.
    pub(super) attached: &'static [&'static str],
    /// Options with the secret in the next word.
    pub(super) next: &'static [&'static str],
    /// Options with `user:password` attached or in the next word.
    pub(super) user: &'static [&'static str],
    /// Arguments that say that the next word is the secret.
    pub(super) words: &'static [&'static str],
    /// Which argument, of those that are no options, is the secret; counted from 1, 0 for none.
    pub(super) argument: usize,
    /// What stands between the user and the password.
    pub(super) between: u8,
    /// What follows the secret is another program, with options of its own.
    pub(super) runs_another: bool,
}

const NONE: Habit = Habit {
    programs: &[],
    command: None,
    attached: &[],
    next: &[],
    user: &[],
    words: &[],
    argument: 0,
    between: b':',
    runs_another: false,
};

static HABITS: &[Habit] = &[
    Habit {
        programs: &[
            "mysql",
            "mysqldump",
            "mysqlimport",
            "mysqlcheck",
            "mysqlshow",
            "mysqlslap",
            "mariadb",
            "mariadb-dump",
            "mariadb-check",
            "mariadb-import",
            "xtrabackup",
        ],
        attached: &["p"],
        ..NONE
    },
    Habit { programs: &["mysqladmin", "mariadb-admin"], attached: &["p"], words: &["password"], ..NONE },
    Habit { programs: &["sshpass"], attached: &["p"], next: &["p"], runs_another: true, ..NONE },
    Habit { programs: &["useradd", "usermod"], next: &["p"], ..NONE },
    Habit { programs: &["curl"], user: &["u", "-user", "U", "-proxy-user"], ..NONE },
    Habit {
        programs: &["redis-cli"],
        next: &["a"],
        words: &["AUTH", "auth", "requirepass", "REQUIREPASS", "masterauth"],
        ..NONE
    },
    Habit { programs: &["ssh-keygen"], attached: &["N", "P"], next: &["N", "P"], ..NONE },
    Habit { programs: &["pppd"], words: &["password"], ..NONE },
    Habit { programs: &["rabbitmqctl"], command: Some("add_user"), argument: 2, ..NONE },
    Habit { programs: &["rabbitmqctl"], command: Some("change_password"), argument: 2, ..NONE },
    Habit { programs: &["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"], next: &["P"], ..NONE },
    Habit { programs: &["twine"], command: Some("upload"), next: &["p"], ..NONE },
    Habit { programs: &["http", "https", "xh"], user: &["a", "-auth"], ..NONE },
    Habit {
        programs: &["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport"],
        attached: &["p"],
        next: &["p"],
        ..NONE
    },
    Habit {
        programs: &["docker", "podman", "nerdctl", "buildah", "helm", "oc", "az", "cf"],
        command: Some("login"),
        next: &["p"],
        ..NONE
    },
    Habit { programs: &["vault"], command: Some("login"), argument: 1, ..NONE },
    Habit {
        programs: &["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "ldapmodrdn", "ldapcompare"],
        attached: &["w"],
        next: &["w"],
        ..NONE
    },
    Habit { programs: &["ldappasswd"], attached: &["w", "s", "a"], next: &["w", "s", "a"], ..NONE },
    Habit {
        programs: &["smbclient", "rpcclient", "smbget", "net", "smbcacls"],
        user: &["U", "-user"],
        between: b'%',
        ..NONE
    },
    Habit { programs: &["lftp"], user: &["u", "-user"], between: b',', ..NONE },
    Habit { programs: &["zip", "unzip", "zipcloak"], attached: &["P"], next: &["P"], ..NONE },
    Habit { programs: &["7z", "7za", "7zr", "7zz", "rar", "unrar"], attached: &["p", "hp"], ..NONE },
    Habit {
        programs: &["sqlcmd", "bcp", "isql", "tsql", "osql", "mssql-cli", "ipmitool", "vncpasswd"],
        attached: &["P"],
        next: &["P"],
        ..NONE
    },
    Habit {
        programs: &["snmpget", "snmpwalk", "snmpset", "snmpbulkwalk", "snmpgetnext", "snmptrap", "snmptable"],
        attached: &["c", "A", "X"],
        next: &["c", "A", "X"],
        ..NONE
    },
    Habit { programs: &["openssl"], next: &["k", "K", "1", "5", "6", "apr1"], ..NONE },
    Habit { programs: &["pkcs11-tool", "pkcs15-tool"], next: &["-pin", "-so-pin", "-new-pin"], ..NONE },
    Habit { programs: &["rdesktop", "ncftp", "ncftpget", "ncftpput"], next: &["p"], ..NONE },
    Habit { programs: &["wpa_passphrase"], argument: 2, ..NONE },
    Habit {
        programs: &["nmcli"],
        words: &["password", "wifi-sec.psk", "802-11-wireless-security.psk", "802-1x.password"],
        ..NONE
    },
];

/// Of the programs that open a database with `user/password@name` as an argument.
const ORACLE: &[&str] = &["sqlplus", "rman", "expdp", "impdp", "exp", "imp", "sqlldr", "tnsping"];

/// Programs that read a password, or `user:password`, from standard input.
const READERS: &[&str] = &[
    "chpasswd",
    "chgpasswd",
    "passwd",
    "pass",
    "sudo",
    "su",
    "kinit",
    "kadmin",
    "docker",
    "podman",
    "helm",
    "cryptsetup",
    "openssl",
    "gpg",
    "gpg2",
    "smbpasswd",
    "pdbedit",
    "htpasswd",
    "mkpasswd",
    "sshpass",
    "ssh-add",
    "sha256crypt",
];

/// A program whose arguments have to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Habit(&'static Habit),
    Oracle,
}

/// The program of this name, the last part of its path. Every word of a command is asked for: so the names lie by
/// their length, and few are compared.
pub(super) fn known(name: &[u8]) -> Option<Known> {
    static BY_LENGTH: LazyLock<Vec<Vec<(&str, Known)>>> = LazyLock::new(|| {
        let habits =
            HABITS.iter().flat_map(|habit| habit.programs.iter().map(move |name| (*name, Known::Habit(habit))));
        let oracle = ORACLE.iter().map(|name| (*name, Known::Oracle));
        let mut by_length: Vec<Vec<(&str, Known)>> = Vec::new();
        for (name, known) in oracle.chain(habits) {
            by_length.resize_with(by_length.len().max(name.len() + 1), Vec::new);
            if let Some(same) = by_length.get_mut(name.len()) {
                same.push((name, known));
            }
        }
        by_length
    });
    let same = BY_LENGTH.get(name.len())?;
    same.iter().find(|(program, _)| program.as_bytes() == name).map(|(_, known)| *known)
}

/// Of a program that does many things, the habit for this one.
pub(super) fn with_command(habit: &Habit, word: &[u8]) -> Option<&'static Habit> {
    let is_it = |other: &&Habit| {
        other.programs == habit.programs && other.command.is_some_and(|command| command.as_bytes() == word)
    };
    HABITS.iter().find(is_it)
}

pub(super) fn reads_a_password(name: &[u8]) -> bool {
    READERS.iter().any(|program| program.as_bytes() == name)
}

/// The shell's words between two commands.
pub(super) fn ends_a_command(word: &[u8]) -> bool {
    matches!(word, b";" | b"|" | b"||" | b"&&" | b"&")
}
