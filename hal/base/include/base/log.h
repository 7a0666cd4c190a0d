/*
 * The log: one line an event, "time level subject event key=value ...", to one descriptor.
 * Names carry units (_ms, _bytes). Never a secret, a key name, a SAS or a request body.
 * Threads: any. A line is written whole by one write(2).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum cf_log_level { CF_LOG_ERROR, CF_LOG_WARN, CF_LOG_INFO, CF_LOG_DEBUG };

/* Lines above `level` are dropped; `fd` is borrowed. Before the first call: CF_LOG_INFO to stderr.
 */
void cf_log_setup(enum cf_log_level level, int fd);

/* `subject` is the module, `event` a fixed word; `fmt` gives the key=value pairs, or is "". */
void cf_log(enum cf_log_level level, const char *subject, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
