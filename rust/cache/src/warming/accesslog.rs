//! Pages from an access log, or from a list of URLs, by how often they were asked for.
//!
//! Each line may be of the Common or Combined Log Format (of Apache and nginx, with or without the virtual host before
//! it), a JSON object, or a URL or path alone. A line that is none of these is counted and passed by.

use std::collections::HashMap;
use std::io::{self, BufRead};

use foldhash::fast::RandomState;
use serde_json::{Map, Value};

/// Bounds on what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Bytes of a line; the rest of a longer one is passed by, and it counts as bad.
    pub line_bytes: usize,
    /// Bytes that are read altogether.
    pub bytes: u64,
    /// Different pages that are counted at a time. When there are more, those counted least often are forgotten.
    pub pages: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            line_bytes: 16 << 10,
            bytes: 4 << 30,
            pages: 200_000,
        }
    }
}

/// A page that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoggedPage {
    /// The host, in small letters, where the line names it.
    pub host: Option<Box<str>>,
    /// The path and query, as they were written.
    pub target: Box<str>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSummary {
    /// Pages and how often they were asked for, the most often first. Where pages were forgotten the counts are lower
    /// bounds.
    pub pages: Vec<(LoggedPage, u64)>,
    pub lines: u64,
    /// Requests that say nothing of what should be cached: not a GET, or not answered with 200 or 304.
    pub passed_by: u64,
    /// Lines that could not be read.
    pub bad: u64,
}

enum Line {
    Page(LoggedPage),
    PassedBy,
    Bad,
}

/// Reads a log to its end, or to the limit of bytes.
pub fn read_log(log: impl BufRead, limits: LogLimits) -> io::Result<LogSummary> {
    let mut log = log.take(limits.bytes);
    let mut summary = LogSummary::default();
    let mut counts: HashMap<LoggedPage, u64, RandomState> = HashMap::default();
    let mut line = Vec::new();
    while read_line(&mut log, limits.line_bytes, &mut line)? {
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() {
            continue;
        }
        summary.lines += 1;
        let read = if line.len() > limits.line_bytes {
            Line::Bad
        } else {
            std::str::from_utf8(trimmed).map_or(Line::Bad, parse)
        };
        match read {
            Line::Page(page) => count(&mut counts, page, limits.pages),
            Line::PassedBy => summary.passed_by += 1,
            Line::Bad => summary.bad += 1,
        }
    }
    summary.pages = counts.into_iter().collect();
    summary
        .pages
        .sort_unstable_by(|(page, count), (other, others)| others.cmp(count).then_with(|| page.cmp(other)));
    Ok(summary)
}

/// Reads a line of which no more than one byte over the limit is kept; false at the end.
fn read_line(log: &mut impl BufRead, limit: usize, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let found = match log.fill_buf() {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if found.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = found.iter().position(|byte| *byte == b'\n');
        let part = found.get(..end.unwrap_or(found.len())).unwrap_or_default();
        let room = (limit + 1).saturating_sub(line.len()).min(part.len());
        line.extend_from_slice(part.get(..room).unwrap_or_default());
        let used = part.len() + usize::from(end.is_some());
        log.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// Counts a page. When there is no room for it all counts are made one less, and those at nought forgotten (Misra and
/// Gries, "Finding repeated elements", 1982): what makes up more than a fraction of 1/pages stays.
fn count(counts: &mut HashMap<LoggedPage, u64, RandomState>, page: LoggedPage, most: usize) {
    if let Some(count) = counts.get_mut(&page) {
        *count += 1;
    } else if counts.len() < most {
        counts.insert(page, 1);
    } else {
        counts.retain(|_, count| {
            *count -= 1;
            *count > 0
        });
    }
}

fn parse(line: &str) -> Line {
    if line.starts_with('{') {
        return match serde_json::from_str::<Map<String, Value>>(line) {
            Ok(fields) => json(&fields),
            Err(_) => Line::Bad,
        };
    }
    if line.starts_with('/') || line.starts_with("http://") || line.starts_with("https://") {
        return page(line, None).map_or(Line::Bad, Line::Page);
    }
    common(line).unwrap_or(Line::Bad)
}

/// `[host:port ]client identity user [time] "request line" status …`
fn common(line: &str) -> Option<Line> {
    let (before, rest) = line.split_once(" [")?;
    let (_, rest) = rest.split_once("] \"")?;
    let (request, rest) = rest.split_once("\" ")?;
    let status = rest.split(' ').next()?.parse().ok()?;
    let words = before.split(' ').count();
    let host = (words > 3).then(|| before.split(' ').next()).flatten();
    Some(asked(request, status, host))
}

/// A request line and how it was answered.
fn asked(request: &str, status: u16, host: Option<&str>) -> Line {
    let mut words = request.split(' ');
    let (Some(method), Some(target), version) = (words.next(), words.next(), words.next()) else {
        return Line::Bad;
    };
    if words.next().is_some() || version.is_some_and(|version| !version.starts_with("HTTP/")) {
        return Line::Bad;
    }
    if method != "GET" || !matches!(status, 200 | 304) {
        return Line::PassedBy;
    }
    page(target, host).map_or(Line::Bad, Line::Page)
}

/// The names that servers give these fields: nginx's and Apache's usual ones, Caddy's, and those of Traefik.
fn json(fields: &Map<String, Value>) -> Line {
    let inner = fields.get("request").and_then(Value::as_object);
    let text = |names: &[&str]| {
        let all = names.iter().filter_map(|name| {
            let value = inner.and_then(|inner| inner.get(*name));
            value.or_else(|| fields.get(*name))?.as_str()
        });
        all.filter(|text| !text.is_empty()).map(str::to_owned).next()
    };
    let status = ["status", "status_code", "DownstreamStatus"].iter().find_map(|name| {
        let value = fields.get(*name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    });
    let status = status.map_or(Some(200), |status| u16::try_from(status).ok());
    let Some(status) = status else { return Line::Bad };
    let host = text(&["host", "http_host", "vhost", "RequestHost"]);
    if let Some(request) = fields.get("request").and_then(Value::as_str) {
        return asked(request, status, host.as_deref());
    }
    let method = text(&["method", "request_method", "RequestMethod"]).unwrap_or_else(|| "GET".to_owned());
    let target = text(&["uri", "request_uri", "url", "path", "target", "RequestPath"]);
    match target {
        Some(_) if method != "GET" || !matches!(status, 200 | 304) => Line::PassedBy,
        Some(target) => page(&target, host.as_deref()).map_or(Line::Bad, Line::Page),
        None => Line::Bad,
    }
}

/// A page from a path with its query, or a URL; none where it is neither.
fn page(target: &str, host: Option<&str>) -> Option<LoggedPage> {
    let rest = target
        .strip_prefix("https://")
        .or_else(|| target.strip_prefix("http://"));
    let (host, path) = match rest {
        None => (host, target),
        Some(rest) => match rest.find(['/', '?', '#']) {
            None => (Some(rest), "/"),
            Some(at) => {
                let (host, path) = rest.split_at(at);
                (Some(host), path)
            }
        },
    };
    // A fragment is never sent.
    let path = path.split('#').next().filter(|path| path.starts_with('/'))?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>');
    let host = host.map(|host| host.rsplit_once('@').map_or(host, |(_, host)| host));
    let host = host.map(without_port).filter(|host| !host.is_empty() && *host != "-");
    let fits = host.is_none_or(|host| {
        host.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte))
    });
    (fits && path.bytes().all(plain)).then(|| LoggedPage {
        host: host.map(|host| host.to_ascii_lowercase().into()),
        target: path.into(),
    })
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}
