//! `keygate alerts list`.

use comfy_table::{Table, presets};
use serde_json::Value;

use crate::cli::LookAtGateway;
use crate::commands::gateway::Gateway;
use crate::commands::{moment, print};
use crate::exit::Exit;

pub(super) fn run(arguments: &LookAtGateway) -> Exit {
    let told = Gateway::find(&arguments.gateway).and_then(|gateway| gateway.get("/api/alerts"));
    match told {
        Ok(told) if arguments.json => print::line(&format!("{told:#}")),
        Ok(told) => tell(&told),
        Err(no_answer) => {
            print::remark(&no_answer.text);
            return no_answer.exit;
        }
    }
    Exit::Done
}

fn tell(told: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |name: &str| told[name].as_array().cloned().unwrap_or_default();
    let (open, channels) = (list("open"), list("channels"));
    if open.is_empty() {
        print::line("Nothing is wrong.");
    } else {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY).set_header(["severity", "event", "what", "since"]);
        for alert in &open {
            let [severity, event, what] = ["severity", "event", "text"].map(|field| text(&alert[field]));
            table.add_row([severity, event, what, moment::told(&alert["since"])]);
        }
        print::line(&table.to_string());
    }
    if channels.is_empty() {
        return print::line("Nobody is told: alerts.channels is empty. See docs/alerts.md.");
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_header(["channel", "kind", "status", "sent", "failed", "why"]);
    for channel in &channels {
        let number = |field: &str| channel[field].to_string();
        table.add_row([
            text(&channel["name"]),
            text(&channel["kind"]),
            text(&channel["status"]),
            number("sent"),
            number("failed"),
            text(&channel["last_failure"]),
        ]);
    }
    print::line(&table.to_string());
}
