//! Whether what closes is what was opened.

use crate::event::Exposure;
use crate::event::world::{ALL, EVERYBODY, Network};

/// One network or principal that was let in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) exposure: Exposure,
    pub(super) network: Option<Network>,
}

impl Part {
    pub(super) fn of(exposure: &Exposure) -> Self {
        Self { network: exposure.cidr.as_deref().and_then(Network::parse), exposure: exposure.clone() }
    }

    /// A part of the world: only with such ones is it ever whole.
    pub(super) fn is_wide(&self) -> bool {
        let by_anybody = self.exposure.principal.as_deref().is_none_or(|principal| principal == EVERYBODY);
        by_anybody
            && match self.network {
                Some(Network::V4(net)) => net.prefix_len() <= WIDE,
                Some(Network::V6(net)) => net.prefix_len() <= WIDE,
                None => self.exposure.cidr.is_none() && self.exposure.principal.is_some(),
            }
    }

    /// Whether a closing means this; what it leaves out is any.
    pub(super) fn is_meant_by(&self, closing: &Self) -> bool {
        let (open, closed) = (&self.exposure, &closing.exposure);
        match (&open.rule, &closed.rule) {
            (Some(open), Some(closed)) if open != closed => return false,
            // A rule's id is its own: whatever the rule has become, it is gone.
            (Some(rule), Some(_)) if is_unique(rule) => return true,
            // Which rule let it in is not known, and nothing else is said.
            (None, Some(_)) if closed.cidr.is_none() && closed.principal.is_none() => return false,
            _ => {}
        }
        let is_network = match (&closed.cidr, closing.network, self.network) {
            (None, ..) => true,
            (Some(_), Some(closed), Some(open)) => closed == open,
            (cidr, ..) => *cidr == open.cidr,
        };
        let is_principal = closed.principal.is_none()
            || closed.principal.as_deref().map(account) == open.principal.as_deref().map(account);
        let is_port = |closed: Option<i64>, open: Option<i64>| closed.is_none() || closed == open;
        is_network
            && is_principal
            && (closed.protocol.is_none() || closed.protocol == open.protocol)
            && is_port(closed.from, open.from)
            && is_port(closed.to, open.to)
    }

    /// Whether a closing of the same second must be the later one: nobody can take away a rule that is not there
    /// yet, and nothing is opened in what is gone.
    pub(super) fn must_be_before(&self, closing: &Self) -> bool {
        let closed = &closing.exposure;
        match &closed.rule {
            Some(rule) => is_unique(rule) && self.exposure.rule.as_ref() == Some(rule),
            None => *closed == Exposure::default(),
        }
    }

    /// Whether another opening lets in all that this one does.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let (inner, outer) = (&self.exposure, &other.exposure);
        let is_network = match (self.network, other.network) {
            (Some(inner), Some(outer)) => outer.contains(&inner),
            _ => inner.cidr == outer.cidr,
        };
        let all_ports = outer.from.is_none() && outer.to.is_none();
        let is_protocol = outer.protocol == inner.protocol || outer.protocol.as_deref().is_none_or(|it| it == ALL);
        let is_port = all_ports || (outer.from <= inner.from && inner.to <= outer.to && inner.from.is_some());
        is_network
            && is_protocol
            && is_port
            && inner.principal.as_deref().map(account) == outer.principal.as_deref().map(account)
    }
}

/// As many networks as are looked at together are not half of the world if all are narrower.
const WIDE: u8 = 12;

/// Ids that EC2 gives once; numbers and names come again.
fn is_unique(rule: &str) -> bool {
    rule.starts_with("sgr-")
}

/// `arn:aws:iam::111122223333:root` is the account.
fn account(principal: &str) -> &str {
    let root = principal.strip_suffix(":root").filter(|rest| rest.starts_with("arn:"));
    root.and_then(|rest| rest.rsplit(':').next()).unwrap_or(principal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(json: &str) -> Part {
        Part::of(&serde_json::from_str(json).expect("an exposure"))
    }

    #[test]
    fn a_closing_means_what_it_names() {
        let open = part(r#"{"cidr":"192.0.2.1/0","protocol":"tcp","from":22,"to":22,"rule":"sgr-1"}"#);
        for closing in [
            r#"{}"#,
            r#"{"rule":"sgr-1"}"#,
            r#"{"rule":"sgr-1","cidr":"198.51.100.0/24"}"#,
            r#"{"cidr":"0.0.0.0/0","protocol":"tcp","from":22,"to":22}"#,
            r#"{"cidr":"0.0.0.0/0"}"#,
        ] {
            assert!(open.is_meant_by(&part(closing)), "{closing}");
        }
        for closing in [
            r#"{"rule":"sgr-2"}"#,
            r#"{"rule":"sgr-2","cidr":"0.0.0.0/0","protocol":"tcp","from":22,"to":22}"#,
            r#"{"cidr":"0.0.0.0/0","protocol":"tcp","from":80,"to":80}"#,
            r#"{"cidr":"0.0.0.0/0","protocol":"udp","from":22,"to":22}"#,
            r#"{"cidr":"::/0","protocol":"tcp","from":22,"to":22}"#,
            r#"{"principal":"*"}"#,
        ] {
            assert!(!open.is_meant_by(&part(closing)), "{closing}");
        }
        let unknown = part(r#"{"cidr":"0.0.0.0/0","protocol":"tcp","from":22,"to":22}"#);
        assert!(!unknown.is_meant_by(&part(r#"{"rule":"sgr-1"}"#)));
        assert!(
            unknown.is_meant_by(&part(r#"{"rule":"sgr-1","cidr":"0.0.0.0/0","protocol":"tcp","from":22,"to":22}"#))
        );
        let shared = part(r#"{"principal":"arn:aws:iam::444455556666:root","rule":"policy"}"#);
        assert!(shared.is_meant_by(&part(r#"{"principal":"444455556666"}"#)));
        assert!(!shared.is_meant_by(&part(r#"{"principal":"*","rule":"policy"}"#)));
    }

    #[test]
    fn what_is_within_stays_open() {
        let open = part(r#"{"cidr":"198.51.100.0/24","protocol":"tcp","from":22,"to":22,"rule":"100"}"#);
        for wider in [
            r#"{"cidr":"198.51.100.0/24","protocol":"tcp","from":22,"to":22}"#,
            r#"{"cidr":"0.0.0.0/0","protocol":"all"}"#,
            r#"{"cidr":"198.51.0.0/16","protocol":"tcp","from":0,"to":1024}"#,
        ] {
            assert!(open.is_within(&part(wider)), "{wider}");
        }
        for other in [
            r#"{"cidr":"198.51.100.0/25","protocol":"tcp","from":22,"to":22}"#,
            r#"{"cidr":"0.0.0.0/0","protocol":"tcp","from":23,"to":1024}"#,
            r#"{"cidr":"0.0.0.0/0","protocol":"udp"}"#,
            r#"{"principal":"*"}"#,
        ] {
            assert!(!open.is_within(&part(other)), "{other}");
        }
    }
}
