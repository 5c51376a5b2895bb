//! Real playbooks, told by the callback plugin of `examples/ansible/` to a writer that runs.
//!
//! `target/test-env` has the newest Ansible, `target/test-env-old` one of the past, both from PyPI.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use whodid::event::{Event, Outcome};

use crate::program::{Place, stop, until};

const PLAYBOOK: &str = r#"
- name: All kinds
  hosts: all
  gather_facts: false
  tasks:
    - name: works
      ansible.builtin.command: echo $WHODID_RUN
      changed_when: false
      tags: one
    - name: changes
      ansible.builtin.shell: echo "run=$WHODID_RUN"
      register: said
    - name: shows
      ansible.builtin.copy:
        content: "{{ said.stdout | default('') }}"
        dest: "{{ playbook_dir }}/said-{{ inventory_hostname }}"
    - name: is skipped
      ansible.builtin.command: "true"
      when: false
    - name: is hidden
      ansible.builtin.command: echo hush-hush
      no_log: true
      failed_when: true
      ignore_errors: true
    - name: fails on web-2
      ansible.builtin.command: "false"
      when: inventory_hostname == "web-2"
    - name: becomes
      ansible.builtin.command: id -un
      become: true
      become_user: root
    - name: waits
      ansible.builtin.shell: touch "{{ playbook_dir }}/waits"; exec sleep 30
      tags: [never, wait]
"#;

const INVENTORY: &str = "[all:vars]\nansible_python_interpreter=\"{{ ansible_playbook_python }}\"\n\
                         [all]\nweb-1 ansible_connection=local\nweb-2 ansible_connection=local\n\
                         gone ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1\n";

struct Scene {
    place: Place,
    ansible: PathBuf,
}

impl Scene {
    fn new(env: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let ansible = root.join("target").join(env).join("bin/ansible-playbook");
        assert!(ansible.exists(), "tests/run installs {}", ansible.display());
        let place = Place::new("[[source]]\nname = \"ansible\"\ntype = \"ansible\"\npaths = [\"play/told.jsonl\"]\n");
        place.write("play/site.yml", PLAYBOOK.as_bytes());
        place.write("play/inventory", INVENTORY.as_bytes());
        for name in ["ansible.cfg", "callback_plugins/whodid.py"] {
            place.write(&format!("play/{name}"), &fs::read(root.join("examples/ansible").join(name)).expect("shipped"));
        }
        Self { place, ansible }
    }

    fn playbook(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.ansible);
        let file = self.place.path("play/told.jsonl");
        command.args(["-i", "inventory", "site.yml"]).args(args).current_dir(self.place.path("play"));
        command.env("WHODID_SOCKET", self.place.path("data/intake")).env("WHODID_FILE", file);
        command.env("ANSIBLE_LOCAL_TEMP", self.place.path("tmp")).env("ANSIBLE_REMOTE_TEMP", self.place.path("tmp"));
        command.env("HOME", self.place.path("")).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        let output = self.playbook(args).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert!(!said.contains("whodid:"), "{said}");
        output
    }

    /// The newest run's events, oldest first.
    fn newest(&self) -> Vec<Event> {
        let mut starts = self.place.search("source.kind:ansible AND what.action:run.start");
        starts.sort_by_key(|event| event.when);
        let run = starts.pop().expect("a run").what.run.pop().expect("an id");
        let mut events = self.place.search(&format!("what.run:{run}"));
        events.sort_by_key(|event| (event.when, event.what.action == "run.finish"));
        events
    }
}

/// How each task ended on each host.
fn results(events: &[Event]) -> BTreeMap<(String, String), (String, Outcome)> {
    let tasks = events.iter().filter(|event| event.what.action == "ansible.task");
    let result = |event: &Event| {
        let host = event.place.host.clone().expect("a host");
        let status = event.detail_tree()["ansible"]["status"].as_str().expect("a status").to_owned();
        ((host, event.what.object.clone().expect("a task")), (status, event.outcome))
    };
    tasks.map(result).collect()
}

fn status<'a>(
    results: &'a BTreeMap<(String, String), (String, Outcome)>,
    host: &str,
    task: &str,
) -> Option<(&'a str, Outcome)> {
    results.get(&(host.to_owned(), task.to_owned())).map(|(status, outcome)| (status.as_str(), *outcome))
}

fn check(env: &str) {
    let scene = Scene::new(env);
    let writer = scene.place.start(&["run"]);
    until("the writer listens", || scene.place.path("data/intake").exists());

    let output = scene.run(&["-e", "token=hunter2 other='a b=c'", "-e", "{\"third\": \"hunter3\"}"]);
    assert_ne!(output.status.code(), Some(0), "one fails and one is not there");
    let events = scene.newest();
    let (start, finish) = (&events[0], &events[events.len() - 1]);
    assert_eq!((start.what.action.as_str(), start.what.object.as_deref()), ("run.start", Some("site.yml")));
    assert_eq!(start.detail["whodid"]["via"], "socket");
    let facts = &start.detail_tree()["ansible"];
    assert_eq!((&facts["check"], &facts["tags"]), (&false.into(), &serde_json::json!(["all"])));
    assert_eq!(facts["extra_vars"], serde_json::json!(["token", "other", "third"]));
    assert_eq!((finish.what.action.as_str(), finish.outcome), ("run.finish", Outcome::Failure));
    assert_eq!(finish.reason.as_deref(), Some("failed: web-2; unreachable: gone"));
    assert_eq!(events.iter().filter(|event| event.what.action == "ansible.play").count(), 1);
    let found = results(&events);
    for (host, task, expected) in [
        ("web-1", "works", Some(("ok", Outcome::Success))),
        ("web-1", "changes", Some(("changed", Outcome::Success))),
        ("web-1", "is skipped", Some(("skipped", Outcome::Unknown))),
        ("web-1", "is hidden", Some(("failed", Outcome::Failure))),
        ("web-2", "fails on web-2", Some(("failed", Outcome::Failure))),
        ("web-1", "fails on web-2", Some(("skipped", Outcome::Unknown))),
        ("web-1", "becomes", Some(("changed", Outcome::Success))),
        ("web-2", "becomes", None),
        ("gone", "works", Some(("unreachable", Outcome::Failure))),
        ("gone", "changes", None),
    ] {
        assert_eq!(status(&found, host, task), expected, "{task} on {host}");
    }
    let became = events.iter().find(|event| event.what.object.as_deref() == Some("becomes")).expect("told");
    assert_eq!(became.who.as_.as_ref().and_then(|named| named.name.as_deref()), Some("root"));
    let said = fs::read_to_string(scene.place.path("play/said-web-1")).expect("the playbook wrote it");
    assert_eq!(said, format!("run={}", start.what.run.join("/")), "the plays know their run");

    scene.run(&["--check", "--limit", "web-1", "--tags", "one"]);
    let events = scene.newest();
    let facts = &events[0].detail_tree()["ansible"];
    let told = (&facts["check"], &facts["limit"], &facts["tags"]);
    assert_eq!(told, (&true.into(), &"web-1".into(), &serde_json::json!(["one"])));
    let found = results(&events);
    // A command is not run in check mode.
    assert_eq!((found.len(), status(&found, "web-1", "works").map(|(status, _)| status)), (1, Some("skipped")));
    assert_eq!(events.last().map(|event| event.outcome), Some(Outcome::Success));

    scene.run(&["--limit", "web-1", "--skip-tags", "one"]);
    assert_eq!(scene.newest()[0].detail_tree()["ansible"]["skip_tags"], serde_json::json!(["one"]));

    // Killed while it waits: a start without its finish.
    let mut killed = scene.playbook(&["--limit", "web-1", "--tags", "wait"]);
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    until("it waits", || {
        let newest = scene.newest();
        newest[0].detail_tree()["ansible"]["tags"] == serde_json::json!(["wait"])
            && newest.len() >= 2
            && scene.place.path("play/waits").exists()
    });
    killed.kill().expect("it runs");
    killed.wait().expect("it was killed");
    assert!(scene.newest().iter().all(|event| event.what.action != "run.finish"));

    // Interrupted: it says so itself.
    fs::remove_file(scene.place.path("play/waits")).expect("the one before has waited too");
    let mut interrupted = scene.playbook(&["--limit", "web-1", "--tags", "wait", "-e", "again=1"]);
    let mut interrupted = interrupted.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    until("it waits again", || {
        scene.newest()[0].detail_tree()["ansible"]["extra_vars"] == serde_json::json!(["again"])
    });
    // Before a task runs an old Ansible may not hear it.
    let waits = scene.place.path("play/waits");
    until("its task runs", || waits.exists());
    let pid = rustix::process::Pid::from_child(&interrupted);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    interrupted.wait().expect("it ended");
    let events = scene.newest();
    assert_eq!(
        events.last().map(|event| (event.what.action.as_str(), event.outcome)),
        Some(("run.finish", Outcome::Failure))
    );

    // Nobody listens: the file has it, and the next run takes it from there.
    assert!(stop(writer).success());
    assert!(!scene.place.path("play/told.jsonl").exists());
    scene.run(&["--limit", "web-1", "--tags", "one"]);
    let before = scene.place.search("source.kind:ansible").len();
    scene.place.run(&["run", "--once"]).code(0);
    assert_eq!(scene.place.search("source.kind:ansible").len(), before + 4);
    assert_eq!(&*scene.newest()[0].source.name, "ansible");

    let trail = scene.place.trail();
    for secret in ["hunter2", "hunter3", "hush-hush"] {
        assert!(!String::from_utf8_lossy(&trail).contains(secret), "{secret}");
    }
    assert!(scene.place.search("source.kind:ansible AND what.action:unparsed").is_empty());
    scene.place.verify();
}

#[test]
#[ignore = "needs Ansible and root"]
fn the_newest_one_tells_what_it_does() {
    check("test-env");
}

#[test]
#[ignore = "needs an older Ansible and root"]
fn an_old_one_tells_the_same() {
    check("test-env-old");
}
