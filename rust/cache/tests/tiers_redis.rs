//! A tier in a Redis that is really there: and then is killed, stopped, emptied or slow.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use hyperweb_cache::tiers::{FaultKind, News, Origin, Purge, PurgeOrder, RedisConfig, RedisTier, Tier, wall_clock};
use support::{Redis, Told, eventually, noise, read, record, write};

fn config(redis: &Redis) -> RedisConfig {
    RedisConfig {
        heartbeat: Duration::from_millis(100),
        breaker_pause: Duration::from_millis(50),
        // Shown where a test fails.
        fault_sink: std::sync::Arc::new(|fault| println!("{fault}")),
        ..RedisConfig::new(redis.url(), "test")
    }
}

fn tier(config: RedisConfig) -> RedisTier {
    let tier = RedisTier::new(config);
    assert!(tier.resume(0));
    tier
}

fn purge(tier: &RedisTier, purge: Purge) -> u64 {
    let order = PurgeOrder {
        purge: Some(purge),
        origin: Origin::Here,
    };
    tier.purge(&[order]).expect("the purge is obeyed")[0]
}

fn maintain(tier: &RedisTier) {
    tier.maintain(wall_clock(), &mut |_| ());
}

#[test]
fn a_record_is_read_as_it_was_written_on_another_machine_too() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (tier(config(&redis)), tier(config(&redis)));
    let small = record(&one, "small", "value", &["a", "b"]);
    let large = record(&one, "large", noise(1, 300_000), &[]);
    write(&one, &[small.clone(), large.clone()]);
    assert_eq!(read(&one, "small"), Some(small.clone()));
    assert_eq!(read(&two, "small"), Some(small));
    assert_eq!(read(&two, "large"), Some(large));
    assert_eq!(read(&two, "other"), None);
    let mut short = record(&one, "short", "value", &[]);
    short.times.dead_at = wall_clock() + 40;
    write(&one, &[short]);
    eventually("the server lets it go", || {
        !redis::cmd("EXISTS")
            .arg("{test}:r:short")
            .query::<bool>(&mut redis.connection())
            .unwrap()
    });
}

#[test]
fn a_purge_counts_for_the_next_read_of_every_machine() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (tier(config(&redis)), tier(config(&redis)));
    for (round, meant) in [Purge::tag("t"), Purge::key(b"/key"), Purge::prefix(b"/k"), Purge::All]
        .into_iter()
        .cycle()
        .take(40)
        .enumerate()
    {
        let late = record(&two, "/key", "late", &["t"]);
        write(&one, &[record(&one, "/key", "value", &["t"])]);
        assert!(read(&two, "/key").is_some(), "round {round}");
        let sequence = purge(&one, meant.clone());
        // No waiting: the message need not have arrived.
        assert!(read(&two, "/key").is_none(), "round {round}");
        assert!(read(&one, "/key").is_none(), "round {round}");
        // What was being made meanwhile comes too late.
        write(&two, &[late]);
        assert!(read(&one, "/key").is_none(), "round {round}");
        assert_eq!(two.news(true), [News { purge: meant, sequence }]);
        assert!(one.news(true).is_empty(), "one's own purge is no news");
    }
}

#[test]
fn a_purge_is_heard_without_a_read() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (tier(config(&redis)), tier(config(&redis)));
    for number in 0..50 {
        purge(&one, Purge::tag(&number.to_string()));
    }
    let mut heard = Vec::new();
    eventually("all are heard", || {
        heard.extend(two.news(true).into_iter().map(|news| news.purge));
        heard.len() >= 50
    });
    let all: Vec<_> = (0..50).map(|number| Purge::tag(&number.to_string())).collect();
    assert_eq!(heard, all);
}

/// Puts a purge into the log. Its number is taken in the same step, as always: who asks for the number in between would
/// take the purge for one that is lost.
fn log_silently(redis: &Redis, purge: &str) {
    let step = "redis.call('XADD', KEYS[2], string.format('%.0f-0', redis.call('INCR', KEYS[1])), 'p', ARGV[1])";
    redis::cmd("EVAL")
        .arg(step)
        .arg(2)
        .arg("{test}:sequence")
        .arg("{test}:log")
        .arg(purge)
        .exec(&mut redis.connection())
        .unwrap();
}

#[test]
fn a_missed_message_is_noticed_and_made_good() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (tier(config(&redis)), tier(config(&redis)));
    eventually("both listen", || {
        redis::cmd("PUBSUB")
            .arg("NUMSUB")
            .arg("{test}:purges")
            .query::<(String, u64)>(&mut redis.connection())
            .unwrap()
            .1
            == 2
    });
    // The log grows and nobody is told, as when a connection breaks at that moment.
    log_silently(&redis, "tmissed");
    // The next message is one further than expected.
    purge(&one, Purge::tag("next"));
    let mut heard = Vec::new();
    eventually("the missed one is heard", || {
        heard.extend(two.news(true).into_iter().map(|news| news.purge));
        heard.len() >= 2
    });
    assert_eq!(heard, [Purge::tag("missed"), Purge::tag("next")]);
    // And where no message follows, the number is asked for.
    log_silently(&redis, "tsilent");
    eventually("the silent one is heard", || {
        two.news(true).iter().any(|news| news.purge == Purge::tag("silent"))
    });
}

#[test]
fn who_was_away_hears_what_the_log_holds_and_drops_everything_where_it_holds_less() {
    let Some(redis) = Redis::start() else { return };
    let small = RedisConfig {
        purge_log: 10,
        ..config(&redis)
    };
    let one = tier(small.clone());
    let heard = purge(&one, Purge::tag("before"));
    for number in 0..5 {
        purge(&one, Purge::tag(&number.to_string()));
    }
    let away = RedisTier::new(small.clone());
    away.resume(heard);
    let news: Vec<_> = away.news(true).into_iter().map(|news| news.purge).collect();
    let missed: Vec<_> = (0..5).map(|number| Purge::tag(&number.to_string())).collect();
    assert_eq!(news, missed);
    for number in 0..20 {
        purge(&one, Purge::tag(&number.to_string()));
    }
    let longer = RedisTier::new(small);
    longer.resume(heard);
    let news: Vec<_> = longer.news(true).into_iter().map(|news| news.purge).collect();
    assert_eq!(news, [Purge::All]);
    assert_eq!(longer.faults().count(FaultKind::MissedPurges), 1);
}

#[test]
fn a_record_older_than_the_log_is_not_believed() {
    let Some(redis) = Redis::start() else { return };
    let small = RedisConfig {
        purge_log: 5,
        ..config(&redis)
    };
    let one = tier(small.clone());
    write(&one, &[record(&one, "old", "value", &["t"])]);
    purge(&one, Purge::tag("t"));
    for number in 0..20 {
        purge(&one, Purge::tag(&number.to_string()));
    }
    assert!(read(&one, "old").is_none());
    let two = tier(small);
    assert!(read(&two, "old").is_none());
}

#[test]
fn a_wrong_checksum_or_another_schema_is_a_miss_and_is_removed() {
    let Some(redis) = Redis::start() else { return };
    let one = tier(config(&redis));
    for at in [0, 100] {
        let mut encoded = record(&one, "key", noise(1, 200), &[]).encode();
        encoded[at] ^= 1;
        redis::cmd("SET")
            .arg("{test}:r:key")
            .arg(encoded)
            .query::<()>(&mut redis.connection())
            .unwrap();
        assert!(read(&one, "key").is_none());
        maintain(&one);
        assert!(
            !redis::cmd("EXISTS")
                .arg("{test}:r:key")
                .query::<bool>(&mut redis.connection())
                .unwrap()
        );
    }
    assert_eq!(one.stats().bad_records, 2);
}

#[test]
fn a_server_that_vanished_is_a_miss_and_comes_back_by_itself() {
    let Some(mut redis) = Redis::start() else { return };
    let told = Told::default();
    let one = tier(RedisConfig {
        fault_sink: told.sink(),
        ..config(&redis)
    });
    let old = record(&one, "key", "value", &["t"]);
    write(&one, std::slice::from_ref(&old));
    assert!(read(&one, "key").is_some());
    redis.kill();
    let began = Instant::now();
    for _ in 0..1000 {
        assert!(read(&one, "key").is_none());
    }
    assert!(began.elapsed() < Duration::from_secs(5), "nobody waits long");
    write(&one, &[record(&one, "lost", "value", &[])]);
    let order = PurgeOrder {
        purge: Some(Purge::tag("t")),
        origin: Origin::Here,
    };
    assert!(
        one.purge(&[order]).is_err(),
        "a purge that cannot be told is not passed over"
    );
    let stats = one.stats();
    assert!(
        stats.breaker_openings == 1 && stats.unavailable > 900 && stats.lost >= 1,
        "{stats:?}"
    );
    let of_this_kind = || {
        let told = told.all();
        told.iter().filter(|fault| fault.kind == FaultKind::Unreachable).count()
    };
    // The thread that hears of purges may be the one that tells it.
    eventually("it is told", || of_this_kind() > 0);
    assert_eq!(of_this_kind(), 1, "told once per period: {:?}", told.all());
    redis.restart();
    eventually("it is back", || {
        maintain(&one);
        write(&one, &[record(&one, "new", "value", &["t"])]);
        read(&one, "new").is_some()
    });
    // It lost its numbers: whatever is from before is dead.
    write(&one, &[old]);
    assert!(read(&one, "key").is_none());
    eventually("everything is dropped above too", || {
        one.news(true).iter().any(|news| news.purge == Purge::All)
    });
    // Messages are heard again.
    let two = tier(config(&redis));
    eventually("purges are heard again", || {
        purge(&two, Purge::tag("again"));
        one.news(true).iter().any(|news| news.purge == Purge::tag("again"))
    });
}

#[test]
fn a_server_that_hangs_is_a_miss_in_time_and_comes_back_by_itself() {
    let Some(redis) = Redis::start() else { return };
    let told = Told::default();
    let one = tier(RedisConfig {
        fault_sink: told.sink(),
        ..config(&redis)
    });
    write(&one, &[record(&one, "key", "value", &["t"])]);
    assert!(read(&one, "key").is_some());
    redis.stop();
    let mut longest = Duration::ZERO;
    let mut waited = 0;
    for _ in 0..2000 {
        let began = Instant::now();
        assert!(read(&one, "key").is_none());
        let took = began.elapsed();
        longest = longest.max(took);
        waited += u32::from(took > Duration::from_millis(20));
    }
    // Three answers that do not come, or fewer where our own threads found out first; one of them may need a connection.
    assert!(waited <= 3, "{waited} reads waited");
    assert!(longest < Duration::from_secs(1), "one read waited {longest:?}");
    assert!(one.stats().breaker_openings == 1, "{:?}", one.stats());
    assert!(told.all().iter().any(|fault| fault.kind == FaultKind::TimedOut));
    redis.go_on();
    eventually("it is back", || {
        maintain(&one);
        read(&one, "key").is_some()
    });
    assert!(one.is_available());
}

#[test]
fn a_server_that_lost_its_counter_is_not_believed() {
    let Some(redis) = Redis::start() else { return };
    let one = tier(config(&redis));
    write(&one, &[record(&one, "key", "value", &["t"])]);
    // The server evicted it, or came back with an old snapshot.
    for harm in ["DEL", "SET"] {
        write(&one, &[record(&one, "key", "value", &["t"])]);
        assert!(read(&one, "key").is_some());
        let mut command = redis::cmd(harm);
        command.arg("{test}:sequence");
        if harm == "SET" {
            command.arg("17");
        }
        command.query::<redis::Value>(&mut redis.connection()).unwrap();
        assert!(read(&one, "key").is_none(), "after {harm}");
        let two = tier(config(&redis));
        assert!(read(&two, "key").is_none(), "after {harm}");
        write(&one, &[record(&one, "new", "value", &["t"])]);
        assert!(read(&two, "new").is_some(), "after {harm}");
    }
}

#[test]
fn an_address_where_nobody_listens_is_an_empty_tier() {
    let one = RedisTier::new(RedisConfig {
        connect_timeout: Duration::from_millis(50),
        ..RedisConfig::new("redis://127.0.0.1:1/", "test")
    });
    assert!(one.resume(0));
    assert!(read(&one, "key").is_none());
    write(&one, &[record(&one, "key", "value", &[])]);
    let wrong = RedisTier::new(RedisConfig::new("not an address", "test"));
    assert!(read(&wrong, "key").is_none());
    assert!(wrong.stats().faults > 0);
}

#[test]
fn a_soft_purge_makes_stale_on_all_machines() {
    let Some(redis) = Redis::start() else { return };
    let (one, two) = (tier(config(&redis)), tier(config(&redis)));
    write(&one, &[record(&one, "key", "value", &["t"])]);
    assert!(read(&two, "key").unwrap().times.fresh_until > wall_clock());
    let softly = Purge::tag("t").softly(wall_clock());
    purge(&one, softly.clone());
    for tier in [&one, &two] {
        let times = read(tier, "key").expect("it is not hidden").times;
        assert!(times.fresh_until <= wall_clock() && times.dead_at > wall_clock());
    }
    let news = two.news(false);
    assert_eq!(news.into_iter().map(|news| news.purge).collect::<Vec<_>>(), [softly]);
    purge(&one, Purge::tag("t"));
    assert!(read(&two, "key").is_none());
}
