//! What a configuration says of a cluster, with the secrets read from their files.

use std::fs;
use std::path::Path;

use url::Url;

use crate::cluster::{Access, Cluster, Failure, Login, Secret};
use crate::config::index::{Elastic, Login as Configured};
use crate::index::IndexError;

/// A password or a key, or the certificates of a few authorities.
const BYTES_MAX: u64 = 1 << 20;

/// Connects; nothing is asked yet.
pub(super) fn connect(settings: &Elastic) -> Result<Cluster, IndexError> {
    Ok(Cluster::new(&access(settings)?)?)
}

fn access(settings: &Elastic) -> Result<Access, IndexError> {
    let url = |node: &String| Url::parse(node).map_err(|error| Failure::Setup(format!("{node}: {error}")));
    let login = match &settings.login {
        Configured::Nobody => Login::Nobody,
        Configured::Basic { user, password_file } => {
            Login::Basic { user: user.clone(), password: secret(password_file)? }
        }
        Configured::ApiKey { file } => Login::ApiKey(key(file)?),
        Configured::Aws { region } => Login::Aws { region: region.clone() },
    };
    Ok(Access {
        nodes: settings.nodes.iter().map(url).collect::<Result<_, _>>()?,
        login,
        ca: settings.ca.as_deref().map(read).transpose()?,
        headers: Vec::new(),
        timeout: settings.timeout,
    })
}

/// The first line of a file.
fn secret(path: &Path) -> Result<Secret, IndexError> {
    let text = String::from_utf8(read(path)?).map_err(|_| Failure::Setup(format!("{}: no text", path.display())))?;
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(Secret::new(line)),
        None => Err(Failure::Setup(format!("{}: its first line is empty", path.display())).into()),
    }
}

/// Base64 and nothing else.
fn key(path: &Path) -> Result<Secret, IndexError> {
    let key = secret(path)?;
    match key.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(key),
        false => Err(Failure::Setup(format!("{}: its first line is no API key", path.display())).into()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, IndexError> {
    let length = fs::metadata(path).map_err(|error| IndexError::io(path, error))?.len();
    if length > BYTES_MAX {
        return Err(Failure::Setup(format!("{}: too large for what it should be", path.display())).into());
    }
    fs::read(path).map_err(|error| IndexError::io(path, error))
}
