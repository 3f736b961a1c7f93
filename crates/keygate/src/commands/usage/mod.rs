//! `keygate usage`: asked of the running gateway, else read from the database.

mod table;

use keygate_actors::clock;
use keygate_http::{UsagePeriod, UsageTold};
use url::form_urlencoded;

use crate::cli::{Database, RunningGateway, Usage};
use crate::commands::database::{Failure, open, settings, wait_for};
use crate::commands::gateway::{Gateway, NoAnswer};
use crate::commands::print;
use crate::exit::Exit;

pub(super) fn run(arguments: &Usage) -> Exit {
    let told = match told(arguments) {
        Ok(told) => told,
        Err(failure) => {
            print::remark(&failure.text);
            return failure.exit;
        }
    };
    let text = if arguments.csv {
        String::from_utf8_lossy(&told.as_csv()).into_owned()
    } else if arguments.json {
        format!("{:#}", serde_json::json!(told))
    } else {
        table::of(&told, table::width_of_terminal())
    };
    print::line(text.trim_end_matches('\n'));
    Exit::Done
}

fn told(arguments: &Usage) -> Result<UsageTold, Failure> {
    if arguments.url.is_none() && !has_token(arguments) {
        return from_database(arguments);
    }
    match from_gateway(arguments) {
        Err(no_answer) if arguments.url.is_none() && no_answer.is_nobody_there => {
            let from_database = from_database(arguments);
            from_database.map_err(|Failure { exit, text }| Failure {
                exit,
                text: format!("{}\n{text}", no_answer.text),
            })
        }
        answered => answered.map_err(Failure::from),
    }
}

/// A gateway tells nobody without one what everybody used.
fn has_token(arguments: &Usage) -> bool {
    Gateway::find(&meant(arguments)).is_ok_and(|gateway| gateway.has_token())
}

fn meant(arguments: &Usage) -> RunningGateway {
    RunningGateway { url: arguments.url.clone(), config: arguments.config.clone() }
}

fn from_gateway(arguments: &Usage) -> Result<UsageTold, NoAnswer> {
    let told = Gateway::find(&meant(arguments))?.get(&question(arguments))?;
    serde_json::from_value(told).map_err(|_not_understood| {
        NoAnswer::unavailable("What answers does not tell usage as a gateway of this version does.")
    })
}

fn question(arguments: &Usage) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("group_by", arguments.by.as_str());
    for (name, value) in [("from", &arguments.from), ("to", &arguments.to)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    format!("/api/usage?{}", query.finish())
}

fn from_database(arguments: &Usage) -> Result<UsageTold, Failure> {
    let (from, to) = (arguments.from.as_deref(), arguments.to.as_deref());
    let period = UsagePeriod::read(from, to, clock::now().wall);
    let period = period.map_err(|error| Failure::usage(format!("{error}.")))?;
    let database = Database { config: arguments.config.clone(), json: arguments.json };
    let settings = settings(&database)?;
    let report = wait_for(async {
        let storage = open(&settings, false).await?;
        let report = storage.usage(&period.query(arguments.by, None)).await?;
        storage.close().await;
        Ok(report)
    })?;
    Ok(UsageTold::new(period, arguments.by, report))
}
