/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A member that sleeps while the others step from epoch to epoch, wakes up, and catches up by
 * what it hears, as kernel/ahead.c, catchup.c and notice.c have it. Two members are honest and
 * awake; a third one has all their group keys and every epoch's chains, and lies. A recorder
 * has all that was ever sent. The network loses, reorders, repeats.
 * Checked in every reachable state:
 *
 *  led       a jump ends where an honest member is or was, or where the time explains it
 *  awake     three words of the honest members, undisturbed, bring the sleeper to them
 *  retired   nothing is accepted but of the epoch before, the current and the next one;
 *            epochs only grow (P4)
 *  notices   they are no more than the packets that caused them: nobody answers a notice
 *  progress  no state without a successor
 *
 * Left out: cryptography (a packet is what authenticates it), and that one sleeper may wake
 * another: each is to the other one of the honest members.
 *
 * Broken on purpose, each must make spin report an error (model.sh checks that it does):
 * -DBREAK_WITNESS believes one member; -DBREAK_SAME takes one member's second word for a
 * second member's; -DBREAK_LOWER goes to the higher of two words; -DBREAK_GROUP counts words
 * under group keys; -DBREAK_DEAF believes nobody; -DBREAK_RETIRED receives what was retired;
 * -DBREAK_ANSWER answers notices with notices.
 */
#define LAST		4		/* of the honest members */
#define LIES		6		/* last epoch that the liar speaks of */
#define MAX		6		/* AKM_CATCH_UP_MAX */
#define SLACK		1		/* AKM_AHEAD_SLACK */
#define TICKS		2		/* intervals that pass; one of them explains one epoch */
#define LIAR		2
#define PACKETS		1		/* data that the sleeper sends */

byte honest[2];				/* their epochs */
byte now;				/* the sleeper's clock */

/* The sleeper. */
byte current;
bool has_previous;			/* within its grace */
byte previous;
byte date_epoch, date_time;		/* others were heard in this epoch, which began then */
byte began;
bool heard;
bool claimed;
byte claimant, claim;

/* Of the sleeper's packets, and of what they caused */
byte sent, notices;

#define MAX2(a, b)	((a) > (b) -> (a) : (b))
#define MIN2(a, b)	((a) < (b) -> (a) : (b))
#define FARTHEST	MAX2(honest[0], honest[1])
#define LIMIT		(date_epoch + (now - date_time) + SLACK)
#define LEADS		(claimed && claim > current + 1)

/* Has somebody else proved something, too? */
#ifdef BREAK_SAME
#define WITNESS(member)	LEADS
#else
#define WITNESS(member)	(LEADS && claimant != member)
#endif

byte to, e;				/* scratch, 0 between steps */

inline go(target) {
	assert(target > current);					/* retired: it only grows */
	if
	:: heard && now > began -> date_epoch = current; date_time = began
	:: else -> skip
	fi;
	previous = current; has_previous = true;
	current = target; began = now; heard = false
}

/* It is proved that @epoch exists; by @member, if @pair. */
inline judge(member, epoch, pair) {
	to = 0;
	if
	:: epoch <= LIMIT -> to = epoch
#ifndef BREAK_GROUP
	:: epoch > LIMIT && !pair -> skip
	:: epoch > LIMIT && pair ->
#else
	:: else ->
#endif
		if
#ifdef BREAK_WITNESS
		:: true -> to = epoch
#else
		:: WITNESS(member) ->
#ifdef BREAK_LOWER
			to = MAX2(epoch, claim)
#else
#ifndef BREAK_DEAF
			to = MIN2(epoch, claim)
#else
			skip
#endif
#endif
		:: else -> claimed = true; claimant = member; claim = epoch
#endif
		fi
	fi;
	if
	:: to > 0 ->
		assert(to <= FARTHEST || to <= LIMIT);			/* led */
		claimed = false;
		go(to)
	:: else -> skip
	fi;
	to = 0
}

/* The sleeper hears a packet of @member, of @epoch. */
inline hear(member, epoch, pair) {
	if
#ifdef BREAK_RETIRED
	:: epoch <= current ->
#else
	:: epoch == current || (has_previous && epoch == previous) ->
#endif
		assert(epoch == current || epoch == previous);		/* retired */
		heard = heard || epoch == current
	:: epoch == current + 1 -> go(epoch); heard = true
	:: epoch > current + 1 && epoch - current <= MAX -> judge(member, epoch, pair)
	:: else -> skip							/* no key */
	fi
}

proctype Others() {
end:	do
	/* timers, counts, commands: whoever is first pulls the other along */
	:: d_step { honest[0] < LAST && honest[0] <= honest[1] -> honest[0]++ }
	:: d_step { honest[1] < LAST && honest[1] <= honest[0] -> honest[1]++ }
	od
}

proctype Sleeper() {
end:	do
	:: d_step { now < TICKS -> now++ }
	/* its own timer */
	:: d_step { current < LAST && current <= FARTHEST -> go(current + 1) }
	:: d_step { has_previous -> has_previous = false }
	/* anything of the honest members, of any time; under a group key it may be the liar's */
	:: atomic { select(e : 0 .. LIES); d_step {
		if
		:: e <= honest[0] -> hear(0, e, true)
		:: else -> skip
		fi; e = 0 } }
	:: atomic { select(e : 0 .. LIES); d_step {
		if
		:: e <= honest[1] -> hear(1, e, true)
		:: else -> skip
		fi; e = 0 } }
	:: atomic { select(e : 0 .. LIES); d_step { hear(0, e, false); e = 0 } }
	:: atomic { select(e : 0 .. LIES); d_step { hear(1, e, false); e = 0 } }
	:: atomic { select(e : 0 .. LIES); d_step { hear(LIAR, e, true); e = 0 } }
	/* undisturbed for a moment; the word before theirs may have been a lie */
	:: d_step { current <= LAST ->
		hear(0, honest[0], true); hear(1, honest[1], true); hear(0, honest[0], true);
		assert(current + 1 >= MIN2(honest[0], honest[1])) }		/* awake */
	od
}

/* A packet under an epoch that the other side has no key of: it sends a notice, or not. */
proctype Notices() {
	bool notice;

end:	do
	:: d_step { sent < PACKETS -> sent++;
		if
		:: current + 1 < FARTHEST -> notices++; notice = true
		:: else -> skip
		fi }
	/* the notice is under an epoch that the sleeper has no key of */
	:: d_step { notice -> notice = false;
#ifdef BREAK_ANSWER
		if
		:: current + 1 < FARTHEST -> notices++; notice = true
		:: else -> skip
		fi;
#endif
		assert(notices <= sent) }					/* notices */
	od
}

init {
	atomic { run Others(); run Sleeper(); run Notices() }
}
