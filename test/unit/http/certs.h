/* SPDX-License-Identifier: PostgreSQL */
/* Certificates in PEM files of a scratch directory. */
#ifndef MT_TEST_UNIT_HTTP_CERTS_H
#define MT_TEST_UNIT_HTTP_CERTS_H

/* An authority or what one has signed: files NAME.crt, NAME.key, NAME.enc (the
 * key under CERTS_PASSWORD) and NAME.pem (both). by NULL: by itself. days may
 * be below 0. */
void certs_make(const char *name, const char *by, int days);
/* "DIR/file"; the last eight results stay. */
const char *certs_path(const char *file);
void certs_write(const char *file, const char *text);
/* The directory is made by the first of these. */
void certs_remove(void);

#define CERTS_PASSWORD "pass-phrase-7"

#endif
