/* SPDX-License-Identifier: PostgreSQL */
/* OpenSSL's context from files: what is taken, and what is said of the rest. */
#include "base/tls.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/text.h"
#include "test/unit/http/certs.h"
#include "test/unit/run.h"

static struct mt_tls *tls;
static struct mt_err err;
static const char *at;

static void
setup(void)
{
	certs_make("ca", NULL, 100);
	certs_make("one", "ca", 30);
	certs_make("two", "ca", 30);
	tls = NULL;
	err = (struct mt_err){0};
}

static void
teardown(void)
{
	mt_tls_free(tls);
	certs_remove();
}

static struct mt_tls_files
files(const char *cert, const char *key, const char *password)
{
	return (struct mt_tls_files){
	    .section = "restapi",
	    .certfile = certs_path(cert),
	    .keyfile = key != NULL ? certs_path(key) : NULL,
	    .keyfile_password = password,
	};
}

static void
take(const struct mt_tls_files *f)
{
	ck_assert_msg(mt_tls_new(&tls, f, &at, &err) == 0, "%s", err.text);
	ck_assert_ptr_nonnull(mt_tls_context(tls));
}

static void
refuse(const struct mt_tls_files *f, const char *option, const char *words)
{
	ck_assert_int_eq(mt_tls_new(&tls, f, &at, &err), MT_EINVAL);
	ck_assert_ptr_null(tls);
	ck_assert_str_eq(at, option);
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
	ck_assert_ptr_null(strstr(err.text, CERTS_PASSWORD));
	ck_assert_ptr_null(strstr(err.text, "BEGIN"));
}

START_TEST(certificate_and_key_of_two_files_are_taken)
{
	struct mt_tls_files f = files("one.crt", "one.key", NULL);
	int64_t days;

	f.cafile = certs_path("ca.crt");
	f.verify_client = MT_TLS_VERIFY_REQUIRED;
	take(&f);
	days = (mt_tls_ends_s(tls) - time(NULL)) / 86400;
	ck_assert_int_eq(days, 30);
	ck_assert_msg(strncmp(mt_tls_name(tls), "CN = one, serial 10", 19) == 0,
		      "%s", mt_tls_name(tls));
	ck_assert_int_eq(SSL_CTX_get_verify_mode(mt_tls_context(tls)),
			 SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
	ck_assert_int_eq(
	    sk_X509_NAME_num(SSL_CTX_get_client_CA_list(mt_tls_context(tls))),
	    1);
}
END_TEST

START_TEST(the_key_may_stand_in_the_file_of_the_certificate)
{
	struct mt_tls_files f = files("one.pem", NULL, NULL);

	take(&f);
	mt_tls_free(tls);
	f.keyfile = "";
	take(&f);
}
END_TEST

START_TEST(an_encrypted_key_needs_its_passphrase)
{
	struct mt_tls_files f = files("one.crt", "one.enc", NULL);

	refuse(&f, "keyfile",
	       "one.enc\" holds an encrypted key; give its passphrase as "
	       "\"restapi.keyfile_password_file\"");
	f.keyfile_password = "wrong-" CERTS_PASSWORD;
	refuse(&f, "keyfile",
	       "one.enc\" holds a key that could not be decrypted; correct "
	       "\"restapi.keyfile_password\"");
	f.keyfile_password = CERTS_PASSWORD;
	take(&f);
}
END_TEST

START_TEST(the_key_of_another_certificate_is_refused)
{
	struct mt_tls_files f = files("one.crt", "two.key", NULL);

	refuse(&f, "keyfile", "two.key\" holds the key of another certificate");
}
END_TEST

START_TEST(files_that_are_not_there_or_hold_something_else_are_named)
{
	struct mt_tls_files f = files("none.crt", "one.key", NULL);

	refuse(&f, "certfile",
	       "none.crt\" could not be opened: No such file or directory; "
	       "correct the name");
	certs_write("none.crt", "nonsense\n");
	refuse(&f, "certfile", "holds no certificate in PEM form");
	certs_write("none.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n"
				"-----END CERTIFICATE-----\n");
	refuse(&f, "certfile", "holds no certificate in PEM form");
	f.certfile = certs_path("");
	refuse(&f, "certfile", "is not a plain file");
	f = files("one.crt", NULL, NULL);
	refuse(&f, "certfile",
	       "holds no key beside the certificate; name its file as "
	       "\"restapi.keyfile\"");
	f = files("one.crt", "one.crt", NULL);
	refuse(&f, "keyfile", "holds no private key");
}
END_TEST

START_TEST(authorities_and_ciphers_are_read_as_well)
{
	struct mt_tls_files f = files("one.pem", NULL, NULL);

	f.cafile = certs_path("one.key");
	refuse(&f, "cafile", "one.key\" holds no certificate");
	f.cafile = certs_path("gone");
	refuse(&f, "cafile", "could not be opened");
	f.cafile = certs_path("ca.crt");
	f.ciphers = "no-such-cipher";
	refuse(&f, "ciphers", "names no cipher that OpenSSL knows");
	f.ciphers = "ECDHE+AESGCM";
	take(&f);
}
END_TEST

/* The certificate of who signed comes after it; damage there is seen. */
START_TEST(a_chain_is_taken_whole_or_not_at_all)
{
	struct mt_tls_files f = files("chain", "one.key", NULL);
	STACK_OF(X509) *chain = NULL;
	char command[600];

	mt_format(command, sizeof(command), "cat %s %s > %s",
		  certs_path("one.crt"), certs_path("ca.crt"),
		  certs_path("chain"));
	ck_assert_int_eq(system(command), 0);
	take(&f);
	SSL_CTX_get0_chain_certs(mt_tls_context(tls), &chain);
	ck_assert_int_eq(sk_X509_num(chain), 1);
	mt_tls_free(tls);
	tls = NULL;
	mt_format(command, sizeof(command), "sed -i '0,/END/!{/^M/d}' %s",
		  certs_path("chain"));
	ck_assert_int_eq(system(command), 0);
	refuse(&f, "certfile", "has a damaged certificate after the first one");
}
END_TEST

START_TEST(only_other_bytes_or_options_make_another_one)
{
	struct mt_tls_files f = files("one.pem", NULL, NULL);
	struct mt_tls *other = NULL;

	take(&f);
	ck_assert_int_eq(mt_tls_new(&other, &f, NULL, &err), 0);
	ck_assert(mt_tls_same(tls, other));
	mt_tls_free(other);
	f.ciphers = "ECDHE+AESGCM";
	ck_assert_int_eq(mt_tls_new(&other, &f, NULL, &err), 0);
	ck_assert(!mt_tls_same(tls, other));
	mt_tls_free(other);
	f.ciphers = NULL;
	certs_make("one", "ca", 31);
	ck_assert_int_eq(mt_tls_new(&other, &f, NULL, &err), 0);
	ck_assert(!mt_tls_same(tls, other));
	mt_tls_free(other);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("tls");
	TCase *tc = tcase_create("tls");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, certificate_and_key_of_two_files_are_taken);
	tcase_add_test(tc, the_key_may_stand_in_the_file_of_the_certificate);
	tcase_add_test(tc, an_encrypted_key_needs_its_passphrase);
	tcase_add_test(tc, the_key_of_another_certificate_is_refused);
	tcase_add_test(
	    tc, files_that_are_not_there_or_hold_something_else_are_named);
	tcase_add_test(tc, authorities_and_ciphers_are_read_as_well);
	tcase_add_test(tc, a_chain_is_taken_whole_or_not_at_all);
	tcase_add_test(tc, only_other_bytes_or_options_make_another_one);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
