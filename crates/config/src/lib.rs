//! Configuration: layers of YAML, `.env`, environment and command line become one valid
//! [`Config`], or a list of everything that is wrong, each with its place and a remedy.
//!
//! The only crate that knows figment and the YAML library. It reads files and is handed the
//! environment; it logs nothing: warnings and problems are its answer.

mod build;
mod choice;
mod config;
mod dotenv;
mod effective;
mod elsewhere;
mod environment;
mod files;
mod key_homes;
mod key_reader;
mod layers;
mod load;
mod misspelled;
mod nearest;
mod problem;
mod schema;
mod setting;
mod storage_url;
mod tls;
mod units;
mod watch;
mod yaml;

pub use config::{
    AnswersConfig, AssistantConfig, AuthMode, CacheConfig, CaptureContent, ClientToken, ClientsConfig,
    Config, CorsConfig, LimitsConfig, LogConfig, LogFormat, OtlpConfig, OtlpProtocol, ProviderConfig,
    ServerConfig, StorageConfig, StoragePlace, TelemetryConfig,
};
pub use effective::Effective;
pub use key_homes::{KeyHome, KeyHomes, VariableHome, read_key_homes};
pub use load::{
    DatabaseSettings, LoadRequest, Loaded, Reading, load, read, read_bind, read_database, read_variable,
};
pub use nearest::nearest;
pub use problem::{ConfigProblems, Place, Problem, Warning, WarningKind};
pub use schema::json_schema;
pub use tls::TlsIdentity;
pub use watch::{FileMarks, Seen, Watcher};
