/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Structured logs without secrets: one line "MESSAGE key=value …" on stderr, or
 * fields in the journal when JOURNAL_STREAM says so. Library code returns errors;
 * roles and main log them, once.
 */
#ifndef AKM_LOG_H
#define AKM_LOG_H

enum akm_log_level { AKM_LOG_ERR = 3, AKM_LOG_WARNING = 4, AKM_LOG_NOTICE = 5, AKM_LOG_INFO = 6, AKM_LOG_DEBUG = 7 };

/* Also connects to the journal where stderr leads there. Before privileges drop. */
void akm_log_init(const char *ident, enum akm_log_level max);
void akm_log_exit(void);
/* Send to the journal socket at @path from now on. Return: 0 or a negative errno; then nothing has changed. */
int akm_log_journal(const char *path);
/*
 * @fmt is the message for people; values belong into it as "key=value" words (fields
 * AKM_KEY in the journal). Control characters are escaped. Keeps errno. Any thread.
 */
__attribute__((format(printf, 2, 3))) void akm_log(enum akm_log_level level, const char *fmt, ...);
/* The same, with a MESSAGE_ID in the journal (logid.h). */
__attribute__((format(printf, 3, 4)))
void akm_log_id(enum akm_log_level level, const char *id, const char *fmt, ...);

#define log_err(...)		akm_log(AKM_LOG_ERR, __VA_ARGS__)
#define log_warning(...)	akm_log(AKM_LOG_WARNING, __VA_ARGS__)
#define log_notice(...)		akm_log(AKM_LOG_NOTICE, __VA_ARGS__)
#define log_info(...)		akm_log(AKM_LOG_INFO, __VA_ARGS__)
#define log_debug(...)		akm_log(AKM_LOG_DEBUG, __VA_ARGS__)

#endif /* AKM_LOG_H */
