//! Bundles of a site's scripts.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use hyperweb_build::bundle::{Bundle, Job, Kind, Naming, bundle};
use hyperweb_build::css::Targets;
use hyperweb_build::licenses::Licenses;

fn job(root: &Path, files: &[(&str, &str)], entries: &[&str]) -> Job {
    for (path, text) in files {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let place = |name: &&str| {
        let file = root.join("assets").join(name);
        ((*name).to_owned(), file.to_str().unwrap().to_owned())
    };
    Job {
        root: root.to_owned(),
        entries: entries.iter().map(place).collect(),
        sheets: Vec::new(),
        urls: [("dot.svg".to_owned(), "/assets/dot.1.svg".to_owned())].into(),
        texts: [].into(),
        define: Vec::new(),
        external: Vec::new(),
        naming: Naming::Mapped,
        minify_js: true,
        minify_css: true,
        source_maps: false,
        licenses: Licenses::Drop,
        targets: Targets::default(),
        threads: 2,
    }
}

fn code(made: &Bundle, name: &str) -> String {
    let output = made.outputs.iter().find(|output| output.name == name);
    let output = output.ok_or_else(|| format!("no {name} in {:?}", names(made))).unwrap();
    String::from_utf8(output.bytes.clone()).unwrap()
}

fn names(made: &Bundle) -> Vec<&str> {
    made.outputs.iter().map(|output| output.name.as_str()).collect()
}

#[test]
fn outputs_are_the_same_whatever_thread_is_first() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let files = [
        (
            "assets/a.ts",
            "import {s} from './s'; s(); import('./l'); new Worker(new URL('./w.ts', import.meta.url))",
        ),
        (
            "assets/b.ts",
            "import {s} from './s'; s(2); import './x.css'; new Worker(new URL('./v.ts', import.meta.url))",
        ),
        (
            "assets/s.ts",
            "export const s = (n?: number) => console.log('shared', n)",
        ),
        (
            "assets/l.ts",
            "import {s} from './s'; s(3); import d from './dot.svg'; console.log(d)",
        ),
        (
            "assets/w.ts",
            "import {s} from './s'; s(4); new Worker(new URL('./v.ts', import.meta.url))",
        ),
        ("assets/v.ts", "postMessage(new URL('./w.ts', import.meta.url))"),
        ("assets/x.css", "a { color: red }"),
        ("assets/dot.svg", "<svg/>"),
    ];
    for naming in [Naming::Mapped, Naming::Hashed, Naming::Plain] {
        let job = Job {
            naming,
            source_maps: true,
            ..job(&root, &files, &["a.ts", "b.ts"])
        };
        let first = bundle(&job).unwrap();
        assert!(names(&first).contains(&"_workers/w.js"), "{:?}", names(&first));
        assert_eq!(first.led, ["dot.svg"]);
        for _ in 0..8 {
            let again = bundle(&job).unwrap();
            for (one, other) in first.outputs.iter().zip(&again.outputs) {
                assert_eq!((&one.url, &one.bytes), (&other.url, &other.bytes));
            }
        }
    }
}

#[test]
fn a_name_changes_with_what_is_in_the_file_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let text = |shared: &'static str| {
        [
            ("assets/a.ts", "import {s} from './s'; s(); import('./l')"),
            ("assets/b.ts", "import {s} from './s'; s(2)"),
            ("assets/s.ts", shared),
            ("assets/l.ts", "console.log('later')"),
        ]
    };
    let urls = |naming, shared| {
        let job = Job {
            naming,
            ..job(&root, &text(shared), &["a.ts", "b.ts"])
        };
        let made = bundle(&job).unwrap();
        let all = made.outputs.into_iter().map(|output| (output.name, output.url));
        all.collect::<Vec<_>>()
    };
    let one = "export const s = (n?: number) => console.log(n)";
    let two = "export const s = (n?: number) => console.log(n, 2)";
    for (naming, wanted) in [(Naming::Mapped, 1), (Naming::Hashed, 3), (Naming::Plain, 0)] {
        let (before, after) = (urls(naming, one), urls(naming, two));
        let changed = before.iter().zip(&after).filter(|(one, other)| one != other).count();
        assert_eq!(changed, wanted, "{before:?} {after:?}");
    }
}

#[test]
fn all_that_is_read_is_an_input() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let files = [
        (
            "assets/a.ts",
            "import 'pack'; import './a.css'; import t from './t.txt?raw'; console.log(t)",
        ),
        ("assets/a.css", "@import './b.css';"),
        ("assets/b.css", "a { background: url(other.png) }"),
        ("assets/other.png", "x"),
        ("assets/t.txt", "t"),
        (
            "node_modules/pack/package.json",
            "{\"name\":\"pack\",\"main\":\"m.js\"}",
        ),
        ("node_modules/pack/m.js", "console.log('pack')"),
    ];
    let made = bundle(&job(&root, &files, &["a.ts"])).unwrap();
    let inside = |path: &str| made.inputs.contains(&root.join(path).to_str().unwrap().to_owned());
    for path in [
        "assets/a.ts",
        "assets/a.css",
        "assets/b.css",
        "assets/other.png",
        "assets/t.txt",
        "node_modules/pack/m.js",
    ] {
        assert!(inside(path), "{path} is not in {:?}", made.inputs);
    }
    let entry = made.outputs.iter().find(|output| output.kind == Kind::Script).unwrap();
    assert_eq!(entry.entry.as_deref(), Some("a.ts"));
    assert_eq!(entry.styles, ["_chunks/a.css"]);
    assert!(code(&made, "a.js").contains("pack"));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    for (text, line, column, wanted) in [
        ("f();\nimport { a } from './no'; a()", 2, Some(19), "./no"),
        ("f();\nlet = ;", 2, Some(7), "not a valid script"),
        ("\n import 'pack-that-is-not'", 2, Some(9), "pack-that-is-not"),
        ("\n\nnew URL('./no.png', import.meta.url)", 3, Some(9), "./no.png"),
    ] {
        let errors = bundle(&job(&root, &[("assets/a.ts", text)], &["a.ts"])).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        let error = &errors[0];
        assert_eq!(error.file.as_deref(), Some("assets/a.ts"));
        assert_eq!((error.line, error.column), (Some(line), column), "{error}");
        assert!(error.message.contains(wanted), "{error}");
        assert!(error.frame.is_some() && error.hint.is_some(), "{error}");
    }
}

#[test]
fn scripts_that_import_each_other_come_to_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let files = [
        (
            "assets/a.ts",
            "import { b } from './b'; export const a = () => b; import './a.css'; console.log(a)",
        ),
        ("assets/b.ts", "import { a } from './a'; export const b = () => a;"),
        ("assets/a.css", "@import './b.css'; a { top: 0 }"),
        ("assets/b.css", "@import './a.css'; b { top: 0 }"),
    ];
    let made = bundle(&job(&root, &files, &["a.ts"])).unwrap();
    assert_eq!(names(&made), ["_chunks/a.css", "a.js"]);
}
