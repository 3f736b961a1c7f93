//! A gateway with a certificate: clients that insist on TLS, and certificates that are replaced.

use std::sync::Arc;

use keygate_tests::sim::{Action, Fault, GoogleRow, ScriptedAnswer};
use keygate_tests::{Keygate, SIMULATED_KEYS, configuration, eventually, simulator};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::live::{LIVE, setup};
use super::socket::{Socket, over};

/// An authority of this test alone.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as files hold them.
struct Pair {
    cert: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    fn issue(&self) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("names");
        let cert = params.signed_by(&key, &self.0).expect("a certificate");
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }

    fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A client that trusts this authority and nobody else.
    fn client(&self) -> TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate()).expect("a certificate");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().expect("usual versions");
        TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    }
}

fn tls() -> serde_json::Value {
    json!({"server": {"tls": {"cert": "cert.pem", "key": "key.pem"}}})
}

fn address(gateway: &Keygate) -> String {
    gateway.url("").strip_prefix("https://").expect("it says that it speaks TLS").to_owned()
}

async fn handshake(gateway: &Keygate, client: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address(gateway)).await.expect("somebody listens");
    client.connect(ServerName::try_from("localhost").expect("a name"), stream).await
}

/// The certificate that is shown.
async fn shown(gateway: &Keygate, client: &TlsConnector) -> CertificateDer<'static> {
    let stream = handshake(gateway, client).await.expect("a handshake");
    let (_, session) = stream.get_ref();
    session.peer_certificates().expect("a certificate")[0].clone().into_owned()
}

fn der(pair: &Pair) -> CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pair.cert.as_bytes()).expect("a certificate")
}

async fn start(yaml: &str, pair: &Pair) -> Keygate {
    let home = tempfile::Builder::new().prefix("keygate-test-").tempdir().expect("a temporary folder");
    for (name, text) in [("keygate.yaml", yaml), ("cert.pem", &pair.cert), ("key.pem", &pair.key)] {
        std::fs::write(home.path().join(name), text).expect("a file can be written");
    }
    let env = [SIMULATED_KEYS, &[("LOG_LEVEL", "debug")]].concat();
    Keygate::start_in(home, &env).await
}

#[tokio::test]
async fn requests_and_sockets_pass_through_tls() {
    let (authority, sim) = (Authority::new(), simulator());
    let gateway = start(&configuration(sim.endpoints(), &tls()), &authority.issue()).await;
    let root = reqwest::Certificate::from_der(&authority.certificate()).expect("a certificate");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().expect("a client");
    let url = gateway.url("/v1beta/models/gemini-2.5-flash:generateContent");
    let answer =
        http.post(url).body(super::stage::chat("hello").to_string()).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);

    let stream = handshake(&gateway, &authority.client()).await.expect("a handshake");
    let url = format!("wss://{}{LIVE}", address(&gateway));
    let mut socket: Socket<_> = over(stream, &url, &[]).await.expect("opened");
    socket.say(&setup()).await;
    assert_eq!(socket.json().await, json!({"setupComplete": {}}));
    socket.close(1000, "").await;

    assert!(handshake(&gateway, &Authority::new().client()).await.is_err(), "a stranger's authority");
    let plain = reqwest::Client::builder().no_proxy().build().expect("a client");
    let plain = plain.get(gateway.url("/healthz").replace("https:", "http:")).send().await;
    assert!(plain.is_err(), "nothing but TLS is spoken");
    let exit = gateway.stop().await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    assert!(!exit.stderr.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn another_certificate_holds_without_a_restart_and_one_that_does_not_fit_changes_nothing() {
    let (authority, sim) = (Authority::new(), simulator());
    let (first, second) = (authority.issue(), authority.issue());
    let gateway = start(&configuration(sim.endpoints(), &tls()), &first).await;
    let client = authority.client();
    assert_eq!(shown(&gateway, &client).await, der(&first));

    gateway.write("cert.pem", &second.cert);
    eventually("half of a pair is refused", async || {
        gateway.stderr().contains("does not belong to the certificate").then_some(())
    })
    .await;
    assert_eq!(shown(&gateway, &client).await, der(&first));
    gateway.write("key.pem", &second.key);
    eventually("the other certificate is shown", async || {
        (shown(&gateway, &client).await == der(&second)).then_some(())
    })
    .await;
    let exit = gateway.stop().await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
}

#[tokio::test]
async fn what_is_no_certificate_is_told_before_anything_starts() {
    let sim = simulator();
    for (section, told) in [
        (json!({"cert": "nowhere.pem", "key": "nowhere.pem"}), "`server.tls.cert` cannot be read"),
        (json!({"cert": "keygate.yaml", "key": "keygate.yaml"}), "`server.tls.cert` holds no certificate"),
        (json!({"cert": "keygate.yaml"}), "`server.tls.key` is missing"),
        (json!({"key": "keygate.yaml"}), "`server.tls.cert` is missing"),
    ] {
        let yaml = configuration(sim.endpoints(), &json!({"server": {"tls": section}}));
        let exit = Keygate::run(&["check"], &yaml, SIMULATED_KEYS).await;
        assert_eq!(exit.status.code(), Some(64), "{exit:?}");
        assert!(exit.stderr.contains(told), "{told}: {}", exit.stderr);
    }
}

/// A caller that waits for a key, on a connection of its own.
async fn waiting_caller(gateway: &Keygate, authority: &Authority) -> TlsStream<TcpStream> {
    let mut stream = handshake(gateway, &authority.client()).await.expect("a handshake");
    let body = super::stage::chat("hello").to_string();
    let path = "/v1beta/models/gemini-2.5-flash:generateContent";
    let request =
        format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("written");
    stream.flush().await.expect("written");
    stream
}

#[tokio::test]
async fn a_caller_that_hangs_up_behind_tls_gives_its_place_up() {
    let (authority, sim) = (Authority::new(), simulator());
    let one_key = json!({"providers": {"google": {
        "keys": [{"secret": "env:ALPHA_1", "label": "alpha_1"}],
        "queue": {"max_wait": "90s"},
    }}});
    let mut changes = tls();
    changes["providers"] = one_key["providers"].clone();
    let gateway = start(&configuration(sim.endpoints(), &changes), &authority.issue()).await;
    let root = reqwest::Certificate::from_der(&authority.certificate()).expect("a certificate");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().expect("a client");
    let waiting = async |expected: u64| {
        eventually("as many wait as should", async || {
            let status = http.get(gateway.url("/api/google/status")).send().await.expect("an answer");
            let status: serde_json::Value =
                serde_json::from_slice(&status.bytes().await.expect("a body")).expect("JSON");
            (status["waiting"] == expected).then_some(())
        })
        .await;
    };
    let answer = ScriptedAnswer {
        row: Some(GoogleRow::MinuteRequests.into()),
        retry: Some(std::time::Duration::from_secs(55)),
        ..ScriptedAnswer::default()
    };
    sim.script([Fault::new(Action::Answer(answer))]).expect("room");

    // With a goodbye, as clients do that close, and without, as clients do that die.
    let mut polite = waiting_caller(&gateway, &authority).await;
    waiting(1).await;
    polite.shutdown().await.expect("a goodbye");
    drop(polite);
    waiting(0).await;
    let rude = waiting_caller(&gateway, &authority).await;
    waiting(1).await;
    drop(rude);
    waiting(0).await;
    assert_eq!(sim.counts().google.requests, 1);
    let exit = gateway.stop().await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
}
