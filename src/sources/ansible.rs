//! What Ansible did: records of the callback plugin in `examples/ansible/`.
//!
//! ```text
//! {"whodid":"ansible","action":"run.start","run":"k3q7/z2", …,"name":"site.yml","check":false,"limit":"web","tags":["all"]}
//! {"whodid":"ansible","action":"ansible.play","run":"k3q7/z2", …,"name":"web servers","hosts":["web"]}
//! {"whodid":"ansible","action":"ansible.task","run":"k3q7/z2", …,"target":"web-1","name":"install nginx",
//!  "module":"ansible.builtin.apt","status":"changed","become":"root"}
//! {"whodid":"ansible","action":"run.finish","run":"k3q7/z2", …,"name":"site.yml","status":"failed","stats":[{"host":"web-1","ok":3}]}
//! ```
//!
//! The frame is that of [`super::run_record`]: `host` is the machine that runs Ansible, and `target` the one
//! that a task was for. A task's event stands where it happened, at its target.

use super::run_record::Facts;
use crate::event::{Event, Named, Outcome};

/// One task on one host.
pub(super) const TASK: &str = "ansible.task";

/// Fills in what the record says; an action that is none of ours leaves it `unparsed`.
pub(super) fn fill(facts: &Facts<'_>, event: &mut Event) {
    let category = match facts.text("action") {
        Some("run.start" | "run.finish" | "ansible.play") => "process",
        Some(TASK) => {
            if let Some(target) = facts.owned("target") {
                event.place.host = Some(target);
            }
            event.who.as_ = facts.owned("become").map(Named::name);
            event.place.pid = None;
            "configuration"
        }
        _ => return,
    };
    event.what.action = facts.owned("action").unwrap_or_default();
    event.what.category = vec![category.to_owned()];
    event.what.object = facts.owned("name");
    event.reason = facts.owned("reason");
    event.outcome = match facts.text("status") {
        Some("ok" | "changed" | "started") => Outcome::Success,
        Some("failed" | "unreachable" | "interrupted") => Outcome::Failure,
        _ => Outcome::Unknown,
    };
}
