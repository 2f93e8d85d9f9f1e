//! Random events on a deployment that runs: after each, what `status` and `verify` say is what the server and the engine
//! themselves say, the named fix works, and the database was started no more often than the event needs.
//!
//! `KASM_DB_SOAK_EVENTS` is the number of events, `KASM_DB_SEED` chooses them, and `KASM_DB_SOAK_EVENT` runs one of them alone.
//! With `KASM_DB_SOAK_ENGINE=own` the engine is this test's own, and is restarted, too.

mod events;
mod kinds;
mod site;
mod truth;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use testing::Random;

use crate::bed::has_no_engine;
use kinds::Kind;
use site::Site;

/// How many events there are in a usual run.
const EVENTS: usize = 40;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text}: not a number")))
}

/// Returns the kind of an event: in each round every kind comes once, in an order of its own.
fn kind(seed: u64, event: usize, kinds: &[Kind]) -> Kind {
    let round = (event / kinds.len()) as u64;
    let mut random = Random(seed ^ round.wrapping_mul(0x51_7cc1_b727_220a));
    let mut order = kinds.to_vec();
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    order[event % kinds.len()]
}

/// What became of the events of a kind.
#[derive(Default)]
struct Count {
    events: usize,
    took: Duration,
    /// The longest time that the database was away in one piece.
    away: Duration,
}

#[test]
fn after_every_event_the_state_is_named_and_the_fix_works() {
    if has_no_engine("random events on a deployment") {
        return;
    }
    let seed = number("KASM_DB_SEED").unwrap_or(1);
    let events = number("KASM_DB_SOAK_EVENTS").map_or(EVENTS, |events| usize::try_from(events).unwrap());
    let only = number("KASM_DB_SOAK_EVENT").map(|event| usize::try_from(event).unwrap());
    let kinds = Kind::all(site::has_own_engine());
    let mut site = Site::new();
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    let mut exceptions = Vec::new();
    for event in (0..events).filter(|event| only.is_none_or(|only| only == *event)) {
        let kind = kind(seed, event, &kinds);
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9).wrapping_add(event as u64));
        let started = Instant::now();
        let mark = site.mark();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let starts = kind.run(&mut site, &mut random);
            site.expect_in_order();
            let seen = site.starts_since(&mark);
            assert_eq!(seen.starts, starts, "the container was started {} times", seen.starts);
            seen.away
        }));
        let count = counts.entry(kind.name()).or_default();
        count.events += 1;
        count.took += started.elapsed();
        match ended {
            Ok(away) => count.away = count.away.max(away),
            Err(why) => {
                let text = why.downcast_ref::<String>().cloned();
                let text = text.or_else(|| why.downcast_ref::<&str>().map(ToString::to_string));
                let name = kind.name();
                let text = text.unwrap_or_default();
                say(&format!("soak: seed {seed}, event {event} ({name}): {text}"));
                exceptions.push(format!("seed {seed}, event {event} ({name})"));
                site.reset();
            }
        }
    }
    if only.is_none() {
        site.one_apply_ends_it_all();
    }
    for (name, Count { events, took, away }) in &counts {
        let each = took.as_secs_f32() / *events as f32;
        say(&format!(
            "soak: {events:3} x {name:24} {each:4.1} s each, away for at most {:.1} s",
            away.as_secs_f32()
        ));
    }
    let (all, wrong) = (counts.values().map(|count| count.events).sum::<usize>(), exceptions.len());
    say(&format!("soak: seed {seed}: {all} events of {} kinds, {wrong} exceptions", counts.len()));
    let again = "run it again with KASM_DB_SEED and KASM_DB_SOAK_EVENT";
    assert!(exceptions.is_empty(), "{again}:\n{}", exceptions.join("\n"));
}

/// Says something past what catches the output of a test that passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
