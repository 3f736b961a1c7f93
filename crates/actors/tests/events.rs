//! What operators read in the log of a pool. One test and a process of its own: tracing remembers per
//! process whether anybody wants an event, and neighbours without a subscriber would make it forget ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up must fail"
)]

use std::io::Write;
use std::num::NonZeroU64;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use keygate_actors::{Chaos, Home, Leased, SupervisorSpec, start_supervisor};
use keygate_domain::{
    Access, Allowance, ApiKey, ClientId, Failure, Fault, KeySpec, ModelName, Operation, Placement,
    ProviderName, Role, Spend, UserId, Verdict,
};
use keygate_pool::{Ask, Policy};
use tokio::task::LocalSet;

struct Line(Sender<Vec<u8>>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn ask() -> Ask {
    Ask {
        operation: Operation("generate_content"),
        model: Some(ModelName::from("gemini-2.5-flash")),
        opens_session: false,
        references: Vec::new(),
        placement: Placement::Any,
        client: ClientId::from("shop"),
        user: UserId { client: ClientId::from("shop"), name: "ada".into() },
        access: Access::Token,
        tried: Vec::new(),
        estimate: Spend::default(),
        patience: Duration::ZERO,
        hold: Duration::from_secs(10),
    }
}

#[tokio::test(start_paused = true)]
async fn events_are_logged_with_id_and_label_and_without_the_secret() {
    let (written, lines) = channel();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || Line(written.clone()))
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let key = KeySpec {
        secret: ApiKey::new("secret-of-a"),
        label: "a".to_owned(),
        group: None,
        weight: 1,
        role: Role::Primary,
        allowance: Allowance::default(),
    };
    let id = key.secret.id().clone();
    let spec = SupervisorSpec {
        provider: ProviderName::new("google"),
        keys: vec![key],
        policy: Policy::default(),
        seed: 1,
        gate: 64,
        chaos: NonZeroU64::new(2).map(|panic_every| Chaos { panic_every }),
        memory: std::sync::Arc::default(),
        bookkeeper: None,
        prober: None,
    };
    LocalSet::new()
        .run_until(async {
            let supervisor = start_supervisor(spec, &Home::Here);
            match supervisor.lease(ask()).await {
                Ok(Leased::Key(lease)) => {
                    let mut failure = Failure::of(Fault::KeyInvalid);
                    failure.hint.reason = "the provider does not know it";
                    lease.settle(Verdict::Failed(failure));
                }
                other => panic!("no lease: {other:?}"),
            }
            assert!(supervisor.lease(ask()).await.is_err());
            supervisor.reset(None).await.unwrap();
        })
        .await;
    let text = String::from_utf8(lines.try_iter().flatten().collect()).unwrap();
    let line = |needle: &str| text.lines().find(|line| line.contains(needle)).unwrap_or_default().to_owned();
    assert!(line("Rotated to API key index 0").contains("DEBUG"), "{text}");
    let disabled = line("API key is disabled");
    assert!(disabled.contains("WARN") && disabled.contains(id.as_str()), "{text}");
    assert!(disabled.contains(r#"key.label="a""#) && disabled.contains(r#"fault="key_invalid""#), "{text}");
    assert!(disabled.contains(r#"reason="the provider does not know it""#), "{text}");
    assert!(line("API key is enabled").contains("INFO"), "{text}");
    assert!(line("panicked").contains("ERROR"), "{text}");
    assert!(!text.contains("secret-of"), "{text}");
}
