//! The purges of a namespace: a counter, a stream with the latest, and a channel they are told on.

use redis::{Connection, RedisResult, cmd, pipe};

use super::super::purge::Purge;

/// Gives each purge a number, keeps it and tells it, all at once. Where the counter is missing (a new server, or one
/// that lost its data) or older than what was seen already (a server with an old snapshot), it begins anew past any
/// number ever given, with a purge of everything: what is held from before cannot be judged.
///
/// KEYS: counter, stream, channel. ARGV: length of the stream, the highest number seen, the purges.
const SCRIPT: &str = r"
local text = function(number) return string.format('%.0f', number) end
local add = function(number, purge)
  redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[1], text(number) .. '-0', 'p', purge)
  redis.call('PUBLISH', KEYS[3], text(number) .. ' ' .. purge)
end
local last = tonumber(redis.call('GET', KEYS[1]) or '-1')
local seen = tonumber(ARGV[2])
if last < seen or last < 1 then
  local time = redis.call('TIME')
  last = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), seen + 1)
  redis.call('DEL', KEYS[2])
  add(last, 'a')
end
for index = 3, #ARGV do
  last = last + 1
  add(last, ARGV[index])
end
redis.call('SET', KEYS[1], text(last))
return last
";

/// The keys of a namespace. The braces keep them on one node of a cluster.
pub(super) struct Keys {
    pub(super) counter: String,
    stream: String,
    pub(super) channel: String,
    records: String,
}

/// What the stream holds after a number.
pub(super) struct Extract {
    /// The number of the last purge; none where there is no counter.
    pub(super) last: Option<u64>,
    pub(super) purges: Vec<(u64, Purge)>,
}

impl Keys {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            counter: format!("{{{namespace}}}:sequence"),
            stream: format!("{{{namespace}}}:log"),
            channel: format!("{{{namespace}}}:purges"),
            records: format!("{{{namespace}}}:r:"),
        }
    }

    pub(super) fn record(&self, key: &[u8]) -> Vec<u8> {
        [self.records.as_bytes(), key].concat()
    }

    /// Purges, and returns the number of the last. `seen` is the highest number seen.
    pub(super) fn purge(
        &self,
        connection: &mut Connection,
        most: u64,
        seen: u64,
        purges: &[&Purge],
    ) -> RedisResult<u64> {
        let mut command = cmd("EVAL");
        command
            .arg(SCRIPT)
            .arg(3)
            .arg(&self.counter)
            .arg(&self.stream)
            .arg(&self.channel);
        command.arg(most.max(1)).arg(seen);
        for purge in purges {
            command.arg(purge.encode());
        }
        command.query(connection)
    }

    /// Reads the number of the last purge, and what the stream has after one.
    pub(super) fn read(&self, connection: &mut Connection, after: u64) -> RedisResult<Extract> {
        type Entry = (Vec<u8>, Vec<Vec<u8>>);
        // The counter first: what comes between is in the stream, and is read again.
        let (last, entries): (Option<u64>, Vec<Entry>) = pipe()
            .cmd("GET")
            .arg(&self.counter)
            .cmd("XRANGE")
            .arg(&self.stream)
            .arg(format!("{}-0", after.saturating_add(1)))
            .arg("+")
            .query(connection)?;
        let purges = entries
            .iter()
            .map(|(id, fields)| {
                let purge = fields.get(1).map_or(Purge::All, |purge| Purge::decode(purge));
                (leading_number(id), purge)
            })
            .collect();
        Ok(Extract { last, purges })
    }
}

/// Reads a message of the channel: the number and the purge.
pub(super) fn read_message(message: &[u8]) -> (u64, Purge) {
    let at = message.iter().position(|byte| *byte == b' ').unwrap_or(message.len());
    let purge = message.get(at + 1..).map_or(Purge::All, Purge::decode);
    (leading_number(message), purge)
}

fn leading_number(text: &[u8]) -> u64 {
    text.iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0_u64, |number, digit| {
            number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        })
}
