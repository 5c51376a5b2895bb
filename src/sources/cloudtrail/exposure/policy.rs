//! Policies of resources: whom their statements let in.
//!
//! Only what allows is listed. A condition narrows it: `Principal: "*"` with `aws:PrincipalOrgID` is that
//! organisation, with `aws:SourceIp` it is everybody from those networks. A condition narrows only where it must
//! be met and names something fixed, as Amazon S3 decides what is public ("The meaning of public"): not with
//! `…IfExists` or `ForAllValues`, which pass whoever lacks the key, not with `StringNot…`, which leaves out a few,
//! and not by a key that callers choose, such as `aws:Referer`. A statement that denies is not weighed against
//! those that allow: which of both reaches further cannot be told for sure, and missing an opening is worse.

use std::borrow::Cow;

use super::super::tree::Tree;
use super::{Call, Change};
use crate::event::Exposure;
use crate::event::world::EVERYBODY;

/// Adds what a policy lets in: a tree, or a text that holds one.
pub(super) fn read(policy: &Tree<'_>, rule: &str, call: &Call<'_, '_>, change: &mut Change) {
    match policy {
        Tree::Text(text) => {
            let text = unquoted(text);
            if let Some(tree) = Tree::parse(&text)
                && !matches!(tree, Tree::Text(_))
            {
                read(&tree, rule, call, change);
            }
        }
        policy => {
            let statements = policy.any_case("Statement").unwrap_or(policy);
            statements.items().iter().for_each(|statement| of_statement(statement, rule, call, change));
        }
    }
}

/// IAM writes some policies as in a URL.
fn unquoted(text: &str) -> Cow<'_, str> {
    if !text.trim_start().starts_with("%7B") {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = (byte == b'%').then(|| [rest.next(), rest.next()]);
        bytes.push(match hex {
            Some([Some(high), Some(low)]) => digit(high) * 16 + digit(low),
            Some(_) => b'%',
            None => byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is no digit gives a text that is no policy.
fn digit(byte: u8) -> u8 {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default()
}

fn of_statement(statement: &Tree<'_>, rule: &str, call: &Call<'_, '_>, change: &mut Change) {
    let allows =
        statement.any_case("Effect").and_then(Tree::as_str).is_some_and(|effect| effect.eq_ignore_ascii_case("allow"));
    if !allows {
        return;
    }
    let limits = Limits::of(statement.any_case("Condition").unwrap_or(&Tree::Null));
    for principal in principals(statement) {
        limits.open(&principal, rule, call, change);
    }
}

/// Whom a statement is about; none where it is about whoever has the policy.
fn principals(statement: &Tree<'_>) -> Vec<String> {
    if statement.any_case("NotPrincipal").is_some() {
        // Everybody but a few.
        return vec![EVERYBODY.to_owned()];
    }
    let mut found = Vec::new();
    match statement.any_case("Principal") {
        Some(Tree::Map(kinds)) => {
            // Federated users, services and canonical ids are told apart by what they look like.
            kinds.iter().for_each(|(_, who)| texts(who, &mut found));
        }
        Some(who) => texts(who, &mut found),
        None => {}
    }
    found
}

fn texts(tree: &Tree<'_>, found: &mut Vec<String>) {
    match tree {
        Tree::Text(text) if !text.is_empty() => found.push(text.clone().into_owned()),
        Tree::Number(number) => found.push(number.to_string()),
        Tree::List(items) => items.iter().for_each(|item| texts(item, found)),
        _ => {}
    }
}

/// What the conditions of a statement leave of its principals.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// Only from these networks.
    networks: Vec<String>,
    /// Only for these accounts, organisations, endpoints, ….
    names: Vec<String>,
}

impl Limits {
    fn of(conditions: &Tree<'_>) -> Self {
        let mut limits = Self::default();
        let Tree::Map(operators) = conditions else { return limits };
        for (operator, keys) in operators {
            let (Some(operator), Tree::Map(keys)) = (Operator::of(operator), keys) else { continue };
            for (key, values) in keys {
                let mut found = Vec::new();
                texts(values, &mut found);
                limits.add(operator, key, found);
            }
        }
        limits
    }

    /// All conditions must be met, so the first that narrows says enough; of one, any value will do.
    fn add(&mut self, operator: Operator, key: &str, values: Vec<String>) {
        let Some(key) = Key::of(key) else { return };
        match (operator, key) {
            (Operator::IpAddress, Key::Network) if self.networks.is_empty() => self.networks = values,
            (Operator::Equals, key) if self.names.is_empty() && values.iter().all(|value| key.is_fixed(value)) => {
                self.names = values;
            }
            _ => {}
        }
    }

    /// Of a permission that names one source, account or organisation beside its principal.
    pub(super) fn of_names(names: impl IntoIterator<Item = Option<String>>, arn: Option<String>) -> Self {
        let names = names.into_iter().flatten().filter(|name| Key::Name.is_fixed(name));
        let names = names.chain(arn.filter(|arn| Key::Arn.is_fixed(arn))).take(1).collect();
        Self { networks: Vec::new(), names }
    }

    /// Opens to one principal, within these limits. What stays within the account is no opening.
    pub(super) fn open(&self, principal: &str, rule: &str, call: &Call<'_, '_>, change: &mut Change) {
        let is_service = principal.ends_with(".amazonaws.com") || principal.ends_with(".amazonaws.com.cn");
        // A service that acts for one account or thing is as good as that; roles are there for services.
        if call.is_own(principal) || (is_service && (!self.names.is_empty() || call.service == "iam")) {
            return;
        }
        let mut whom = vec![principal.to_owned()];
        if principal == EVERYBODY && !self.names.is_empty() {
            whom = self.names.iter().filter(|name| !call.is_own(name)).cloned().collect();
        }
        let networks = self.networks.iter().cloned().map(Some);
        let networks: Vec<_> = if self.networks.is_empty() { vec![None] } else { networks.collect() };
        for principal in &whom {
            for cidr in &networks {
                change.open(Exposure {
                    cidr: cidr.clone(),
                    principal: Some(principal.clone()),
                    rule: Some(rule.to_owned()),
                    ..Exposure::default()
                });
            }
        }
    }
}

/// Operators that a caller must pass, by what they ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equals,
    IpAddress,
}

impl Operator {
    /// None for one that narrows nothing: see the module's text.
    fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("foranyvalue:").unwrap_or(&name);
        match name {
            "stringequals" | "stringequalsignorecase" | "stringlike" | "arnequals" | "arnlike" => Some(Self::Equals),
            "ipaddress" => Some(Self::IpAddress),
            _ => None,
        }
    }
}

/// Keys that callers cannot choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Network,
    /// An id: an account, a VPC, an endpoint.
    Name,
    /// An organisation, or a path below it.
    Organisation,
    Arn,
}

impl Key {
    fn of(key: &str) -> Option<Self> {
        Some(match key.to_ascii_lowercase().as_str() {
            "aws:sourceip" => Self::Network,
            "aws:sourcevpce"
            | "aws:sourcevpc"
            | "aws:sourceaccount"
            | "aws:sourceowner"
            | "aws:principalaccount"
            | "aws:userid"
            | "kms:calleraccount"
            | "s3:dataaccesspointaccount" => Self::Name,
            "aws:principalorgid" | "aws:principalorgpaths" | "aws:sourceorgid" | "aws:sourceorgpaths" => {
                Self::Organisation
            }
            "aws:sourcearn" | "aws:principalarn" | "s3:dataaccesspointarn" => Self::Arn,
            _ => return None,
        })
    }

    /// Whether a value is one thing, or things of one account.
    fn is_fixed(self, value: &str) -> bool {
        let is_plain = |text: &str| !text.is_empty() && !text.contains(['*', '?', '$']);
        match self {
            Self::Network => false,
            Self::Name => is_plain(value),
            Self::Organisation => value.split('/').next().is_some_and(is_plain),
            Self::Arn => {
                let mut parts = value.splitn(6, ':').skip(4);
                let (account, thing) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                // A bucket has no account in its ARN, and only one owner.
                is_plain(account) || (account.is_empty() && thing.split('/').next().is_some_and(is_plain))
            }
        }
    }
}
