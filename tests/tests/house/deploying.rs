//! What is in `deploy/`, held to the program and to itself, as far as that goes without the platforms.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use keygate_tests::{Keygate, PATIENCE, keygate_binary};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

/// Variables of the gateway that are no settings.
const NAMED_VARIABLES: [&str; 4] =
    ["GEMINI_API_KEYS", "KEYGATE_ADMIN_TOKEN", "KEYGATE_CLIENT_TOKENS", "KEYGATE_COMMIT"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    parsed(path, &text(path))
}

fn parsed(path: &str, text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// Whether an image names a version, and not whatever is the newest today.
fn is_pinned(image: &str) -> bool {
    image.rsplit_once(':').is_some_and(|(_, tag)| {
        tag.starts_with(|c: char| c.is_ascii_digit() || c == 'v') && tag.contains('.')
    })
}

/// Runs `keygate check` with this configuration, these files beside it and these variables, which name settings and
/// secrets; all of it must be known and valid.
async fn holds(config: &str, files: &[(&str, &str)], env: &[(&str, &str)]) {
    let home = TempDir::new().expect("a temporary folder");
    std::fs::write(home.path().join("keygate.yaml"), config).expect("written");
    for (name, text) in files {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let exit = Keygate::run_in(&home, &["check"], env).await;
    assert_eq!(exit.status.code(), Some(0), "{config}{env:?}\n{}{}", exit.stdout, exit.stderr);
    assert!(!exit.stdout.contains("warning:"), "{}", exit.stdout);
}

/// The values that operators give, in the place of which there is nothing in `deploy/`.
fn given(name: &str) -> &'static str {
    match name {
        "GEMINI_API_KEYS" => "a-key-of-gemini",
        _ => "a-token-that-is-long-enough",
    }
}

/// The words of a command line are a command and flags that the binary has.
async fn is_a_command(words: &[&str]) {
    let flags = words.iter().filter(|word| word.starts_with("--"));
    let commands: Vec<&str> = words.iter().take_while(|word| !word.starts_with("--")).copied().collect();
    let help = Keygate::run(&[&commands[..], &["--help"]].concat(), "", &[]).await;
    assert_eq!(help.status.code(), Some(0), "{words:?}: {}", help.stderr);
    for flag in flags {
        assert!(help.stdout.contains(flag), "{commands:?} has no {flag}");
    }
}

/// The JSON words of `CMD ["…"]` in a Dockerfile.
fn exec_form(line: &str) -> Vec<String> {
    let list = line.find('[').map_or_else(|| panic!("{line} is not in exec form"), |at| &line[at..]);
    serde_json::from_str(list).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[tokio::test]
async fn the_image_is_built_of_what_is_there_and_runs_as_nobody() {
    let dockerfile = text("deploy/docker/Dockerfile");
    let lines: Vec<&str> = dockerfile.lines().map(str::trim).collect();
    let after =
        |word: &'static str| lines.iter().filter_map(move |line| line.strip_prefix(word)).map(str::trim);
    let mut stages = BTreeSet::new();
    for from in after("FROM ") {
        let mut words = from.split(" AS ");
        let image = words.next().expect("an image");
        assert!(image == "scratch" || is_pinned(image), "{image} names no version");
        stages.extend(words.next());
    }
    for copy in after("COPY ") {
        let mut words: Vec<&str> = copy.split(' ').filter(|word| !word.starts_with("--chown")).collect();
        if let Some(stage) = words[0].strip_prefix("--from=") {
            assert!(stages.contains(stage), "{copy}: there is no stage {stage}");
            continue;
        }
        words.pop();
        for source in words {
            assert!(repository().join(source).exists(), "{copy}: {source} is not there");
        }
    }
    let toolchain = text("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).expect("a channel");
    assert!(
        dockerfile.contains(&format!("FROM rust:{channel}-")),
        "the image has another compiler than {channel}"
    );
    assert!(dockerfile.contains(&format!("RUSTUP_TOOLCHAIN={channel}")), "{channel}");
    let user = after("USER ").next().expect("a user");
    let (user, group) = user.split_once(':').expect("a user and a group by number");
    assert!(
        user.parse::<u32>().is_ok_and(|id| id > 0) && group.parse::<u32>().is_ok_and(|id| id > 0),
        "{user}"
    );
    for line in lines.iter().filter(|line| line.contains("CMD [")) {
        let words = exec_form(line);
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "/keygate").collect();
        is_a_command(&words).await;
    }
    assert_eq!(after("EXPOSE ").next(), Some("8080"));
    let settings: Vec<(&str, &str)> = after("ENV ").filter_map(|set| set.split_once('=')).collect();
    let ours = settings.into_iter().filter(|(name, _)| name.starts_with("KEYGATE"));
    let env: Vec<(&str, &str)> = ours.chain(NAMED_VARIABLES.map(|name| (name, given(name)))).collect();
    holds("{}", &[], &env).await;
    let ignored = text(".dockerignore");
    for secret in [".git", "target", "**/.env", "**/*.db"] {
        assert!(ignored.lines().any(|line| line == secret), "{secret} gets into the image");
    }
}

#[test]
fn there_is_a_profile_for_the_compiler_that_is_used() {
    let toolchain = text("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).expect("a channel");
    let path = repository().join(format!("bench/profiles/{channel}-x86_64-unknown-linux-gnu.profdata"));
    let profile = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; make it with `bench/run --train`", path.display()));
    // How LLVM begins an indexed profile.
    assert!(profile.starts_with(b"\xfflprofi\x81"), "{} is no profile", path.display());
}

#[tokio::test]
async fn the_composition_names_what_is_there() {
    let path = "deploy/docker/compose.yaml";
    let compose = yaml(path);
    let services = compose["services"].as_object().expect("services");
    let volumes = compose["volumes"].as_object().expect("volumes");
    let folder = repository().join("deploy/docker");
    for (name, service) in services {
        assert!(is_pinned(word(&service["image"])), "{name}: {}", service["image"]);
        for volume in list(&service["volumes"]) {
            let source = word(volume).split(':').next().expect("a source");
            if !source.starts_with('.') {
                assert!(volumes.contains_key(source), "{name}: there is no volume {source}");
                continue;
            }
            // Dashboards and rules come in folders of their own.
            let is_folder_there = folder.join(source).ancestors().nth(1).is_some_and(Path::is_dir);
            assert!(!is_folder_there || folder.join(source).exists(), "{name}: {source} is not there");
        }
        for port in list(&service["ports"]) {
            assert!(word(port).starts_with("127.0.0.1:"), "{name}: {port} is open to the network");
        }
        for other in service["depends_on"].as_object().into_iter().flat_map(|others| others.keys()) {
            assert!(services.contains_key(other), "{name}: there is no {other}");
        }
    }
    let keygate = &services["keygate"];
    let build = &keygate["build"];
    let context = folder.join(word(&build["context"]));
    assert!(context.join(word(&build["dockerfile"])).is_file(), "{build}");
    assert!(text(word(&build["dockerfile"])).contains("ARG KEYGATE_COMMIT"), "the argument is nobody's");
    let settings = keygate["environment"].as_object().expect("settings");
    let settings: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (name.as_str(), word(value))).collect();
    let endpoint = settings.iter().find(|(name, _)| name.ends_with("OTLP__ENDPOINT")).expect("an endpoint").1;
    assert!(services.keys().any(|name| endpoint.starts_with(&format!("http://{name}:"))), "{endpoint}");
    let env = [&settings[..], &NAMED_VARIABLES.map(|name| (name, given(name)))].concat();
    holds("{}", &[], &env).await;
    let ports = ["127.0.0.1:8080:8080", "127.0.0.1:9090:9090", "127.0.0.1:3000:3000"];
    assert_eq!(list(&keygate["ports"]), ports.map(|port| json!(port)));
    // What Prometheus scrapes and Grafana asks is on loopback, so they have to be where the gateway is.
    let scraped = yaml("deploy/prometheus/prometheus.yml");
    assert_eq!(scraped["scrape_configs"][0]["static_configs"][0]["targets"], json!(["127.0.0.1:8080"]));
    let asked = yaml("deploy/grafana/provisioning/datasources/keygate.yaml");
    assert_eq!(asked["datasources"][0]["url"], "http://127.0.0.1:9090");
    for name in ["prometheus", "grafana"] {
        assert_eq!(services[name]["network_mode"], "service:keygate", "{name}");
    }
}

#[tokio::test]
async fn the_unit_of_systemd_starts_what_there_is_and_is_hardened() {
    let unit = text("deploy/systemd/keygate.service");
    let value =
        |name: &str| unit.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap_or_default();
    let words: Vec<&str> = value("ExecStart").split(' ').collect();
    let flags: Vec<&str> = words[1..].iter().filter(|word| !word.starts_with('/')).copied().collect();
    is_a_command(&flags).await;
    assert_eq!(value("RestartPreventExitStatus"), "64 74");
    let home = TempDir::new().expect("a temporary folder");
    let path = home.path().join("keygate.service");
    let runnable = unit.replace(words[0], &keygate_binary().display().to_string());
    std::fs::write(&path, runnable).expect("written");
    let path = path.display().to_string();
    let Some(verified) = systemd_analyze(&["verify", "--recursive-errors=no", &path]).await else { return };
    assert!(verified.0, "{}", verified.1);
    assert!(!verified.1.contains("Unknown key"), "{}", verified.1);
    // In tenths: 2.0 is what systemd calls OK.
    let secure = systemd_analyze(&["security", "--offline=true", "--threshold=20", &path]).await;
    assert!(secure.as_ref().is_some_and(|(is_well, _)| *is_well), "{secure:?}");
}

/// Whether it is satisfied, and what it says; `None` on a machine without it.
async fn systemd_analyze(arguments: &[&str]) -> Option<(bool, String)> {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).env("SYSTEMD_PAGER", "").stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

#[tokio::test]
async fn the_blueprint_of_render_sets_what_there_is() {
    let blueprint = yaml("deploy/render.yaml");
    let service = &list(&blueprint["services"])[0];
    assert!(repository().join(word(&service["dockerfilePath"])).is_file(), "{service}");
    assert_eq!(service["numInstances"], 1, "one gateway owns a database");
    assert!(["/healthz", "/readyz"].contains(&word(&service["healthCheckPath"])));
    let variables = list(&service["envVars"]);
    let set = |name: &str| variables.iter().find(|one| one["key"] == name).map(|one| word(&one["value"]));
    let bind = set("KEYGATE__SERVER__BIND").expect("an address");
    assert_eq!(bind.rsplit_once(':').map(|(_, port)| port), set("PORT"), "Render looks for this port");
    let url = set("KEYGATE__STORAGE__URL").expect("a database");
    assert!(
        url.starts_with(&format!("sqlite://{}/", word(&service["disk"]["mountPath"]))),
        "{url} is not on the disk"
    );
    let env: Vec<(&str, &str)> = variables
        .iter()
        .map(|one| (word(&one["key"]), one["value"].as_str().unwrap_or_else(|| given(word(&one["key"])))))
        .collect();
    let unknown = env.iter().find(|(name, _)| {
        *name != "PORT" && !name.starts_with("KEYGATE__") && !NAMED_VARIABLES.contains(name)
    });
    assert_eq!(unknown, None);
    holds("{}", &[], &env).await;
}

/// The objects of `deploy/kubernetes` by kind.
fn object(kind: &str) -> Value {
    let file = if kind == "Secret" { "secret.example".to_owned() } else { kind.to_lowercase() };
    let object = yaml(&format!("deploy/kubernetes/{file}.yaml"));
    assert_eq!(object["kind"], kind);
    object
}

#[tokio::test]
async fn the_objects_of_kubernetes_refer_to_each_other() {
    let kustomization = yaml("deploy/kubernetes/kustomization.yaml");
    for file in list(&kustomization["resources"]) {
        let object = yaml(&format!("deploy/kubernetes/{}", word(file)));
        assert_eq!(object["metadata"]["name"], "keygate", "{file}");
    }
    let (deployment, secret, config) = (object("Deployment"), object("Secret"), object("ConfigMap"));
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    let (service, policy, budget) =
        (object("Service"), object("NetworkPolicy"), object("PodDisruptionBudget"));
    let selectors = [
        &deployment["spec"]["selector"]["matchLabels"],
        &service["spec"]["selector"],
        &policy["spec"]["podSelector"]["matchLabels"],
        &budget["spec"]["selector"]["matchLabels"],
    ];
    assert!(selectors.iter().all(|selector| *selector == labels), "{selectors:?}");
    assert_eq!(
        (&deployment["spec"]["replicas"], &deployment["spec"]["strategy"]["type"]),
        (&json!(1), &json!("Recreate"))
    );

    let pod = &deployment["spec"]["template"]["spec"];
    let container = &list(&pod["containers"])[0];
    assert!(is_pinned(word(&container["image"])), "{container}");
    assert!(word(&container["image"]).starts_with(word(&list(&kustomization["images"])[0]["name"])));
    for variable in list(&container["env"]) {
        let from = &variable["valueFrom"]["secretKeyRef"];
        assert_eq!(from["name"], secret["metadata"]["name"]);
        assert!(secret["stringData"].get(word(&from["key"])).is_some(), "the secret has no {}", from["key"]);
        assert!(NAMED_VARIABLES.contains(&word(&variable["name"])), "{variable}");
    }
    let mounts: BTreeSet<&str> =
        list(&container["volumeMounts"]).iter().map(|mount| word(&mount["name"])).collect();
    let volumes: BTreeSet<&str> = list(&pod["volumes"]).iter().map(|volume| word(&volume["name"])).collect();
    assert_eq!(mounts, volumes);
    let volume =
        |name: &str| list(&pod["volumes"]).iter().find(|volume| volume["name"] == name).expect("a volume");
    assert_eq!(volume("config")["configMap"]["name"], config["metadata"]["name"]);
    assert_eq!(volume("keys")["secret"]["secretName"], secret["metadata"]["name"]);
    assert_eq!(
        volume("data")["persistentVolumeClaim"]["claimName"],
        object("PersistentVolumeClaim")["metadata"]["name"]
    );
    let item = &list(&volume("keys")["secret"]["items"])[0];
    assert!(secret["stringData"].get(word(&item["key"])).is_some(), "{item}");
    assert_eq!(list(&service["spec"]["ports"])[0]["targetPort"], list(&container["ports"])[0]["name"]);
}

#[tokio::test]
async fn the_pod_of_kubernetes_runs_what_there_is() {
    let (deployment, secret, config) = (object("Deployment"), object("Secret"), object("ConfigMap"));
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &list(&pod["containers"])[0];
    for (probe, path) in
        [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]
    {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "http"}), "{probe}");
    }
    assert_eq!(list(&container["ports"]), [json!({"name": "http", "containerPort": 8080})]);
    let security = &container["securityContext"];
    assert_eq!(
        (&security["readOnlyRootFilesystem"], &pod["securityContext"]["runAsNonRoot"]),
        (&json!(true), &json!(true))
    );
    let arguments: Vec<&str> =
        list(&container["args"]).iter().map(word).filter(|word| !word.starts_with('/')).collect();
    is_a_command(&arguments).await;

    let keys = list(&pod["volumes"]).iter().find(|volume| volume["name"] == "keys").expect("a volume");
    let item = &list(&keys["secret"]["items"])[0];
    // The configuration in it, with the files that the pod would have beside it.
    let folder = "/etc/keygate/";
    let mount =
        list(&container["volumeMounts"]).iter().find(|mount| mount["name"] == "keys").expect("a mount");
    let beside = word(&mount["mountPath"]).strip_prefix(folder).expect("keys lie beside the configuration");
    let file = format!("{beside}/{}", word(&item["path"]));
    let yaml = word(&config["data"]["keygate.yaml"]);
    let keys = word(&secret["stringData"][word(&item["key"])]);
    let env = ["KEYGATE_ADMIN_TOKEN", "KEYGATE_CLIENT_TOKENS"].map(|name| (name, given(name)));
    holds(yaml, &[(&file, keys)], &env).await;
    let settings = parsed("keygate.yaml", yaml);
    let seconds = |name: &str| -> u64 {
        word(&settings["server"][name]).trim_end_matches('s').parse().expect("seconds")
    };
    let patience = pod["terminationGracePeriodSeconds"].as_u64().expect("seconds");
    assert!(
        patience > seconds("shutdown_delay") + seconds("shutdown_grace"),
        "it would be killed before its grace is over"
    );
}
