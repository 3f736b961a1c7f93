//! A folder with files, an environment and a catalogue to load a configuration from.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keygate_config::{ConfigProblems, LoadRequest, Loaded, ProviderConfig, load};
use keygate_domain::{ProviderName, Reset};
use keygate_provider::{Adapter, FreeCall, KeyVariables, Provider, ProviderOptions};

pub(crate) fn catalogue() -> [Adapter; 2] {
    [
        Adapter {
            name: ProviderName::new("google"),
            aliases: &["gemini"],
            display_name: "Gemini",
            otel_name: "gcp.gemini",
            base_url: "https://generativelanguage.googleapis.com",
            timeout: Duration::from_mins(2),
            day_ends: Reset::Midnight("UTC"),
            month_ends: Reset::MonthEnd("UTC"),
            operations: &[],
            key_variables: KeyVariables {
                canonical: "GEMINI_KEYS",
                lists: &["GEMINI_API_KEYS", "GEMINI_KEYS", "GEMINI_API_KEY", "GOOGLE_API_KEY"],
                numbered: &["GEMINI_API_KEY_", "GOOGLE_API_KEY_"],
            },
            public_key_prefixes: &["AIza"],
            key_shapes: &[],
            free_call: Some(FreeCall { path: "/free", query: None }),
            busy_messages: &[
                ("en", "I'm experiencing high demand right now. Please try again in a few minutes."),
                ("id", "Saya sedang menerima banyak permintaan. Silakan coba lagi dalam beberapa menit."),
                ("vi", "Hiện tôi đang nhận rất nhiều yêu cầu. Vui lòng thử lại sau vài phút."),
            ],
            engine_hosts: &[],
            build: no_provider,
        },
        Adapter {
            name: ProviderName::new("anam"),
            aliases: &[],
            display_name: "Anam",
            otel_name: "anam",
            base_url: "https://api.anam.ai",
            timeout: Duration::from_secs(8),
            day_ends: Reset::Midnight("UTC"),
            month_ends: Reset::MonthEnd("UTC"),
            operations: &[],
            key_variables: KeyVariables {
                canonical: "ANAM_API_KEYS",
                lists: &["ANAM_API_KEYS", "ANAM_API_KEY"],
                numbered: &["ANAM_API_KEY_"],
            },
            public_key_prefixes: &[],
            key_shapes: &[],
            free_call: Some(FreeCall { path: "/free", query: None }),
            busy_messages: &[
                ("en", "All Anam API keys exhausted. Please try again later."),
                ("id", "Semua kunci API Anam sudah terpakai. Silakan coba lagi nanti."),
                ("vi", "Tất cả khóa API Anam đều đã hết. Vui lòng thử lại sau."),
            ],
            engine_hosts: &["*.anam.ai"],
            build: no_provider,
        },
    ]
}

fn no_provider(_: &ProviderOptions) -> Arc<dyn Provider> {
    unreachable!("reading a configuration builds no provider")
}

/// What is loaded; made up step by step.
pub(crate) struct House {
    folder: tempfile::TempDir,
    request: LoadRequest,
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let request = LoadRequest { working_dir: folder.path().to_owned(), ..LoadRequest::default() };
        Self { folder, request }
    }

    /// A house with this `keygate.yaml`.
    pub(crate) fn with_yaml(text: &str) -> Self {
        Self::new().file("keygate.yaml", text)
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.request.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn envs(mut self, variables: BTreeMap<String, String>) -> Self {
        self.request.environment.extend(variables);
        self
    }

    pub(crate) fn ask(mut self, change: impl FnOnce(&mut LoadRequest)) -> Self {
        change(&mut self.request);
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn request(&self) -> LoadRequest {
        self.request.clone()
    }

    pub(crate) fn load(&self) -> Result<Loaded, ConfigProblems> {
        load(self.request.clone(), &catalogue())
    }

    pub(crate) fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The problems as a terminal shows them.
    pub(crate) fn refused(&self) -> String {
        self.load().map(|loaded| loaded.config).unwrap_err().to_string()
    }
}

impl House {
    /// The only provider that is on.
    pub(crate) fn provider(&self) -> ProviderConfig {
        let mut providers = self.loaded().config.providers;
        assert_eq!(providers.len(), 1);
        providers.remove(0)
    }

    /// The secrets of the only provider, in order.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.provider().keys.iter().map(|key| key.secret.expose().to_owned()).collect()
    }

    /// The labels of the only provider's keys, in order.
    pub(crate) fn labels(&self) -> Vec<String> {
        self.provider().keys.into_iter().map(|key| key.label).collect()
    }

    /// Every warning, one a line.
    pub(crate) fn warnings(&self) -> String {
        self.loaded().warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}
