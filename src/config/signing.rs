//! `[trail] key`, `agent` and `agent_key`: who signs the trail.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use toml::de::DeValue;

use super::section::Section;
use super::setting::{Misread, Setting};
use super::settings::{AGENT, AGENT_KEY, KEY};

/// Who signs the trail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Signing {
    /// A key that whodid makes, in the key folder.
    #[default]
    Own,
    /// A key that the operator made, in this file.
    File(PathBuf),
    /// An ssh-agent that listens there and holds the private half of this key.
    Agent { socket: PathBuf, key: [u8; 32] },
}

/// An Ed25519 key as OpenSSH writes it: `ssh-ed25519 AAAA… comment`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SshKey([u8; 32]);

const ALGORITHM: &str = "ssh-ed25519";

/// What its base64 begins with: a string of 11 bytes, and one of 32 (RFC 8709 §4).
const HEAD: &[u8] = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20";

const ADVICE: &str = "a line as `ssh-add -L` prints it: \"ssh-ed25519 AAAA…\"";

impl Setting for SshKey {
    const KIND: &'static str = "a public key in quotes";

    fn read(value: &DeValue<'_>) -> Result<Self, Misread> {
        let mut words = value.as_str().ok_or(Misread::Kind)?.split_ascii_whitespace();
        let (algorithm, base64) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if algorithm != ALGORITHM {
            let what = format!("\"{algorithm}\" is no kind of key that can sign the trail");
            return Err(Misread::bad(what, format!("`ssh-keygen -t ed25519` makes one that can; {ADVICE}")));
        }
        let bytes = BASE64.decode(base64.as_bytes()).ok();
        let key = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(HEAD)?.try_into().ok());
        key.map(Self).ok_or_else(|| Misread::bad("the key cannot be read", ADVICE))
    }
}

/// Reads the three keys; `folder` is what paths are relative to.
pub(super) fn read(trail: &mut Section<'_, '_>, folder: &Path) -> Signing {
    let (file, socket) = (trail.optional(&KEY), trail.optional(&AGENT));
    let key = trail.optional(&AGENT_KEY);
    let [has_file, has_agent, has_key] =
        [&KEY.declaration, &AGENT.declaration, &AGENT_KEY.declaration].map(|key| trail.has(key.name));
    if has_file && (has_agent || has_key) {
        trail.report_key("key", "`key` and `agent` name two signers", "keep one of them");
    } else if has_agent && !has_key {
        trail.report_key("agent", "`agent` without `agent_key`", "name the key that it shall sign with");
    } else if has_key && !has_agent {
        trail.report_key("agent_key", "`agent_key` without `agent`", "name the agent's socket");
    }
    let path = |path: PathBuf| folder.join(path);
    match (file, socket, key) {
        (Some(file), _, _) => Signing::File(path(file)),
        (None, Some(socket), Some(SshKey(key))) => Signing::Agent { socket: path(socket), key },
        _ => Signing::Own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

    fn read(text: &str) -> Result<SshKey, Misread> {
        SshKey::read(DeValue::parse(&format!("\"{text}\"")).expect("TOML").get_ref())
    }

    #[test]
    fn a_key_is_read_as_openssh_writes_it() {
        let SshKey(key) = read(&format!("ssh-ed25519 {KEY}")).expect("a key");
        assert_eq!((key[0], key[31]), (0x03, 0xb8));
        assert_eq!(read(&format!("ssh-ed25519 {KEY} trail of web-1")), Ok(SshKey(key)));
    }

    #[test]
    fn what_is_no_such_key_is_refused() {
        let cut = KEY.strip_suffix("VTG4").expect("its end");
        let other = KEY.replace("AAAAC3", "AAAAC4");
        for bad in [
            String::new(),
            KEY.to_owned(),
            "ssh-ed25519".to_owned(),
            format!("ssh-rsa {KEY}"),
            format!("sk-ssh-ed25519@openssh.com {KEY}"),
            format!("ssh-ed25519 {cut}"),
            format!("ssh-ed25519 {other}"),
            format!("ssh-ed25519 {KEY}AAAA"),
            format!("ssh-ed25519 {KEY}="),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}
