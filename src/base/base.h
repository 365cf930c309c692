/* SPDX-License-Identifier: MIT */
/* base: what every module stands on. Include this one header; the parts below are its chapters. */
#ifndef CARELAYER_BASE_BASE_H
#define CARELAYER_BASE_BASE_H

#include "arena.h"   /* memory with a lifetime */
#include "buffer.h"  /* bytes being written, in an arena */
#include "codec.h"   /* base64, hex, gzip, CRC-32C, SHA-256 */
#include "config.h"  /* the table of settings */
#include "decimal.h" /* exact decimals */
#include "disk.h"    /* files that must survive a power cut */
#include "json.h"    /* reading and writing JSON with limits and positions */
#include "log.h"     /* structured events with privacy classes */
#include "outcome.h" /* the OperationOutcome being built */
#include "random.h"  /* identifiers, and a seedable generator */
#include "slice.h"   /* a view of bytes that somebody else owns */
#include "status.h"  /* what a function answers */
#include "time.h"    /* instants and FHIR partial dates */

#endif
