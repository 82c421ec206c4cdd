/* SPDX-License-Identifier: PostgreSQL */
/*
 * The few questions that the peers ask of socket addresses. How an address of a
 * node is spelled is base/addr.h's business.
 */
#ifndef MT_PEER_SOCKADDR_H
#define MT_PEER_SOCKADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/addr.h"

/* A numeric host into ss without any look-up; false if it is a name. */
bool mt_sockaddr_numeric(const char *host, uint16_t port,
			 struct sockaddr_storage *ss);

/* 127.0.0.0/8, ::1, or the former inside IPv6? */
bool mt_sockaddr_is_loopback(const struct sockaddr *sa);

/* "10.0.0.1:5100", canonical; "unknown" for another family. Returns out. */
char *mt_sockaddr_text(char out[MT_ADDR_MAX], const struct sockaddr *sa);

#endif
