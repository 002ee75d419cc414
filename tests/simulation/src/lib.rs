//! A whole cluster in one thread: gateways, nodes with their consensus, stores in memory and clients, whose time, chance and misfortune all
//! follow from a seed. What must hold is in `invariants/`; what happens to them in `nemesis.rs`.
//!
//! Each process has a runtime with a paused clock, and they take turns of a few simulated milliseconds. So one can crash (its runtime is
//! dropped), be stopped and go on later with what it believed before, or have a clock that runs faster than others.
//!
//! A seed repeats a whole simulation, to the order of what happens in one instant. So each runs in a process of its own (`process.rs`), in which
//! what libraries below ask the system for, random numbers and the time, follows from the seed too (`chance.c`). Elsewhere than on Linux, where
//! they have other ways to ask, it repeats the course of misfortune, the identities of nodes and what each client is about to do.
#![cfg(test)]

mod client;
mod gateway;
mod history;
mod host;
mod invariants;
mod nemesis;
mod network;
mod node;
mod process;
mod random;
mod rounds;
mod simulation;
mod stores;
mod upload;
mod wall;

use process::Course;
use rounds::Rounds;
use stores::Broken;

/// Simulations by default.
const ROUNDS: u64 = 30;

#[test]
fn what_is_promised_holds_whatever_happens() {
    let (rounds, mut run, mut harms) = (Rounds::of(ROUNDS), 0, [0; 3]);
    for seed in rounds.seeds() {
        let Course { events, violations, images } = process::run(seed, Broken::Nothing);
        println!("{}: {images} images", rounds::command(seed));
        if !violations.is_empty() {
            println!("{}", events.join("\n"));
            panic!("{violations:#?}\nreplay it: {}", rounds::command(seed));
        }
        assert!(images > 3, "only {images} images were pushed: {}", rounds::command(seed));
        run += 1;
        for (count, harm) in harms.iter_mut().zip(nemesis::CHANGES_OF_MEMBERS) {
            *count += events.iter().filter(|event| event.contains(nemesis::HARM) && event.contains(harm)).count();
        }
    }
    assert!(run >= rounds.least(), "only {run} seeds were run");
    assert!(run == 1 || harms.iter().sum::<usize>() > 0, "the members never changed");
    rounds::tell(&format!("{run} seeds were run, {:?}: {harms:?}", nemesis::CHANGES_OF_MEMBERS));
}

/// On Linux only: elsewhere it is not known how libraries ask for random numbers and the time.
#[test]
#[cfg(target_os = "linux")]
fn one_seed_is_one_course_of_events() {
    for seed in [7, 8] {
        let [first, second] = [(); 2].map(|()| process::run(seed, Broken::Nothing).events);
        assert!(first.iter().filter(|event| event.contains(nemesis::HARM)).count() > 5, "{first:?}");
        let both = first.iter().zip(&second);
        let parted = both.enumerate().find(|(_, (one, other))| one != other);
        assert_eq!(parted, None, "seed {seed}");
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
}

/// Whether one of a few seeds shows that a promise is broken.
fn is_noticed(broken: Broken) -> bool {
    let noticed = (1..=8).find(|seed| !process::run(*seed, broken).violations.is_empty());
    println!("{broken:?} is noticed with seed {noticed:?}");
    noticed.is_some()
}

#[test]
fn rows_that_are_acknowledged_and_not_written_are_noticed() {
    assert!(is_noticed(Broken::Rows));
}

#[test]
fn sessions_that_are_acknowledged_and_not_saved_are_noticed() {
    assert!(is_noticed(Broken::Sessions));
}

#[test]
fn bytes_that_are_spoken_of_although_they_were_condemned_are_noticed() {
    assert!(is_noticed(Broken::Marks));
}
