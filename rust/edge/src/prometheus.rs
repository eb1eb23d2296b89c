//! The figures as Prometheus reads them (text format, version 0.0.4).

use std::fmt::Write;

use crate::metrics::{Stats, TierFigures};

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The buckets of latencies end at these powers of two of microseconds: 16 µs to a minute.
const FIRST: u32 = 4;
const LAST: u32 = 26;

/// All of them.
pub(crate) fn text(stats: &Stats) -> String {
    let mut out = Text(String::with_capacity(8 << 10));
    let sources = [
        ("pack", stats.pack_hits),
        ("cache", stats.cache_hits),
        ("worker", stats.misses),
        (
            "edge",
            stats
                .requests
                .saturating_sub(stats.pack_hits + stats.cache_hits + stats.misses),
        ),
    ];
    out.family(
        "requests_total",
        "counter",
        "Requests answered, by where the answer came from.",
    );
    for (source, count) in sources {
        out.sample("requests_total", &[("source", source)], count);
    }
    out.family(
        "responses_total",
        "counter",
        "Responses, by the hundreds of their status.",
    );
    for (class, count) in (1..).zip(stats.statuses) {
        out.sample("responses_total", &[("class", &format!("{class}xx"))], count);
    }
    figures(&mut out, stats);
    out.family(
        "refused_total",
        "counter",
        "Requests and connections refused, by reason.",
    );
    for (reason, count) in stats.refused.iter() {
        out.sample("refused_total", &[("reason", reason)], count);
    }
    learning(&mut out, stats);
    certificates(&mut out, stats);
    tiers(&mut out, stats);
    origins(&mut out, stats);
    latencies(&mut out, stats);
    out.0
}

/// Those that are one number each.
fn figures(out: &mut Text, stats: &Stats) {
    for (name, kind, help, value) in [
        ("sent_bytes_total", "counter", "Bytes of bodies sent.", stats.bytes),
        ("connections", "gauge", "Connections open.", stats.connections),
        ("websockets", "gauge", "WebSockets open.", stats.websockets),
        ("http2_connections", "gauge", "Connections of HTTP/2 open.", stats.http2),
        ("http3_connections", "gauge", "Connections of HTTP/3 open.", stats.http3),
        (
            "tls_handshakes_total",
            "counter",
            "TLS handshakes that came to their end.",
            stats.handshakes,
        ),
        (
            "certificates_fetched_total",
            "counter",
            "Certificates fetched from an authority.",
            stats.certificates_fetched,
        ),
        (
            "certificates_failed_total",
            "counter",
            "Certificates that could not be fetched.",
            stats.certificates_failed,
        ),
        (
            "tls_resumed_total",
            "counter",
            "TLS handshakes that resumed a session.",
            stats.handshakes_resumed,
        ),
        (
            "outstanding_requests",
            "gauge",
            "Requests with workers or origins.",
            stats.outstanding,
        ),
        (
            "workers",
            "gauge",
            "Workers or origins that are given requests.",
            stats.workers,
        ),
        ("cache_entries", "gauge", "Responses kept.", stats.cache_entries),
        (
            "cache_bytes",
            "gauge",
            "Bytes of the responses kept.",
            stats.cache_bytes,
        ),
        (
            "cache_limit_bytes",
            "gauge",
            "Bytes of responses that may be kept.",
            stats.cache_limit,
        ),
        (
            "cache_evictions_total",
            "counter",
            "Responses that had to make room.",
            stats.cache_evictions,
        ),
        (
            "access_log_dropped_total",
            "counter",
            "Lines of the access log that were dropped.",
            stats.log_dropped,
        ),
    ] {
        out.family(name, kind, help);
        out.sample(name, &[], value);
    }
}

type Figure = fn(&TierFigures) -> u64;

fn tiers(out: &mut Text, stats: &Stats) {
    if stats.tiers.is_empty() {
        return;
    }
    let figures: [(&str, &str, &str, Figure); 7] = [
        (
            "tier_hits_total",
            "counter",
            "Responses found in a tier below memory.",
            |tier| tier.hits,
        ),
        (
            "tier_misses_total",
            "counter",
            "Looks in a tier that found nothing.",
            |tier| tier.misses,
        ),
        ("tier_writes_total", "counter", "Responses written to a tier.", |tier| {
            tier.writes
        }),
        (
            "tier_lost_total",
            "counter",
            "Writes that were lost to a fault.",
            |tier| tier.lost,
        ),
        ("tier_faults_total", "counter", "Faults of a tier.", |tier| tier.faults),
        ("tier_entries", "gauge", "Responses in a tier.", |tier| tier.entries),
        ("tier_bytes", "gauge", "Bytes of the responses in a tier.", |tier| {
            tier.bytes
        }),
    ];
    for (name, kind, help, figure) in figures {
        out.family(name, kind, help);
        for tier in &stats.tiers {
            out.sample(name, &[("tier", &tier.name)], figure(tier));
        }
    }
}

fn learning(out: &mut Text, stats: &Stats) {
    let found = stats.learning;
    for (name, help, value) in [
        (
            "learned_steps_total",
            "Steps from one page to another that were learned.",
            found.steps,
        ),
        (
            "hinted_pages_total",
            "Pages that were sent with what mostly comes next.",
            found.hinted,
        ),
        ("early_hints_total", "Early hints (103) that were sent.", found.early),
        (
            "warmed_pages_total",
            "Pages that were fetched into the cache before anybody asked.",
            found.warmed,
        ),
    ] {
        out.family(name, "counter", help);
        out.sample(name, &[], value);
    }
}

fn certificates(out: &mut Text, stats: &Stats) {
    if stats.certificates.is_empty() {
        return;
    }
    let name = "tls_certificate_expiry_timestamp_seconds";
    out.family(name, "gauge", "When a certificate ends.");
    for one in &stats.certificates {
        out.sample(name, &[("names", &one.names.join(" "))], one.expires);
    }
}

fn origins(out: &mut Text, stats: &Stats) {
    if stats.origins.is_empty() {
        return;
    }
    out.family("origin_up", "gauge", "Whether an origin is given requests.");
    for one in &stats.origins {
        out.sample("origin_up", &[("origin", &one.address)], u64::from(one.is_up));
    }
    out.family("origin_requests_total", "counter", "Requests an origin was given.");
    for one in &stats.origins {
        out.sample("origin_requests_total", &[("origin", &one.address)], one.requests);
    }
    out.family(
        "origin_failures_total",
        "counter",
        "Requests and checks an origin failed.",
    );
    for one in &stats.origins {
        out.sample("origin_failures_total", &[("origin", &one.address)], one.failures);
    }
}

fn latencies(out: &mut Text, stats: &Stats) {
    let name = "request_duration_seconds";
    out.family(name, "histogram", "Time from a request's head to its answer.");
    for power in FIRST..=LAST {
        let end = seconds(1 << power);
        let below = stats.latencies.below(power);
        out.sample("request_duration_seconds_bucket", &[("le", &end)], below);
    }
    let total = stats.latencies.total();
    out.sample("request_duration_seconds_bucket", &[("le", "+Inf")], total);
    let sum = seconds(stats.latencies.sum);
    // A string takes all that is written to it.
    let _ = writeln!(out.0, "hyperweb_{name}_sum {sum}");
    out.sample("request_duration_seconds_count", &[], total);
}

/// Microseconds as seconds, exactly.
fn seconds(microseconds: u64) -> String {
    format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP hyperweb_{name} {help}\n# TYPE hyperweb_{name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let _ = write!(self.0, "hyperweb_{name}");
        for (number, (label, text)) in labels.iter().enumerate() {
            let begin = if number == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{begin}{label}=\"{text}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }
}
