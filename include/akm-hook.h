/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file of a program that a policy runs (daemon/hookfile.c): DIRECTORY/NAME. The runner starts
 * what this opens; the manager and akmctl look with the same eyes, and say beforehand what is wrong.
 */
#ifndef AKM_HOOK_H
#define AKM_HOOK_H

#define HOOK_REASON_LEN	192

/*
 * A descriptor (O_PATH) of the program: a regular file of root's that somebody may execute, which neither its group
 * nor others may write; so are the directory and all above it, but that those may have the sticky bit; and no
 * symbolic link on the way. What was checked is what the descriptor stands for, whatever the name means later.
 * Return: it, or a negative errno with @ret_reason.
 */
int hookfile_open(const char *directory, const char *name, char ret_reason[HOOK_REASON_LEN]);

#endif /* AKM_HOOK_H */
