/* SPDX-License-Identifier: PostgreSQL */
/*
 * What all fuzz targets share. A target is one file with two functions: one
 * takes libFuzzer's bytes, the other writes well-formed ones to begin with, so
 * that no corpus of old encodings is kept. fuzz.c has the rest.
 */
#ifndef MT_TEST_FUZZ_H
#define MT_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* libFuzzer calls these. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* The target's: call fuzz_seed() for each input to begin with. */
void fuzz_seeds(void);

void fuzz_seed(const void *p, size_t n);
/* One byte that chooses what the target does, then the input proper. */
void fuzz_seed_choice(uint8_t choice, const void *p, size_t n);

/* A copy of exactly n bytes, so that ASan sees the first byte beyond; to be
 * freed. The second has a zero after them. */
uint8_t *fuzz_bytes(const uint8_t *p, size_t n);
char *fuzz_text(const uint8_t *p, size_t n);

/* A string that ends within its room. */
void fuzz_ends(const char *s, size_t size);
#define FUZZ_ENDS(array) fuzz_ends(array, sizeof(array))

#endif
