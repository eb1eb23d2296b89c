//! Measures the memory tier of the cache beside its peers, and writes what it found as Markdown.
//!
//! `hit-ratio [--peers] [--smoke] [--traces FOLDER]`

mod hit_ratio;
mod reference;
mod traces;

use std::path::PathBuf;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let is_smoke = has("--smoke");
    let folder = arguments
        .iter()
        .position(|argument| argument == "--traces")
        .and_then(|place| arguments.get(place + 1).cloned())
        .or_else(|| std::env::var("HYPERWEB_CACHE_TRACES").ok());
    match arguments.first().map(String::as_str) {
        Some("hit-ratio") => {
            let mut all = folder.map(|folder| traces::recorded(&PathBuf::from(folder))).unwrap_or_default();
            all.extend(traces::generated(if is_smoke { 0.02 } else { 1.0 }));
            println!("{}", hit_ratio::table(&all, has("--peers")));
        }
        _ => {
            eprintln!("usage: hit-ratio [--peers] [--smoke] [--traces FOLDER]");
            std::process::exit(2);
        }
    }
}
