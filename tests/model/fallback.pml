/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fallback of an operational ATR: two members send on generation 1; a manager gives them
 * generation 2 to lie ready, tells them when all hold it, may decide on generation 3 at any moment,
 * and may die at any moment, for good. Links break and return. Members whose manager is away enter
 * the fallback whenever they like, and follow what they hear, as daemon/node_fallback.c does.
 * Checked in every reachable state:
 *
 *  hears     what one member sends on, each other one holds; but for those that had been away
 *            when generation 3 came into use, or when it retired the others (they are told by the
 *            manager when they return)
 *
 * Time is left out, but for this: a generation that a member has left ends there by itself only
 * after each other member was heard to be where it is, or had the chance to follow: announcements
 * go on for half of the grace, and nobody hears that a manager is there that is not.
 *
 * Broken on purpose, each must make spin report an error (model.sh checks that it does):
 * -DBREAK_ARM tells members that they may enter before all hold it; -DBREAK_FOLLOW follows into
 * the fallback alone, not into what a manager had begun to activate; -DBREAK_LEFTOVER erases a
 * fallback that was not used at once when a newer generation is activated; -DBREAK_DEAF follows
 * nobody.
 */
#define M	2
#define BOTH(p)	(p(0) && p(1))

#define HELD(i, g)	held[(i) * 4 + (g)]
#define TALKED(i, j)	talked[(i) * M + (j)]
bool held[M * 4];
bool talked[M * M];			/* @j was where @i is now, or could have followed */
byte sends[M];
bool armed[M], up[M];

/* The manager's journal */
bool dead;
bool has2[M], told[M], has3[M], on3[M], cut[M];
byte three;				/* 0: no generation 3, 1: PREPARING, 2: in use */

inline erase_below(i, g) {
	HELD(i, 1) = HELD(i, 1) && 1 >= g;
	HELD(i, 2) = HELD(i, 2) && 2 >= g
}

inline go(i, g) {
#ifdef BREAK_LEFTOVER
	HELD(i, 2) = HELD(i, 2) && (g < 3 || sends[i] == 2);
#endif
	sends[i] = g;
	TALKED(i, 0) = false; TALKED(i, 1) = false
}

/* The answer may be lost, and the link with it. */
#define ANSWERED(x)	if :: x = true :: up[i] = false fi

#define KNOWN2(j)	(has2[j])
#ifdef BREAK_ARM
#define EVERYWHERE	true
#else
#define EVERYWHERE	BOTH(KNOWN2)
#endif
#define READY3(j)	(has3[j] || !up[j])
#define DONE3(j)	(on3[j] || !up[j] || cut[j])

inline manage(i) {
	if
	:: three == 0 && !has2[i] -> HELD(i, 2) = true; ANSWERED(has2[i])
	:: three == 0 && has2[i] && !told[i] && EVERYWHERE -> armed[i] = true; ANSWERED(told[i])
	:: three >= 1 && !has3[i] -> HELD(i, 3) = true; ANSWERED(has3[i])
	:: three == 2 && has3[i] && !on3[i] -> go(i, 3); ANSWERED(on3[i])
	:: three == 2 && on3[i] && BOTH(DONE3) && (HELD(i, 1) || HELD(i, 2)) ->
		cut[0] = cut[0] || !on3[0]; cut[1] = cut[1] || !on3[1];
		erase_below(i, 3)
	fi
}

#define WORK(i)	((three == 0 && !has2[i]) || (three == 0 && has2[i] && !told[i] && EVERYWHERE) || \
		 (three >= 1 && !has3[i]) || (three == 2 && has3[i] && !on3[i]) || \
		 (three == 2 && on3[i] && BOTH(DONE3) && (HELD(i, 1) || HELD(i, 2))))

proctype Manager() {
end:	do
	:: atomic { !dead && up[0] && WORK(0) -> manage(0) }
	:: atomic { !dead && up[1] && WORK(1) -> manage(1) }
	:: d_step { !dead && three == 0 -> three = 1 }
	:: d_step { !dead && three == 1 && BOTH(READY3) && (has3[0] || has3[1]) ->
		three = 2; cut[0] = !has3[0]; cut[1] = !has3[1] }
	:: d_step { !dead -> dead = true; up[0] = false; up[1] = false }
	:: dead -> break
	od
}

/* A heartbeat says what is there. */
inline returns(i) {
	up[i] = true;
	has2[i] = HELD(i, 2); has3[i] = HELD(i, 3); on3[i] = (sends[i] == 3);
	told[i] = told[i] && armed[i]
}

proctype Network() {
end:	do
	:: d_step { !dead && !up[0] -> returns(0) }
	:: d_step { !dead && !up[1] -> returns(1) }
	:: up[0] = false
	:: up[1] = false
	:: dead -> break
	od
}

#ifdef BREAK_DEAF
#define FOLLOWS(i, j)	false
#else
#ifdef BREAK_FOLLOW
#define FOLLOWS(i, j)	(sends[i] == 2)
#else
#define FOLLOWS(i, j)	true
#endif
#endif
/* With the manager there it is the manager who says so, but for the fallback. */
#define MAY_FOLLOW(i, j)	(!up[j] || (sends[i] == 2 && armed[j]))

inline talk(i, j) {
	if
	:: sends[j] >= sends[i] -> TALKED(i, j) = true
	:: sends[j] < sends[i] && HELD(j, sends[i]) && MAY_FOLLOW(i, j) ->
		TALKED(i, j) = true;
		if
		:: FOLLOWS(i, j) -> go(j, sends[i])
		:: else -> skip
		fi
	:: else -> skip
	fi
}

inline expire(i, j) {
	(cut[j] || TALKED(i, j)) && (HELD(i, 1) && sends[i] > 1 || HELD(i, 2) && sends[i] > 2) ->
	erase_below(i, sends[i])
}

#define MEMBER(i, j)										\
	:: d_step { !up[i] && armed[i] && HELD(i, 2) && sends[i] < 2 -> go(i, 2) }		\
	:: d_step { !TALKED(i, j) -> talk(i, j) }						\
	:: d_step { expire(i, j) }

proctype Members() {
end:	do
	MEMBER(0, 1)
	MEMBER(1, 0)
	od
}

#define HEARS(i, j)	(!sends[i] || cut[i] || cut[j] || HELD(j, sends[i]))
ltl hears { [] (HEARS(0, 1) && HEARS(1, 0)) }

init {
	atomic {
		HELD(0, 1) = true; HELD(1, 1) = true;
		sends[0] = 1; sends[1] = 1;
		up[0] = true; up[1] = true;
		run Manager(); run Network(); run Members()
	}
}
