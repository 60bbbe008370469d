/*
 * How two sides of shared memory sleep and wake each other: src/shm/segment.cpp (wish, take_wish), sender.cpp (publish), receiver.cpp
 * (give_back), src/mtcp/connection_memory.cpp (may_sleep, ring). For spin (Debian package `spin`), https://spinroot.com:
 *
 *     scripts/check_model                              all of what follows, in half a minute
 *
 *     spin -a docs/model/wake.pml
 *     cc -O2 -DSAFETY -DNOCLAIM -o pan pan.c && ./pan  no deadlock: nobody sleeps for what is there (invalid end states)
 *     cc -O2 -DNFAIR=4 -o pan pan.c && ./pan -a -f     all that was published is read in the end, if both sides and their processors go on
 *
 * Without either fence, and without the second look before sleeping, both fail, as they should: spin -DNO_FENCE_OF_WISHES,
 * -DNO_FENCE_OF_NEWS, -DNO_SECOND_LOOK. `./pan -r` then shows the steps that lead there.
 *
 * Each side writes COUNT runs and reads COUNT; ROOM of them lie in the memory at most, so sides sleep for input, for room, and for both.
 * Runs are shown, and reported as read, one by one or together, as it happens. The processors have total store order (x86): a store waits in
 * its side's buffer, behind earlier ones, until the memory takes it, and loads go ahead of it. A fence waits until the buffer is empty; so does
 * the one instruction that reads and writes. No side loads what it stores itself, so nothing has to be looked up in the buffer.
 *
 * The bell is a Unix socket: a byte that was sent arrives, and several are as good as one.
 */
#ifndef COUNT
#define COUNT 3
#endif
#ifndef ROOM
#define ROOM 1
#endif

#define for_input 1
#define for_room 2

/* What both sides see. */
byte published[2];   /* runs that the side has shown (the queue's words) */
byte taken[2];       /* runs of the other that the side is through with */
byte wishes[2];      /* the side's own, taken back by the other */
bool bell[2];        /* a byte for the side to receive */

/* What only the side itself knows. */
byte kept[2];
byte read[2];

mtype = { set_published, set_taken, set_wishes };
chan buffer_of_first = [4] of { mtype, byte };
chan buffer_of_second = [4] of { mtype, byte };

inline fence() { empty(stores) }

/* The queue's words, or the count of runs taken, are stored; whoever sleeps for them is woken. */
inline tell(what, value, wished) {
    stores!what(value);
#ifndef NO_FENCE_OF_NEWS
    fence();
#endif
    if
    :: (wishes[you] & wished) != 0 ->
        atomic { empty(stores) -> woke = (wishes[you] & wished) != 0; wishes[you] = wishes[you] & (3 - wished) }
        if
        :: woke -> bell[you] = true
        :: else
        fi
    :: else
    fi
}

inline publish() {
    if
    :: shown < kept[me] -> shown = kept[me]; tell(set_published, shown, for_input)
    :: else
    fi
}

inline give_back() {
    if
    :: told < read[me] -> told = read[me]; tell(set_taken, told, for_room)
    :: else
    fi
}

/* Sleeps, unless what it would sleep for is there when it looks once more. */
inline sleep() {
    stores!set_wishes((read[me] < COUNT -> for_input : 0) | (kept[me] < COUNT -> for_room : 0));
#ifndef NO_FENCE_OF_WISHES
    fence();
#endif
#ifdef NO_SECOND_LOOK
    atomic { bell[me] -> bell[me] = false }
#else
    if
    :: published[you] > read[me]
    :: else ->
        if
        :: kept[me] < COUNT && kept[me] - taken[you] < ROOM
        :: else -> atomic { bell[me] -> bell[me] = false }
        fi
    fi
#endif
    stores!set_wishes(0)
}

proctype side(byte me; chan stores) {
    byte you = 1 - me;
    byte shown = 0;
    byte told = 0;
    bool woke;
    do
    :: published[you] > read[me] ->
        read[me]++;
        if
        :: give_back()
        :: true
        fi
    :: kept[me] < COUNT && kept[me] - taken[you] < ROOM ->
        kept[me]++;
        if
        :: publish()
        :: true
        fi
    :: else ->
        publish();
        give_back();
        if
        :: kept[me] == COUNT && read[me] == COUNT -> break
        :: else -> sleep()
        fi
    od
}

#define takes(side_of, stores) \
    stores?set_published(published[side_of]) \
    :: stores?set_taken(taken[side_of]) \
    :: stores?set_wishes(wishes[side_of])

proctype memory_of_first() {
end:
    do
    :: takes(0, buffer_of_first)
    od
}

proctype memory_of_second() {
end:
    do
    :: takes(1, buffer_of_second)
    od
}

init {
    atomic {
        run side(0, buffer_of_first);
        run side(1, buffer_of_second);
        run memory_of_first();
        run memory_of_second()
    }
}

ltl all_is_read { <> (read[0] == COUNT && read[1] == COUNT) }
