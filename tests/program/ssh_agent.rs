//! A real ssh-agent that signs, goes away and comes back.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{Place, stop, until};

/// An agent with a key, in the folder of an installation.
struct Agent {
    running: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(place: &Place) -> Self {
        let socket = place.path("agent.sock");
        fs::remove_file(&socket).unwrap_or_default();
        let command = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn();
        let agent = Self { running: command.expect("ssh-agent"), socket };
        until("the agent listens", || agent.socket.exists());
        agent
    }

    #[track_caller]
    fn add(&self, args: &[&str]) {
        let done = Command::new("ssh-add").args(args).env("SSH_AUTH_SOCK", &self.socket).stderr(Stdio::null()).status();
        assert!(done.expect("ssh-add").success());
    }

    fn stop(self) {
        stop(self.running);
    }
}

/// An installation whose trail is signed by the agent, which has the key of the file `id`.
fn with_agent() -> (Place, Agent) {
    let place = Place::with_auth_log();
    let id = place.path("id");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&id).status();
    assert!(made.expect("ssh-keygen").success());
    let public = fs::read_to_string(place.path("id.pub")).expect("there");
    let config = fs::read_to_string(place.path("whodid.toml")).expect("there");
    let trail = format!("[trail]\nagent = \"agent.sock\"\nagent_key = \"{}\"\n", public.trim());
    place.write("whodid.toml", format!("{config}{trail}").as_bytes());
    let agent = Agent::start(&place);
    agent.add(&[id.to_str().expect("UTF-8")]);
    (place, agent)
}

fn line(number: u32) -> String {
    format!(
        "Nov 20 10:11:{number:02} web-1 sshd[{number}]: Accepted publickey for u{number} from 192.0.2.1 port 2 ssh2\n"
    )
}

impl Place {
    fn log(&self, numbers: std::ops::Range<u32>) {
        let text: String = numbers.map(line).collect();
        let mut log = fs::OpenOptions::new().append(true).create(true).open(self.path("log/auth.log")).expect("a log");
        std::io::Write::write_all(&mut log, text.as_bytes()).expect("written");
    }

    fn holds(&self, part: &str) -> bool {
        String::from_utf8_lossy(&self.trail()).contains(part)
    }

    fn status(&self) -> String {
        fs::read_to_string(self.path("data/status.json")).unwrap_or_default()
    }

    fn signed(&self) -> u64 {
        let note = fs::read_to_string(self.path("data/trail/checkpoint")).expect("there");
        note.lines().nth(1).expect("a size").parse().expect("a number")
    }
}

#[test]
#[ignore = "needs ssh-agent, ssh-add and ssh-keygen"]
fn an_agent_signs_and_no_private_key_is_made() {
    let (place, agent) = with_agent();
    place.log(0..3);
    place.run(&["trail", "init"]).code(0).out_holds("held by the signing agent");
    let kept = fs::read_dir(place.path("keys")).expect("there");
    let private =
        kept.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|e| e == "key")));
    assert_eq!(private.count(), 0);
    place.run(&["run", "--once"]).code(0);
    place.verify();
    agent.stop();
}

#[test]
#[ignore = "needs ssh-agent, ssh-add and ssh-keygen"]
fn without_its_agent_a_run_stores_everything_and_says_that_it_is_not_signed() {
    let (place, agent) = with_agent();
    place.log(0..2);
    place.run(&["run", "--once"]).code(0);
    let signed = place.signed();
    agent.stop();

    place.log(2..5);
    let said = place.run(&["run", "--once"]);
    said.code(1).err_holds("agent.sock is away").err_holds("stored and not signed");
    assert!(place.holds("u4") && place.signed() == signed);
    place.verify();

    // It is there, and does not have the key; then it has it and is locked.
    let agent = Agent::start(&place);
    place.log(5..6);
    place.run(&["run", "--once"]).code(1).err_holds("does not have the key");
    agent.add(&[place.path("id").to_str().expect("UTF-8")]);
    place.log(6..7);
    place.run(&["run", "--once"]).code(0);
    assert!(place.signed() > signed);
    let sshd = place.search("source.kind:auth");
    assert_eq!(sshd.len(), 7);
    place.verify();
    agent.stop();
}

#[test]
#[ignore = "needs ssh-agent, ssh-add and ssh-keygen"]
fn an_agent_that_goes_and_comes_back_holds_up_nothing() {
    let (place, agent) = with_agent();
    place.log(0..1);
    let writer = place.start(&["run"]);
    until("it is well", || place.status().contains("\"ok\"") && place.holds("u0"));
    until("it is signed", || place.signed() > 0);
    agent.stop();

    place.log(1..4);
    until("it is stored", || place.holds("u3"));
    until("that it is not signed is said", || place.status().contains("cannot be signed"));
    place.run(&["check", "linux/sudo-denied"]).code(3).out_holds("cannot be signed");
    let signed = place.signed();
    place.log(4..6);
    until("it goes on", || place.holds("u5"));
    assert_eq!(place.signed(), signed);

    let agent = Agent::start(&place);
    agent.add(&[place.path("id").to_str().expect("UTF-8")]);
    until("it is signed", || place.signed() > signed);
    until("it is well again", || place.status().contains("\"ok\""));
    assert!(stop(writer).success());
    place.verify();
    let said = fs::read_to_string(place.path("stderr")).expect("there");
    assert_eq!(said.matches("The trail cannot be signed").count(), 1, "{said}");
    assert!(said.contains("The trail is signed again"), "{said}");
    agent.stop();
}
