//! Reading the configuration again, away from the thread that watches over the others.

use std::net::SocketAddr;

use keygate_config::{ConfigProblems, FileMarks, LoadRequest, Problem, Reading};
use keygate_domain::Redactor;
use keygate_provider::Adapter;
use tokio::task::{JoinError, spawn_blocking};

/// Looks at files.
pub(super) async fn marks_of(files: FileMarks) -> Result<FileMarks, JoinError> {
    spawn_blocking(move || files.taken_again()).await
}

/// Reads the configuration for a gateway that listens on `bind`. An address given anew needs a
/// restart, so whether tokens are asked for must be judged by the one that is listened on: a
/// gateway that others can reach does not become open because it will not be reached any more.
pub(super) async fn read(
    request: LoadRequest,
    bind: SocketAddr,
    catalogue: &'static [Adapter],
) -> Result<Reading, JoinError> {
    spawn_blocking(move || {
        let reading = keygate_config::read(request.clone(), catalogue);
        let wanted = match &reading.outcome {
            Ok(loaded) if loaded.config.server.bind != bind => loaded.config.server.bind,
            Ok(_) | Err(_) => return reading,
        };
        let mut judged = keygate_config::read(LoadRequest { bind: Some(bind), ..request }, catalogue);
        if let Ok(loaded) = &mut judged.outcome {
            loaded.config.server.bind = wanted;
        }
        judged
    })
    .await
}

/// All problems in one line, without anything secret.
pub(super) fn in_one_line(problems: &ConfigProblems, redactor: &Redactor) -> String {
    let in_a_line = |problem: &Problem| problem.to_string().replace("\n    ", "; ");
    let text = problems.0.iter().map(in_a_line).collect::<Vec<_>>().join(" | ");
    redactor.scrub_text(&text).into_owned()
}
