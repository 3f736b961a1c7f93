//! The command line.

mod keys;
#[cfg(test)]
mod reference;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use keygate_domain::UsageGroup;

pub(crate) use keys::{
    AddKeys, CheckKeys, DoctorKeys, ExplainKeys, KeyText, Keys, ListKeys, RemoveKeys, ResetKeys, Secrets,
    SetKeys, Site, SwitchKeys,
};

use crate::commands::PlanArguments;

/// A gateway that serves AI providers through pools of API keys.
#[derive(Debug, Parser)]
#[command(name = "keygate", version = VERSION, about, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Version, commit and what it was built with; the build script knows the last two.
pub(crate) const VERSION: &str = env!("KEYGATE_VERSION");

const EXIT_CODES: &str = "Exit codes: 0 done, 1 what was checked is not as it should be, \
    64 the configuration or command line is wrong, 69 something needed cannot be reached, 70 internal error, \
    74 the database cannot be used.";

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
    /// Look at keys, check them, change them, and take them out and in. See docs/keys.md.
    #[command(subcommand)]
    Keys(Keys),
    /// Look after the database. See docs/storage.md.
    #[command(subcommand)]
    Db(Db),
    /// Make, list and revoke client tokens. See docs/tokens.md.
    #[command(subcommand)]
    Tokens(Tokens),
    /// Tell what was used, by user, client, key, model or day. See docs/usage.md.
    Usage(Usage),
    /// Read and check the record of who did what.
    #[command(subcommand)]
    Audit(Audit),
    /// The stored answers: what users are told when every key failed. See docs/answers.md.
    #[command(subcommand)]
    Answers(Answers),
    /// What is wrong and who is told of it. See docs/alerts.md.
    #[command(subcommand)]
    Alerts(Alerts),
    /// The bots whose sessions are kept alive. See docs/session-keeper.md.
    #[command(subcommand)]
    SessionKeepers(SessionKeepers),
    /// Print the JSON Schema of the YAML file, for editors.
    Schema,
    /// Ask a running gateway whether it lives, or with --ready whether it can serve; for containers and
    /// supervisors. Exits with 69 where it does not answer, with 1 where it is not ready.
    Healthcheck(Healthcheck),
    /// Print the completions of a shell: bash, zsh, fish, powershell or elvish.
    Completions(Completions),
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
pub(crate) enum Answers {
    /// Put the answers of a file in the database; a running gateway uses them at once.
    Import(ImportAnswers),
    /// Show all answers.
    List(Database),
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
    #[command(flatten)]
    pub(crate) database: Database,
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
    #[command(flatten)]
    pub(crate) database: Database,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveAnswer {
    /// Its id, as `keygate answers list` shows it.
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) database: Database,
}

/// The database that `storage.url` names, in the YAML file or in `KEYGATE__STORAGE__URL`.
#[derive(Debug, Args)]
pub(crate) struct Database {
    /// The YAML file [default: as `serve`].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// Make a token and print it, this once. A running gateway knows it within two seconds.
    Create(CreateToken),
    /// List the tokens in the database.
    List(Database),
    /// Revoke a token by its id, or all tokens of a client by --name.
    Revoke(RevokeTokens),
}

#[derive(Debug, Args)]
pub(crate) struct CreateToken {
    /// The client it stands for, as usage and traces show it. Several tokens may stand for one.
    #[arg(long)]
    pub(crate) name: String,
    /// What it allows: chat, embed, files, live, avatar, manage, status, admin [default: all but admin].
    #[arg(long, value_delimiter = ',', value_name = "SCOPES")]
    pub(crate) scopes: Vec<String>,
    /// The models that may be named with it, such as gemini-2.5-flash or gemini-* [default: all].
    #[arg(long, value_delimiter = ',', value_name = "MODELS")]
    pub(crate) models: Vec<String>,
    /// Take models that the configuration and the gateway have not met, also where one they know is called
    /// almost so.
    #[arg(long)]
    pub(crate) any_model: bool,
    /// The plan of the client's users.
    #[arg(long)]
    pub(crate) plan: Option<String>,
    /// When it ends by itself: 90d, 12h, 1y.
    #[arg(long, value_name = "SPAN")]
    pub(crate) expires: Option<String>,
    /// The session keeper that the client is bound to.
    #[arg(long)]
    pub(crate) keeper: Option<String>,
    #[command(flatten)]
    pub(crate) database: Database,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeTokens {
    /// The token's id, as `tokens list` shows it.
    #[arg(required_unless_present = "name", conflicts_with = "name")]
    pub(crate) id: Option<String>,
    /// The client whose tokens all are revoked.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// End it later, while the client changes over: 24h [default: at once].
    #[arg(long = "in", value_name = "SPAN")]
    pub(crate) delay: Option<String>,
    #[command(flatten)]
    pub(crate) database: Database,
}

#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// From when on: a day (2026-11-01) or a moment (2026-11-01T08:30:00Z) [default: the first of this month].
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<String>,
    /// Up to when: a day, which is included, or a moment [default: now].
    #[arg(long, value_name = "DAY")]
    pub(crate) to: Option<String>,
    /// What a row is about: user, client, key, model or day.
    #[arg(long, value_name = "WHAT", default_value = "user")]
    pub(crate) by: UsageGroup,
    /// Print CSV instead of a table.
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// The gateway to ask, with the admin token in `KEYGATE_ADMIN_TOKEN`. Without it: the one of the configuration, if
    /// that token is set and it answers, else the database.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub(crate) url: Option<String>,
    /// The YAML file [default: as `serve`].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List what was done, the newest first.
    List(ListAudit),
    /// Check that nothing of it was changed or taken out; exits with 1 where it was.
    Verify(Database),
}

#[derive(Debug, Args)]
pub(crate) struct ListAudit {
    /// Only what happened since: 1d, 12h.
    #[arg(long, value_name = "SPAN")]
    pub(crate) since: Option<String>,
    /// So many rows at most.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) database: Database,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Alerts {
    /// Show what is wrong, and how each channel fares.
    List(LookAtGateway),
    /// Send a test through every channel of the configuration; exits with 69 where one does not take it.
    Test(TestAlerts),
}

#[derive(Debug, Args)]
pub(crate) struct TestAlerts {
    /// The YAML file [default: as `serve`].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionKeepers {
    /// Show how each of them fares.
    List(LookAtGateway),
    /// A human has logged in: the bot may be asked again, at once.
    Clear(ClearKeeper),
}

#[derive(Debug, Args)]
pub(crate) struct ClearKeeper {
    /// The name of the session keeper.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) gateway: RunningGateway,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A look at a running gateway.
#[derive(Debug, Args)]
pub(crate) struct LookAtGateway {
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
pub(crate) struct Healthcheck {
    /// Ask whether it can serve, not only whether it lives.
    #[arg(long)]
    pub(crate) ready: bool,
    #[command(flatten)]
    pub(crate) gateway: RunningGateway,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Write everything in the database to a file, while the gateway runs or not.
    Backup(DbFile),
    /// Fill an empty database, of either kind, from such a file. No gateway may run on it.
    Restore(DbFile),
    /// Make the database, or bring it up to date, without starting a gateway.
    Migrate(Database),
}

/// A backup and a database.
#[derive(Debug, Args)]
pub(crate) struct DbFile {
    /// The backup: a text of JSON lines.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) database: Database,
}
