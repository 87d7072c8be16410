/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Epochs and freshness between one sender and one receiver, over a network that loses,
 * reorders and repeats, and that a recorder listens to for ever: whatever was once on the
 * wire may arrive at any later moment, any number of times. Either side may reboot (its
 * windows and nonces are gone, its credentials are not, and its epoch may be an older one:
 * the sealed chain lags); the receiver may sleep.
 * Checked in every reachable state:
 *
 *  replay    no packet is delivered twice, also not after the receiver has rebooted (P3)
 *  epoch     only the current epoch, the one before and the next are received; a retired
 *            epoch's packet never is (P4); epochs only grow while a kernel state lives
 *  nonce     no (epoch, incarnation, sequence) is sent twice (P1)
 *  progress  no state without a successor
 *
 * The receiver without a window for the sender delivers nothing: it asks hello(nonce), with
 * one nonce for the whole of its life, and the sender answers hello-ack(nonce, epoch, next
 * number), the same to the same nonce while it lives. What is above that is new; everything
 * else may be a replay and is refused. (Packets that wait for the ack are, here, packets
 * that arrive later.)
 *
 * Broken on purpose, each must make spin report an error (model.sh checks that it does):
 * -DBREAK_FRESH delivers without asking; -DBREAK_NONCE takes an ack for an older hello;
 * -DBREAK_INCARNATION reboots the sender with the incarnation it had; -DBREAK_RETIRED
 * receives epochs that were retired; -DBREAK_FLOOR takes every later epoch than the ack's
 * for new.
 */
#define PACKETS		3		/* that the sender sends, over all its lives */
#define EPOCHS		2		/* the last epoch */
#define REBOOTS		2		/* of either side */

/* Every packet ever sent, by order of sending: what a recorder has. */
byte sent;
byte p_epoch[PACKETS], p_incarnation[PACKETS], p_sequence[PACKETS];
byte delivered[PACKETS];

/* The sender's kernel. The incarnation is counted by its TPM. */
byte s_epoch, s_incarnation = 1, s_sequence;
byte m_nonce, m_epoch, m_seq;		/* what it answered last in this life */

/* The receiver's kernel. */
byte r_epoch;
bool r_fresh;				/* has a window */
byte r_low_epoch, r_low_inc, r_low_seq;	/* what is below was, or may have been, seen */
bool r_seen[PACKETS];			/* the window's bits */
byte r_nonce = 1;			/* of this life's hellos */

byte reboots;

/* The last two hello-acks on the wire, to be delivered whenever. */
byte a_nonce[2], a_epoch[2], a_inc[2], a_seq[2];
byte hello;				/* the nonce of a hello under way, 0: none */

/*
 * Is packet k above what freshness began with? A later epoch alone does not make it so: a
 * sender that was there before, and rebooted with an older chain, answers from before.
 */
#ifdef BREAK_FLOOR
#define ABOVE(k)	(p_epoch[k] > r_low_epoch || (p_epoch[k] == r_low_epoch && \
			 (p_incarnation[k] > r_low_inc || \
			  (p_incarnation[k] == r_low_inc && p_sequence[k] >= r_low_seq))))
#else
#define ABOVE(k)	(p_incarnation[k] > r_low_inc || (p_incarnation[k] == r_low_inc && \
			 (p_epoch[k] > r_low_epoch || \
			  (p_epoch[k] == r_low_epoch && p_sequence[k] >= r_low_seq))))
#endif

byte i;					/* scratch, 0 between steps */

inline check_nonce(n) {
	i = 0;
	do
	:: i < n ->
		assert(p_epoch[i] != p_epoch[n] || p_incarnation[i] != p_incarnation[n] ||
		       p_sequence[i] != p_sequence[n]);		/* nonce */
		i++
	:: else -> break
	od;
	i = 0
}

inline forget_window() {
	i = 0;
	do
	:: i < PACKETS -> r_seen[i] = false; i++
	:: else -> break
	od;
	i = 0; r_low_epoch = 0; r_low_inc = 0; r_low_seq = 0
}

inline arrive(k) {
	if
#ifdef BREAK_RETIRED
	:: true ->
#else
	:: p_epoch[k] + 1 >= r_epoch && p_epoch[k] <= r_epoch + 1 ->
#endif
		if
		:: p_epoch[k] > r_epoch -> r_epoch = p_epoch[k]		/* authentic: it pulls the receiver */
		:: else -> skip
		fi;
		if
#ifdef BREAK_FRESH
		:: !r_seen[k] ->
#else
		:: r_fresh && !r_seen[k] && ABOVE(k) ->
#endif
			assert(p_epoch[k] + 1 >= r_epoch);		/* epoch: not a retired one */
			assert(delivered[k] == 0);			/* replay */
			delivered[k] = 1; r_seen[k] = true
		:: else -> skip
		fi
	:: else -> skip
	fi
}

inline take(n) {
	if
#ifdef BREAK_NONCE
	:: true ->
#else
	:: a_nonce[n] == r_nonce ->
#endif
		forget_window();
		r_fresh = true; r_low_epoch = a_epoch[n]; r_low_inc = a_inc[n]; r_low_seq = a_seq[n];
		if
		:: a_epoch[n] > r_epoch -> r_epoch = a_epoch[n]
		:: else -> skip
		fi
	:: else -> skip
	fi
}

proctype Sender() {
end:	do
	:: d_step { sent < PACKETS ->
		p_epoch[sent] = s_epoch; p_incarnation[sent] = s_incarnation; p_sequence[sent] = s_sequence;
		check_nonce(sent);
		s_sequence++; sent++ }
	/* the epoch timer */
	:: d_step { s_epoch < EPOCHS && s_epoch <= r_epoch -> s_epoch++; s_sequence = 0 }
	/* a hello arrives, perhaps late */
	:: d_step { hello != 0 ->
		a_nonce[1] = a_nonce[0]; a_epoch[1] = a_epoch[0]; a_inc[1] = a_inc[0]; a_seq[1] = a_seq[0];
		if
		:: m_nonce != hello -> m_nonce = hello; m_epoch = s_epoch; m_seq = s_sequence
		:: else -> skip
		fi;
		a_nonce[0] = hello; a_epoch[0] = m_epoch; a_inc[0] = s_incarnation; a_seq[0] = m_seq;
		hello = 0 }
	/* a reboot: the sealed store has the epoch, or an older one; the sequence starts again */
	:: d_step { reboots < REBOOTS -> reboots++; s_sequence = 0; m_nonce = 0; m_epoch = 0; m_seq = 0;
#ifndef BREAK_INCARNATION
		s_incarnation++
#endif
		}
	:: d_step { reboots < REBOOTS && s_epoch > 0 -> reboots++; s_sequence = 0; m_nonce = 0; m_epoch = 0;
		m_seq = 0; s_epoch--;
#ifndef BREAK_INCARNATION
		s_incarnation++
#endif
		}
	od
}

proctype Receiver() {
end:	do
	:: d_step { sent > 0 -> arrive(0) }
	:: d_step { sent > 1 -> arrive(1) }
	:: d_step { sent > 2 -> arrive(2) }
	:: d_step { r_epoch < EPOCHS && r_epoch <= s_epoch -> r_epoch++ }
	/* no window: ask, again and again */
	:: d_step { !r_fresh && hello != r_nonce -> hello = r_nonce }
	:: d_step { !r_fresh && a_nonce[0] != 0 -> take(0) }
	:: d_step { !r_fresh && a_nonce[1] != 0 -> take(1) }
	/* a reboot: the nonce is random, so it never repeats */
	:: d_step { reboots < REBOOTS -> reboots++; r_fresh = false; r_nonce++; forget_window() }
	:: d_step { reboots < REBOOTS && r_epoch > 0 -> reboots++; r_fresh = false; r_nonce++; r_epoch--; forget_window() }
	od
}

init {
	atomic { run Sender(); run Receiver() }
}
