//! What each output is called, and how outputs refer to each other.

use std::collections::{BTreeMap, BTreeSet};

use super::job::{Draft, Job, Kind, Naming, Output, Role, shown, stem};
use super::shared::{HASH, digest, encoded, token, worker_url};
use super::styles::StyleDraft;
use crate::licenses::Licenses;

/// Gives everything its name.
pub(super) fn name(job: &Job, mut drafts: Vec<Draft>, sheets: Vec<StyleDraft>) -> Vec<Output> {
    let mut outputs = Vec::new();
    let mut sheet_urls = BTreeMap::new();
    for sheet in sheets {
        let url = url_of(job, &sheet.name, "css", sheet.made.code.as_bytes());
        sheet_urls.insert(sheet.name.clone(), url.clone());
        push_style(job, &mut outputs, sheet, url);
    }
    let later = loaded_later(&drafts);
    for draft in &mut drafts {
        if later.contains(&draft.file) {
            for name in draft.styles.clone() {
                if let Some(url) = sheet_urls.get(&name) {
                    load_style(draft, url);
                }
            }
        }
    }
    let workers = name_workers(job, &mut drafts);
    let hashes = hashes(job, &mut drafts);
    for draft in drafts {
        push_script(job, &mut outputs, draft, &hashes, &workers);
    }
    outputs.sort_by(|one, other| one.name.cmp(&other.name));
    outputs
}

/// Returns the scripts that some script may load later: a page does not know of their stylesheets.
fn loaded_later(drafts: &[Draft]) -> BTreeSet<String> {
    let pages = || drafts.iter().filter(|draft| draft.role == Role::Page);
    let mut found: BTreeSet<String> = pages().flat_map(|draft| draft.dynamic.iter().cloned()).collect();
    loop {
        let more = pages().filter(|draft| found.contains(&draft.file));
        let more: BTreeSet<String> = more.flat_map(|draft| draft.imports.iter().cloned()).collect();
        let before = found.len();
        found.extend(more);
        if found.len() == before {
            return found;
        }
    }
}

/// Has a script wait for a stylesheet.
fn load_style(draft: &mut Draft, url: &str) {
    let url = serde_json::to_string(url).unwrap_or_default();
    let load = format!(
        "if(typeof document<\"u\"&&!document.querySelector(`link[href={url}]`))await new Promise(e=>{{const \
         t=document.createElement(\"link\");t.rel=\"stylesheet\";t.href={url};t.onload=t.onerror=e;document.head.append(t)}});\n"
    );
    draft.code.insert_str(0, &load);
    if let Some(map) = &mut draft.map {
        *map = map.replacen("\"mappings\":\"", "\"mappings\":\";", 1);
    }
}

/// Puts the hashes of workers where what stands for them is; a worker's hash is that of all it may start as well.
fn name_workers(job: &Job, drafts: &mut [Draft]) -> Vec<(String, String)> {
    if job.naming == Naming::Plain {
        return Vec::new();
    }
    let workers: Vec<(String, String)> = drafts
        .iter()
        .filter(|draft| draft.role == Role::Worker)
        .filter_map(|draft| Some((token(draft.entry.as_ref()?), draft.code.clone())))
        .collect();
    let hashes: Vec<(String, String)> = workers
        .iter()
        .map(|(token, _)| (token.clone(), closure(token, &workers)))
        .collect();
    for draft in drafts {
        for (token, hash) in &hashes {
            if draft.code.contains(token.as_str()) {
                draft.code = draft.code.replace(token.as_str(), hash);
            }
        }
    }
    hashes
}

/// Returns the hash of a text and of all that it leads to, each being known by a token.
fn closure(first: &str, all: &[(String, String)]) -> String {
    let mut reached = BTreeSet::from([first.to_owned()]);
    let mut todo = vec![first.to_owned()];
    while let Some(token) = todo.pop() {
        let code = all.iter().find(|(one, _)| *one == token).map_or("", |(_, code)| code);
        for (other, _) in all {
            if code.contains(other.as_str()) && reached.insert(other.clone()) {
                todo.push(other.clone());
            }
        }
    }
    let mut hasher = blake3::Hasher::new();
    for (token, code) in all.iter().filter(|(token, _)| reached.contains(token)) {
        hasher.update(token.as_bytes());
        hasher.update(code.as_bytes());
    }
    hasher.finalize().to_hex().as_str().get(..HASH).unwrap_or("").to_owned()
}

/// Returns the hash of each page script by its file. Where scripts refer to each other by them, they are put in.
fn hashes(job: &Job, drafts: &mut [Draft]) -> BTreeMap<String, String> {
    let mut hashes = BTreeMap::new();
    if job.naming != Naming::Hashed {
        for draft in drafts.iter() {
            hashes.insert(draft.file.clone(), digest(draft.code.as_bytes()));
        }
        return hashes;
    }
    // The bundler's own hashes know nothing of workers and stylesheets: they only stand for those made here.
    let pages: Vec<(String, String)> = drafts
        .iter()
        .filter(|draft| draft.role == Role::Page)
        .filter_map(|draft| Some((own_hash(&draft.file)?.to_owned(), draft.code.clone())))
        .collect();
    let made: Vec<(String, String)> = pages
        .iter()
        .map(|(own, _)| (own.clone(), closure(own, &pages)))
        .collect();
    for draft in drafts.iter_mut() {
        let own = own_hash(&draft.file).unwrap_or("").to_owned();
        if let Some((_, hash)) = made.iter().find(|(one, _)| *one == own) {
            hashes.insert(draft.file.clone(), hash.clone());
        }
        for (own, hash) in &made {
            draft.code = draft.code.replace(own.as_str(), hash);
        }
    }
    hashes
}

/// Returns the hash the bundler put into a name.
fn own_hash(file: &str) -> Option<&str> {
    let hash = file.strip_suffix(".js")?.rsplit('.').next()?;
    (hash.len() == HASH).then_some(hash)
}

/// Returns a script's name without a hash.
fn plain(job: &Job, role: Role, file: &str) -> String {
    match (job.naming, role) {
        (Naming::Hashed, Role::Page) => match own_hash(file) {
            Some(hash) => file.replacen(&format!(".{hash}.js"), ".js", 1),
            None => file.to_owned(),
        },
        _ => file.to_owned(),
    }
}

fn url_of(job: &Job, name: &str, ending: &str, bytes: &[u8]) -> String {
    match job.naming {
        Naming::Plain => encoded(&format!("/assets/{}.{ending}", stem(name))),
        Naming::Mapped | Naming::Hashed => encoded(&format!("/assets/{}.{}.{ending}", stem(name), digest(bytes))),
    }
}

fn push_script(
    job: &Job,
    outputs: &mut Vec<Output>,
    draft: Draft,
    hashes: &BTreeMap<String, String>,
    workers: &[(String, String)],
) {
    let name = plain(job, draft.role, &draft.file);
    let url = match (draft.role, job.naming) {
        (Role::Worker, _) => worker_address(job, &draft, workers),
        (Role::Page, Naming::Plain) => encoded(&format!("/assets/{name}")),
        (Role::Page, _) => {
            let hash = hashes.get(&draft.file).map_or("", String::as_str);
            encoded(&format!("/assets/{}.{hash}.js", stem(&name)))
        }
    };
    let named = |files: &[String]| {
        let all = files.iter().map(|file| plain(job, draft.role, file));
        all.filter(|file| *file != name).collect::<Vec<_>>()
    };
    let mut output = Output {
        name: name.clone(),
        url,
        kind: if draft.role == Role::Worker {
            Kind::Worker
        } else {
            Kind::Script
        },
        bytes: Vec::new(),
        entry: draft.entry.clone().filter(|_| draft.role == Role::Page),
        imports: named(&draft.imports),
        dynamic: named(&draft.dynamic),
        styles: draft.styles.clone(),
        modules: draft.modules.clone(),
    };
    let mut code = draft.code;
    if let Some(map) = draft.map {
        if !code.ends_with('\n') {
            code.push('\n');
        }
        let file = output.url.rsplit('/').next().unwrap_or("");
        code.push_str(&format!("//# sourceMappingURL={file}.map\n"));
        outputs.push(beside(&output, Kind::Map, "map", own_sources(job, &map).into_bytes()));
    }
    if let Some(licenses) = draft.licenses {
        outputs.push(beside(&output, Kind::Licenses, "LICENSE.txt", licenses.into_bytes()));
    }
    output.bytes = code.into_bytes();
    outputs.push(output);
}

/// Returns where a worker is: its address stands in other scripts, so that it is made of the same parts.
fn worker_address(job: &Job, draft: &Draft, workers: &[(String, String)]) -> String {
    let name = draft.entry.as_deref().unwrap_or(&draft.file);
    let address = worker_url(job, name);
    let token = token(name);
    match workers.iter().find(|(one, _)| *one == token) {
        Some((_, hash)) => address.replace(&token, hash),
        None => address,
    }
}

fn push_style(job: &Job, outputs: &mut Vec<Output>, sheet: StyleDraft, url: String) {
    let output = Output {
        name: sheet.name,
        url,
        kind: Kind::Style,
        bytes: Vec::new(),
        entry: sheet.entry,
        imports: Vec::new(),
        dynamic: Vec::new(),
        styles: Vec::new(),
        modules: sheet.sources,
    };
    let mut code = sheet.made.code;
    if let Some(map) = sheet.made.map {
        let file = output.url.rsplit('/').next().unwrap_or("");
        code.push_str(&format!("\n/*# sourceMappingURL={file}.map */\n"));
        outputs.push(beside(&output, Kind::Map, "map", own_sources(job, &map).into_bytes()));
    }
    if job.licenses == Licenses::Extern && !sheet.made.licenses.is_empty() {
        let text: Vec<String> = sheet.made.licenses.iter().map(|one| format!("/*{one}*/")).collect();
        outputs.push(beside(
            &output,
            Kind::Licenses,
            "LICENSE.txt",
            (text.join("\n\n") + "\n").into_bytes(),
        ));
    }
    outputs.push(Output {
        bytes: code.into_bytes(),
        ..output
    });
}

fn beside(output: &Output, kind: Kind, ending: &str, bytes: Vec<u8>) -> Output {
    Output {
        name: format!("{}.{ending}", output.name),
        url: format!("{}.{ending}", output.url),
        kind,
        bytes,
        entry: None,
        imports: Vec::new(),
        dynamic: Vec::new(),
        styles: Vec::new(),
        modules: Vec::new(),
    }
}

/// Names the sources of a map from the site's folder, whatever they were named from.
fn own_sources(job: &Job, map: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(map) else {
        return map.to_owned();
    };
    if let Some(sources) = value.get_mut("sources").and_then(serde_json::Value::as_array_mut) {
        for source in sources {
            let Some(text) = source.as_str() else { continue };
            let path = if text.starts_with('/') {
                std::path::PathBuf::from(text)
            } else {
                // The bundler counts from where it would write.
                let at_output = super::plugin::normal(&job.root.join("dist").join(text));
                let in_assets = job.root.join("assets").join(text);
                if at_output.is_file() { at_output } else { in_assets }
            };
            *source = serde_json::Value::String(format!(
                "/{}",
                shown(job, &path.to_string_lossy()).trim_start_matches('/')
            ));
        }
    }
    value.to_string()
}
