//! Each act of a day, from the logs that real programs wrote about it: exactly who did what, with what outcome.
//!
//! `acts.sh` does each of them; what is listed here is all that may be in the trail of these kinds.

use std::fs;
use std::path::Path;

use whodid::event::Event;

use super::{Scene, untouched};
use crate::program::Place;

/// What counts as an act; the other events of the logs (sessions of PAM, connections) say the same once more.
const ACTS: &[&str] = &[
    "ssh.login",
    "ssh.invalid_user",
    "sudo.command",
    "su.session",
    "user.add",
    "user.remove",
    "group.member.add",
    "password.change",
    "run.start",
    "run.finish",
    "ansible.play",
    "ansible.task",
];

/// Source, action, outcome, who, whom they became or acted on, and what the act was about; in any order.
/// Ansible logs in as often as it likes: its logins and commands are looked at by themselves.
const EXPECTED: &[&str] = &[
    "auth user.add success - ana -",
    "auth user.add success - ben -",
    "auth group.member.add success - ana sudo",
    "auth password.change success - ana -",
    "auth password.change success - ben -",
    "auth ssh.login success ana - publickey",
    "auth ssh.login success ana - publickey",
    "auth ssh.login success ana - publickey",
    "auth ssh.login success ana - publickey",
    // ssh offers the bare key before the certificate.
    "auth ssh.login failure ben - publickey",
    "auth ssh.login success ben - publickey",
    "auth ssh.login failure ana - publickey",
    "auth ssh.invalid_user failure mallory - -",
    "auth ssh.login failure ana - password",
    "auth sudo.command success ana root /usr/bin/id",
    "auth sudo.command failure ben root /usr/bin/whoami",
    "auth sudo.command success ben root /usr/bin/true",
    "auth su.session success root ana -",
    "auth su.session failure ana root -",
    "auth user.remove success - ben -",
    "exec run.start success ana - waits",
    "exec run.finish success ana - waits",
    "exec run.start success ana - backup",
    "exec run.finish failure ana - backup",
    "exec run.start success root - site.yml",
    "exec run.finish success root - site.yml",
    "ansible run.start success root - site.yml",
    "ansible ansible.play success root - Accounts",
    "ansible ansible.task success root root Who is it",
    "ansible run.finish success root - site.yml",
];

fn auth(event: &Event, name: &str) -> Option<String> {
    event.detail.get("auth")?.get(name)?.as_str().map(str::to_owned)
}

fn told(event: &Event) -> String {
    let name = |named: &Option<whodid::event::Named>| named.as_ref().and_then(|named| named.name.clone());
    let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let whom = name(&event.who.as_).or_else(|| name(&event.what.target));
    let method = auth(event, "method");
    let object = match event.what.action.as_str() {
        "ssh.login" => method,
        "group.member.add" => name(&event.what.group),
        "sudo.command" | "run.start" | "run.finish" | "ansible.play" | "ansible.task" => event.what.object.clone(),
        _ => None,
    };
    let who = match event.what.action.as_str() {
        "user.add" | "user.remove" | "group.member.add" | "password.change" => None,
        _ => event.who.name.clone(),
    };
    let kind = event.source.kind;
    format!("{kind} {} {} {} {} {}", event.what.action, event.outcome.as_str(), dash(who), dash(whom), dash(object))
}

#[test]
#[ignore = "needs root, sshd, sudo, rsyslog and Ansible"]
fn each_act_of_a_day_is_in_the_trail_and_nothing_else() {
    let before = untouched();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = Place::new(
        "[intake]\nsocket = \"/run/whodid/intake\"\nspool = \"/var/spool/whodid\"\n\
         [[source]]\nname = \"auth\"\ntype = \"auth\"\npaths = [\"log/auth.log\"]\ntz = \"UTC\"\n\
         [[source]]\nname = \"wtmp\"\ntype = \"wtmp\"\npaths = [\"/var/log/wtmp\"]\n\
         [[source]]\nname = \"btmp\"\ntype = \"btmp\"\npaths = [\"/var/log/btmp\"]\n",
    );
    fs::create_dir(place.path("log")).expect("a folder");
    let plugin = fs::read(root.join("examples/ansible/callback_plugins/whodid.py")).expect("shipped");
    place.write("scene/callback_plugins/whodid.py", &plugin);
    let config = place.path("whodid.toml");
    let ansible = root.join("target/test-env/bin/ansible-playbook");
    let more = [Path::new(env!("CARGO_BIN_EXE_whodid")), &config, &ansible];
    let mut scene = Scene::begin(&place, include_bytes!("acts.sh"), "RSYSLOG_FileFormat", &more);
    while !scene.is_over(&place) {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    place.verify();
    let log = fs::read_to_string(place.path("log/auth.log")).expect("the log");
    let key = |name: &str| fs::read_to_string(place.path(name)).expect("the scene wrote it").trim().to_owned();

    let runs = place.search("source.kind:ansible AND what.action:run.start");
    let [playbook] = runs.as_slice() else { panic!("{runs:#?}") };
    let [outer, own] = playbook.what.run.as_slice() else { panic!("{:?}", playbook.what.run) };
    let (from, to) = {
        let mut of_run = place.search(&format!("what.run:{outer} AND what.action:(run.start OR run.finish)"));
        of_run.sort_by_key(|event| event.when);
        (of_run[0].when, of_run[of_run.len() - 1].when)
    };
    let is_of_playbook = |event: &Event| {
        let is_its_login = event.what.action == "ssh.login" && event.who.name.as_deref() == Some("ben");
        (is_its_login && (from..=to).contains(&event.when)) || auth(event, "ansible_become").is_some()
    };
    let all = place.search("*");
    let acts = all.iter().filter(|event| ACTS.contains(&event.what.action.as_str()));
    let (of_playbook, acts): (Vec<&Event>, Vec<&Event>) =
        acts.partition(|event| event.source.kind == whodid::event::Family::Auth && is_of_playbook(event));
    let mut found: Vec<String> = acts.iter().map(|event| told(event)).collect();
    let mut expected: Vec<String> = EXPECTED.iter().map(|line| (*line).to_owned()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "{log}");

    // The link of that sudo names the key of the login.
    let id = all.iter().find(|event| told(event) == "auth sudo.command success ana root /usr/bin/id").expect("listed");
    let about = format!("what.action:link AND what.object:{} AND whodid.key:\"{}\"", id.id, key("scene/fingerprint"));
    assert!(!place.search(&about).is_empty(), "{about}\n{log}");

    // What sudo logged for the playbook names its run, and the run around it.
    let became: Vec<_> = of_playbook.iter().filter(|event| event.what.action == "sudo.command").collect();
    assert!(!became.is_empty(), "{log}");
    for event in &became {
        assert_eq!(event.what.run, [outer.clone(), own.clone()], "{:?}", event.raw);
        assert_eq!((event.who.name.as_deref(), told(event).contains(" root ")), (Some("ben"), true));
    }
    assert_eq!(place.search(&format!("what.run:{own} AND source.kind:auth")).len(), became.len());

    // Who it was, by what the kernel says, and by which key.
    for (query, count) in [
        ("exec.name:waits AND whodid.via:spool AND who.name:ana", 2),
        ("exec.name:backup AND whodid.via:socket AND who.name:ana AND NOT whodid.uid:0", 2),
        ("exec.name:backup AND reason:\"exit code 3\"", 1),
        ("what.action:ssh.login AND outcome:success AND who.name:ana AND who.ip:127.0.0.1 AND who.key:\"ANA\"", 4),
        (
            "what.action:ssh.login AND auth.certificate_id:ben-laptop AND auth.certificate_serial:7",
            1 + of_playbook.iter().filter(|event| told(event).starts_with("auth ssh.login success")).count(),
        ),
        ("source.kind:btmp AND outcome:failure AND who.name:ana", 1),
        ("source.kind:wtmp AND what.action:session.open AND who.name:ana AND where.tty:pts*", 1),
        // The sudo, joined to the login: from where, and by which key.
        ("what.action:sudo.command AND what.object:\"/usr/bin/id\" AND who.chain:\"ana@127.0.0.1\"", 1),
        ("what.action:sudo.command AND what.object:\"/usr/bin/true\" AND who.chain:\"ben@127.0.0.1\"", 1),
        ("what.action:sudo.command AND what.object:\"/usr/bin/id\" AND who.person:ana", 1),
        ("source.kind:auth AND what.action:unparsed", 1),
        ("what.action:source.failed", 0),
    ] {
        let query = query.replace("ANA", &key("scene/fingerprint")).replace("BEN", &key("scene/fingerprint-ben"));
        assert_eq!(place.search(&query).len(), count, "{query}\n{log}");
    }
    assert!(before == untouched(), "the scene changed this machine");
}
