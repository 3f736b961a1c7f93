//! `keygate demo`: the gateway in front of simulated providers, and a story told with them.

mod population;
mod story;

use keygate_config::{LoadRequest, Loaded};
use keygate_provider::Adapter;
use keygate_simulator::{RunningSimulator, SimConfig, Simulator};
use url::Url;

use super::print;
use crate::cli::Demo;
use crate::exit::Exit;
use crate::serving;

pub(crate) fn run(arguments: &Demo, catalogue: &'static [Adapter]) -> Exit {
    let config = SimConfig { population: population::of_demo(), ..SimConfig::default() };
    let simulator = match Simulator::start(config) {
        Ok(simulator) => simulator,
        Err(error) => {
            print::remark(&format!("the simulated providers cannot start: {error}"));
            return Exit::Unavailable;
        }
    };
    let loaded = match configured(arguments, catalogue, &simulator) {
        Ok(loaded) => loaded,
        Err(problem) => {
            print::remark(&problem);
            return Exit::Internal;
        }
    };
    let is_once = arguments.once;
    serving::run_with(loaded, None, catalogue, |address| async move {
        if let Err(problem) = story::tell(address, &simulator).await {
            print::remark(&problem);
            return Some(Exit::Internal);
        }
        if is_once {
            return Some(Exit::Done);
        }
        print::line(&story::where_to_look(address));
        // The simulated providers live as long as the story: for ever, until Ctrl-C.
        std::future::pending::<()>().await;
        drop(simulator);
        None
    })
}

/// What a demonstration sets otherwise: it is quiet, and leaves nothing behind.
const OWN: [(&str, &str); 2] =
    [("KEYGATE__TELEMETRY__LOG__LEVEL", "error"), ("KEYGATE__STORAGE__URL", "sqlite::memory:")];

/// The defaults, with the simulated providers and their keys in place of the real ones.
fn configured(
    arguments: &Demo,
    catalogue: &[Adapter],
    simulator: &RunningSimulator,
) -> Result<Loaded, String> {
    let keys = |provider: &'static str| population::KEYS.iter().filter(move |key| key.provider == provider);
    let list = |provider: &'static str| keys(provider).map(|key| key.secret).collect::<Vec<_>>().join(",");
    let request = LoadRequest {
        config: None,
        bind: Some(arguments.bind),
        environment: [("GEMINI_API_KEYS", list("google")), ("ANAM_API_KEYS", list("anam"))]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(OWN.map(|(name, value)| (name.to_owned(), value.to_owned())))
            .collect(),
        // No file of the operator's has a say in a demonstration.
        working_dir: std::env::temp_dir().join("keygate-demo-has-no-files"),
        ..LoadRequest::default()
    };
    let mut loaded = keygate_config::load(request, catalogue).map_err(|problems| problems.to_string())?;
    for provider in &mut loaded.config.providers {
        let name = provider.adapter.name.as_str();
        let url = if name == "anam" { simulator.anam_url() } else { simulator.google_url() };
        provider.base_url = Url::parse(url).map_err(|error| error.to_string())?;
        for (spec, key) in provider.keys.iter_mut().zip(keys(name)) {
            key.label.clone_into(&mut spec.label);
            spec.group = Some(key.group.into());
        }
    }
    Ok(loaded)
}
