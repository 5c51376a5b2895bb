//! Who is at the beginning of a chain, and the hops from there on.

use std::net::IpAddr;
use std::sync::Arc;

use super::call::{Caller, Hop, Place};
use crate::event::link::{Confidence, Facts, Via};

/// A session may renew itself for ever; of more hops the first ones after the beginning are left out.
const HOPS_MAX: usize = 32;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chain {
    hops: Vec<Arc<str>>,
    /// Of the last hop.
    arn: Option<Arc<str>>,
    account: Option<Arc<str>>,
    key: Option<Arc<str>>,
    aws: Vec<Arc<str>>,
    email: Option<Arc<str>>,
    ip: Option<IpAddr>,
    via: Vec<Via>,
    evidence: Vec<u64>,
}

impl Chain {
    /// From a caller of whom nothing more is known than their record says; none where nobody called.
    pub(super) fn of(caller: &Caller) -> Option<Self> {
        let hops = vec![Arc::from(caller.first()?)];
        let name = caller.name.as_ref().filter(|_| caller.is_user);
        let mut chain = Self {
            hops,
            arn: None,
            account: name.cloned(),
            key: caller.key.clone(),
            aws: [&caller.arn, &caller.id].into_iter().flatten().chain(name).cloned().collect(),
            email: caller.email.clone(),
            ip: caller.ip,
            via: Vec::new(),
            evidence: Vec::new(),
        };
        if let Some(role) = &caller.role {
            chain.then(role);
        }
        Some(chain)
    }

    /// A user of Identity Center, by the name that they signed in with.
    pub(super) fn of_center(name: &Arc<str>, id: Option<&Arc<str>>, ip: Option<IpAddr>) -> Self {
        let first = ip.map_or_else(|| Arc::clone(name), |ip| format!("{name}@{ip}").into());
        Self {
            hops: vec![first],
            arn: None,
            account: Some(Arc::clone(name)),
            key: None,
            aws: id.into_iter().chain([name]).cloned().collect(),
            email: Some(Arc::clone(name)).filter(|name| name.contains('@')),
            ip,
            via: vec![Via::Signin],
            evidence: Vec::new(),
        }
    }

    /// What a link that is in the trail says; none of one that takes back.
    pub(super) fn told(facts: &Facts) -> Option<Self> {
        facts.chain.first()?;
        let arcs = |texts: &[String]| texts.iter().map(|text| Arc::from(text.as_str())).collect();
        let arc = |text: &Option<String>| text.as_deref().map(Arc::from);
        Some(Self {
            hops: arcs(&facts.chain),
            arn: arc(&facts.role),
            account: arc(&facts.account),
            key: arc(&facts.key),
            aws: arcs(&facts.aws),
            email: arc(&facts.email),
            ip: facts.ip,
            via: facts.via.clone(),
            evidence: facts.evidence.iter().copied().chain([facts.seq]).collect(),
        })
    }

    /// One hop more; a role that assumes itself again is the same.
    pub(super) fn then(&mut self, hop: &Hop) {
        if self.hops.len() > 1 && hop.arn.is_some() && hop.arn == self.arn {
            return;
        }
        if self.hops.len() >= HOPS_MAX {
            self.hops.remove(1);
        }
        self.hops.push(Arc::clone(&hop.name));
        self.arn.clone_from(&hop.arn);
    }

    /// By what the hop before was tied to the next, and where that is told.
    pub(super) fn by(&mut self, via: Via, place: &Place) {
        if !self.via.contains(&via) {
            self.via.push(via);
        }
        if !self.evidence.contains(&place.seq) {
            self.evidence.push(place.seq);
        }
    }

    /// In the words of a link about the event at a place.
    pub(super) fn facts(&self, place: &Place) -> Facts {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let texts = |texts: &[Arc<str>]| texts.iter().map(ToString::to_string).collect();
        let mut evidence: Vec<u64> = self.evidence.iter().copied().filter(|seq| *seq != place.seq).collect();
        evidence.sort_unstable();
        evidence.dedup();
        let skipped = evidence.len().saturating_sub(HOPS_MAX);
        Facts {
            chain: texts(&self.hops),
            account: text(&self.account),
            key: text(&self.key),
            aws: texts(&self.aws),
            email: text(&self.email),
            role: text(&self.arn),
            ip: self.ip,
            via: self.via.clone(),
            evidence: evidence.split_off(skipped),
            ..Facts::new(place.seq, Confidence::High)
        }
    }
}
