//! What messages, help and documentation point to has to be there: commands, options, cases and variables.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;

use super::{Cli, command, locate};

const PAGES: [&str; 6] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/backends.md",
    "docs/finding.md",
    "docs/target-manifest.md",
];

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust files below a folder of the project.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![project().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// Every text that people read: pages, and the whole help of every command.
fn texts() -> Vec<(String, String)> {
    let mut texts: Vec<_> = PAGES.iter().map(|page| ((*page).to_owned(), read(&project().join(page)))).collect();
    let mut root = command();
    texts.push(("--help".into(), root.render_long_help().to_string()));
    for sub in root.get_subcommands_mut() {
        texts.push((format!("{} --help", sub.get_name()), sub.render_long_help().to_string()));
    }
    texts
}

/// The command on this line that begins the line, or that Cargo is asked to run, without remarks.
fn typed(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("$ ").unwrap_or(line);
    let cargo = ["cargo run -- ", "cargo run --bin fireassay -- "].iter().find_map(|start| line.strip_prefix(start));
    let typed = cargo.or_else(|| line.strip_prefix("fireassay "))?;
    // Remarks stand apart; prose that happens to begin with the name has no command after it.
    let end = [typed.find("   "), typed.find("  #"), typed.find(" > ")].into_iter().flatten().min();
    let typed = typed[..end.unwrap_or(typed.len())].trim_end();
    let first = typed.split(' ').next().unwrap_or_default();
    command().get_subcommands().any(|known| known.get_name() == first).then_some(typed)
}

#[test]
fn every_example_is_a_command_line_that_is_understood() {
    let mut examples = 0;
    for (place, text) in texts() {
        for typed in text.lines().filter_map(typed) {
            let words = std::iter::once("fireassay").chain(typed.split_whitespace());
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{place}: `fireassay {typed}`: {error}");
            }
            examples += 1;
        }
    }
    assert!(examples >= 20, "only {examples} examples were found");
}

#[test]
fn every_command_that_a_message_names_exists() {
    let known: BTreeSet<_> = command().get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let mut named = 0;
    for path in sources("src").into_iter().filter(|path| !path.ends_with("cli/pointers.rs")) {
        let text = read(&path);
        for start in ["`fireassay ", "\"fireassay ", "next: fireassay "] {
            for rest in text.split(start).skip(1) {
                let line = rest.split(['`', '"', '\n', '\\', ';']).next().unwrap_or_default();
                let mut words = line.split_whitespace();
                let first = words.next().unwrap_or_default();
                if first.starts_with(|c: char| !c.is_ascii_lowercase()) {
                    continue;
                }
                let place = path.display();
                assert!(known.contains(first), "{place}: there is no `fireassay {first}`");
                let sub = command().find_subcommand(first).cloned().expect("it is known");
                for option in words.filter_map(|word| word.strip_prefix("--")) {
                    let has = sub.get_arguments().any(|it| it.get_long() == Some(option));
                    assert!(has, "{place}: `fireassay {first}` has no --{option}");
                }
                named += 1;
            }
        }
    }
    assert!(named >= 10, "only {named} were found");
}

#[test]
fn every_case_that_is_pointed_to_is_in_the_suite() {
    let suites = locate::embedded_suites().expect("the suites");
    let cases: BTreeSet<_> = suites.iter().flat_map(|suite| &suite.cases).map(|case| case.id.as_str()).collect();
    let mut named = 0;
    for (place, text) in texts() {
        let ids = text.split("--case ").skip(1).filter_map(|rest| {
            rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next().filter(|id| !id.is_empty())
        });
        for id in ids {
            assert!(cases.contains(id), "{place}: the suites have no case `{id}`");
            named += 1;
        }
    }
    assert!(named >= 5, "only {named} were found");
    for suite in &suites {
        // The catalogue is refused when it names a case or a requirement that the suite does not have.
        locate::reference_defects(suite).expect("the catalogue of defects fits the suite");
    }
}

#[test]
fn every_variable_is_in_the_table_of_the_readme() {
    let readme = read(&project().join("README.md"));
    let mut files = sources("src");
    files.extend(sources("tests"));
    files.push(project().join("ci/setup"));
    let mut found = BTreeSet::new();
    for text in files.iter().map(|path| read(path)) {
        for rest in text.split("FIREASSAY_").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            found.extend((!name.is_empty()).then_some(name));
        }
    }
    for name in &found {
        assert!(readme.contains(&format!("| `FIREASSAY_{name}` |")), "FIREASSAY_{name} is not in README.md");
    }
    assert!(found.len() >= 8, "{found:?}");
}
