/* SPDX-License-Identifier: PostgreSQL */
/*
 * Small certificates made by OpenSSL. Whatever fails fails the test.
 */
#include "test/unit/http/certs.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/text.h"

static char dir[64];

const char *
certs_path(const char *file)
{
	static char paths[8][256];
	static int next;
	char *path = paths[next++ % 8];

	if (dir[0] == '\0') {
		mt_copy(dir, sizeof(dir), "/tmp/mt-certs-XXXXXX");
		ck_assert_ptr_nonnull(mkdtemp(dir));
	}
	mt_format(path, sizeof(paths[0]), "%s/%s", dir, file);
	return path;
}

void
certs_remove(void)
{
	DIR *d = dir[0] != '\0' ? opendir(dir) : NULL;
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		unlink(certs_path(e->d_name));
	if (d != NULL)
		closedir(d);
	rmdir(dir);
	dir[0] = '\0';
}

void
certs_write(const char *file, const char *text)
{
	FILE *f = fopen(certs_path(file), "we");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static FILE *
open_file(const char *name, const char *ending, const char *mode)
{
	char file[64];
	FILE *f;

	mt_format(file, sizeof(file), "%s.%s", name, ending);
	f = fopen(certs_path(file), mode);
	ck_assert_ptr_nonnull(f);
	return f;
}

static void
write_key(EVP_PKEY *key, const char *name, const char *ending, const char *mode,
	  const char *password)
{
	FILE *f = open_file(name, ending, mode);

	ck_assert_int_eq(
	    PEM_write_PrivateKey(f, key,
				 password != NULL ? EVP_aes_256_cbc() : NULL,
				 NULL, 0, NULL, (void *)password),
	    1);
	ck_assert_int_eq(fclose(f), 0);
}

static void
extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509 *
sign(EVP_PKEY *key, const char *name, const char *by, int days)
{
	static long serial = 0x1000;
	X509 *cert = X509_new(), *ca = NULL;
	EVP_PKEY *ca_key = NULL;
	FILE *f;

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), -86400 * 40L);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * days + 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
				   MBSTRING_UTF8, (const void *)name, -1, -1,
				   0);
	if (by != NULL) {
		f = open_file(by, "crt", "re");
		ca = PEM_read_X509(f, NULL, NULL, NULL);
		fclose(f);
		f = open_file(by, "key", "re");
		ca_key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
		fclose(f);
	} else {
		extend(cert, NID_basic_constraints, "critical,CA:TRUE");
	}
	X509_set_issuer_name(cert,
			     X509_get_subject_name(ca != NULL ? ca : cert));
	ck_assert_int_gt(
	    X509_sign(cert, ca_key != NULL ? ca_key : key, EVP_sha256()), 0);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	return cert;
}

static void
write_cert(X509 *cert, const char *name, const char *ending)
{
	FILE *f = open_file(name, ending, "we");

	ck_assert_int_eq(PEM_write_X509(f, cert), 1);
	ck_assert_int_eq(fclose(f), 0);
}

void
certs_make(const char *name, const char *by, int days)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert;

	ck_assert_ptr_nonnull(key);
	cert = sign(key, name, by, days);
	write_cert(cert, name, "crt");
	write_cert(cert, name, "pem");
	write_key(key, name, "key", "we", NULL);
	write_key(key, name, "pem", "ae", NULL);
	write_key(key, name, "enc", "we", CERTS_PASSWORD);
	X509_free(cert);
	EVP_PKEY_free(key);
}
