//! CloudTrail's API for tests, on loopback: what its documents say of JSON 1.1, paging, limits and errors.
//!
//! Made from the API reference (LookupEvents, DescribeTrails, GetTrailStatus, ListPublicKeys) and from what the SDK
//! sends and reads, not from a recording: where AWS does otherwise than it documents, so does not this. It answers as
//! the service does where a client could err: newest first, 50 a page, tokens that hold for one question only and can
//! expire, a region per signature, errors with `__type`.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::{Value as Json, json};

/// A server that ends with its test.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

/// What it holds, and what was asked of it.
#[derive(Default)]
pub(crate) struct State {
    events: BTreeMap<String, Vec<Stored>>,
    pub(crate) trails: Vec<Json>,
    /// By ARN.
    pub(crate) statuses: HashMap<String, Json>,
    /// By region.
    pub(crate) keys: HashMap<String, Vec<Json>>,
    /// Every call: region, operation.
    pub(crate) calls: Vec<(String, String)>,
    tokens: Vec<Token>,
    /// What is answered instead; asked before each answer.
    interfere: Option<Interfere>,
}

type Interfere = Box<dyn FnMut(&Call) -> Option<Answer> + Send>;

/// One call, as it came.
pub(crate) struct Call {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) operation: String,
    pub(crate) region: String,
    pub(crate) body: Json,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Said instead of the length, in pieces without an announced length.
    pub(crate) chunked: bool,
}

#[derive(Clone)]
struct Stored {
    seconds: i64,
    insight: bool,
    event: Json,
}

struct Token {
    question: Json,
    found: Arc<Vec<Json>>,
    from: usize,
    expired: bool,
}

impl Answer {
    pub(crate) fn error(status: u16, kind: &str, message: &str) -> Self {
        Self::of(status, &json!({"__type": kind, "message": message}))
    }

    pub(crate) fn throttled() -> Self {
        Self::error(400, "ThrottlingException", "Rate exceeded")
    }

    pub(crate) fn denied(action: &str) -> Self {
        let text = format!("User: arn:aws:iam::111122223333:user/bob is not authorized to perform: {action}");
        Self::error(400, "AccessDeniedException", &text)
    }

    pub(crate) fn of(status: u16, body: &Json) -> Self {
        Self { status, body: body.to_string().into_bytes(), chunked: false }
    }
}

/// A record as CloudTrail writes it.
pub(crate) fn record(account: &str, region: &str, seconds: i64, id: &str) -> String {
    let when = chrono::DateTime::from_timestamp(seconds, 0).expect("in range").format("%Y-%m-%dT%H:%M:%SZ");
    format!(
        "{{\"eventVersion\":\"1.09\",\"userIdentity\":{{\"type\":\"IAMUser\",\"userName\":\"alice\"}},\
         \"eventTime\":\"{when}\",\"eventSource\":\"iam.amazonaws.com\",\"eventName\":\"ListUsers\",\
         \"awsRegion\":\"{region}\",\"sourceIPAddress\":\"198.51.100.77\",\"eventID\":\"{id}\",\
         \"recipientAccountId\":\"{account}\"}}"
    )
}

impl Fake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let state = Arc::new(Mutex::new(State::default()));
        let fake = Self { endpoint, state };
        let server = fake.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let server = server.clone();
                // A client that goes away ends its connection, not the test.
                thread::spawn(move || server.serve(connection).unwrap_or_default());
            }
        });
        fake
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A management event.
    pub(crate) fn put(&self, region: &str, seconds: i64, id: &str, record: &str) {
        self.put_event(region, seconds, json!({"EventId": id, "EventName": "ListUsers", "CloudTrailEvent": record}));
    }

    pub(crate) fn put_event(&self, region: &str, seconds: i64, mut event: Json) {
        event["EventTime"] = json!(seconds);
        self.store(region, Stored { seconds, insight: false, event });
    }

    pub(crate) fn put_insight(&self, region: &str, seconds: i64, id: &str, record: &str) {
        let event = json!({"EventId": id, "EventTime": seconds, "CloudTrailEvent": record});
        self.store(region, Stored { seconds, insight: true, event });
    }

    fn store(&self, region: &str, stored: Stored) {
        self.state().events.entry(region.to_owned()).or_default().push(stored);
    }

    /// From now on this is asked what to answer; None is the proper answer.
    pub(crate) fn interfere(&self, with: impl FnMut(&Call) -> Option<Answer> + Send + 'static) {
        self.state().interfere = Some(Box::new(with));
    }

    pub(crate) fn behave(&self) {
        self.state().interfere = None;
    }

    /// Tokens that were given are not known any more.
    pub(crate) fn expire_tokens(&self) {
        self.state().tokens.iter_mut().for_each(|token| token.expired = true);
    }

    fn serve(&self, connection: TcpStream) -> std::io::Result<()> {
        let mut from = BufReader::new(connection.try_clone()?);
        let mut to = connection;
        loop {
            let mut head: HashMap<String, String> = HashMap::new();
            let mut line = String::new();
            if from.read_line(&mut line)? == 0 {
                return Ok(());
            }
            loop {
                line.clear();
                from.read_line(&mut line)?;
                match line.trim_end().split_once(':') {
                    Some((name, value)) => head.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
                    None => break,
                };
            }
            let length = head.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            from.read_exact(&mut body)?;
            let answer = self.answer(&head, &body);
            let kind = "Content-Type: application/x-amz-json-1.1\r\n";
            let how = if answer.chunked {
                "Transfer-Encoding: chunked".to_owned()
            } else {
                format!("Content-Length: {}", answer.body.len())
            };
            write!(to, "HTTP/1.1 {} answer\r\n{kind}{how}\r\n\r\n", answer.status)?;
            if answer.chunked {
                for piece in answer.body.chunks(1 << 20) {
                    write!(to, "{:x}\r\n", piece.len())?;
                    to.write_all(piece)?;
                    to.write_all(b"\r\n")?;
                }
                to.write_all(b"0\r\n\r\n")?;
            } else {
                to.write_all(&answer.body)?;
            }
        }
    }

    fn answer(&self, head: &HashMap<String, String>, body: &[u8]) -> Answer {
        let field = |name: &str| head.get(name).map(String::as_str).unwrap_or_default();
        if field("content-type") != "application/x-amz-json-1.1" {
            return Answer::error(400, "SerializationException", "not JSON 1.1");
        }
        // The documents' form is com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.X, the SDK's CloudTrail_20131101.X.
        let target = field("x-amz-target").trim_start_matches("com.amazonaws.cloudtrail.v20131101.");
        let Some(operation) = target.strip_prefix("CloudTrail_20131101.") else {
            return Answer::error(400, "UnknownOperationException", target);
        };
        // Credential=KEY/20261121/eu-central-1/cloudtrail/aws4_request
        let scope: Vec<&str> = field("authorization").split(['/', ',']).collect();
        let (Some(region), Some(&"cloudtrail")) = (scope.get(2), scope.get(3)) else {
            return Answer::error(403, "MissingAuthenticationTokenException", "not signed for cloudtrail");
        };
        let Ok(body) = serde_json::from_slice::<Json>(body) else {
            return Answer::error(400, "SerializationException", "not JSON");
        };
        let mut state = self.state();
        state.calls.push(((*region).to_owned(), operation.to_owned()));
        let number = state.calls.len();
        let call = Call { number, operation: operation.to_owned(), region: (*region).to_owned(), body };
        let mut interfere = state.interfere.take();
        drop(state);
        // Not under the lock: it may ask for the state itself.
        let instead = interfere.as_mut().and_then(|interfere| interfere(&call));
        let mut state = self.state();
        state.interfere = interfere;
        instead.unwrap_or_else(|| state.proper(&call))
    }
}

impl State {
    fn proper(&mut self, call: &Call) -> Answer {
        match call.operation.as_str() {
            "LookupEvents" => self.lookup(call),
            "DescribeTrails" => {
                let names: Vec<&str> =
                    call.body["trailNameList"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
                let is_meant =
                    |trail: &&Json| names.iter().any(|name| trail["Name"] == *name || trail["TrailARN"] == *name);
                let found: Vec<&Json> = self.trails.iter().filter(is_meant).collect();
                Answer::of(200, &json!({"trailList": found}))
            }
            "GetTrailStatus" => match self.statuses.get(call.body["Name"].as_str().unwrap_or_default()) {
                Some(status) => Answer::of(200, status),
                None => Answer::error(400, "TrailNotFoundException", "Unknown trail"),
            },
            "ListPublicKeys" => self.public_keys(call),
            other => Answer::error(400, "UnknownOperationException", other),
        }
    }

    fn lookup(&mut self, call: &Call) -> Answer {
        let most = call.body["MaxResults"].as_u64().unwrap_or(50);
        if !(1..=50).contains(&most) {
            return Answer::error(400, "InvalidMaxResultsException", "1 to 50");
        }
        let mut question = call.body.clone();
        question["region"] = json!(call.region);
        let token = question.as_object_mut().and_then(|question| question.remove("NextToken"));
        let (found, at) = match token {
            Some(token) => {
                let known = token.as_str().and_then(|token| token.strip_prefix("page-")?.parse::<usize>().ok());
                match known.and_then(|known| self.tokens.get(known)) {
                    Some(token) if token.question == question && !token.expired => {
                        (Arc::clone(&token.found), token.from)
                    }
                    _ => return Answer::error(400, "InvalidNextTokenException", "Invalid or expired token"),
                }
            }
            None => {
                let (from, to) = (call.body["StartTime"].as_i64(), call.body["EndTime"].as_i64());
                let (from, to) = (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
                if from > to {
                    return Answer::error(400, "InvalidTimeRangeException", "the start is after the end");
                }
                let insight = call.body["EventCategory"] == "insight";
                let stored = self.events.get(&call.region).into_iter().flatten();
                let is_meant = |event: &&Stored| event.insight == insight && (from..=to).contains(&event.seconds);
                let mut found: Vec<&Stored> = stored.filter(is_meant).collect();
                found.sort_by_key(|event| std::cmp::Reverse(event.seconds));
                (Arc::new(found.into_iter().map(|stored| stored.event.clone()).collect()), 0)
            }
        };
        let page: Vec<&Json> = found.iter().skip(at).take(most as usize).collect();
        let mut answer = json!({"Events": page});
        let from = at + page.len();
        if found.len() > from {
            answer["NextToken"] = json!(format!("page-{}", self.tokens.len()));
            self.tokens.push(Token { question, found, from, expired: false });
        }
        Answer::of(200, &answer)
    }

    /// One key a page, so that paging is seen.
    fn public_keys(&self, call: &Call) -> Answer {
        let (from, to) = (call.body["StartTime"].as_f64(), call.body["EndTime"].as_f64());
        let (Some(from), Some(to)) = (from, to) else {
            return Answer::error(400, "InvalidTimeRangeException", "no range");
        };
        let time = |key: &Json, name: &str| key[name].as_f64().unwrap_or_default();
        let is_meant = |key: &&Json| time(key, "ValidityStartTime") <= to && from <= time(key, "ValidityEndTime");
        let keys: Vec<&Json> = self.keys.get(&call.region).into_iter().flatten().filter(is_meant).collect();
        let at = match call.body["NextToken"].as_str() {
            None => 0,
            Some(token) => match token.strip_prefix("key-").and_then(|at| at.parse().ok()) {
                Some(at) => at,
                None => return Answer::error(400, "InvalidTokenException", "Reserved for future use"),
            },
        };
        let mut answer = json!({"PublicKeyList": keys.get(at).into_iter().collect::<Vec<_>>()});
        if at + 1 < keys.len() {
            answer["NextToken"] = json!(format!("key-{}", at + 1));
        }
        Answer::of(200, &answer)
    }
}
