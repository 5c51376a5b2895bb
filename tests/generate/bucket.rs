//! A bucket on the loopback interface that answers ListObjectsV2 and GetObject, with objects that are made when they
//! are asked for: a million of them take no room.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Objects in the order of their keys.
pub(crate) struct Objects {
    pub(crate) count: usize,
    pub(crate) key: Box<dyn Fn(usize) -> String + Send + Sync>,
    pub(crate) body: Arc<[u8]>,
}

/// What was asked for so far.
#[derive(Default)]
pub(crate) struct Asked {
    /// Pages of objects.
    pub(crate) pages: AtomicUsize,
    /// The last page of a listing.
    listings: AtomicUsize,
}

pub(crate) struct Bucket {
    pub(crate) endpoint: String,
    pub(crate) asked: Arc<Asked>,
}

const PAGE: usize = 1_000;

impl Bucket {
    /// Answers until the program ends.
    pub(crate) fn start(objects: Objects) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (objects, asked) = (Arc::new(objects), Arc::<Asked>::default());
        let counts = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (objects, counts) = (Arc::clone(&objects), Arc::clone(&counts));
                // A client goes away when it is done.
                thread::spawn(move || objects.serve(&client, &counts).unwrap_or_default());
            }
        });
        Self { endpoint, asked }
    }
}

/// How many listings a bucket has answered to their end; of each prefix that was listed one.
pub(crate) fn listings(endpoint: &str) -> usize {
    let ask = || -> io::Result<String> {
        let mut server = TcpStream::connect(endpoint.trim_start_matches("http://"))?;
        write!(server, "GET /asked HTTP/1.1\r\n\r\n")?;
        server.shutdown(Shutdown::Write)?;
        io::read_to_string(server)
    };
    let answer = ask().expect("it answers");
    answer.rsplit('\n').next().and_then(|count| count.parse().ok()).expect("a number")
}

impl Objects {
    fn serve(&self, mut client: &TcpStream, asked: &Asked) -> io::Result<()> {
        let mut from = BufReader::new(client.try_clone()?);
        loop {
            let mut line = String::new();
            if from.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let mut header = String::new();
            while from.read_line(&mut header)? > 0 && !header.trim_end().is_empty() {
                header.clear();
            }
            let target = line.split(' ').nth(1).unwrap_or_default();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            if path == "/asked" {
                let listings = asked.listings.load(Ordering::Relaxed).to_string();
                write!(client, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{listings}", listings.len())?;
            } else if query.contains("list-type=2") {
                let page = self.page(query, asked);
                write!(client, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", page.len())?;
                client.write_all(page.as_bytes())?;
            } else {
                let (length, tag) = (self.body.len(), tag(path));
                write!(client, "HTTP/1.1 200 OK\r\netag: \"{tag}\"\r\ncontent-length: {length}\r\n\r\n")?;
                client.write_all(&self.body)?;
            }
        }
    }

    fn page(&self, query: &str, asked: &Asked) -> String {
        let value = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| *key == name).map(|(_, value)| decoded(value)).next().unwrap_or_default()
        };
        let (prefix, delimiter) = (value("prefix"), value("delimiter"));
        let begin = [value("start-after") + "\0", prefix.clone()].into_iter().max().unwrap_or_default();
        let token = value("continuation-token").parse().ok();
        let mut at = token.unwrap_or_else(|| self.first_from(&begin));
        let mut text = String::from("<?xml version=\"1.0\"?><ListBucketResult><EncodingType>url</EncodingType>");
        let mut found = 0;
        while at < self.count && found < PAGE {
            let key = (self.key)(at);
            if !key.starts_with(&prefix) {
                at = self.count;
                break;
            }
            found += 1;
            let folder =
                key.get(prefix.len()..).and_then(|rest| rest.find('/')).and_then(|end| key.get(..=prefix.len() + end));
            at = match folder.filter(|_| !delimiter.is_empty()) {
                Some(folder) => {
                    write!(text, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>").expect("memory");
                    self.first_from(&format!("{folder}\u{10ffff}"))
                }
                None => {
                    let (bytes, tag) = (self.body.len(), tag(&key));
                    let more = format!("<Size>{bytes}</Size><ETag>\"{tag}\"</ETag>");
                    write!(text, "<Contents><Key>{key}</Key>{more}</Contents>").expect("memory");
                    at + 1
                }
            };
        }
        let is_last = at >= self.count || !(self.key)(at).starts_with(&prefix);
        if delimiter.is_empty() {
            asked.pages.fetch_add(1, Ordering::Relaxed);
            asked.listings.fetch_add(usize::from(is_last), Ordering::Relaxed);
        }
        let more = if is_last { String::new() } else { format!("<NextContinuationToken>{at}</NextContinuationToken>") };
        write!(text, "<IsTruncated>{}</IsTruncated>{more}</ListBucketResult>", !is_last).expect("memory");
        text
    }

    /// The first object whose key is this or comes behind it.
    fn first_from(&self, key: &str) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = usize::midpoint(low, high);
            match (self.key)(middle).as_str() < key {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }
}

/// As long as those of S3.
fn tag(key: &str) -> String {
    let sum = key.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("{sum:032x}")
}

fn decoded(value: &str) -> String {
    value.replace("%2F", "/").replace("%3D", "=").replace("%3A", ":")
}
