//! `server.tls:`.

use super::Judge;
use crate::schema::TlsSection;
use crate::tls::{NoIdentity, TlsIdentity};

const CERT: &str = "server.tls.cert";
const KEY: &str = "server.tls.key";

pub(super) fn build(section: &TlsSection, judge: &mut Judge<'_>) -> Option<TlsIdentity> {
    let (cert, key) = (section.cert.0.as_deref(), section.key.0.as_deref());
    judge.require(cert.is_some() || key.is_none(), CERT, "is missing", "name the file of the certificate");
    judge.require(key.is_some() || cert.is_none(), KEY, "is missing", "name the file of the private key");
    let certificates = read(cert?, CERT, judge);
    let key = read(key?, KEY, judge);
    match TlsIdentity::of_pem(&certificates?, &key?) {
        Ok(identity) => Some(identity),
        Err(why) => {
            let (path, what, remedy) = match why {
                NoIdentity::Certificate => {
                    (CERT, "holds no certificate", "it must be PEM, the server's own first")
                }
                NoIdentity::Key => (KEY, "holds no private key", "it must be PEM, and not encrypted"),
                NoIdentity::Mismatch => {
                    (KEY, "does not belong to the certificate", "name the files of one pair")
                }
            };
            judge.require(false, path, what, remedy);
            None
        }
    }
}

fn read(file: &str, path: &str, judge: &mut Judge<'_>) -> Option<String> {
    let files = judge.sources.files;
    let text = files.read_text(&files.config_folder().join(file));
    if let Err(unreadable) = &text {
        let what = format!("cannot be read: {}", unreadable.why);
        let remedy = unreadable.remedy.unwrap_or("paths are relative to the configuration file");
        judge.require(false, path, &what, remedy);
    }
    text.ok()
}
