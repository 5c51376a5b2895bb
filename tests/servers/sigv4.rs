//! Whether a request is signed as AWS wants it (Signature Version 4), by whom it claims to be.
//!
//! Written from "Create a signed AWS API request" in the IAM User Guide, beside no implementation: what signs here
//! and what verifies here shall not share a mistake.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::http::Message;

/// What a valid request is signed with.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    /// Of a role's session.
    pub(crate) token: Option<String>,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// AWS takes a request that was signed at most so long ago, or ahead.
const SKEW_SECONDS_MAX: i64 = 15 * 60;

/// `now`: seconds since 1970. The reason is AWS's, in short.
pub(crate) fn verify(request: &Message, by: &Credentials, now: i64) -> Result<(), String> {
    let authorization = request.header("authorization").ok_or("Missing Authentication Token")?;
    let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("no AWS4-HMAC-SHA256")?;
    let part = |name: &str| {
        let found = parts.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        found.ok_or(format!("Authorization header requires '{name}' parameter"))
    };
    let (credential, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let at = request.header("x-amz-date").ok_or("no X-Amz-Date")?;
    let date = at.get(..8).unwrap_or_default();
    let scope = format!("{date}/{}/{}/aws4_request", by.region, by.service);
    if credential != format!("{}/{scope}", by.access_key) {
        return Err(format!("Credential should be scoped to {scope}, by {}", by.access_key));
    }
    let instant = chrono::NaiveDateTime::parse_from_str(at, "%Y%m%dT%H%M%SZ").map_err(|error| error.to_string())?;
    if (instant.and_utc().timestamp() - now).abs() > SKEW_SECONDS_MAX {
        return Err("Signature expired".to_owned());
    }
    let signed_names: Vec<&str> = signed.split(';').collect();
    let must: Vec<&str> =
        request.headers.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("x-amz-")).collect();
    if let Some(missing) = must.iter().chain(&["host"]).find(|name| !signed_names.contains(name)) {
        return Err(format!("'{missing}' must be a 'SignedHeader' in the AWS Authorization"));
    }
    if request.header("x-amz-security-token") != by.token.as_deref() {
        return Err("The security token included in the request is invalid".to_owned());
    }
    let payload = HEXLOWER.encode(&Sha256::digest(&request.body));
    if request.header("x-amz-content-sha256").is_some_and(|claimed| claimed != payload) {
        return Err("X-Amz-Content-SHA256 is not that of the body".to_owned());
    }
    let canonical = canonical(request, &signed_names, &payload)?;
    let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", HEXLOWER.encode(&Sha256::digest(canonical)));
    let key = [date, &by.region, &by.service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{}", by.secret_key).into_bytes(), |key, part| hmac(&key, part));
    match HEXLOWER.encode(&hmac(&key, &text)) == signature {
        true => Ok(()),
        false => Err("The request signature we calculated does not match the signature you provided".to_owned()),
    }
}

fn canonical(request: &Message, signed: &[&str], payload: &str) -> Result<String, String> {
    let (path, query) = request.target().split_once('?').unwrap_or((request.target(), ""));
    // Every service but S3 encodes once more what is encoded already.
    let path = path.split('/').map(encoded).collect::<Vec<_>>().join("/");
    let mut parameters: Vec<(String, String)> = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        parameters.push((encoded(&decoded(name)), encoded(&decoded(value))));
    }
    parameters.sort();
    let query = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let mut headers = String::new();
    for name in signed {
        let value = request.header(name).ok_or(format!("{name} is signed and not there"))?;
        let value = value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        headers += &format!("{name}:{value}\n");
    }
    Ok(format!("{}\n{path}\n{query}\n{headers}\n{}\n{payload}", request.method(), signed.join(";")))
}

/// All but the unreserved characters of RFC 3986.
fn encoded(text: &str) -> String {
    let each = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    each.collect()
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of AWS's own examples for Signature Version 4: `get-vanilla`, `get-vanilla-query-order-key-case`.
    const EXAMPLES: [(&str, &str); 2] = [
        ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ];

    const AT: i64 = 1_440_938_160;

    fn credentials() -> Credentials {
        Credentials {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
            region: "us-east-1".to_owned(),
            service: "service".to_owned(),
        }
    }

    fn request(target: &str, signature: &str) -> Message {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        let headers =
            [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"), ("authorization", &authorization)];
        Message {
            line: format!("GET {target} HTTP/1.1"),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: Vec::new(),
        }
    }

    #[test]
    fn the_examples_of_aws_are_valid() {
        for (target, signature) in EXAMPLES {
            assert_eq!(verify(&request(target, signature), &credentials(), AT), Ok(()), "{target}");
        }
    }

    #[test]
    fn what_was_changed_since_is_not() {
        let (target, signature) = EXAMPLES[1];
        let changes: [fn(&mut Message); 6] = [
            |request| request.line = request.line.replace("value1", "value3"),
            |request| request.line = request.line.replace("GET", "POST"),
            |request| request.headers[0].1 = "example.org".to_owned(),
            |request| request.headers[1].1 = "20150830T123601Z".to_owned(),
            |request| request.body.push(b' '),
            |request| request.headers.push(("x-amz-security-token".to_owned(), "t".to_owned())),
        ];
        for (n, change) in changes.iter().enumerate() {
            let mut request = request(target, signature);
            change(&mut request);
            assert!(verify(&request, &credentials(), AT).is_err(), "change {n}");
        }
        assert!(verify(&request(target, signature), &credentials(), AT + SKEW_SECONDS_MAX + 1).is_err());
        let others: [fn(&mut Credentials); 4] = [
            |by| by.secret_key.push('x'),
            |by| by.access_key.push('X'),
            |by| by.region = "us-east-2".to_owned(),
            |by| by.service = "es".to_owned(),
        ];
        for change in others {
            let mut by = credentials();
            change(&mut by);
            assert!(verify(&request(target, signature), &by, AT).is_err());
        }
    }
}
