/* SPDX-License-Identifier: PostgreSQL */
/*
 * The frame of a fuzz target. With MT_FUZZ_SEEDS in the environment the program
 * writes its seeds into that folder and ends; otherwise it silences the log and
 * libFuzzer goes on. What goes wrong here ends the program: it is a test.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static const char *seeds_dir;
static int n_seeds;

static void
swallow(void *arg, enum mt_log_level level, const char *text)
{
	(void)arg, (void)level, (void)text;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	mt_log_set_sink(swallow, NULL);
	seeds_dir = getenv("MT_FUZZ_SEEDS");
	if (seeds_dir == NULL)
		return 0;
	fuzz_seeds();
	_exit(0);
}

void
fuzz_seed(const void *p, size_t n)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/seed-%02d", seeds_dir, n_seeds++);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		_exit(2);
	}
}

void
fuzz_seed_choice(uint8_t choice, const void *p, size_t n)
{
	uint8_t *whole = malloc(n + 1);

	MT_ASSERT(whole != NULL);
	whole[0] = choice;
	if (n > 0)
		memcpy(whole + 1, p, n);
	fuzz_seed(whole, n + 1);
	free(whole);
}

uint8_t *
fuzz_bytes(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n);

	MT_ASSERT(copy != NULL || n == 0);
	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}

char *
fuzz_text(const uint8_t *p, size_t n)
{
	char *copy = malloc(n + 1);

	MT_ASSERT(copy != NULL);
	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

void
fuzz_ends(const char *s, size_t size)
{
	MT_ASSERT(memchr(s, '\0', size) != NULL);
}
