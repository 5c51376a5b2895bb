//! Marks that automation leaves in sudo's commands.
//!
//! A playbook's start and end, where a team logs them (`echo Ansible playbook started on web-1`), and the
//! word by which Ansible knows that it became another user (`echo BECOME-SUCCESS-<id>`), behind which the run
//! that it belongs to may be named: `WHODID_RUN=<id>`.

/// What a command marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark<'a> {
    /// A playbook started on this host.
    Started(&'a str),
    Finished(&'a str),
    /// A task; the id is that of one connection. `run` is what the play's `environment` has as `WHODID_RUN`.
    Task {
        id: &'a str,
        run: Option<&'a str>,
    },
}

/// The mark of a command, if it is one from its first word to its last.
pub(super) fn mark(command: &str) -> Option<Mark<'_>> {
    let (program, arguments) = command.split_once(' ')?;
    match program.rsplit('/').next()? {
        "echo" => playbook(arguments),
        "sh" | "bash" | "dash" | "ash" | "ksh" | "zsh" => task(arguments),
        _ => None,
    }
}

fn playbook(arguments: &str) -> Option<Mark<'_>> {
    // Newer sudo writes a backslash before a space within one argument.
    let mut words = arguments.split(' ').map(|word| word.trim_end_matches('\\'));
    if words.next() != Some("Ansible") || words.next() != Some("playbook") {
        return None;
    }
    let verb = words.next()?;
    let (on, host, end) = (words.next()?, words.next()?, words.next());
    match (verb, on, host, end) {
        (_, _, "", _) | (_, _, _, Some(_)) => None,
        ("started", "on", host, None) => Some(Mark::Started(host)),
        ("finished", "on", host, None) => Some(Mark::Finished(host)),
        _ => None,
    }
}

/// `-c echo BECOME-SUCCESS-<id> ; …`
fn task(arguments: &str) -> Option<Mark<'_>> {
    let mut words = arguments.split(' ').map(|word| word.trim_end_matches('\\').trim_start_matches(['\'', '"']));
    words.by_ref().find(|word| *word == "-c")?;
    let id = words.by_ref().find(|word| *word != "echo")?.strip_prefix("BECOME-SUCCESS-")?;
    let end = id.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(id.len());
    let id = id.get(..end).filter(|id| !id.is_empty())?;
    Some(Mark::Task { id, run: words.find_map(|word| word.strip_prefix("WHODID_RUN=")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_whole_commands() {
        let task = |id, run| Some(Mark::Task { id, run });
        for (command, expect) in [
            ("/usr/bin/echo Ansible playbook started on web-1", Some(Mark::Started("web-1"))),
            ("/bin/echo Ansible\\ playbook\\ finished\\ on\\ web-1", Some(Mark::Finished("web-1"))),
            ("/bin/sh -c echo BECOME-SUCCESS-abcdef ; /usr/bin/python3", task("abcdef", None)),
            ("/bin/sh -c echo\\ BECOME-SUCCESS-abc\\ ;\\ /usr/bin/python3", task("abc", None)),
            ("/bin/bash -c 'echo BECOME-SUCCESS-abc'", task("abc", None)),
            ("/bin/sh -c echo BECOME-SUCCESS-abc ; WHODID_RUN=q4/z2 /usr/bin/python3", task("abc", Some("q4/z2"))),
            ("/usr/bin/echo Ansible playbook started on web-1 ; COMMAND=/bin/sh", None),
            ("/usr/bin/echo Ansible playbook started on ", None),
            ("/usr/bin/grep Ansible playbook started on web-1", None),
            ("/usr/bin/echo", None),
            ("/bin/sh -c ls BECOME-SUCCESS-abc", None),
            ("/bin/sh -c echo BECOME-SUCCESS-", None),
        ] {
            assert_eq!(mark(command), expect, "{command}");
        }
    }
}
