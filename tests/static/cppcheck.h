/* SPDX-License-Identifier: GPL-2.0 */
/* Macros of system headers, which cppcheck does not read, with the shape of their real selves. */
#define LIST_HEAD(name, type)		struct name { struct type *lh_first; }
#define LIST_ENTRY(type)		struct { struct type *le_next; struct type **le_prev; }
#define TAILQ_HEAD(name, type)		struct name { struct type *tqh_first; }
#define TAILQ_ENTRY(type)		struct { struct type *tqe_next; struct type **tqe_prev; }
#define STAILQ_HEAD(name, type)		struct name { struct type *stqh_first; }
#define STAILQ_ENTRY(type)		struct { struct type *stqe_next; }
#define SLIST_HEAD(name, type)		struct name { struct type *slh_first; }
#define SLIST_ENTRY(type)		struct { struct type *sle_next; }
#define STAILQ_FOREACH(v, head, f)	for (v = (head)->stqh_first; v; v = v->f.stqe_next)
#define TAILQ_FOREACH(v, head, f)	for (v = (head)->tqh_first; v; v = v->f.tqe_next)
#define LIST_FOREACH(v, head, f)	for (v = (head)->lh_first; v; v = v->f.le_next)
#define SLIST_FOREACH(v, head, f)	for (v = (head)->slh_first; v; v = v->f.sle_next)
#define json_object_object_foreach(o, key, value)			\
	char *key = json_first_key(o);					\
	json_object *value = json_first_value(o);			\
	for (; key; key = json_next(&key, &value))
