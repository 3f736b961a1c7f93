//! The log lines of a request's way: what an operator who searches for a request id wants to find.

use keygate_actors::KeyLease;
use keygate_domain::{Fault, FoundAnswer, ProviderName, Resource};
use keygate_provider::Closing;
use tracing::{debug, info, warn};

use crate::Call;
use crate::attempt::Failed;
use crate::conversation::End;

/// An attempt failed. A caller's own mistake is nothing to wake anybody for.
pub(crate) fn attempt_failed(
    provider: &str,
    number: u32,
    call: &Call<'_>,
    lease: Option<&KeyLease>,
    failed: &Failed,
) {
    let fault = failed.failure.fault;
    let status = failed.kept.as_ref().map(|kept| kept.status.as_u16());
    let request_id = &call.request_id;
    if matches!(fault, Fault::Caller | Fault::AffinityLost) {
        debug!(
            event = "attempt.refused", %request_id, provider, attempt = number, status, fault = fault.as_str(),
            "{provider}: refused the request"
        );
    } else {
        let key = lease.map(|lease| (tracing::field::display(lease.key_id()), lease.label()));
        let (id, label) = key.unzip();
        warn!(
            event = "attempt.failed", %request_id, provider, attempt = number, status, fault = fault.as_str(),
            key.id = id, key.label = label, "{provider}: an attempt failed"
        );
    }
}

/// Nobody could be asked, and a stored answer took their place.
pub(crate) fn answered_from_store(request_id: &str, found: &FoundAnswer) {
    info!(
        event = "answer.stored", %request_id, answer = found.id, score = found.score(),
        "answered with a stored answer"
    );
}

/// Nobody could be asked, and stored answers could not be looked for.
pub(crate) fn no_stored_answers(request_id: &str, trouble: &str) {
    warn!(event = "answers.failed", %request_id, trouble, "stored answers cannot be looked for");
}

/// A session of which no caller could be told.
pub(crate) fn orphan(provider: ProviderName, session: &Resource, is_over: bool) {
    let (provider, session) = (provider.as_str(), &*session.name);
    if is_over {
        info!(event = "session.ended", provider, session, "ended a session that no caller came to know of");
    } else {
        warn!(
            event = "session.orphaned",
            provider, session, "a session that no caller came to know of could not be ended"
        );
    }
}

/// A start that was not answered opened nothing that could be found, or could not be looked for.
pub(crate) fn lost_start(provider: ProviderName, request_id: &str, is_known: bool) {
    let provider = provider.as_str();
    if is_known {
        info!(
            event = "session.not_opened", provider, %request_id,
            "a session start that was not answered opened no session"
        );
    } else {
        warn!(
            event = "session.lost", provider, %request_id,
            "a session start was not answered, and may have opened a session"
        );
    }
}

/// A connection that was open on both sides ended. The reasons that sides give are words of strangers, and
/// stay out of the log.
pub(crate) fn conversation_ended(provider: &str, call: &Call<'_>, end: &End) {
    let request_id = &call.request_id;
    let (how, code) = match end {
        End::CallerClosed(closing) => ("caller_closed", closing.as_ref()),
        End::CallerLost(_) => ("caller_lost", None),
        End::CallerSilent => ("caller_silent", None),
        End::ProviderClosed(closing) => ("provider_closed", closing.as_ref()),
        End::ProviderLost => ("provider_lost", None),
        End::Left => ("gateway_left", None),
        End::TooLong => ("too_long", None),
    };
    let code = code.map(|closing| closing.code);
    debug!(event = "connection.ended", %request_id, provider, how, code, "{provider}: a connection ended");
}

/// A connection that was open on the caller's side came to nothing.
pub(crate) fn closed(provider: &str, call: &Call<'_>, closing: &Closing) {
    let (request_id, code) = (&call.request_id, closing.code);
    debug!(
        event = "connection.closed", %request_id, provider, code,
        "{provider}: closed a connection that nothing came of"
    );
}
