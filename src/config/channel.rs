//! `[[notify]]`: the channels that alerts tell people by.

use std::collections::BTreeMap;
use std::time::Duration;

use super::alert::{Channel, Header, Webhook, WebhookUrl};
use super::problem::suggest;
use super::section::{Key, Section, Shape, Table};
use super::setting::{At, Misread, Setting};

/// The channel that is always there.
const LOG: &str = "log";

/// Every `[[notify]]` by name, and the log.
pub(super) fn read_all(top: &mut Section<'_, '_>) -> BTreeMap<String, Channel> {
    let mut channels = BTreeMap::from([(LOG.to_owned(), Channel::Log)]);
    for mut section in top.sections(&NOTIFY) {
        let name = section.required(&NAME);
        let channel = read(&mut section);
        if let (Some(name), Some(channel)) = (name, channel) {
            if name == LOG && channel != Channel::Log {
                section.report_key("name", "`name`: \"log\" is whodid's own log", "give it another name");
            } else if name != LOG && channels.contains_key(&name) {
                section.report_key("name", format!("two channels are named \"{name}\""), "give each its own name");
            }
            channels.insert(name, channel);
        }
        section.finish();
    }
    channels
}

fn read(section: &mut Section<'_, '_>) -> Option<Channel> {
    match section.required(&TYPE)? {
        Kind::Log => Some(Channel::Log),
        Kind::Webhook => {
            let (url, headers) = (section.required(&URL), section.or_default(&HEADERS));
            let timeout = section.or_default(&TIMEOUT);
            if timeout.is_some_and(|timeout| timeout > TIMEOUT_MAX) {
                section.report_key("timeout", "`timeout` is longer than a minute", "an alert that waits tells nobody");
            }
            Some(Channel::Webhook(Webhook { url: url?, headers: headers?, timeout: timeout? }))
        }
    }
}

/// Names of channels; one that is not there is reported.
pub(super) fn read_names(
    section: &mut Section<'_, '_>,
    key: &'static Key<Vec<At<String>>>,
    channels: &BTreeMap<String, Channel>,
) -> Option<Vec<String>> {
    let names = section.or_default(key)?;
    for name in names.iter().filter(|name| !channels.contains_key(&name.value)) {
        section.report_place(
            name.at,
            format!("`notify`: there is no [[notify]] named \"{}\"", name.value),
            suggest(&name.value, channels.keys().map(String::as_str)),
        );
    }
    Some(names.into_iter().map(|name| name.value).collect())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Log,
    Webhook,
}

impl Setting for Kind {
    const KIND: &'static str = "a type of channel in quotes";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        Misread::choice(value, "type of channel", [Self::Log, Self::Webhook], |kind| match kind {
            Self::Log => "log",
            Self::Webhook => "webhook",
        })
    }
}

impl Setting for WebhookUrl {
    const KIND: &'static str = "an address in quotes";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        // The address is a secret: it is not repeated in the message.
        Self::parse(value.as_str().ok_or(Misread::Kind)?)
            .map_err(|error| Misread::bad(error.to_string(), "such as \"https://hooks.example.org/whodid\""))
    }
}

impl Setting for Header {
    const KIND: &'static str = "a header in quotes";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        // So is what it holds.
        Self::parse(value.as_str().ok_or(Misread::Kind)?)
            .map_err(|error| Misread::bad(error.to_string(), "such as \"Authorization: Bearer …\""))
    }
}

/// A receiver that takes longer is as good as none: the message is tried again.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

pub(super) static NOTIFY: Table = Table {
    name: "notify",
    shape: Shape::Many,
    doc: "A way to tell people, one table each. `log` is always there.",
    keys: &[&NAME.declaration, &TYPE.declaration, &URL.declaration, &HEADERS.declaration, &TIMEOUT.declaration],
    tables: &[],
};

static NAME: Key<String> = Key::required("name", "\"oncall\"", "Unique; what `notify` names.");

static TYPE: Key<Kind> = Key::required("type", "\"webhook\"", "webhook (a JSON document by POST) or log.");

static URL: Key<WebhookUrl> = Key::required(
    "url",
    "\"https://hooks.example.org/whodid\"",
    "Where a webhook posts. Who knows it can post there too: keep this file 0640.",
);

static HEADERS: Key<Vec<Header>> = Key::with_default(
    "headers",
    "[]",
    "What a webhook sends besides: [\"Authorization: Bearer …\"]. They are not shown anywhere.",
);

static TIMEOUT: Key<Duration> =
    Key::with_default("timeout", "\"10s\"", "How long one attempt of a webhook may take, at most a minute.");
