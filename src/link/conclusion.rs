//! What is known about a fact, in the words of a link.

use super::fact::Fact;
use super::rules::{Tie, Verdict};
use super::state::{Actor, Login, Suspicion};
use crate::event::link::{Confidence, Contradiction, Facts, Via};

/// Who it was, if that is more than the record itself says.
pub(super) fn of_tie(host: &str, fact: &Fact, verdict: &Verdict) -> Option<Facts> {
    let (tie, login) = (verdict.tie.as_ref()?, verdict.login.as_ref()?);
    if !says_more(login, fact, tie) {
        return None;
    }
    let most = if fact.is_trusted && login.is_trusted { Confidence::High } else { Confidence::Medium };
    let mut facts = Facts::new(fact.seq, tie.confidence.min(most));
    facts.chain = chain(login, tie);
    facts.account = Some(login.account.to_string());
    facts.host = Some(host.to_owned());
    facts.key = login.key.as_deref().map(str::to_owned);
    facts.certificate = login.certificate.as_deref().map(str::to_owned);
    facts.evidence.clone_from(&login.evidence);
    if !tie.is_common {
        facts.ip = login.ip;
        facts.session = login.session.as_deref().or(fact.session.as_deref()).map(str::to_owned);
    }
    let mut via = vec![tie.via];
    for became in tie.actor.hops().filter_map(|actor| actor.became.as_ref()) {
        via.push(became.via);
        facts.confidence = facts.confidence.min(became.confidence);
        facts.evidence.push(became.seq);
    }
    facts.via = in_order(via);
    facts.evidence.sort_unstable();
    facts.evidence.dedup();
    facts.evidence.retain(|seq| *seq != fact.seq);
    Some(facts)
}

/// From the login on, each once.
fn in_order(mut via: Vec<Via>) -> Vec<Via> {
    via.reverse();
    let mut once = Vec::new();
    for via in via {
        if !once.contains(&via) {
            once.push(via);
        }
    }
    once
}

fn chain(login: &Login, tie: &Tie) -> Vec<String> {
    let first = match &login.place {
        Some(place) if !tie.is_common => format!("{}@{place}", login.account),
        _ => login.account.to_string(),
    };
    let mut later: Vec<String> =
        tie.actor.hops().filter(|actor| actor.became.is_some()).map(|actor| actor.account.to_string()).collect();
    later.push(first);
    later.reverse();
    later
}

fn says_more(login: &Login, fact: &Fact, tie: &Tie) -> bool {
    let is_named = |actor: &Actor| [&fact.user, &fact.became].into_iter().flatten().any(|name| *name == actor.account);
    let has_place = [&fact.from, &fact.tty].into_iter().any(|said| said.is_some() && *said == login.place);
    let is_from_elsewhere =
        login.place.is_some() && !tie.is_common && !has_place && (fact.ip.is_none() || fact.ip != login.ip);
    let has_key = login.key.is_some() && fact.key != login.key;
    is_from_elsewhere || has_key || !tie.actor.hops().all(is_named)
}

/// That something cannot be as it is told.
pub(super) fn of_suspicion(host: &str, fact: &Fact, suspicion: Suspicion) -> Facts {
    let user = fact.user.as_deref().unwrap_or_default();
    let tty = fact.tty.as_deref().unwrap_or("no terminal");
    let (contradiction, text) = match suspicion {
        Suspicion::SessionWithoutAuth => (
            Contradiction::SessionWithoutAuth,
            format!("{user} had a session on {tty} of {host}, and no record says that {user} was let in."),
        ),
        Suspicion::SudoWithoutSession => (
            Contradiction::SudoWithoutSession,
            format!("{user} used sudo on {tty} of {host}, and no session of {user} was open."),
        ),
        Suspicion::LoginOfUnknownAccount => (
            Contradiction::LoginOfUnknownAccount,
            format!("{user} was let in on {host}, and there is no such account."),
        ),
    };
    let confidence = if fact.is_trusted { Confidence::High } else { Confidence::Medium };
    Facts { contradiction: Some(contradiction), text: Some(text), ..Facts::new(fact.seq, confidence) }
}
