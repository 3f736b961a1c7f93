//! Alerts as mail.

use std::time::Duration;

use keygate_alerts::{Letter, MailTarget};
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::time::timeout;

use crate::{SendTrouble, payload};

/// Hands a letter to the mail server.
pub(crate) async fn send(
    target: &MailTarget,
    letter: &Letter,
    id: &str,
    patience: Duration,
) -> Result<(), SendTrouble> {
    let host = target.server.host();
    let message = message(target, letter, id)?;
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(target.server.expose());
    let transport = transport.map_err(|error| trouble(host, &error))?;
    let transport = transport.timeout(Some(patience)).build();
    match timeout(patience, transport.send(message)).await {
        Ok(Ok(_accepted)) => Ok(()),
        Ok(Err(error)) => Err(trouble(host, &error)),
        Err(_elapsed) => Err(SendTrouble::TimedOut(host.to_owned())),
    }
}

fn message(target: &MailTarget, letter: &Letter, id: &str) -> Result<Message, SendTrouble> {
    let (subject, text) = payload::mail(letter);
    let mut builder = Message::builder()
        .from(mailbox(&target.from)?)
        .subject(subject)
        .message_id(Some(format!("<{id}@keygate>")))
        .header(ContentType::TEXT_PLAIN);
    for to in &target.to {
        builder = builder.to(mailbox(to)?);
    }
    builder.body(text).map_err(|error| SendTrouble::Unusable(format!("no mail can be written: {error}")))
}

fn mailbox(text: &str) -> Result<Mailbox, SendTrouble> {
    let unusable = |_| SendTrouble::Unusable(format!("{text} is no mail address"));
    text.parse().map_err(unusable)
}

/// The library's own words may hold what the server said, which is nobody's secret; the address with the
/// password it never prints.
fn trouble(host: &str, error: &lettre::transport::smtp::Error) -> SendTrouble {
    if error.is_timeout() {
        return SendTrouble::TimedOut(host.to_owned());
    }
    let what = match error.status() {
        Some(code) => format!("refused with {code}: {error}"),
        None if error.is_tls() => format!("could not be spoken with by TLS: {error}"),
        None if error.is_client() => format!("could not be spoken with: {error}"),
        None => format!("could not be reached: {error}"),
    };
    SendTrouble::Mail { host: host.to_owned(), what }
}
