//! Messages over a real socket of this machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::check::Question;
use crate::check::bench::{alert, at, saved};
use crate::config::alert::{Header, Webhook, WebhookUrl};

/// What the receiver does with a request.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Status(u16),
    /// It takes the request and never says a word.
    Silence,
    /// It hangs up before it answers.
    HangUp,
}

/// A receiver that answers as told, then always 200, and keeps what it was sent.
struct Receiver {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn start(answers: &[Answer]) -> Self {
        // The program does this in main.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answers = answers.to_vec();
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            let mut silent = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let request = request(&mut stream).await;
                kept.lock().expect("not poisoned").push(request);
                let status = match answers.next().unwrap_or(Answer::Status(200)) {
                    Answer::Status(status) => status,
                    Answer::Silence => {
                        silent.push(stream);
                        continue;
                    }
                    Answer::HangUp => continue,
                };
                let location = if status == 302 { "location: http://127.0.0.1:1/elsewhere\r\n" } else { "" };
                let answer = format!("HTTP/1.1 {status} x\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.expect("answered");
            }
        });
        Self { address, requests }
    }

    fn webhook(&self) -> Channel {
        Channel::Webhook(Webhook {
            url: WebhookUrl::parse(&format!("http://{}/hook/s3cr3t?key=s3cr3t", self.address)).expect("an address"),
            headers: vec![Header::parse("Authorization: Bearer s3cr3t").expect("a header")],
            timeout: Duration::from_millis(300),
        })
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").clone()
    }
}

/// Head and body.
async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        if stream.read_buf(&mut bytes).await.expect("read") == 0 {
            return text;
        }
    }
}

fn message(minute: u32, channels: &[&str]) -> Message {
    let (alert, query) = (alert("linux/ssh"), saved("linux/ssh", "*"));
    let now = at(&format!("12:{minute:02}"));
    Message::plain(&Question::new(&alert, &query), now, channels)
}

fn outbox(channels: &[(&str, Channel)]) -> Outbox {
    let channels = channels.iter().map(|(name, channel)| ((*name).to_owned(), channel.clone())).collect();
    Outbox::start(&channels, Tries::AT_ONCE)
}

/// What became of one message sent to a receiver that answers so.
async fn sent(answers: &[Answer]) -> (Receiver, Told) {
    let receiver = Receiver::start(answers).await;
    let mut outbox = outbox(&[("oncall", receiver.webhook())]);
    outbox.send(&message(0, &["oncall"]));
    let told = outbox.next().await.told;
    assert!(outbox.is_idle());
    (receiver, told)
}

#[tokio::test]
async fn a_message_is_posted_as_json() {
    let (receiver, told) = sent(&[]).await;
    assert_eq!((told.attempts, told.error), (1, None));
    let request = receiver.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").expect("a body");
    assert!(head.starts_with("POST /hook/s3cr3t?key=s3cr3t HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer s3cr3t") && head.contains("content-type: application/json"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((&body["v"], &body["alert"], &body["kind"]), (&1.into(), &"linux/ssh".into(), &"changed".into()));
    assert!(body["text"].as_str().is_some_and(|text| text.contains("whodid check linux/ssh")), "{body}");
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let (receiver, told) = sent(&[Answer::Status(500), Answer::HangUp]).await;
    assert_eq!((told.attempts, told.error), (3, None));
    assert_eq!(receiver.requests().len(), 3);
    let (_, told) = sent(&[Answer::Status(429), Answer::Status(408)]).await;
    assert_eq!((told.attempts, told.error), (3, None));
}

#[tokio::test]
async fn what_does_not_pass_ends_at_once() {
    for status in [400, 401, 404, 410, 302] {
        let (receiver, told) = sent(&[Answer::Status(status)]).await;
        assert_eq!((told.attempts, told.error), (1, Some(format!("the receiver answered {status}"))));
        assert_eq!(receiver.requests().len(), 1, "no redirection is followed");
    }
}

#[tokio::test]
async fn a_receiver_that_keeps_silent_is_given_up() {
    let (_, told) = sent(&[Answer::Silence; 3]).await;
    assert_eq!((told.attempts, told.error.as_deref()), (3, Some("no answer within 300 ms")));
}

#[tokio::test]
async fn no_error_tells_the_address() {
    let receiver = Receiver::start(&[]).await;
    let Channel::Webhook(webhook) = receiver.webhook() else { panic!("a webhook") };
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let url = WebhookUrl::parse(&format!("http://{gone}/hook/s3cr3t")).expect("an address");
    let mut outbox = outbox(&[("oncall", Channel::Webhook(Webhook { url, ..webhook }))]);
    outbox.send(&message(0, &["oncall"]));
    let told = outbox.next().await.told;
    let error = told.error.expect("nobody is there");
    assert!(error.starts_with("no connection: ") && !error.contains("s3cr3t"), "{error}");
    assert_eq!(told.attempts, 3);
}

#[tokio::test]
async fn one_that_is_slow_holds_up_no_other() {
    let slow = Receiver::start(&[Answer::Silence; 3]).await;
    let quick = Receiver::start(&[]).await;
    let mut outbox = outbox(&[("slow", slow.webhook()), ("quick", quick.webhook()), ("log", Channel::Log)]);
    outbox.send(&message(0, &["slow", "quick", "log"]));
    outbox.send(&message(1, &["quick"]));
    let mut ended = Vec::new();
    while !outbox.is_idle() {
        let told = outbox.next().await.told;
        ended.push((told.channel, told.error.is_none()));
    }
    assert_eq!(ended.len(), 4);
    assert_eq!(ended.last().map(|(name, taken)| (name.as_str(), *taken)), Some(("slow", false)));
    assert!(ended[..3].iter().all(|(_, taken)| *taken), "{ended:?}");
}

#[tokio::test]
async fn messages_keep_their_order_and_go_once() {
    let receiver = Receiver::start(&[Answer::Status(503)]).await;
    let mut outbox = outbox(&[("oncall", receiver.webhook())]);
    for _ in 0..2 {
        for minute in 0..3 {
            outbox.send(&message(minute, &["oncall"]));
        }
    }
    let mut ended = Vec::new();
    while !outbox.is_idle() {
        ended.push(outbox.next().await.told.message);
    }
    assert_eq!(ended, [at("12:00"), at("12:01"), at("12:02")]);
    assert_eq!(receiver.requests().len(), 4);
}

#[tokio::test]
async fn a_full_queue_is_no_loss() {
    let receiver = Receiver::start(&[Answer::Silence]).await;
    let mut outbox = outbox(&[("oncall", receiver.webhook())]);
    let numbered = |n| {
        let mut message = message(0, &["oncall"]);
        message.id = at("12:00").plus(chrono::TimeDelta::seconds(n));
        message
    };
    let messages: Vec<Message> = (0..100).map(numbered).collect();
    let mut ended = HashSet::new();
    while ended.len() < messages.len() {
        // As often as anything came to an end, the rest is handed over again.
        let left = messages.iter().filter(|message| !ended.contains(&message.id));
        left.for_each(|message| outbox.send(message));
        assert!(ended.insert(outbox.next().await.told.message), "no message ends twice");
    }
}

#[tokio::test]
async fn a_channel_that_is_gone_is_said_to_be() {
    let mut outbox = outbox(&[("log", Channel::Log)]);
    outbox.send(&message(0, &["oncall"]));
    let told = outbox.next().await.told;
    assert_eq!((told.attempts, told.error.as_deref()), (0, Some("no channel of this name is configured any more")));
    assert!(outbox.is_idle());
}
