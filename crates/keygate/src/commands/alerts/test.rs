//! `keygate alerts test`: a notice through every channel, without a gateway.

use comfy_table::{Table, presets};
use keygate_actors::clock;
use keygate_alerts::{AlertKind, Channel, Condition, Letter, Notice, Phase};
use keygate_config::LoadRequest;
use keygate_domain::Redactor;
use keygate_notify::Messenger;
use keygate_provider::Adapter;
use serde_json::{Value, json};

use crate::cli::TestAlerts;
use crate::commands::print;
use crate::environment;
use crate::exit::Exit;
use crate::wiring;

/// What became of one channel.
struct Tried {
    name: String,
    kind: &'static str,
    outcome: Result<(), String>,
}

pub(super) fn run(arguments: &TestAlerts, catalogue: &[Adapter]) -> Exit {
    let request = LoadRequest {
        config: arguments.config.clone(),
        working_dir: std::env::current_dir().unwrap_or_default(),
        environment: environment::read(),
        // Channels are tried before there are keys, too.
        allow_empty: true,
        ..LoadRequest::default()
    };
    let loaded = match keygate_config::load(request, catalogue) {
        Ok(loaded) => loaded,
        Err(problems) => {
            print::remark(&problems.to_string());
            return Exit::Usage;
        }
    };
    let channels = &loaded.config.alerts.channels;
    if channels.is_empty() {
        print::remark("There is nobody to tell: add a channel under alerts.channels. See docs/alerts.md.");
        return Exit::Usage;
    }
    let redactor = match wiring::redactor(&loaded.config, catalogue) {
        Ok(redactor) => redactor,
        Err(error) => {
            print::failure(&error);
            return Exit::Internal;
        }
    };
    let tried = match try_all(channels, &redactor) {
        Ok(tried) => tried,
        Err(error) => {
            print::failure(&*error);
            return Exit::Internal;
        }
    };
    if arguments.json {
        print::line(&format!("{:#}", tried.iter().map(as_json).collect::<Value>()));
    } else {
        print::line(&table(&tried).to_string());
    }
    if tried.iter().all(|one| one.outcome.is_ok()) { Exit::Done } else { Exit::Unavailable }
}

fn try_all(channels: &[Channel], redactor: &Redactor) -> Result<Vec<Tried>, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let messenger = Messenger::new()?;
    let letter = letter();
    let mut tried = Vec::new();
    for channel in channels {
        let delivered = runtime.block_on(messenger.deliver(channel, &letter));
        let outcome = delivered.map_err(|trouble| redactor.scrub_text(&trouble.to_string()).into_owned());
        tried.push(Tried { name: channel.name.clone(), kind: channel.target.kind(), outcome });
    }
    Ok(tried)
}

fn letter() -> Letter {
    let at = clock::now().wall;
    let condition = Condition::of_house(
        AlertKind::Channel,
        "test",
        "this is a test of an alert channel, nothing is wrong",
        "nothing: somebody ran `keygate alerts test`",
    );
    let notice = Notice { phase: Phase::Open, condition, since: at, times: 1 };
    Letter { number: 1, at, notices: vec![notice], more: 0 }
}

fn table(tried: &[Tried]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(["channel", "kind", "result"]);
    for one in tried {
        let result = one.outcome.as_ref().err().map_or("took it", String::as_str);
        table.add_row([one.name.as_str(), one.kind, result]);
    }
    table
}

fn as_json(tried: &Tried) -> Value {
    let Tried { name, kind, outcome } = tried;
    json!({ "channel": name, "kind": kind, "ok": outcome.is_ok(), "error": outcome.as_ref().err() })
}
