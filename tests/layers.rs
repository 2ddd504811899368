//! Imports point down: no module uses what the table in ARCHITECTURE.md forbids it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A module of the table, and the paths that it must not use.
struct Rule {
    module: String,
    forbidden: Vec<String>,
}

/// The rows of ARCHITECTURE.md's table of modules.
fn rules() -> Vec<Rule> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let table = text.split("## Modules").nth(1).unwrap().split("\n## ").next().unwrap();
    table.lines().filter(|line| line.starts_with("| `")).map(rule).collect()
}

fn rule(line: &str) -> Rule {
    let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
    let spans = |cell: &str| cell.split('`').skip(1).step_by(2).map(String::from).collect::<Vec<_>>();
    Rule { module: spans(cells[0]).remove(0), forbidden: spans(cells[2]) }
}

/// The Rust files of a module, without its tests.
fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        entries.for_each(|entry| files(&entry.unwrap().path(), found));
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.push(path.to_path_buf());
    }
}

/// The module in which every name at the root of the crate is defined, from the `pub use` lines of lib.rs.
fn root_names() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut names = BTreeMap::new();
    for import in text.split("pub use ").skip(1) {
        let import = import.split(';').next().unwrap();
        let Some((module, list)) = import.split_once("::") else { continue };
        for name in list.trim_matches(['{', '}']).split(',') {
            let name = name.rsplit("::").next().unwrap().trim().to_string();
            names.insert(name, module.to_string());
        }
    }
    names
}

/// The code of a file: no comments, nothing from the first unit test on.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every path behind `crate::`, with lists in braces written out one level deep.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for piece in code.split("crate::").skip(1) {
        let path: String = piece.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':')).collect();
        let rest = piece[path.len()..].strip_prefix('{').and_then(|list| list.split('}').next());
        match rest {
            Some(list) => found.extend(list.split(',').map(|name| format!("{path}{}", name.trim()))),
            None => found.push(path),
        }
    }
    found
}

#[test]
fn imports_point_down() {
    let (rules, root_names) = (rules(), root_names());
    assert!(rules.len() > 12, "the table of modules was not found");
    let mut wrong = Vec::new();
    for rule in &rules {
        let mut list = Vec::new();
        files(&root().join("src").join(&rule.module), &mut list);
        for file in list {
            for path in paths(&code(&file)) {
                let first = path.split("::").next().unwrap();
                let path = root_names.get(first).map_or_else(|| path.clone(), |module| format!("{module}::{path}"));
                let uses = |forbidden: &&String| path == **forbidden || path.starts_with(&format!("{forbidden}::"));
                if let Some(forbidden) = rule.forbidden.iter().find(uses) {
                    wrong.push(format!("{} uses {path}; {} must not use {forbidden}", file.display(), rule.module));
                }
            }
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
