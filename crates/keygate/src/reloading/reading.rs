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

#[cfg(test)]
mod tests {
    use keygate_config::AuthMode;

    use super::*;
    use crate::CATALOGUE;

    async fn read_with(yaml: &str, listens_on: &str) -> Reading {
        let folder = tempfile::tempdir().unwrap();
        let keys = "providers: {google: {keys: [\"env:KEYS\"]}}\n";
        std::fs::write(folder.path().join("keygate.yaml"), format!("{keys}{yaml}\n")).unwrap();
        let request = LoadRequest {
            environment: [("KEYS".to_owned(), "a-key-of-nobody".to_owned())].into(),
            working_dir: folder.path().to_owned(),
            ..LoadRequest::default()
        };
        read(request, listens_on.parse().unwrap(), CATALOGUE).await.unwrap()
    }

    #[tokio::test]
    async fn a_gateway_that_others_can_reach_does_not_open_because_its_next_address_is_loopback() {
        let config = |reading: Reading| reading.outcome.unwrap().config;
        let wants_loopback = "server: {bind: \"127.0.0.1:1\"}";
        let there = config(read_with(wants_loopback, "0.0.0.0:8080").await);
        assert_eq!(there.clients.auth, AuthMode::Required);
        assert_eq!(there.server.bind.to_string(), "127.0.0.1:1", "and the change is told");
        let here = config(read_with(wants_loopback, "127.0.0.1:1").await);
        assert_eq!(here.clients.auth, AuthMode::Open);
        let open = format!("{wants_loopback}\nclients: {{auth: open}}");
        let redactor = Redactor::new([], &[]).unwrap();
        let refused = read_with(&open, "0.0.0.0:8080").await.outcome.unwrap_err();
        let told = in_one_line(&refused, &redactor);
        assert!(told.starts_with("keygate.yaml:3:") && told.contains("other machines"), "{told}");
        assert!(!told.contains('\n'));
    }
}
