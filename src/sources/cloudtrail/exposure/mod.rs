//! What a change let in, and what it let in no longer.
//!
//! Each service has a file of its own; [`change`] knows which. All read requests and responses, whatever shape
//! they are in, and add to a [`Change`]: what the call opened, to a network or a principal, and what it closed. A
//! call that replaces something (a policy, a rule) closes what was there and opens what it puts there. What lies
//! within the account is not listed, nor what goes out.
//!
//! Invariants: of a call that failed nothing is read (the caller sees to it); a record that leaves something open
//! is read as the wider one, because an opening that is missed is worse than one too many.

mod deletion;
mod kms;
mod lambda;
mod network_acl;
mod policies;
mod policy;
mod prefix_list;
mod public;
mod s3;
mod security_group;
mod sharing;

use super::tree::Tree;
use crate::event::Exposure;
use crate::event::world::{self, EVERYBODY, World};

/// What a call changed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    pub(super) exposes: Vec<Exposure>,
    pub(super) closes: Vec<Exposure>,
    /// Everybody is let in.
    pub(super) world: bool,
}

/// A record, as the files of this folder look at it.
struct Call<'t, 'a> {
    service: &'t str,
    /// The name of the call without the version that Lambda has in it.
    action: &'t str,
    request: &'t Tree<'a>,
    response: &'t Tree<'a>,
    /// Whose call it is: what it opens to this account is no opening.
    account: Option<String>,
}

/// What the record's call changed. Whether it succeeded is for the caller to know.
pub(super) fn change(record: &Tree<'_>, prefix: World) -> Change {
    let mut change = Change::default();
    let Some(call) = Call::of(record) else { return change };
    match call.service {
        "ec2" => {
            security_group::read(&call, &mut change);
            network_acl::read(&call, &mut change);
            prefix_list::read(&call, &mut change);
            sharing::read(&call, &mut change);
        }
        "rds" | "redshift" => {
            security_group::read(&call, &mut change);
            sharing::read(&call, &mut change);
            public::read(&call, &mut change);
        }
        "redshift-serverless" | "dms" => public::read(&call, &mut change),
        "s3" => s3::read(&call, &mut change),
        "lambda" => lambda::read(&call, &mut change),
        "kms" => kms::read(&call, &mut change),
        "sqs" | "sns" => match call.action {
            "AddPermission" => lambda::labelled(&call, &mut change),
            "RemovePermission" => lambda::take_away(&call, "label", &mut change),
            _ => {}
        },
        "events" => match call.action {
            "PutPermission" => lambda::permission(&call, &mut change),
            "RemovePermission" => lambda::take_away(&call, "statementId", &mut change),
            _ => {}
        },
        _ => {}
    }
    policies::read(&call, &mut change);
    deletion::read(&call, &mut change);
    change.world = world::is_world(&change.exposes, prefix);
    change
}

impl<'t, 'a> Call<'t, 'a> {
    fn of(record: &'t Tree<'a>) -> Option<Self> {
        let action = record.member("eventName").as_str()?;
        let service = record.member("eventSource").as_str()?.split('.').next()?;
        if READING.iter().any(|verb| action.starts_with(verb)) {
            return None;
        }
        Some(Self {
            service,
            action: unversioned(action),
            request: record.member("requestParameters"),
            response: record.member("responseElements"),
            account: record.text("recipientAccountId").or_else(|| record.text("userIdentity.accountId")),
        })
    }

    /// Whether a principal is of the account itself.
    fn is_own(&self, principal: &str) -> bool {
        self.account.as_deref().is_some_and(|own| account_of(principal) == Some(own))
    }
}

/// Most records; none of these changes anything.
const READING: &[&str] = &["Get", "List", "Describe", "Head", "Lookup", "Assume"];

/// `AddPermission20150331v2` is AddPermission of the API of that day.
fn unversioned(action: &str) -> &str {
    match action.find(|c: char| c.is_ascii_digit()) {
        Some(at) => action.get(..at).unwrap_or(action),
        None => action,
    }
}

/// The account of a principal: the number itself, or the one in an ARN.
fn account_of(principal: &str) -> Option<&str> {
    let is_account = |text: &&str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let in_arn = || principal.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(3));
    Some(principal).filter(is_account).or_else(|| in_arn().filter(is_account))
}

impl Change {
    fn open(&mut self, exposure: Exposure) {
        if !self.exposes.contains(&exposure) || self.exposes.len() > DISTINCT_MAX {
            self.exposes.push(exposure);
        }
    }

    fn close(&mut self, exposure: Exposure) {
        if !self.closes.contains(&exposure) || self.closes.len() > DISTINCT_MAX {
            self.closes.push(exposure);
        }
    }

    /// Opens to an account, an ARN, a service or everybody.
    fn open_to(&mut self, principal: &str, rule: Option<&str>) {
        self.open(to(principal, rule));
    }

    fn close_to(&mut self, principal: &str, rule: Option<&str>) {
        self.close(to(principal, rule));
    }

    /// Closes all that is there by this rule.
    fn close_rule(&mut self, rule: &str) {
        self.close(Exposure { rule: Some(rule.to_owned()), ..Exposure::default() });
    }

    /// Closes all that the thing had open.
    fn close_all(&mut self) {
        self.close(Exposure::default());
    }
}

/// Doubles are left out of lists up to this length; comparing all with all takes long.
const DISTINCT_MAX: usize = 256;

fn to(principal: &str, rule: Option<&str>) -> Exposure {
    // AWS's lists of permissions call everybody `all`.
    let principal = if principal.eq_ignore_ascii_case("all") { EVERYBODY } else { principal };
    Exposure { principal: Some(principal.to_owned()), rule: rule.map(str::to_owned), ..Exposure::default() }
}

#[cfg(test)]
mod tests;
