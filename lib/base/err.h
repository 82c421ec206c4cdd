/* SPDX-License-Identifier: PostgreSQL */
/*
 * Errors: a function that can fail returns 0 or a negative enum mt_errcode and
 * fills the caller's struct mt_err. Each level may add context in front; only
 * the top logs. Wording follows PostgreSQL's error style: lower case, no full
 * stop, what was attempted and why it failed, names in double quotes.
 */
#ifndef MT_BASE_ERR_H
#define MT_BASE_ERR_H

#include <stdnoreturn.h>

#define MT_MUSTCHECK __attribute__((warn_unused_result))
#define MT_PRINTF(f, a) __attribute__((format(printf, f, a)))

enum mt_errcode {
	MT_EINVAL = -1, /* bad input: configuration, argument, request */
	MT_ENOMEM = -2, /* memory or a fixed limit ran out */
	MT_ESYS = -3,   /* a system call failed; sys_errno tells */
	MT_EIO = -4,    /* storage failed or is damaged */
	MT_EPROTO = -5, /* peer, server or program answered nonsense */
	MT_EREFUSED =
	    -6,        /* understood and refused: a condition does not hold */
	MT_EBUSY = -7, /* something else is under way */
	MT_ETIMEDOUT = -8,
	MT_ENOENT = -9,
	MT_ECANCELED = -10,
};

struct mt_err {
	int code;       /* 0 or enum mt_errcode */
	int sys_errno;  /* errno for MT_ESYS, else 0 */
	char text[512]; /* one line, never a secret */
};

/* Set the error and return code. err may be NULL. */
int mt_err_set(struct mt_err *err, int code, const char *fmt, ...)
    MT_PRINTF(3, 4);

/* Set MT_ESYS; ": <strerror>" is appended. Returns MT_ESYS. */
int mt_err_sys(struct mt_err *err, int sys_errno, const char *fmt, ...)
    MT_PRINTF(3, 4);

/* Put context and ": " in front of the text. Returns err->code. */
int mt_err_prefix(struct mt_err *err, const char *fmt, ...) MT_PRINTF(2, 3);

/* A broken rule of our own: print where and abort, in production too. */
noreturn void mt_assert_failed(const char *what, const char *file, int line);
#define MT_ASSERT(x) ((x) ? (void)0 : mt_assert_failed(#x, __FILE__, __LINE__))

#endif
