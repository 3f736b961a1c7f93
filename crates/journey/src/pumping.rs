//! Step 8 for a body that is still coming: from the caller's socket to the provider's, piece by piece.

use std::pin::pin;
use std::time::Duration;

use keygate_actors::clock;
use keygate_domain::{Failure, Fault};
use keygate_limits::Reach;
use keygate_provider::UpstreamRequest;
use keygate_upstream::{PipeIn, SendFailure, Unwanted, UpstreamAnswer, pipe};
use tokio::time::timeout;

use crate::Inflow;
use crate::attempt::{Attempt, Failed};
use crate::inflow::BodyLost;

/// Why a body was not passed on to its end.
enum Stopped {
    /// The caller's doing.
    Lost,
    /// The provider takes no more; what it says of that is on its way.
    Unwanted,
    /// The provider takes none for too long.
    Stalled,
}

impl Attempt<'_> {
    /// Sends a request with the body that is still coming. A short one is read first, so that another attempt
    /// can be made with it.
    pub(crate) async fn send_on(
        &self,
        request: UpstreamRequest,
        body: &Inflow,
    ) -> Result<UpstreamAnswer, Failed> {
        if body.is_short() {
            let body = body.whole(self.lane.timeout).await?;
            return self.send(UpstreamRequest { body, ..request }).await;
        }
        match timeout(clock::left_until(self.deadline), self.send_piped(request, body)).await {
            Ok(sent) => sent,
            Err(_elapsed) => Err(Failed::unanswered(Fault::Timeout, Reach::Unknown)),
        }
    }

    async fn send_piped(&self, request: UpstreamRequest, body: &Inflow) -> Result<UpstreamAnswer, Failed> {
        let patience = self.lane.timeout;
        let (mut filling, piped) = pipe(body.declared());
        let mut sending = pin!(self.lane.upstream.send_piped(request, piped));
        let stopped = {
            let mut passing = pin!(pass(body, &mut filling, patience));
            tokio::select! {
                biased;
                answer = &mut sending => Err(answer),
                stopped = &mut passing => Ok(stopped),
            }
        };
        match stopped {
            // Before the body's end: it has heard enough.
            Err(answer) => Ok(answered(answer, body, filling)?),
            Ok(Err(Stopped::Lost)) => Err(BodyLost.into()),
            Ok(Err(Stopped::Stalled)) => Err(Failed::unanswered(Fault::Timeout, Reach::Unknown)),
            Ok(Ok(()) | Err(Stopped::Unwanted)) => match timeout(patience, sending).await {
                Ok(answer) => Ok(answered(answer, body, filling)?),
                Err(_elapsed) => Err(Failed::unanswered(Fault::Timeout, Reach::Unknown)),
            },
        }
    }
}

/// What came of the request. As long as an answer is read, its request must not break off: the connection
/// would go with it.
fn answered(
    answer: Result<UpstreamAnswer, SendFailure>,
    body: &Inflow,
    filling: PipeIn,
) -> Result<UpstreamAnswer, SendFailure> {
    match answer {
        Ok(answer) => Ok(answer.holding(filling)),
        // Without a byte of its body no upload can have had an effect.
        Err(failure) if !body.is_spent() => Err(SendFailure { never_written: true, ..failure }),
        Err(failure) => Err(failure),
    }
}

/// Passes the body on. Nothing is taken from the caller before the provider's connection asks for it, nor
/// before there is room for it.
async fn pass(body: &Inflow, filling: &mut PipeIn, patience: Duration) -> Result<(), Stopped> {
    filling.wanted().await?;
    loop {
        let room = timeout(patience, filling.room()).await.map_err(|_elapsed| Stopped::Stalled)??;
        let Some(chunk) = body.chunk(patience).await? else {
            room.finish();
            return Ok(());
        };
        room.put(chunk);
    }
}

impl From<Unwanted> for Stopped {
    fn from(_: Unwanted) -> Self {
        Self::Unwanted
    }
}

impl From<BodyLost> for Stopped {
    fn from(_: BodyLost) -> Self {
        Self::Lost
    }
}

impl From<BodyLost> for Failed {
    /// Nobody is to blame but the caller, and nothing is answered to it but why.
    fn from(_: BodyLost) -> Self {
        Self {
            failure: Failure::of(Fault::Caller),
            reach: Reach::Unknown,
            kept: None,
            is_preparations: false,
        }
    }
}
