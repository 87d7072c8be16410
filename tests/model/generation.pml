/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Generations of one operational ATR: a manager, two members, and links that break at any
 * moment (a member sleeps, is cut off, restarts its daemon), as daemon/rekey.c and
 * kernel/keys.c do it: prepare everywhere, activate, retire.
 * Checked in every reachable state:
 *
 *  hears     two members that the manager has finished with hear each other: what one
 *            sends on, the other receives; also while a newer generation is being set up
 *  retired   nothing of an erased generation is ever accepted, from whenever it was
 *            recorded; an erased number never comes back (the fence)
 *  no deadlock (invalid end states)
 *
 * Left out: cryptography (a packet is what authenticates it) and time (whatever a timer
 * allows may happen at any moment; the grace that covers packets under way is time).
 *
 * Broken on purpose, each must make spin report an error (model.sh checks that it does):
 * -DBREAK_ORDER activates before all that are up have prepared; -DBREAK_RETIRE retires
 * before all that are up have activated; -DBREAK_FENCE installs old numbers again.
 */
#define G	3			/* generations that the manager makes */
#define CUTS	2			/* times that the network may cut links */

mtype = { PREPARE, ACTIVATE, RETIRE };

/* A link is TLS over TCP: in order and reliable while it is up, empty after it broke. */
chan to0 = [1] of { mtype, byte };
chan to1 = [1] of { mtype, byte };
chan from0 = [1] of { mtype, byte };
chan from1 = [1] of { mtype, byte };
bool up[2];

/* A member's kernel. Number 0 is "none". */
#define HELD(i, g)	held[(i) * (G + 1) + (g)]
bool held[2 * (G + 1)];
byte sends[2];				/* the active generation */
byte newest[2];				/* highest number ever installed: the fence */
byte erased[2];				/* highest number erased */

/* The manager's journal. */
byte prepared[2], activated[2], retired[2];
byte wanted, current;
bool stayed[2];				/* up ever since a change was complete with it */

inline member(i, in, out) {
	in?t, g;
	if
	:: t == PREPARE ->
		if
#ifdef BREAK_FENCE
		:: true -> HELD(i, g) = true
#else
		:: g > newest[i] -> newest[i] = g; HELD(i, g) = true
		:: else -> skip			/* refused, or installed already */
#endif
		fi
	:: t == ACTIVATE ->
		if
		:: HELD(i, g) && g > sends[i] -> sends[i] = g
		:: else -> skip
		fi
	:: t == RETIRE ->
		if
		:: g != sends[i] && HELD(i, g) ->
			HELD(i, g) = false;
			if
			:: g > erased[i] -> erased[i] = g
			:: else -> skip
			fi
		:: else -> skip
		fi
	fi;
	out!t, g
}

/* Any packet of the other's, of whatever it ever sent: numbers up to what it sends on. */
inline receive(i) {
	select(p : 1 .. G);
	if
	:: p <= sends[1 - i] && HELD(i, p) -> assert(p > erased[i])		/* retired */
	:: else -> skip
	fi
}

proctype Member0() {
	mtype t; byte g, p;
end:	do
	:: d_step { up[0] && nempty(to0) && nfull(from0) -> member(0, to0, from0); t = 0; g = 0 }
	:: atomic { sends[0] && sends[1] -> receive(0); p = 0 }
	od
}

proctype Member1() {
	mtype t; byte g, p;
end:	do
	:: d_step { up[1] && nempty(to1) && nfull(from1) -> member(1, to1, from1); t = 0; g = 0 }
	:: atomic { sends[0] && sends[1] -> receive(1); p = 0 }
	od
}

#define ALL_ACTIVATED	((!up[0] || activated[0] == current) && (!up[1] || activated[1] == current))

/* A change is complete when all that are up send on the new generation. */
inline complete() {
	if
	:: ALL_ACTIVATED -> stayed[0] = up[0]; stayed[1] = up[1]
	:: else -> skip
	fi
}

inline answered(i, in) {
	in?t, g;
	if
	:: t == PREPARE && g > prepared[i] -> prepared[i] = g
	:: t == ACTIVATE && g > activated[i] -> activated[i] = g; complete()
	:: t == RETIRE && g > retired[i] -> retired[i] = g
	:: else -> skip
	fi;
	t = 0; g = 0
}

#ifdef BREAK_ORDER
#define MAY_ACTIVATE	true
#else
#define MAY_ACTIVATE	(current == wanted || \
			 ((!up[0] || prepared[0] == wanted) && (!up[1] || prepared[1] == wanted)))
#endif
#ifdef BREAK_RETIRE
#define MAY_RETIRE	true
#else
#define MAY_RETIRE	ALL_ACTIVATED
#endif

inline next_request(i, out) {
	if
	/* what it sends on must be the newest before anything else is asked of it */
	:: prepared[i] < wanted -> out!PREPARE, wanted
	:: prepared[i] == wanted && activated[i] < wanted && MAY_ACTIVATE -> current = wanted; out!ACTIVATE, wanted
	:: activated[i] == current && current > 1 && retired[i] < current - 1 && MAY_RETIRE -> out!RETIRE, retired[i] + 1
	fi
}

#define IDLE(out, in)	(empty(out) && empty(in))
#define WORK(i)		(prepared[i] < wanted || \
			 (prepared[i] == wanted && activated[i] < wanted && MAY_ACTIVATE) || \
			 (activated[i] == current && current > 1 && retired[i] < current - 1 && MAY_RETIRE))

proctype Manager() {
	mtype t; byte g;
end:	do
	/* operator, policy, eviction: one change at a time */
	:: d_step { wanted < G && wanted == current && ALL_ACTIVATED -> wanted++ }
	:: d_step { up[0] && nempty(from0) -> answered(0, from0) }
	:: d_step { up[1] && nempty(from1) -> answered(1, from1) }
	:: d_step { up[0] && IDLE(to0, from0) && WORK(0) -> next_request(0, to0) }
	:: d_step { up[1] && IDLE(to1, from1) && WORK(1) -> next_request(1, to1) }
	od
}

inline drain(in, out) {
	if :: nempty(in) -> in?_, _ :: empty(in) fi;
	if :: nempty(out) -> out?_, _ :: empty(out) fi
}

proctype Network() {
	byte cuts;
end:	do
	:: !up[0] -> up[0] = true
	:: !up[1] -> up[1] = true
	:: d_step { up[0] && cuts < CUTS -> up[0] = false; stayed[0] = false; cuts++; drain(to0, from0) }
	:: d_step { up[1] && cuts < CUTS -> up[1] = false; stayed[1] = false; cuts++; drain(to1, from1) }
	od
}

/*
 * Whoever stayed up since a change was complete is heard by all others who did. (Who returns in
 * the middle of a change gets only the new generation: it hears each of the others from the moment
 * that the other sends on it.)
 */
#define HEARD		(HELD(0, sends[1]) && HELD(1, sends[0]))
ltl hears { [] ((stayed[0] && stayed[1]) -> HEARD) }

/* A manager from an old backup, or a request that was recorded: an old number, once to each. */
proctype Stale() {
	bool done0, done1;
end:	do
	:: d_step { !done0 && up[0] && wanted > 0 && IDLE(to0, from0) -> to0!PREPARE, 1; done0 = true }
	:: d_step { !done1 && up[1] && wanted > 0 && IDLE(to1, from1) -> to1!PREPARE, 1; done1 = true }
	od
}

init {
	atomic { run Member0(); run Member1(); run Manager(); run Network(); run Stale() }
}
