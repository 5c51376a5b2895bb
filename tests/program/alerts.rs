//! Alerts of the whole program: told once, told in spite of a kill, and nothing said twice.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;

/// A receiver of webhooks on this machine.
pub(super) struct Receiver {
    address: String,
    bodies: Arc<Mutex<Vec<serde_json::Value>>>,
}

impl Receiver {
    /// Answers every request with `status`; with 0 never.
    pub(super) fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                kept.lock().expect("not poisoned").push(body(&mut stream));
                match status {
                    0 => silent.push(stream),
                    _ => write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                        .expect("answered"),
                }
            }
        });
        Self { address, bodies }
    }

    pub(super) fn bodies(&self) -> Vec<serde_json::Value> {
        self.bodies.lock().expect("not poisoned").clone()
    }
}

fn body(stream: &mut TcpStream) -> serde_json::Value {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).expect("read");
        bytes.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((_, body)) = text.split_once("\r\n\r\n") else { continue };
        if let Ok(body) = serde_json::from_str(body) {
            return body;
        }
        assert_ne!(n, 0, "half a request: {text}");
    }
}

const DENIED: &[u8] = b"2026-11-20T11:50:00+00:00 web-1 sudo:  mallory : user NOT in sudoers ; TTY=pts/0 ; \
    PWD=/home/mallory ; USER=root ; COMMAND=/bin/cat /etc/shadow\n";

/// A place whose one source holds a refused sudo, and whose alerts go to a webhook.
fn place(rest: &str) -> Place {
    let source = "[[source]]\nname = \"auth\"\ntype = \"auth\"\npaths = [\"log/auth.log\"]\n";
    let place = Place::new(&format!("{rest}\n{source}"));
    place.write("log/auth.log", DENIED);
    place
}

pub(super) fn webhook(receiver: &Receiver) -> String {
    let address = &receiver.address;
    format!("[[notify]]\nname = \"oncall\"\ntype = \"webhook\"\nurl = \"http://{address}/hook/s3cr3t\"\n")
}

#[test]
fn a_change_is_told_once_and_a_second_run_adds_nothing() {
    let receiver = Receiver::start(200);
    let place = place(&format!(
        "[replay]\nnow = \"2026-11-20T12:00:00Z\"\n[alerts]\nnotify = [\"oncall\"]\n{}",
        webhook(&receiver)
    ));
    place.run(&["run", "--once"]).code(0);
    let bodies = receiver.bodies();
    assert_eq!(bodies.len(), 1, "{bodies:#?}");
    assert_eq!((&bodies[0]["alert"], &bodies[0]["state"]), (&"linux/sudo-denied".into(), &"WARNING".into()));
    assert_eq!(bodies[0]["changes"][0]["rows"][0]["who"], "mallory");
    let trail = place.trail();
    assert!(!String::from_utf8_lossy(&trail).contains("s3cr3t"), "the address is a secret");

    place.run(&["run", "--once"]).code(0);
    assert_eq!(receiver.bodies().len(), 1);
    assert_eq!(place.trail(), trail);
    place.verify();
}

#[test]
fn a_message_that_a_kill_cut_off_is_sent_after_the_next_start() {
    let silent = Receiver::start(0);
    let place = place(&webhook(&silent));
    // So wide that the event is in it whenever this runs.
    let alert = "query = \"linux/sudo-denied\"\nevery = \"1s\"\nwindow = \"30000d\"\nwarn = 1\nnotify = [\"oncall\"]\n";
    place.write("alerts/test/sudo.toml", alert.as_bytes());
    let mut child = place.start(&["run"]);
    until("a message goes out", || !silent.bodies().is_empty());
    child.kill().expect("it runs");
    child.wait().expect("it was killed");

    let receiver = Receiver::start(204);
    let config = fs::read_to_string(place.path("whodid.toml")).expect("readable");
    place.write("whodid.toml", config.replace(&silent.address, &receiver.address).as_bytes());
    let child = place.start(&["run"]);
    until("it is sent again", || !receiver.bodies().is_empty());
    assert_eq!(receiver.bodies()[0]["message"], silent.bodies()[0]["message"]);
    until("that is in the trail", || place.search("what.action:notify.sent").len() == 1);
    assert!(stop(child).success());
    assert_eq!(receiver.bodies().len(), 1, "once is enough");
    assert_eq!(place.search("what.action:alert.changed").len(), 1);
    place.verify();
}
