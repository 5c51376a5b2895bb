//! TLS in front of a server that has none, with a certificate authority of its own, and a door that asks for a login.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use whodid::clock::Clock;

use super::Server;
use super::front::Front;
use super::http::{self, Message};
use super::proxy::refusal;
use super::sigv4;

/// What has to come with every request.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    Open,
    Basic {
        user: String,
        password: String,
    },
    /// As Elasticsearch gives it out: base64 of id and key.
    ApiKey(String),
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "nothing signs"))]
    Aws(sigv4::Credentials),
}

/// Stands in front of a server until it is dropped.
pub(crate) struct Tls {
    /// `https://localhost:…`
    pub(crate) url: String,
    /// The certificate of its authority.
    pub(crate) ca: String,
    refused: Arc<Mutex<Vec<String>>>,
    #[expect(dead_code, reason = "it listens as long as it is there")]
    front: Front,
}

impl Tls {
    pub(crate) fn before(server: &Server, door: Door) -> Self {
        let (config, ca) = certified();
        let (config, behind) = (Arc::new(config), server.address().to_owned());
        let refused = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&refused);
        let front = Front::new(move |client| {
            // A client that does not trust the certificate goes away: its test says so.
            serve(client, &config, &behind, &door, &log).unwrap_or_default();
        });
        Self { url: format!("https://localhost:{}", front.address().port()), ca, refused, front }
    }

    /// Why requests were not passed on.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.refused.lock().expect("held shortly").clone()
    }
}

/// A configuration for `localhost`, and the certificate of the authority that vouches for it.
fn certified() -> (ServerConfig, String) {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let ca = authority.self_signed(&key).expect("signed by itself").pem();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate =
        CertificateParams::new(names).expect("valid names").signed_by(&key, &issuer).expect("signed by the authority");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("it knows them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("they belong together");
    (config, ca)
}

fn serve(
    client: TcpStream,
    config: &Arc<ServerConfig>,
    behind: &str,
    door: &Door,
    refused: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, client);
    let Some(mut request) = http::read(&mut BufReader::new((&mut stream).take(u64::MAX)), true)? else { return Ok(()) };
    let answer = match door.admits(&request) {
        Ok(()) => {
            // The server behind knows no logins and might look at it.
            request.headers.retain(|(name, _)| name != "authorization");
            http::pass(behind, &request)?
        }
        Err(reason) => {
            let status = if matches!(door, Door::Aws(_)) { 403 } else { 401 };
            refused.lock().expect("held shortly").push(reason.clone());
            refusal(status, "security_exception", &reason)
        }
    };
    answer.write(&mut stream)?;
    stream.conn.send_close_notify();
    stream.flush()
}

impl Door {
    fn admits(&self, request: &Message) -> Result<(), String> {
        let wanted = match self {
            Self::Open => return Ok(()),
            Self::Aws(credentials) => {
                return sigv4::verify(request, credentials, Clock::System.now().micros() / 1_000_000);
            }
            Self::Basic { user, password } => {
                format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()))
            }
            Self::ApiKey(key) => format!("ApiKey {key}"),
        };
        match request.header("authorization") {
            Some(given) if given == wanted => Ok(()),
            Some(_) => Err("unable to authenticate".to_owned()),
            None => Err("missing authentication credentials".to_owned()),
        }
    }
}
