//! `docs/cli.md` is what the commands say of themselves.

use std::path::Path;

use clap::{Command, CommandFactory as _};

use super::Arguments;

/// What stands before the part that is made here.
const MARKER: &str =
    "<!-- From here on: what `-h` prints. UPDATE_CLI=1 cargo test -p keygate reference writes it anew. -->\n";

#[test]
fn the_reference_is_what_help_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, written) = text.split_once(MARKER).expect("the marker");
    let made = reference();
    if std::env::var_os("UPDATE_CLI").is_some() {
        std::fs::write(&path, format!("{head}{MARKER}{made}")).unwrap();
        return;
    }
    assert!(written == made, "run `UPDATE_CLI=1 cargo test -p keygate reference` and commit docs/cli.md");
}

#[test]
fn every_command_and_argument_says_what_it_is_for() {
    let mut silent = Vec::new();
    walk(&mut built(), &mut |command| {
        let is_silent = command.get_about().is_none() && command.get_name() != "help";
        silent.extend(is_silent.then(|| command.to_string()));
        let arguments = command.get_arguments().filter(|argument| argument.get_help().is_none());
        silent.extend(arguments.map(|argument| format!("{command} {argument}")));
    });
    assert!(silent.is_empty(), "{silent:?}");
}

fn built() -> Command {
    let mut command = Arguments::command().term_width(100);
    command.build();
    command
}

fn reference() -> String {
    let mut parts: Vec<String> = Vec::new();
    walk(&mut built(), &mut |command| {
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
        let help = command.render_help().to_string();
        let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
        parts.push(format!("\n## `{name}`\n\n```text\n{}\n```\n", help.join("\n")));
    });
    parts.concat()
}

fn walk(command: &mut Command, visit: &mut impl FnMut(&mut Command)) {
    visit(command);
    for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
        walk(inner, visit);
    }
}
