//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::PlanArguments;

/// A gateway that serves AI providers through pools of API keys.
#[derive(Debug, Parser)]
#[command(name = "keygate", version, about, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 64 the configuration or command line is wrong, \
    69 something needed cannot be reached, 70 internal error.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway.
    Serve(Serve),
    /// Run the gateway with simulated providers on loopback and show what happens; needs no keys.
    Demo(Demo),
    /// Validate the configuration and print the effective one with where each value came from.
    Check(Check),
    /// Run the pool on a virtual clock: what a traffic would meet, which budget binds first, and the smallest
    /// quota that is enough. See docs/planning.md.
    Plan(Box<PlanArguments>),
    /// Look at the keys of a running gateway.
    #[command(subcommand)]
    Keys(Keys),
    /// The stored answers: what users are told when every key failed. See docs/answers.md.
    #[command(subcommand)]
    Answers(Answers),
    /// Print the JSON Schema of the YAML file, for editors.
    Schema,
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub(crate) struct Source {
    /// The YAML file [default: ./keygate.yaml, then ./config/keygate.yaml, then built-in defaults].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen, over `server.bind`.
    #[arg(long, value_name = "ADDR")]
    pub(crate) bind: Option<SocketAddr>,
    /// Go on when a configured provider has no key.
    #[arg(long)]
    pub(crate) allow_empty: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Print one JSON line with the address on stdout once ready, for scripts.
    #[arg(long)]
    pub(crate) ready_json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Tell which key a request would get now, and why no other.
    Explain(ExplainKeys),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Answers {
    /// Put the answers of a file in the database; a running gateway uses them at once.
    Import(ImportAnswers),
    /// Show all answers.
    List(ListAnswers),
    /// Show which answer a question would get, and how well each fits.
    Test(TestAnswers),
    /// Remove an answer.
    Remove(RemoveAnswer),
}

#[derive(Debug, Args)]
pub(crate) struct ImportAnswers {
    /// A list of rows, as .yaml or .csv: match and reply; id, language, provider, model and enabled if you like.
    pub(crate) file: PathBuf,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The YAML file of the gateway [default: as `serve`].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListAnswers {
    /// The YAML file of the gateway [default: as `serve`].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TestAnswers {
    /// What a user would ask.
    pub(crate) question: String,
    /// The languages the user likes, as in Accept-Language: id, or vi,en;q=0.5.
    #[arg(long)]
    pub(crate) language: Option<String>,
    /// The provider that would be asked.
    #[arg(long, default_value = "google")]
    pub(crate) provider: String,
    /// The model that would be asked.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The YAML file of the gateway [default: as `serve`].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveAnswer {
    /// Its id, as `keygate answers list` shows it.
    pub(crate) id: String,
    /// The YAML file of the gateway [default: as `serve`].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainKeys {
    /// Whose keys: google, anam.
    pub(crate) provider: String,
    /// The model that the request would name; without one no budget of a model is looked at.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The operation, as traces name it [default: the provider's usual one].
    #[arg(long)]
    pub(crate) operation: Option<String>,
    /// How many tokens it would send.
    #[arg(long, value_name = "COUNT")]
    pub(crate) tokens: Option<u64>,
    /// The user for whom it would be; tells how that user stands, too.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// The client whose user that is, where there are several.
    #[arg(long, requires = "user")]
    pub(crate) client: Option<String>,
    #[command(flatten)]
    pub(crate) gateway: RunningGateway,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a running gateway is. The admin token, where it needs one, is `KEYGATE_ADMIN_TOKEN`.
#[derive(Debug, Args)]
pub(crate) struct RunningGateway {
    /// Its address [default: `server.bind` of the configuration].
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The YAML file that it was started with [default: as `serve`].
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Exit after the story instead of running until Ctrl-C.
    #[arg(long)]
    pub(crate) once: bool,
    /// Where the gateway listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) bind: SocketAddr,
}
