//! `keygate keys add`, `set` and `remove`: the files change, the rest of them stays, and a running gateway follows.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use keygate_tests::sim::RunningSimulator;
use keygate_tests::{Exit, Keygate, PATIENCE, configuration, keygate_binary, simulator};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

const ALPHA: &str = "sim-google-alpha-1";
const ALPHA_2: &str = "sim-google-alpha-2";
const BETA: &str = "sim-google-beta-1";

/// A folder with the configuration of a gateway whose Gemini keys come from `.env`.
fn folder(sim: &RunningSimulator, keys: &Value, dotenv: &str) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let changes = json!({
        "server": {"bind": "127.0.0.1:1"},
        "providers": {"google": {"keys": keys, "keys_from_env": true}, "anam": null},
    });
    std::fs::write(folder.path().join("keygate.yaml"), configuration(sim.endpoints(), &changes))
        .expect("written");
    if !dotenv.is_empty() {
        std::fs::write(folder.path().join(".env"), dotenv).expect("written");
    }
    folder
}

async fn run(folder: &TempDir, arguments: &[&str]) -> Exit {
    no_key_in(Keygate::run_in(folder, &[&["keys"], arguments].concat(), &[]).await)
}

fn no_key_in(exit: Exit) -> Exit {
    let shown = format!("{}{}", exit.stdout, exit.stderr);
    assert!(!shown.contains("sim-google-"), "a key is shown: {shown}");
    exit
}

fn dotenv(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(".env")).expect("a .env")
}

#[tokio::test]
async fn a_running_gateway_uses_what_is_set_added_and_removed() {
    let sim = simulator();
    let text = format!("# ours\nexport GEMINI_API_KEYS='{ALPHA}'   # team a\nLOG_LEVEL=debug\n");
    let gateway = Keygate::start_in(folder(&sim, &json!([]), &text), &[]).await;
    let url = gateway.url("");
    let beside = async |arguments: &[&str]| {
        no_key_in(gateway.beside(&[&["keys"], arguments, &["--url", &url, "--json"]].concat()).await)
    };
    let told =
        |exit: &Exit| -> Value { serde_json::from_str(&exit.stdout).unwrap_or_else(|_| panic!("{exit:?}")) };

    let set = beside(&["set", "google", &format!("{ALPHA},{BETA}")]).await;
    assert_eq!(set.status.code(), Some(0), "{set:?}");
    assert_eq!(told(&set)["gateway"], "seen");
    assert_eq!(told(&set)["added"].as_array().map(Vec::len), Some(1));
    let after = format!("# ours\nexport GEMINI_API_KEYS='{ALPHA},{BETA}'   # team a\nLOG_LEVEL=debug\n");
    assert_eq!(dotenv(gateway.home()), after);
    assert_eq!(gateway.get_json("/api/google/status").await["total_keys"], 2);

    let added = beside(&["add", "gemini", ALPHA_2, BETA]).await;
    assert_eq!((added.status.code(), &told(&added)["gateway"]), (Some(0), &json!("seen")), "{added:?}");
    assert_eq!(gateway.get_json("/api/google/status").await["total_keys"], 3);
    let again = beside(&["add", "google", BETA]).await;
    assert_eq!(told(&again)["changed"], json!([]), "it is there already");

    let removed = beside(&["remove", "google", "0", "gemini-api-keys-3"]).await;
    assert_eq!((removed.status.code(), &told(&removed)["gateway"]), (Some(0), &json!("seen")), "{removed:?}");
    assert_eq!(dotenv(gateway.home()), after.replace(&format!("{ALPHA},"), ""));
    assert_eq!(gateway.get_json("/api/google/status").await["total_keys"], 1);
    let exit = gateway.stop().await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
}

#[tokio::test]
async fn keys_come_by_stdin_into_a_new_file_of_its_owner() {
    let sim = simulator();
    let folder = folder(&sim, &json!([]), "");
    let mut command = Command::new(keygate_binary());
    command.args(["keys", "add", "google", "-"]).current_dir(folder.path()).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(format!("# two of them\n{ALPHA}\n{BETA}\n").as_bytes()).await.expect("written");
    drop(stdin);
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("its output");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        text.contains("No gateway runs") && text.contains("2 keys") && !text.contains("sim-google"),
        "{text}"
    );
    assert_eq!(dotenv(folder.path()), format!("GEMINI_API_KEYS={ALPHA},{BETA}\n"));
    let mode = std::fs::metadata(folder.path().join(".env")).expect("a .env").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_would_have_no_effect_is_refused_and_nothing_changes() {
    let sim = simulator();
    let text = format!("GEMINI_API_KEYS={ALPHA}\n");
    let folder = folder(&sim, &json!([]), &text);
    let env = [("GEMINI_API_KEYS", BETA)];
    for arguments in [["keys", "set", "google", ALPHA_2], ["keys", "remove", "google", "0"]] {
        let refused = no_key_in(Keygate::run_in(&folder, &arguments, &env).await);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {refused:?}");
        assert!(refused.stderr.contains("GEMINI_API_KEYS"), "{}", refused.stderr);
        assert!(refused.stderr.contains("environment"), "{}", refused.stderr);
    }
    let unread = run(&folder, &["add", "google", ALPHA_2, "--variable", "MY_KEYS"]).await;
    assert_eq!(unread.status.code(), Some(1), "{}", unread.stderr);
    let last = run(&folder, &["remove", "google", "0"]).await;
    assert_eq!(last.status.code(), Some(1), "{}", last.stderr);
    assert!(last.stderr.contains("--allow-empty"), "{}", last.stderr);
    let no_key = run(&folder, &["add", "google", "two words"]).await;
    assert_eq!(no_key.status.code(), Some(64), "{}", no_key.stderr);
    let itself = run(&folder, &["remove", "google", ALPHA]).await;
    assert_eq!(itself.status.code(), Some(64), "{}", itself.stderr);
    assert_eq!(dotenv(folder.path()), text);
    let emptied = run(&folder, &["remove", "google", "0", "--allow-empty"]).await;
    assert_eq!(
        (emptied.status.code(), dotenv(folder.path()).as_str()),
        (Some(0), "GEMINI_API_KEYS=\n"),
        "{emptied:?}"
    );
}

#[tokio::test]
async fn keys_of_a_file_change_in_the_file_and_those_of_the_yaml_do_not() {
    let sim = simulator();
    let folder = folder(&sim, &json!([{"secret": "file:keys.txt", "label": "team"}, BETA]), "");
    let path = folder.path().join("keys.txt");
    std::fs::write(&path, format!("# team a\n{ALPHA} # Ada\n")).expect("written");
    let added = run(&folder, &["add", "google", ALPHA_2]).await;
    assert_eq!(added.status.code(), Some(0), "{}", added.stderr);
    let keys = std::fs::read_to_string(&path).expect("the key file");
    assert_eq!(keys, format!("# team a\n{ALPHA} # Ada\n{ALPHA_2}\n"));
    let removed = run(&folder, &["remove", "google", "team-1"]).await;
    assert_eq!(removed.status.code(), Some(0), "{}", removed.stderr);
    assert_eq!(std::fs::read_to_string(&path).expect("the key file"), format!("# team a\n{ALPHA_2}\n"));
    let literal = run(&folder, &["remove", "google", "google-1"]).await;
    assert_eq!(literal.status.code(), Some(1), "{}", literal.stderr);
    assert!(literal.stderr.contains("keygate.yaml:"), "{}", literal.stderr);
}

#[tokio::test]
async fn a_gateway_that_refuses_its_configuration_is_told_of() {
    let sim = simulator();
    let gateway =
        Keygate::start_in(folder(&sim, &json!([]), &format!("GEMINI_API_KEYS={ALPHA}\n")), &[]).await;
    let url = gateway.url("");
    // The gateway needs a key, and the command is told to take the last one out.
    let exit = gateway.beside(&["keys", "remove", "google", "0", "--allow-empty", "--url", &url]).await;
    assert_eq!(exit.status.code(), Some(1), "{exit:?}");
    assert!(exit.stdout.contains("refuses its configuration"), "{}", exit.stdout);
    assert_eq!(gateway.get_json("/api/google/status").await["total_keys"], 1, "the running one stays");
}

#[tokio::test]
async fn a_change_that_the_configuration_does_not_survive_is_refused_before_anything_is_written() {
    let sim = simulator();
    let keys = json!([
        {"secret": "env:SHOP_KEY", "label": "shop"},
        {"secret": "env:BLOG_KEY", "label": "shop-2"},
    ]);
    let text = format!("# ours\nSHOP_KEY={ALPHA}\nBLOG_KEY={BETA}\n");
    let folder = folder(&sim, &keys, &text);
    let line = |variable: &str| {
        let yaml = std::fs::read_to_string(folder.path().join("keygate.yaml")).expect("the configuration");
        let found = yaml.lines().position(|line| line.contains(variable)).expect("it is named");
        format!("keygate.yaml:{}:", found + 1)
    };
    let removed = run(&folder, &["remove", "google", "shop"]).await;
    assert_eq!(removed.status.code(), Some(1), "{removed:?}");
    for word in [&line("SHOP_KEY"), "SHOP_KEY", "Nothing was changed", "remove the entry"] {
        assert!(removed.stderr.contains(word), "{word:?} is not in\n{}", removed.stderr);
    }
    assert_eq!(dotenv(folder.path()), text, "it is as it was");

    // Two keys of one variable are shop-1 and shop-2, and there is a shop-2.
    for verb in ["add", "set"] {
        let keys = format!("{ALPHA},{ALPHA_2}");
        let refused = run(&folder, &[verb, "google", &keys, "--variable", "SHOP_KEY"]).await;
        assert_eq!(refused.status.code(), Some(1), "{verb}: {refused:?}");
        assert!(refused.stderr.contains("the same label"), "{verb}: {}", refused.stderr);
        assert!(refused.stderr.contains("Nothing was changed"), "{verb}: {}", refused.stderr);
        assert_eq!(dotenv(folder.path()), text, "{verb}: it is as it was");
    }
    let set = run(&folder, &["set", "google", ALPHA_2, "--variable", "SHOP_KEY"]).await;
    assert_eq!(set.status.code(), Some(0), "{set:?}");
    assert_eq!(dotenv(folder.path()), text.replace(ALPHA, ALPHA_2));
}
