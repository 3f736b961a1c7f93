//! Which events become log lines.

use tracing_subscriber::EnvFilter;

use crate::{TelemetryError, spans};

/// What every log leaves out unless the operator names it:
/// - the spans of requests, whose fields would be formatted for no line at all;
/// - what the exporter's own connections have to say.
const QUIET: &str = "hyper=off,hyper_util=off,h2=off,tonic=off,tower=off,reqwest=off,opentelemetry-otlp=off";

/// The filter for `level`, which is in the language of `RUST_LOG`. What it says of a target wins.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, TelemetryError> {
    let directives = format!("{}=off,{QUIET},{level}", spans::TARGET);
    EnvFilter::try_new(directives)
        .map_err(|source| TelemetryError::LogLevel { level: level.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("info")]
    #[case::upper_case("WARN")]
    #[case::targets("info,keygate_http=debug")]
    #[case::off("off")]
    fn the_language_of_rust_log_is_understood(#[case] level: &str) {
        assert!(filter(level).is_ok());
    }

    #[test]
    fn a_wrong_level_is_told_with_the_remedy() {
        let told = filter("keygate=loud").unwrap_err().to_string();
        assert!(told.contains("\"keygate=loud\"") && told.contains("use error, warn, info"), "{told}");
    }
}
