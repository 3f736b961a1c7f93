//! What another configuration changes, and what of it needs a restart.

use keygate_config::{Config, LimitsConfig, ProviderConfig, ServerConfig, StorageConfig};
use keygate_pool::Policy;
use keygate_provider::ProviderOptions;

/// The way from one configuration to another.
pub(super) struct Difference {
    /// What holds from here on: the new settings, and those of the old that need a restart.
    pub(super) next: Config,
    /// The settings that change.
    pub(super) changed: Vec<String>,
    /// The settings that would change and need a restart.
    pub(super) needs_restart: Vec<String>,
}

impl Difference {
    /// Compares field by field, so that whoever adds a setting has to say here what becomes of it
    /// while the gateway runs.
    pub(super) fn between(running: &Config, wanted: Config) -> Self {
        let Config {
            server,
            clients,
            limits,
            plans,
            assistant,
            answers,
            cache,
            storage,
            telemetry,
            alerts,
            session_keepers,
            providers,
        } = wanted;
        let mut notes = Notes::default();
        let next = Config {
            server: notes.server(&running.server, &server),
            clients: notes.take("clients", &running.clients, clients),
            limits: notes.limits(&running.limits, limits),
            plans: notes.take("plans", &running.plans, plans),
            assistant: notes.take("assistant", &running.assistant, assistant),
            answers: notes.take("answers", &running.answers, answers),
            cache: notes.take("cache", &running.cache, cache),
            storage: notes.storage(&running.storage, &storage),
            telemetry: notes.keep("telemetry", &running.telemetry, &telemetry),
            alerts: notes.take("alerts", &running.alerts, alerts),
            session_keepers: notes.take("session_keepers", &running.session_keepers, session_keepers),
            providers: notes.providers(&running.providers, providers),
        };
        Self { next, changed: notes.changed, needs_restart: notes.needs_restart }
    }
}

#[derive(Default)]
struct Notes {
    changed: Vec<String>,
    needs_restart: Vec<String>,
}

impl Notes {
    /// A setting that changes at once.
    fn take<T: PartialEq>(&mut self, path: impl Into<String>, running: &T, wanted: T) -> T {
        if *running != wanted {
            self.changed.push(path.into());
        }
        wanted
    }

    /// A setting that stays until a restart.
    fn keep<T: PartialEq + Clone>(&mut self, path: &str, running: &T, wanted: &T) -> T {
        if running != wanted {
            self.needs_restart.push(path.to_owned());
        }
        running.clone()
    }

    fn server(&mut self, running: &ServerConfig, wanted: &ServerConfig) -> ServerConfig {
        let ServerConfig {
            bind,
            tls,
            workers,
            max_body,
            max_upload,
            public_url,
            shutdown_delay,
            shutdown_grace,
            status_public,
            max_connections,
            request_head_timeout,
            cors,
        } = running;
        ServerConfig {
            bind: self.keep("server.bind", bind, &wanted.bind),
            // The listener stays what it is, and looks at the certificate with each handshake.
            tls: if tls.is_some() == wanted.tls.is_some() {
                self.take("server.tls", tls, wanted.tls.clone())
            } else {
                self.keep("server.tls", tls, &wanted.tls)
            },
            workers: self.keep("server.workers", workers, &wanted.workers),
            max_body: self.take("server.max_body", max_body, wanted.max_body),
            max_upload: self.take("server.max_upload", max_upload, wanted.max_upload),
            public_url: self.take("server.public_url", public_url, wanted.public_url.clone()),
            shutdown_delay: self.keep("server.shutdown_delay", shutdown_delay, &wanted.shutdown_delay),
            shutdown_grace: self.keep("server.shutdown_grace", shutdown_grace, &wanted.shutdown_grace),
            status_public: self.take("server.status_public", status_public, wanted.status_public),
            max_connections: self.keep("server.max_connections", max_connections, &wanted.max_connections),
            request_head_timeout: self.keep(
                "server.request_head_timeout",
                request_head_timeout,
                &wanted.request_head_timeout,
            ),
            cors: self.take("server.cors", cors, wanted.cors.clone()),
        }
    }

    fn limits(&mut self, running: &LimitsConfig, wanted: LimitsConfig) -> LimitsConfig {
        let LimitsConfig { per_user, user_header } = wanted;
        LimitsConfig {
            per_user: self.take("limits.per_user", &running.per_user, per_user),
            user_header: self.take("limits.user_header", &running.user_header, user_header),
        }
    }

    fn storage(&mut self, running: &StorageConfig, wanted: &StorageConfig) -> StorageConfig {
        let StorageConfig { place, ledger_retention } = wanted;
        StorageConfig {
            place: self.keep("storage.url", &running.place, place),
            ledger_retention: self.take(
                "storage.ledger_retention",
                &running.ledger_retention,
                *ledger_retention,
            ),
        }
    }

    /// The providers that run, in their order: each has its actor, which is started with the
    /// gateway and ends with it.
    fn providers(
        &mut self,
        running: &[ProviderConfig],
        mut wanted: Vec<ProviderConfig>,
    ) -> Vec<ProviderConfig> {
        let mut next = Vec::with_capacity(running.len());
        for provider in running {
            let name = provider.adapter.name;
            next.push(if let Some(position) = wanted.iter().position(|wanted| wanted.adapter.name == name) {
                self.provider(provider, wanted.remove(position))
            } else {
                self.needs_restart.push(format!("providers.{name} (switched off)"));
                provider.clone()
            });
        }
        let switched_on = wanted.iter().map(|new| format!("providers.{} (switched on)", new.adapter.name));
        self.needs_restart.extend(switched_on);
        next
    }

    fn provider(&mut self, running: &ProviderConfig, wanted: ProviderConfig) -> ProviderConfig {
        let ProviderConfig {
            adapter,
            base_url,
            keys,
            policy,
            retry,
            timeout,
            model_fallback,
            messages,
            options,
        } = wanted;
        let path = |setting: &str| format!("providers.{}.{setting}", adapter.name);
        ProviderConfig {
            adapter,
            base_url: self.take(path("base_url"), &running.base_url, base_url),
            keys: self.take(path("keys"), &running.keys, keys),
            policy: self.policy(&path, &running.policy, policy),
            retry: self.take(path("retry"), &running.retry, retry),
            timeout: self.take(path("timeout"), &running.timeout, timeout),
            model_fallback: self.take(path("model_fallback"), &running.model_fallback, model_fallback),
            messages: self.take(path("messages"), &running.messages, messages),
            options: self.options(&path, &running.options, options),
        }
    }

    fn options(
        &mut self,
        path: &impl Fn(&str) -> String,
        running: &ProviderOptions,
        wanted: ProviderOptions,
    ) -> ProviderOptions {
        let ProviderOptions { engine_hosts, management_group, personas } = wanted;
        let running_group = &running.management_group;
        ProviderOptions {
            engine_hosts: self.take(path("engine_hosts"), &running.engine_hosts, engine_hosts),
            management_group: self.take(path("management_group"), running_group, management_group),
            personas: self.take(path("personas"), &running.personas, personas),
        }
    }

    fn policy(&mut self, path: &impl Fn(&str) -> String, running: &Policy, wanted: Policy) -> Policy {
        let Policy { strategy, rotation, cooldowns, budgets, queue, probe } = wanted;
        Policy {
            strategy: self.take(path("strategy"), &running.strategy, strategy),
            rotation: self.take(path("rotation"), &running.rotation, rotation),
            cooldowns: self.take(path("cooldowns"), &running.cooldowns, cooldowns),
            budgets: self.take(path("budgets"), &running.budgets, budgets),
            queue: self.take(path("queue"), &running.queue, queue),
            probe: self.take(path("probe"), &running.probe, probe),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use keygate_config::{LoadRequest, load};

    use super::*;
    use crate::CATALOGUE;

    fn config(variables: &[(&str, &str)]) -> Config {
        let usual = [("GEMINI_API_KEYS", "AIzaFirstKey,AIzaSecondKey")];
        let environment: BTreeMap<String, String> = usual
            .iter()
            .chain(variables)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let working_dir = PathBuf::from("/there/are/no/files/here");
        let request = LoadRequest { environment, working_dir, ..LoadRequest::default() };
        load(request, CATALOGUE).unwrap_or_else(|problems| panic!("{problems}")).config
    }

    fn check(before: &[(&str, &str)], after: &[(&str, &str)], changed: &[&str], needs_restart: &[&str]) {
        let difference = Difference::between(&config(before), config(after));
        assert_eq!(difference.changed, changed, "{after:?}");
        assert_eq!(difference.needs_restart, needs_restart, "{after:?}");
    }

    #[test]
    fn every_setting_says_whether_it_needs_a_restart() {
        check(&[], &[], &[], &[]);
        check(&[], &[("KEYGATE__SERVER__WORKERS", "7")], &[], &["server.workers"]);
        check(&[], &[("KEYGATE__SERVER__BIND", "127.0.0.1:1234")], &[], &["server.bind"]);
        check(&[], &[("LOG_LEVEL", "trace")], &[], &["telemetry"]);
        check(&[], &[("KEYGATE__STORAGE__URL", "sqlite://other.db")], &[], &["storage.url"]);
        check(&[], &[("KEYGATE__STORAGE__LEDGER_RETENTION", "2y")], &["storage.ledger_retention"], &[]);
        check(&[], &[("KEYGATE__SERVER__MAX_BODY", "1MiB")], &["server.max_body"], &[]);
        check(&[], &[("AI_RATE_LIMIT_PER_MIN", "5")], &["limits.per_user"], &[]);
        check(&[], &[("KEYGATE_ADMIN_TOKEN", "an admin's new token")], &["clients"], &[]);
        check(&[], &[("KEYGATE__ASSISTANT__MODEL", "gemini-x")], &["assistant"], &[]);
        check(&[], &[("KEYGATE__ANSWERS__THRESHOLD", "0.5")], &["answers"], &[]);
        check(&[], &[("KEYGATE__CACHE__ENABLED", "true")], &["cache"], &[]);
        check(&[], &[("KEYGATE__ALERTS__LOW_KEYS", "2")], &["alerts"], &[]);
        check(&[], &[("GEMINI_API_KEYS", "AIzaFirstKey")], &["providers.google.keys"], &[]);
        check(&[], &[("ANAM_API_KEYS", "one")], &[], &["providers.anam (switched on)"]);
        check(&[("ANAM_API_KEYS", "one")], &[], &[], &["providers.anam (switched off)"]);
        for (variable, value, changed) in [
            ("STRATEGY", "weighted", "strategy"),
            ("COOLDOWNS__BUSY", "3s", "cooldowns"),
            ("RETRY__MAX_ATTEMPTS", "7", "retry"),
            ("PROBE__EVERY", "7m", "probe"),
            ("TIMEOUT", "7s", "timeout"),
            ("MESSAGES__EN", "Later.", "messages"),
            ("BASE_URL", "https://elsewhere.example", "base_url"),
        ] {
            let variable = format!("KEYGATE__PROVIDERS__GOOGLE__{variable}");
            check(&[], &[(&variable, value)], &[&format!("providers.google.{changed}")], &[]);
        }
    }

    #[test]
    fn what_needs_a_restart_stays_as_it_runs_and_is_told_until_then() {
        let running = config(&[]);
        let wanted = || config(&[("KEYGATE__SERVER__WORKERS", "7"), ("ANAM_API_KEYS", "one")]);
        let first = Difference::between(&running, wanted());
        assert_eq!(first.next.server, running.server);
        assert_eq!(first.next.providers.len(), 1);
        let second = Difference::between(&first.next, wanted());
        assert_eq!(second.needs_restart, first.needs_restart);
    }
}
