// What libraries ask the system for, in a simulation: random numbers that follow from its seed, and a time that follows from how often it was
// asked for. Linked in front of the C library, because no library lets all of it be chosen: hash maps, tokio's order of what is ready at once,
// identities; when HTTP/2 forgets a stream, the dates of answers.
//
// It is in effect in a process that was started for a seed, and on every thread of it but the first, which waits for the others by the clock.
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

// The variable that holds the seed; `src/process.rs` sets it.
#define SEED "ZOT_SIMULATION_SEED"
// The step of SplitMix64.
#define STEP UINT64_C(0x9e3779b97f4a7c15)
// When simulations begin, in seconds since 1970, as in `src/wall.rs`, and how far each question takes the time: about as far as a simulation gets
// between two of them, so that what is forgotten after a second of it is remembered for about a second of the simulation.
#define BEGIN_S 1767225600
#define STEPS_IN_S 10000

enum { UNKNOWN, TRUE_CHANCE, SEEDED };

// Each thread has numbers and a time of its own: what one of them asks for changes nothing for the others.
static __thread int chance;
static __thread uint64_t state;
static __thread uint64_t asked;

static int is_seeded(void) {
    if (chance == UNKNOWN) {
        const char *seed = getenv(SEED);
        chance = seed != NULL && syscall(SYS_gettid) != getpid() ? SEEDED : TRUE_CHANCE;
        state = seed != NULL ? strtoull(seed, NULL, 10) : 0;
    }
    return chance == SEEDED;
}

static uint64_t next(void) {
    uint64_t mixed = state += STEP;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

ssize_t getrandom(void *bytes, size_t length, unsigned flags) {
    if (!is_seeded()) {
        return syscall(SYS_getrandom, bytes, length, flags);
    }
    for (size_t at = 0; at < length; at++) {
        ((unsigned char *)bytes)[at] = (unsigned char)next();
    }
    return (ssize_t)length;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!is_seeded() || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)) {
        return (int)syscall(SYS_clock_gettime, clock, time);
    }
    asked++;
    time->tv_sec = BEGIN_S + (time_t)(asked / STEPS_IN_S);
    time->tv_nsec = (long)(asked % STEPS_IN_S) * (1000000000 / STEPS_IN_S);
    return 0;
}
