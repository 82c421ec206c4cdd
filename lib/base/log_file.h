/* SPDX-License-Identifier: PostgreSQL */
/*
 * The log's file in a directory, and the older ones beside it: "patroni.log",
 * the name that monitoring of the known format reads, then "patroni.log.1" and
 * so on, the highest number the oldest. Calls wait for the volume.
 */
#ifndef MT_BASE_LOG_FILE_H
#define MT_BASE_LOG_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MT_LOG_FILE_NAME "patroni.log"
#define MT_LOG_DIR_MAX 1024

struct mt_log_file {
	char path[MT_LOG_DIR_MAX + 32];
	int fd;               /* no child has it */
	int mode;             /* of the file; -1: as the umask says */
	int64_t bytes;        /* written to it, and before */
	int64_t rotate_bytes; /* no file grows beyond it; 0: without bound */
	int64_t keep;         /* older files; 0: no rotation */
};

/* The file is made where it is missing, its directory is not. The numbers of f
 * are the caller's to set. On error f->fd is -1. */
int mt_log_file_open(struct mt_log_file *f, const char *dir, int mode,
		     struct mt_err *err) MT_MUSTCHECK;
/* Before n bytes are written: if they would not fit, another file begins. On
 * error the old one goes on, and is tried again that many bytes later. */
int mt_log_file_rotate(struct mt_log_file *f, size_t n,
		       struct mt_err *err) MT_MUSTCHECK;
/* All n bytes, or none of them. */
int mt_log_file_write(struct mt_log_file *f, const void *p, size_t n,
		      struct mt_err *err) MT_MUSTCHECK;
void mt_log_file_close(struct mt_log_file *f);

#endif
